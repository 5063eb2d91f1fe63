"""Minimising a fit statistic within limits, and the covariance at the minimum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import FitError

if TYPE_CHECKING:
    from xtendsrc.fit.problem import Problem

TOLERANCE = 1e-9
MAX_EVALUATIONS = 300
DECREMENT = 1e-2
"""A fit has converged when a Newton step would lower the statistic by less than this."""
NEAR_LIMIT = 0.01
"""A parameter this part of its error away from a limit is at it."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a statistic is smallest.

    Attributes
    ----------
    free : ndarray, (free,)
        The free parameters.
    statistic : float
        The statistic there.
    covariance : ndarray, (free, free)
        Inverse of Fisher's information; NaN in the rows of parameters that the data do not constrain, and zero in
        those of parameters at a limit.
    at_limit : ndarray of bool, (free,)
        Whether a parameter is at one of its limits.
    converged : bool
        Whether the minimiser says so and a further step would change nothing.
    evaluations : int
        How often the statistic was evaluated.
    message : str
        Why it did not converge; empty if it did.
    """

    free: np.ndarray
    statistic: float
    covariance: np.ndarray
    at_limit: np.ndarray
    converged: bool
    evaluations: int
    message: str = ""

    @property
    def errors(self) -> np.ndarray:
        """One standard deviation of each free parameter."""
        return np.sqrt(np.diag(self.covariance))


def minimise(problem: Problem, start: np.ndarray | None = None) -> Minimum:
    """Minimise the statistic of a problem over its free parameters.

    Parameters
    ----------
    problem : Problem
        Data, models and parameters.
    start : ndarray, (free,), optional
        Where to begin; the starts of the parameters by default.

    Returns
    -------
    Minimum
        The best parameters, with their covariance.

    Raises
    ------
    FitError
        If there are more free parameters than bins.
    """
    from scipy.optimize import least_squares

    free = problem.parameters.free
    begin = problem.parameters.start[free] if start is None else start
    if free.size == 0:
        return Minimum(begin, problem.statistic(begin), np.zeros((0, 0)), np.zeros(0, bool), True, 1)
    if free.size > problem.bins:
        raise FitError(
            f"{free.size} parameters are free and there are {problem.bins} bins.", "freeze some, or use finer bins."
        )
    done = least_squares(
        problem.residuals,
        begin,
        problem.jacobian,
        bounds=problem.parameters.bounds(),
        x_scale="jac",
        ftol=TOLERANCE,
        xtol=TOLERANCE,
        gtol=TOLERANCE,
        max_nfev=MAX_EVALUATIONS,
    )
    covariance, at_limit = covariance_at(problem, done.x)
    message = "" if done.status > 0 else f"no minimum within {MAX_EVALUATIONS} evaluations"
    found = Minimum(done.x, float(2 * done.cost), covariance, at_limit, done.status > 0, int(done.nfev), message)
    decrement = _decrement(problem, found, 2 * done.grad)
    if found.converged and decrement > DECREMENT:
        return replace(found, converged=False, message=f"the statistic still falls by {decrement:.2g} a step")
    return found


def covariance_at(problem: Problem, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariance of the free parameters and which of them are at a limit."""
    low, high = problem.parameters.bounds()
    information = problem.information(free)
    inverse = _inverse(information, np.ones(free.size, bool))
    with np.errstate(invalid="ignore"):
        near = NEAR_LIMIT * np.nan_to_num(np.sqrt(np.diag(inverse)))
    near = np.maximum(near, 1e-9 * np.maximum(np.abs(free), 1e-30))
    at_limit = (free - low <= near) | (high - free <= near)
    return _inverse(information, ~at_limit), at_limit


def _inverse(information: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Invert an information matrix over some parameters; NaN where the data say nothing of a parameter."""
    scale = np.sqrt(np.diag(information))
    known = used & (scale > 0)
    out = np.zeros_like(information)
    lost = used & ~known
    if known.any():
        scaled = information[np.ix_(known, known)] / np.outer(scale[known], scale[known])
        values, vectors = np.linalg.eigh(scaled)
        flat = values < 1e-12 * values.max()
        inverse = (vectors / np.where(flat, np.inf, values)) @ vectors.T / np.outer(scale[known], scale[known])
        out[np.ix_(known, known)] = inverse
        lost[np.flatnonzero(known)[np.abs(vectors[:, flat]).max(axis=1, initial=0) > 1e-3]] = True
    out[lost], out[:, lost] = np.nan, np.nan
    return out


def _decrement(problem: Problem, minimum: Minimum, gradient: np.ndarray) -> float:
    """Return how much a Newton step would lower the statistic, over parameters that are not at a limit."""
    inside = ~minimum.at_limit & np.isfinite(np.diag(minimum.covariance))
    if not inside.any():
        return 0.0
    part = gradient[inside]
    return float(part @ minimum.covariance[np.ix_(inside, inside)] @ part) / 4


def renormalised(problem: Problem) -> np.ndarray:
    """Return starting values of all parameters with the free norms that nobody gave fitted linearly to the data.

    A norm enters the expected counts linearly, so non-negative least squares on the bins give the best set at once.
    """
    from scipy.optimize import nnls

    parameters = problem.parameters
    start = parameters.start
    free = parameters.free
    slots = [parameters.slots[i] for i in free]
    norms = [c for c, slot in enumerate(slots) if slot.name.split("[")[0].endswith(".norm") and not slot.given]
    if not norms:
        return start
    here = start[free]
    columns = problem.gradients(here)[:, norms]
    expected = np.concatenate(problem.expected(start)) - columns @ here[norms]
    net = np.concatenate([s.counts if problem.modelled else s.net for s in problem.selections])
    error = np.sqrt(np.concatenate([s.counts + s.ratio**2 * s.background_counts for s in problem.selections]) + 1)
    usable = np.isfinite(columns).all(axis=0) & (columns > 0).any(axis=0)
    if not usable.any() or not np.isfinite(expected).all():
        return start
    size = np.where(usable, columns.sum(axis=0, where=np.isfinite(columns)), 1.0)
    weighted = np.where(usable, columns / size, 0.0) / error[:, None]
    found, _ = nnls(weighted, (net - expected) / error)
    found = np.maximum(found, 1e-3 * max(found.sum(), 1.0)) / size
    low, high = parameters.bounds()
    for column, value, good in zip(norms, found, usable, strict=True):
        if good:
            here[column] = float(np.clip(value, low[column], high[column]))
    return parameters.expand(here, start)
