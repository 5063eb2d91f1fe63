"""Is a source variable: Bayesian blocks of its events, and constancy of its rate over observations or bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MOST_CELLS = 6000
"""Moments at which a block may begin; more are joined by neighbours: the time taken grows with their square."""


@dataclass(frozen=True)
class Blocks:
    """Stretches of constant rate, arrays of one length.

    Attributes
    ----------
    start, stop : ndarray
        Ends of the blocks, mission seconds; a block may hold gaps.
    counts : ndarray of int
        Events in each.
    exposure : ndarray
        Good seconds in each.
    """

    start: np.ndarray
    stop: np.ndarray
    counts: np.ndarray
    exposure: np.ndarray

    @property
    def rate(self) -> np.ndarray:
        """Counts/s of good time."""
        found: np.ndarray = self.counts / self.exposure
        return found

    def __len__(self) -> int:
        return len(self.start)


def bayesian_blocks(times: ArrayLike, start: ArrayLike, stop: ArrayLike, false_alarm: float = 0.01) -> Blocks:
    """Cut events with good time intervals into stretches of constant rate.

    The optimal partition of Scargle et al. 2013 (ApJ 764, 167), by `astropy.stats.bayesian_blocks`, on an axis on which
    only good time passes: gaps neither make blocks nor hide them.

    Parameters
    ----------
    times : array_like
        Events, mission seconds; those outside the intervals are left out. Equal times (one read-out frame) are joined.
    start, stop : array_like
        Good time intervals, rising and apart.
    false_alarm : float
        Probability of a change where there is none, of order.

    Raises
    ------
    RequestError
        If there are no good times, or the probability is none.
    """
    from astropy.stats import bayesian_blocks as partition

    low, high = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
    if not len(low) or not np.all(high > low) or not np.all(low[1:] >= high[:-1]):
        raise RequestError("The good time intervals are none, empty, or not in order.", "give rising intervals.")
    if not 0 < false_alarm < 1:
        raise RequestError(f"false_alarm={false_alarm} is no probability.", "give for example 0.01.")
    passed = np.concatenate([[0.0], np.cumsum(high - low)])
    elapsed = _elapsed(np.sort(np.asarray(times, dtype=np.float64)), low, high, passed)
    moments, counts = np.unique(elapsed, return_counts=True)
    moments, counts = _joined(moments, counts)
    if len(moments) < 2:
        edges = passed[[0, -1]]
    else:
        edges = partition(moments, counts.astype(float), fitness="events", p0=false_alarm)
        edges[[0, -1]] = passed[[0, -1]]
    number = np.histogram(elapsed, edges)[0]
    return Blocks(
        _clock(edges[:-1], low, passed, "right"), _clock(edges[1:], low, passed, "left"), number, np.diff(edges)
    )


def _elapsed(times: np.ndarray, low: np.ndarray, high: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Good seconds passed at each event within the intervals."""
    index = np.searchsorted(low, times, side="right") - 1
    inside = (index >= 0) & (times <= high[np.maximum(index, 0)])
    values: np.ndarray = passed[index[inside]] + times[inside] - low[index[inside]]
    return values


def _clock(elapsed: np.ndarray, low: np.ndarray, passed: np.ndarray, side: str) -> np.ndarray:
    """Time at which that many good seconds have passed: after a gap for side ``right``, before it for ``left``."""
    index = np.searchsorted(passed, elapsed, side="right" if side == "right" else "left") - 1
    index = np.clip(index, 0, len(low) - 1)
    return np.asarray(low[index] + elapsed - passed[index])


def _joined(moments: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring moments joined until there are few enough."""
    step = -(-len(moments) // MOST_CELLS)
    if step <= 1:
        return moments, counts
    first = np.arange(0, len(moments), step)
    total = np.add.reduceat(counts, first)
    return np.add.reduceat(moments * counts, first) / total, total


@dataclass(frozen=True)
class Constancy:
    """A test of whether a rate is constant.

    Attributes
    ----------
    rate : float
        The constant rate that fits best, counts/s.
    statistic : float
        Twice the difference of ln L, or chi squared.
    dof : int
        Degrees of freedom.
    probability : float
        Of as large a statistic from a constant rate.
    """

    rate: float
    statistic: float
    dof: int
    probability: float


def constancy(counts: ArrayLike, exposure: ArrayLike, background: ArrayLike = 0.0) -> Constancy:
    """Test whether the rate of a source is the same in several observations or bins, by Poisson likelihood.

    Twice the logarithm of the ratio of the likelihoods of free rates and of one rate, which is nearly chi squared for
    ten counts or more each (Cash 1979, ApJ 228, 939).

    Parameters
    ----------
    counts : array_like, shape (n,)
        Counts in the aperture.
    exposure : array_like, shape (n,)
        Effective seconds: exposure times enclosed fraction, relative area, and the like. Those of 0 are left out.
    background : array_like, shape () or (n,)
        Expected background counts in the aperture.

    Raises
    ------
    RequestError
        If fewer than two have exposure, or counts are negative.
    """
    from scipy.optimize import brentq
    from scipy.stats import chi2

    n, t, b = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (counts, exposure, background)))
    n, t, b = _usable(n, t, b)

    def slope(rate: float) -> float:
        mean = np.maximum(rate * t + b, 1e-300)
        return float(np.sum(t * (n / mean - 1)))

    top = max(float(n.sum() / t.sum()) * 10, 1.0 / float(t.sum()))
    rate = brentq(slope, 0.0, top) if n.any() and slope(0.0) > 0 else 0.0
    mean, free = rate * t + b, np.maximum(n, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(n > 0, n * np.log(free / mean), 0.0) - (free - mean)
    statistic = max(2 * float(terms.sum()), 0.0)
    return Constancy(rate, statistic, len(n) - 1, float(chi2.sf(statistic, len(n) - 1)))


def chi_squared(rate: ArrayLike, error: ArrayLike) -> Constancy:
    """Test whether rates with Gaussian errors are one rate: chi squared around their weighted mean.

    Parameters
    ----------
    rate, error : array_like, shape (n,)
        In the same unit; pairs that are not finite are left out.

    Raises
    ------
    RequestError
        If fewer than two are left, or an error is not positive.
    """
    from scipy.stats import chi2

    x, e = np.asarray(rate, dtype=np.float64), np.asarray(error, dtype=np.float64)
    known = np.isfinite(x) & np.isfinite(e)
    x, e = x[known], e[known]
    if len(x) < 2 or not np.all(e > 0):
        raise RequestError("A test of constancy needs two rates or more, with positive errors.", "check the rates.")
    mean = float(np.average(x, weights=e**-2))
    statistic = float(np.sum(((x - mean) / e) ** 2))
    return Constancy(mean, statistic, len(x) - 1, float(chi2.sf(statistic, len(x) - 1)))


def _usable(n: np.ndarray, t: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    seen = t > 0
    if seen.sum() < 2 or (n[seen] < 0).any() or (b[seen] < 0).any():
        raise RequestError(
            "A test of constancy needs two exposures or more, and counts of 0 or more.", "check counts and exposures."
        )
    return n[seen], t[seen], b[seen]
