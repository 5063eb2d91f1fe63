"""Simulated data: what a model predicts with Poisson noise, and how good a fit is by comparison with such data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import FitError
from xtendsrc.fit.minimise import minimise
from xtendsrc.fit.problem import Problem
from xtendsrc.fit.statistic import WStat

if TYPE_CHECKING:
    from xtendsrc.fit.data import Counts, Dataset, Selection
    from xtendsrc.fit.parameters import SpectralModel
    from xtendsrc.fit.response import Response
    from xtendsrc.fit.result import FitResult
    from xtendsrc.fit.statistic import Statistic


@dataclass(frozen=True, eq=False)
class Goodness:
    """Goodness of fit: a statistic compared with those of simulated data.

    Attributes
    ----------
    probability : float
        Part of the simulations with a statistic as large as the data's or larger: (1 + k) / (1 + n).
    statistics : ndarray
        Statistics of the simulations, each fitted again.
    """

    probability: float
    statistics: np.ndarray

    def __float__(self) -> float:
        return self.probability


def goodness(result: FitResult, number: int = 100, seed: int = 0) -> Goodness:
    """Return the parametric-bootstrap goodness of a fit: data are simulated from its best model and fitted again.

    Parameters
    ----------
    result : FitResult
        A fit with its data.
    number : int
        How many simulations.
    seed : int
        Of the random numbers.

    Raises
    ------
    FitError
        If the result has no data, or they are not Poisson counts.
    """
    problem, rng = result.problem, np.random.default_rng(seed)
    best = result.values[problem.parameters.free]
    statistics = [minimise(_simulated(problem, best, rng), best).statistic for _ in range(number)]
    beyond = int(np.sum(np.array(statistics) >= result.statistic))
    return Goodness((1 + beyond) / (1 + number), np.array(statistics))


def simulate_fit(result: FitResult, seed: int = 0) -> list[Dataset]:
    """Return data sets like those of a fit, drawn from its best model.

    Raises
    ------
    FitError
        If the result has no data, or they are not Poisson counts.
    """
    problem = result.problem
    best = result.values[problem.parameters.free]
    return [s.dataset for s in _simulated(problem, best, np.random.default_rng(seed)).selections]


def _simulated(problem: Problem, free: np.ndarray, rng: np.random.Generator) -> Problem:
    """Return the problem with counts drawn from its model, and backgrounds from theirs, in the same bins."""
    values = problem.values(free)
    expected = problem.expected(values)
    selections = []
    for number, selection in enumerate(problem.selections):
        data = selection.dataset
        if not data.source.poisson:
            raise FitError(f"{data.name} holds no Poisson counts to simulate.", "use its own errors instead.")
        mean = _channel_means(problem, values, number)
        background = data.background
        if background is not None and not problem.modelled:
            level = _background_level(selection, problem.statistics[number], expected[number])
            mean = mean + _scale(data) * level
            background = replace(background, counts=rng.poisson(level))
        drawn = replace(data, source=replace(data.source, counts=rng.poisson(mean)), background=background)
        selections.append(replace(selection, dataset=drawn))
    parameters = problem.parameters.starting(values)
    return Problem(selections, problem.terms, parameters, problem.names, problem.modelled)


def _channel_means(problem: Problem, values: np.ndarray, number: int) -> np.ndarray:
    """Return the expected source counts of every channel of a data set."""
    from xtendsrc.fit.problem import response_of

    data = problem.selections[number].dataset
    mean = np.zeros(data.source.counts.size)
    for use in problem.uses:
        if use.number == number:
            term = problem.terms[use.term]
            response = response_of(term, data)
            photons = np.asarray(term.model.evaluate(values[use.places], response.edges))
            middle = (response.e_min + response.e_max) / 2
            mean += use.scale(values, middle) * response.fold(photons)
    found: np.ndarray = np.maximum(mean * data.source.exposure * data.source.areascal, 0.0)
    return found


def _background_level(selection: Selection, statistic: Statistic, expected: np.ndarray) -> np.ndarray:
    """Return the background counts expected in each channel of the background spectrum.

    In the bins it is the level that fits best with the model, where the W statistic has one, else as measured; even
    within each bin. Channels in no bin keep what was measured.
    """
    background = selection.dataset.background
    assert background is not None
    of_bins = selection.background_counts
    if isinstance(statistic, WStat):
        of_bins = statistic.profiled(expected)
    level: np.ndarray = np.maximum(np.asarray(background.counts, float), 0.0)
    place = selection.bins.bin_of_kept
    level[selection.bins.kept] = (of_bins / np.bincount(place))[place]
    return level


def _scale(data: Dataset) -> np.ndarray:
    """Return what background counts of each channel are multiplied with; zero where a scale is not positive."""
    own, other = data.source, data.background
    if other is None:
        return np.zeros(own.counts.size)
    mine, theirs = (c.exposure * c.backscal * c.areascal for c in (own, other))
    good = (mine > 0) & (theirs > 0)
    return np.where(good, mine / np.where(good, theirs, 1.0), 0.0)


def simulate_counts(
    model: SpectralModel,
    values: np.ndarray,
    response: Response,
    exposure: float,
    background: Counts | None = None,
    backscal: float = 1.0,
    seed: int | None = None,
) -> Dataset:
    """Return a spectrum of a model with Poisson noise (XSPEC's ``fakeit``).

    Parameters
    ----------
    model : SpectralModel
        The model.
    values : ndarray
        Its parameters.
    response : Response
        RMF and ARF.
    exposure : float
        Seconds.
    background : Counts, optional
        A measured background: scaled by exposure, BACKSCAL and AREASCAL it is added to the model before counts are
        drawn, and drawn anew for the background spectrum that goes with the result.
    backscal : float
        BACKSCAL of the source region.
    seed : int, optional
        Of the random numbers; None draws other ones each time.

    Raises
    ------
    FitError
        If the model has no finite counts.
    """
    rng = np.random.default_rng(seed)
    data = expected_counts(model, values, response, exposure, background, backscal)
    source = replace(data.source, counts=rng.poisson(data.source.counts))
    if background is not None:
        background = replace(background, counts=rng.poisson(np.maximum(background.counts, 0)), stat_error=None)
    return replace(data, source=source, background=background)


def expected_counts(
    model: SpectralModel,
    values: np.ndarray,
    response: Response,
    exposure: float,
    background: Counts | None = None,
    backscal: float = 1.0,
) -> Dataset:
    """Return a spectrum of a model without noise; parameters and errors are those of `simulate_counts`."""
    from xtendsrc.fit.data import Counts, Dataset

    mean = response.fold(np.asarray(model.evaluate(values, response.edges))) * exposure
    if not np.isfinite(mean).all():
        raise FitError("The model has no finite counts for these parameters.", "change them.")
    data = Dataset(Counts.of(mean, exposure, backscal), response, background, "simulated spectrum")
    if background is not None:
        mean = mean + _scale(data) * background.counts
    return replace(data, source=replace(data.source, counts=np.maximum(mean, 0.0)))
