"""Spectra of a model with Poisson noise, and the errors that an observation would give: for proposals and tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.fit import engines, native
from xtendsrc.fit.bootstrap import expected_counts, simulate_counts
from xtendsrc.fit.data import Counts, usual_band
from xtendsrc.fit.keywords import statement
from xtendsrc.fit.measured import FittedParameter
from xtendsrc.fit.minimise import covariance_at
from xtendsrc.fit.ogipfile import write_dataset
from xtendsrc.fit.parameters import Term
from xtendsrc.fit.response import Response
from xtendsrc.fit.spectrumfile import read_spectrum
from xtendsrc.fit.ties import full_name
from xtendsrc.responses.file import read_arf, read_rmf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xtendsrc.fit.data import Dataset
    from xtendsrc.fit.model import Model
    from xtendsrc.fit.result import FitResult

CARDS = {"TELESCOP": "XRISM", "INSTRUME": "XTEND", "FILTER": "NONE", "OBJECT": "simulated", "CREATOR": "xtendsrc"}


@dataclass(frozen=True, eq=False)
class SimulatedSpectrum:
    """A simulated spectrum with its response, its background, and the truth behind it.

    Attributes
    ----------
    dataset : Dataset
        Counts, response and background.
    model : str
        The model it was drawn from.
    truth : mapping of str to float
        The model's parameters.
    """

    dataset: Dataset
    model: str
    truth: Mapping[str, float]

    @property
    def counts(self) -> np.ndarray:
        """Counts a channel, (channels,)."""
        return self.dataset.source.counts

    @property
    def channels(self) -> np.ndarray:
        """Channel numbers."""
        return self.dataset.response.channels

    @property
    def background(self) -> np.ndarray | None:
        """Counts a channel of the background spectrum drawn with it; None if there is none."""
        return None if self.dataset.background is None else self.dataset.background.counts

    def fit(self, model: str | None = None, **options: Any) -> FitResult:
        """Return the fit of a model, by default of the one it was drawn from, begun at the truth.

        Options are those of `xtendsrc.fit.keywords.statement`.
        """
        if model is None:
            options = {"start": dict(self.truth), **options}
        return statement(model or self.model, **options).run([self.dataset])

    def write(self, folder: str | Path, name: str = "simulated", **cards: Any) -> Path:
        """Write spectrum, background and responses as OGIP files linked to each other; returns the spectrum's path.

        Parameters
        ----------
        folder : path
            Where; made if it is not there.
        name : str
            Begins the names of the files.
        **cards
            Header keywords.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        return write_dataset(self.dataset, place, name, {**CARDS, **cards})["source"]


def spectrum(
    model: str,
    rmf: Any,
    arf: Any,
    exposure: Any,
    background: Any = None,
    seed: int | None = None,
    *,
    parameters: Mapping[str, float] | None = None,
    backscal: float = 1.0,
    **settings: Any,
) -> SimulatedSpectrum:
    """Return a spectrum of a model as an observation would give it (XSPEC's ``fakeit``).

    Parameters
    ----------
    model : str
        In XSPEC's syntax.
    rmf, arf : path, or RMF and ARF
        The response; ``arf`` may be None for a matrix that holds the area.
    exposure : Quantity
        Exposure time.
    background : path or Spectrum, optional
        A measured background. Scaled by exposure, BACKSCAL and AREASCAL it is added before counts are drawn; the
        background spectrum of the result is drawn from it.
    seed : int, optional
        Of the random numbers; None draws other ones each time.
    parameters : mapping of str to float, optional
        Values of the model's parameters; XSPEC's defaults otherwise.
    backscal : float
        BACKSCAL of the source region.
    **settings
        ``abund``, ``xsect``, ``cosmology`` of the model.

    Returns
    -------
    SimulatedSpectrum
        Counts with what is needed to fit or to write them.

    Raises
    ------
    RequestError
        If a parameter is unknown or the exposure is not positive.
    """
    parsed, values = _model(model, parameters, settings)
    response, band = _response(rmf, arf)
    seconds, under = _seconds(exposure), _counts(background)
    data = simulate_counts(parsed, values, response, seconds, under, backscal, seed)
    truth = dict(zip(parsed.names, values.tolist(), strict=True))
    return SimulatedSpectrum(replace(data, band=band), str(parsed), truth)


def expected_errors(
    model: str,
    rmf: Any,
    arf: Any,
    exposure: Any,
    background: Any = None,
    *,
    parameters: Mapping[str, float] | None = None,
    backscal: float = 1.0,
    **options: Any,
) -> dict[str, FittedParameter]:
    """Return the errors that a fit of an observation is expected to give, without drawing random numbers.

    They are those of Fisher's information at the truth, for data equal to their expectation.

    Parameters
    ----------
    model, rmf, arf, exposure, background, parameters, backscal
        As for `spectrum`.
    **options
        ``energy``, ``group``, ``stat``, ``freeze``, ``thaw``, ``tie``, ``abund``, ``xsect``, ``cosmology``, as for a
        fit.

    Returns
    -------
    dict of str to FittedParameter
        Every parameter with the error that is expected of it.
    """
    settings = {name: value for name, value in options.items() if name in ("abund", "xsect", "cosmology")}
    parsed, values = _model(model, parameters, settings)
    response, band = _response(rmf, arf)
    data = expected_counts(parsed, values, response, _seconds(exposure), _counts(background), backscal)
    start = dict(zip(parsed.names, values.tolist(), strict=True))
    asked = statement(model, start=start, **options)
    problem = native.make_problem([replace(data, band=band)], [Term(parsed)], asked.options)
    free = problem.parameters.start[problem.parameters.free]
    covariance, _ = covariance_at(problem, free)
    names = (problem.parameters.names[i] for i in problem.parameters.free)
    sigma = dict(zip(names, np.sqrt(np.diag(covariance)), strict=True))
    found = {}
    for slot in problem.parameters.slots:
        error = float(sigma.get(slot.name, 0.0))
        ends = (slot.start - error, slot.start + error)
        tied = problem.parameters.tied.get(slot.name, "")
        found[slot.name] = FittedParameter(slot.name, slot.unit, slot.start, error, *ends, slot.frozen, tied)
    return found


def _model(text: str, parameters: Mapping[str, float] | None, settings: Mapping[str, Any]) -> tuple[Model, np.ndarray]:
    parsed = statement(text, **settings).models()[0]
    parsed = engines.prepared(parsed, engines.choose([parsed]))
    values = parsed.values
    for name, value in (parameters or {}).items():
        values[parsed.names.index(full_name(name, parsed.names))] = float(value)
    return parsed, values


def _seconds(exposure: Any) -> float:
    try:
        seconds = float(exposure.to_value("s"))
    except AttributeError as error:
        raise UnitsError(
            f"The exposure {exposure!r} has no unit.", "write it as a Quantity, e.g. 50 * u.ks."
        ) from error
    except (TypeError, ValueError) as error:
        raise UnitsError(f"{exposure!r} is no exposure time.", "write it as a Quantity, e.g. 50 * u.ks.") from error
    if not (np.isfinite(seconds) and seconds > 0):
        raise RequestError(f"An exposure of {seconds:g} s is not positive.", "give a longer one.")
    return seconds


def _path(given: Any) -> Path:
    return Path(getattr(given, "path", given))


def _response(rmf: Any, arf: Any) -> tuple[Response, tuple[float, float] | None]:
    matrix = read_rmf(_path(rmf))
    area = None if arf is None else read_arf(_path(arf))
    return Response.of(matrix, area, _path(rmf).name), usual_band(matrix["header"])


def _counts(background: Any) -> Counts | None:
    if background is None or isinstance(background, Counts):
        return background
    path = _path(background)
    return Counts.from_content(read_spectrum(path), path.name)
