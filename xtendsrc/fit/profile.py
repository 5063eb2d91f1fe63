"""Profile likelihood: intervals of one parameter, and the statistic over two, with all others fitted again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import FitError, RequestError
from xtendsrc.fit.minimise import DECREMENT, MAX_EVALUATIONS, Minimum, covariance_at

if TYPE_CHECKING:
    from xtendsrc.fit.problem import Problem

PROFILE_TOLERANCE = 0.01
"""How well the rise of the statistic at an error must agree with the one asked for."""
PROFILE_STEPS = 12


@dataclass(frozen=True)
class Interval:
    """A confidence interval of one parameter.

    Attributes
    ----------
    low, high : float
        Its ends; a limit of the parameter where the statistic does not rise enough before.
    low_open, high_open : bool
        Whether that is so.
    """

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False


class BetterMinimumError(Exception):
    """A profile found a lower statistic than the fit; ``values`` are all parameters there."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        super().__init__("a lower minimum was found")


def profile(problem: Problem, minimum: Minimum, column: int, rise: float = 1.0) -> Interval:
    """Return the interval in which the statistic, minimised over the other parameters, rises by less than ``rise``.

    Parameters
    ----------
    problem : Problem
        The fit.
    minimum : Minimum
        Its minimum.
    column : int
        Which of the free parameters.
    rise : float
        1 for 68.3 %, 2.706 for 90 % of one parameter (Wilks' theorem).

    Raises
    ------
    BetterMinimumError
        If the statistic is lower than at the minimum on the way.
    """
    low, high = (bound[column] for bound in problem.parameters.bounds())
    below, open_below = _end(problem, minimum, column, rise, -1.0, low)
    above, open_above = _end(problem, minimum, column, rise, 1.0, high)
    return Interval(below, above, open_below, open_above)


def interval(problem: Problem, free: np.ndarray, statistic: float, column: int, confidence: float) -> Interval:
    """Return the interval of one parameter, from the profile likelihood, for a confidence.

    Parameters
    ----------
    problem : Problem
        The fit.
    free : ndarray, (free,)
        Its best parameters.
    statistic : float
        The statistic there.
    column : int
        Which of the free parameters.
    confidence : float
        How often such intervals hold the true value.

    Raises
    ------
    RequestError
        If the confidence is not between 0 and 1.
    FitError
        If there is a lower statistic than the fit found.
    """
    from scipy.stats import chi2

    if not 0 < confidence < 1:
        raise RequestError(f"A confidence of {confidence} is not between 0 and 1.", "give for instance 0.9.")
    covariance, at_limit = covariance_at(problem, free)
    minimum = Minimum(free, statistic, covariance, at_limit, True, 0)
    try:
        return profile(problem, minimum, column, float(chi2.ppf(confidence, 1)))
    except BetterMinimumError as error:
        raise FitError("There is a lower statistic than the fit found.", 'fit with errors="profile".') from error


def _end(problem: Problem, minimum: Minimum, column: int, rise: float, sign: float, limit: float) -> tuple[float, bool]:
    """Return one end of an interval; the root of the rise is nearly linear in the distance, which secants follow."""
    best, sigma = minimum.free[column], minimum.errors[column]
    if not (np.isfinite(sigma) and sigma > 0):
        sigma = max(abs(best), 1e-3) * 0.1
    wanted, others = np.sqrt(rise), _others(minimum.free, column)
    inside, outside = (0.0, 0.0), (np.inf, np.inf)
    distance, reach = sigma * wanted, abs(limit - best)
    for _ in range(PROFILE_STEPS * 4):
        distance = min(distance, reach)
        found, others = _fixed(problem, minimum, column, best + sign * distance, others)
        root = np.sqrt(max(found - minimum.statistic, 0.0))
        if abs(root**2 - rise) < PROFILE_TOLERANCE * rise:
            break
        if root < wanted:
            if distance >= reach:
                return limit, True
            inside = (distance, root)
        else:
            outside = (distance, root)
        distance = _next_distance(inside, outside, wanted, distance)
    return float(best + sign * distance), False


def _next_distance(inside: tuple[float, float], outside: tuple[float, float], wanted: float, distance: float) -> float:
    """Return where the root of the rise should reach ``wanted``, between the points known on either side of it."""
    if not np.isfinite(outside[0]):
        return distance * float(np.clip(1.02 * wanted / max(inside[1], 1e-3), 1.1, 4.0))
    share = (wanted - inside[1]) / (outside[1] - inside[1])
    return inside[0] + float(np.clip(share, 0.05, 0.95)) * (outside[0] - inside[0])


def _others(free: np.ndarray, column: int) -> np.ndarray:
    return np.delete(free, column)


def _fixed(
    problem: Problem, minimum: Minimum, column: int, value: float, others: np.ndarray
) -> tuple[float, np.ndarray]:
    """Minimise over the other free parameters with one held."""
    free = problem.parameters.free
    held = problem.parameters.names[free[column]]
    fixed = problem.replaced(problem.parameters.starting(problem.values(minimum.free)).freezing({held: value}))
    statistic, found = _refitted(fixed, others)
    if statistic < minimum.statistic - DECREMENT:
        raise BetterMinimumError(fixed.values(found))
    return statistic, found


def _refitted(fixed: Problem, others: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the least statistic over the free parameters of a problem, begun near its minimum, and where it is."""
    from scipy.optimize import least_squares

    if others.size == 0:
        return fixed.statistic(others), others
    low, high = fixed.parameters.bounds()
    done = least_squares(
        fixed.residuals,
        np.clip(others, low, high),
        fixed.jacobian,
        bounds=(low, high),
        x_scale="jac",
        ftol=1e-6,
        xtol=1e-8,
        max_nfev=MAX_EVALUATIONS,
    )
    return float(2 * done.cost), done.x


def statistic_grid(
    problem: Problem, values: np.ndarray, names: list[str], reach: list[float], points: int, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rise of the statistic over two parameters, the others fitted again at each point.

    Parameters
    ----------
    problem : Problem
        The fit.
    values : ndarray
        Best values of all parameters.
    names : list of two str
        The parameters.
    reach : list of two float
        How far the grid reaches from the best values, in standard deviations.
    points : int
        Points along each axis.
    covariance : ndarray, (free, free)
        Of the free parameters.

    Returns
    -------
    x, y : ndarray, (points,)
        Values of the two parameters, within their limits.
    rise : ndarray, (points, points)
        Of the statistic above its value at the best parameters, first axis x.

    Raises
    ------
    FitError
        If one of the parameters was not fitted, or the data do not constrain it.
    """
    parameters = problem.parameters
    free = [parameters.names[i] for i in parameters.free]
    columns = [free.index(n) if n in free else -1 for n in names]
    sigma = np.sqrt(np.diag(covariance))
    if min(columns) < 0 or not all(np.isfinite(sigma[c]) and sigma[c] > 0 for c in columns):
        raise FitError(f"{names[0]} and {names[1]} have no errors to draw contours with.", "choose fitted ones.")
    low, high = parameters.bounds()
    axes = []
    for name, column, far in zip(names, columns, reach, strict=True):
        best = values[parameters.names.index(name)]
        grid = np.linspace(best - far * sigma[column], best + far * sigma[column], points)
        axes.append(np.clip(grid, low[column], high[column]))
    best_free = values[parameters.free]
    least = problem.statistic(best_free)
    rise = np.empty((points, points))
    others = np.delete(best_free, columns)
    for i, first in enumerate(axes[0]):
        order = range(points) if i % 2 == 0 else range(points - 1, -1, -1)
        for j in order:
            held = dict(zip(names, (first, axes[1][j]), strict=True))
            fixed = problem.replaced(parameters.starting(values).freezing(held))
            statistic, others = _refitted(fixed, others)
            rise[i, j] = statistic - least
    return axes[0], axes[1], rise
