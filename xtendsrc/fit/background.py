"""Background models fitted at the same time as the source, each with its own response."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.fit.data import Dataset
from xtendsrc.fit.parameters import Term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xtendsrc.fit.parameters import SpectralModel
    from xtendsrc.fit.response import Response


@dataclass(frozen=True)
class BackgroundModel:
    """A model of a background.

    Attributes
    ----------
    model : SpectralModel
        The model. Folded through ``diagonal``, it is in counts/s for each keV of the channels.
    response : str or Response
        ``diagonal`` (the default: the customary form of a particle background), ``rmf`` (without ARF), ``source``
        (for what comes through the mirror), or a response of its own.
    spectrum : Dataset, optional
        A spectrum of this background alone, fitted with it; the background spectra of the data are taken if there is
        none.
    free : bool
        Whether its level in the source spectra is fitted; otherwise it follows BACKSCAL from the background spectra.
    """

    model: SpectralModel
    response: str | Response = "diagonal"
    spectrum: Dataset | None = None
    free: bool = False


def with_backgrounds(
    datasets: Sequence[Dataset], source: Term, backgrounds: Mapping[str, BackgroundModel]
) -> tuple[list[Dataset], list[Term]]:
    """Return the data sets and models of a fit with background models.

    The source spectra come first, then the spectra of backgrounds: those that the models bring, and the background
    spectrum of each source. Every background model is in all source spectra and in its own spectra, with its
    parameters in common, and a factor for each spectrum after the first: BACKSCAL of the region over that of the
    first, held or free as the model says.

    Parameters
    ----------
    datasets : sequence of Dataset
        Source spectra.
    source : Term
        The source's model.
    backgrounds : mapping of str to BackgroundModel
        Background models by the label that precedes their parameters' names.

    Raises
    ------
    RequestError
        If a label cannot stand before a parameter's name.
    """
    data = [replace(d, background=None) for d in datasets]
    common = []
    for dataset in datasets:
        if dataset.background is not None:
            common.append(len(data) + 1)
            name = f"{dataset.name} background"
            own_files = _background_files(dataset)
            data.append(Dataset(dataset.background, dataset.response, None, name, own_files, dataset.band))
    sources = tuple(range(1, len(datasets) + 1))
    terms = [replace(source, data=sources)]
    for label, background in backgrounds.items():
        if not label.isidentifier():
            raise RequestError(f"{label!r} cannot name a background model.", 'use a short word, such as "nxb".')
        own = tuple(common)
        if background.spectrum is not None:
            data.append(replace(background.spectrum, background=None))
            own = (len(data),)
        numbers = (*own, *sources)
        factors = {n: _area(data[n - 1]) / _area(data[numbers[0] - 1]) for n in numbers[1:]}
        terms.append(Term(background.model, label, numbers, background.response, (), background.free, factors))
    return data, terms


def _area(dataset: Dataset) -> float:
    """Return the mean BACKSCAL of the good channels of a spectrum."""
    scale = dataset.source.backscal
    good = (dataset.source.quality == 0) & (scale > 0)
    return float(np.mean(scale[good])) if good.any() else 1.0


def _background_files(dataset: Dataset) -> dict[str, Path]:
    return {("source" if n == "background" else n): f for n, f in dataset.files.items() if n != "source"}
