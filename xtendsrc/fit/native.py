"""The native engine: NumPy models, sparse responses, and least squares on signed deviance residuals."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.fit.measured import FittedParameter
from xtendsrc.fit.minimise import Minimum, minimise, renormalised
from xtendsrc.fit.parameters import collect
from xtendsrc.fit.problem import Problem, check_model
from xtendsrc.fit.profile import BetterMinimumError, Interval, profile
from xtendsrc.fit.record import Folded, TermRecord
from xtendsrc.fit.result import FitResult
from xtendsrc.fit.statistic import CStat, WStat, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xtendsrc.fit.data import Dataset, Selection
    from xtendsrc.fit.options import FitOptions
    from xtendsrc.fit.parameters import Term
    from xtendsrc.fit.statistic import Statistic

logger = logging.getLogger(__name__)

RESTARTS = 4
"""How often a fit begins again where it stopped, or where a profile found a lower statistic."""


def make_problem(
    datasets: Sequence[Dataset], terms: Sequence[Term], options: FitOptions, modelled: bool = False
) -> Problem:
    """Return data, models and parameters put together, with norms that nobody gave set from the data.

    Parameters
    ----------
    datasets : sequence of Dataset
        The data.
    terms : sequence of Term
        The models.
    options : FitOptions
        Band, grouping, statistic, parameters.
    modelled : bool
        Whether models take the place of the background spectra.

    Raises
    ------
    RequestError
        For parameters, bands or groupings that make no sense.
    FitError
        If there are no counts, or the model has no value where it starts.
    """
    selections = [data.select(options.band or data.band, options.group) for data in datasets]
    statistics = [resolve(options.stat, selection, modelled) for selection in selections]
    parameters = collect(terms, len(datasets), options.choices)
    problem = Problem(selections, terms, parameters, statistics, modelled)
    check_model(problem)
    return problem.replaced(parameters.starting(renormalised(problem)))


def fit(
    datasets: Sequence[Dataset],
    terms: Sequence[Term],
    options: FitOptions,
    modelled: bool = False,
    engine: str = "native",
) -> FitResult:
    """Fit models to data.

    Parameters are those of `make_problem`, and so are the errors raised; ``engine`` is what the result says evaluated
    the models.

    Returns
    -------
    FitResult
        The best parameters, with what was folded; not converged or at a limit is said in it, not raised.
    """
    problem = make_problem(datasets, terms, options, modelled)
    minimum = converged_minimum(problem)
    intervals: dict[int, Interval] = {}
    if options.errors == "profile":
        minimum, intervals = profiled(problem, minimum)
    return make_result(problem, minimum, intervals, engine)


def converged_minimum(problem: Problem) -> Minimum:
    """Return the minimum, beginning again where the minimiser stopped short."""
    minimum = minimise(problem)
    for _ in range(RESTARTS):
        if minimum.converged:
            break
        again = minimise(problem, minimum.free)
        if again.statistic > minimum.statistic - 1e-3 and not again.converged:
            break
        minimum = again
    return minimum


def profiled(problem: Problem, minimum: Minimum, rise: float = 1.0) -> tuple[Minimum, dict[int, Interval]]:
    """Return intervals of all free parameters; where a lower statistic turns up, the fit goes on from there."""
    for _ in range(RESTARTS):
        try:
            return minimum, {c: profile(problem, minimum, c, rise) for c in range(minimum.free.size)}
        except BetterMinimumError as better:
            minimum = minimise(problem, better.values[problem.parameters.free])
    return replace(minimum, converged=False, message="profiles keep finding lower statistics"), {}


def make_result(problem: Problem, minimum: Minimum, intervals: dict[int, Interval], engine: str) -> FitResult:
    """Return the result of a minimum."""
    values = problem.values(minimum.free)
    kinds = {selection.dataset.response.kind for selection in problem.selections}
    if len(kinds) > 1:
        logger.warning("Calibrated and nominal responses are fitted together; the result counts as nominal.")
    return FitResult(
        terms=records(problem.terms),
        parameters=MappingProxyType(_parameters(problem, minimum, values, intervals)),
        covariance=minimum.covariance,
        statistic=minimum.statistic,
        statistic_name="+".join(dict.fromkeys(problem.names)),
        bins=problem.bins,
        engine=engine,
        response_kind="nominal" if "nominal" in kinds else "calibrated",
        converged=minimum.converged,
        message=minimum.message,
        folded=tuple(fold(problem, values)),
        start=MappingProxyType(dict(zip(problem.parameters.names, problem.parameters.start.tolist(), strict=True))),
        _problem=problem,
    )


def records(terms: Sequence[Term]) -> tuple[TermRecord, ...]:
    """Return models in words, from which they can be built again."""
    return tuple(TermRecord(str(t.model), dict(t.model.settings), t.label, t.data, t.vary) for t in terms)


def _parameters(
    problem: Problem, minimum: Minimum, values: np.ndarray, intervals: dict[int, Interval]
) -> dict[str, FittedParameter]:
    column = {int(index): c for c, index in enumerate(problem.parameters.free)}
    tied = problem.parameters.tied
    found = {}
    for index, slot in enumerate(problem.parameters.slots):
        value = float(values[index])
        of_fit: dict[str, Any] = {"error": 0.0, "low": value, "high": value}
        if (c := column.get(index)) is not None:
            error = np.nan if minimum.at_limit[c] else float(minimum.errors[c])
            of_fit = _uncertainty(value, error, intervals.get(c))
            of_fit["at_limit"] = bool(minimum.at_limit[c])
        of_fit |= {"minimum": slot.low, "maximum": slot.high}
        found[slot.name] = FittedParameter(
            slot.name, slot.unit, value, frozen=slot.frozen, tied=tied.get(slot.name, ""), **of_fit
        )
    return found


def _uncertainty(value: float, error: float, interval: Interval | None) -> dict[str, Any]:
    if interval is None:
        return {"error": error, "low": value - error, "high": value + error}
    half = (interval.high - interval.low) / 2
    return {"error": half, "low": interval.low, "high": interval.high, "profiled": True}


def fold(problem: Problem, values: np.ndarray) -> list[Folded]:
    """Return each data set beside the model, for pictures and tables."""
    out = []
    everything = zip(
        problem.selections,
        problem.statistics,
        problem.names,
        problem.expected(values),
        problem.contributions(values),
        strict=True,
    )
    for selection, statistic, name, expected, parts in everything:
        background = _background(selection, statistic, expected, problem.modelled)
        variance = selection.variance
        if not problem.modelled:
            variance = variance + selection.ratio**2 * selection.background_variance
        out.append(
            Folded(
                name=selection.dataset.name,
                energy_lo=selection.energy_lo,
                energy_hi=selection.energy_hi,
                counts=selection.counts,
                background=background,
                error=np.sqrt(np.maximum(variance, 1.0)),
                model=expected,
                residuals=statistic.residuals(expected),
                components=parts,
                exposure=selection.dataset.source.exposure,
                statistic=name,
            )
        )
    return out


def _background(selection: Selection, statistic: Statistic, expected: np.ndarray, modelled: bool) -> np.ndarray:
    """Return the counts of the source region that are no part of the model: zero where that holds the background."""
    if modelled or isinstance(statistic, CStat):
        return np.zeros_like(expected)
    if isinstance(statistic, WStat):
        profiled: np.ndarray = statistic.ratio * statistic.profiled(expected)
        return profiled
    counted: np.ndarray = selection.ratio * selection.background_counts
    return counted
