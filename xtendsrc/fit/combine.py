"""Several spectra of one source added up, with the responses that go with the sum.

Fitting spectra together loses nothing and is the default everywhere; a sum is for pictures and for programs that take
one spectrum. The responses are weighted as CIAO's ``combine_spectra`` does: the area by exposure, the matrix by area
times exposure, so that exposure x area x matrix of the sum is the sum of those of the spectra, AREASCAL included.

Backgrounds are added up as counts where one scale is right for all of them; then the W statistic holds for the sum.
Where the ratios of source to background differ, the scaled backgrounds are added up with the errors of that sum, which
are not Poisson, and chi-squared has to be used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import GridMismatchError, RequestError
from xtendsrc.fit.data import Counts, Dataset
from xtendsrc.fit.response import GRID_TOLERANCE, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_array

SAME_RATIO = 1e-6
"""Ratios of source to background that differ by less than this part are one."""


def combine(datasets: Sequence[Dataset], name: str = "combined") -> Dataset:
    """Return the sum of spectra, with its background and response.

    Parameters
    ----------
    datasets : sequence of Dataset
        Spectra on the same channels and energies.
    name : str
        What the sum is called.

    Returns
    -------
    Dataset
        Counts and exposures are sums; BACKSCAL is the mean weighted by exposure; AREASCAL is one, since the response
        holds it. A channel that is bad in one spectrum is bad in the sum.

    Raises
    ------
    RequestError
        If there are fewer than two spectra, only some of them have a background, or some have errors of their own.
    GridMismatchError
        If channels or energies differ.
    """
    if len(datasets) < 2:
        raise RequestError("One spectrum cannot be combined.", "give two or more.")
    first = datasets[0]
    for other in datasets[1:]:
        _check_grids(first, other)
    if len({d.background is None for d in datasets}) > 1:
        raise RequestError(
            "Some of the spectra have a background and some have none.", "give all of them one, or none."
        )
    if not all(d.source.poisson for d in datasets):
        raise RequestError("Spectra with errors of their own cannot be added as counts.", "fit them together.")
    exposure = sum(d.source.exposure for d in datasets)
    source = Counts(
        counts=np.sum([d.source.counts for d in datasets], axis=0),
        exposure=exposure,
        backscal=np.sum([d.source.exposure * d.source.backscal for d in datasets], axis=0) / exposure,
        areascal=np.ones(first.source.counts.size),
        quality=np.max([d.source.quality for d in datasets], axis=0),
        grouping=np.zeros(first.source.counts.size, int),
        name=name,
    )
    background = None if first.background is None else _background(datasets, source)
    return Dataset(source, combine_responses(datasets, name), background, name, band=first.band)


def combine_responses(datasets: Sequence[Dataset], name: str = "combined") -> Response:
    """Return the response of the sum of spectra.

    Parameters
    ----------
    datasets : sequence of Dataset
        Spectra on the same channels and energies.
    name : str
        What errors call it.

    Returns
    -------
    Response
        Area: mean of the areas weighted by exposure; matrix: mean weighted by exposure times area, in each energy bin.
    """
    times = np.array([d.source.exposure for d in datasets])
    own = [d.response for d in datasets]
    areas = np.array([np.ones(r.edges.size - 1) if r.area is None else r.area for r in own])
    weights = times[:, None] * areas
    total = weights.sum(axis=0)
    weighted = _scaled(datasets[0], weights[0])
    plain = times[0] * own[0].matrix
    for dataset, weight, time in zip(datasets[1:], weights[1:], times[1:], strict=True):
        weighted = weighted + _scaled(dataset, weight)
        plain = plain + time * dataset.response.matrix
    blind = total <= 0
    matrix = _rows_times(weighted, np.where(blind, 0.0, 1 / np.where(blind, 1.0, total)))
    if blind.any():
        matrix = (matrix + _rows_times(plain, np.where(blind, 1 / times.sum(), 0.0))).tocsr()
    kind = "nominal" if any(r.kind == "nominal" for r in own) else "calibrated"
    area = None if all(r.area is None for r in own) else total / times.sum()
    return Response(own[0].edges, matrix, own[0].channels, own[0].e_min, own[0].e_max, area, kind, name)


def _scaled(dataset: Dataset, weight: np.ndarray) -> csr_array:
    """Return a matrix with its rows weighted and AREASCAL of each channel in it."""
    matrix = _rows_times(dataset.response.matrix, weight)
    scale = dataset.source.areascal
    if np.any(scale != 1):
        matrix.data = matrix.data * scale[matrix.indices]
    return matrix


def _rows_times(matrix: csr_array, weight: np.ndarray) -> csr_array:
    out = matrix.tocsr().copy()
    out.data = out.data * np.repeat(weight, np.diff(out.indptr))
    return out


def _check_grids(first: Dataset, other: Dataset) -> None:
    a, b = first.response, other.response
    width = np.diff(a.edges)
    allowed = GRID_TOLERANCE * np.append(width, width[-1]) + 2e-7 * a.edges
    if a.edges.size != b.edges.size or np.any(np.abs(a.edges - b.edges)[1:] > allowed[1:]):
        raise GridMismatchError(
            f"The responses of {first.name} and {other.name} have different energies.", "fit the spectra together."
        )
    same = np.array_equal(a.channels, b.channels)
    if not same or np.abs(a.e_min - b.e_min).max() > GRID_TOLERANCE * np.abs(a.e_max - a.e_min).min() + 1e-6:
        raise GridMismatchError(
            f"The channels of {first.name} and {other.name} have different energies.", "fit the spectra together."
        )


def _background(datasets: Sequence[Dataset], source: Counts) -> Counts:
    """Return the background of a sum, scaled so that the ratio to the source is the one that holds for the counts."""
    others = [d.background for d in datasets if d.background is not None]
    ratios = np.array([_ratio(d) for d in datasets])
    counts = np.sum([b.counts for b in others], axis=0)
    exposure = sum(b.exposure for b in others)
    quality = np.max([b.quality for b in others], axis=0)
    zero = np.zeros(counts.size, int)
    spread = np.ptp(ratios, axis=0) > SAME_RATIO * ratios.max(axis=0)
    mean = ratios[0].copy()
    error, level = None, counts
    if spread.any() or not all(b.poisson for b in others):
        weight = np.array([b.counts.sum() for b in others], float)
        mean = np.average(ratios, axis=0, weights=weight if weight.sum() > 0 else None)
        level = np.sum([r * b.counts for r, b in zip(ratios, others, strict=True)], axis=0) / mean
        error = np.sqrt(np.sum([r**2 * b.variance for r, b in zip(ratios, others, strict=True)], axis=0)) / mean
    backscal = source.exposure * source.backscal / (exposure * mean)
    return Counts(level, exposure, backscal, np.ones(counts.size), quality, zero, error, f"{source.name} background")


def _ratio(dataset: Dataset) -> np.ndarray:
    """Return what the background counts of each channel are multiplied with."""
    own, other = dataset.source, dataset.background
    if other is None:
        return np.zeros(own.counts.size)
    mine, theirs = (c.exposure * c.backscal * c.areascal for c in (own, other))
    good = (mine > 0) & (theirs > 0)
    return np.where(good, mine / np.where(good, theirs, 1.0), 1.0)
