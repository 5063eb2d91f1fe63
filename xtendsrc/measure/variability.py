"""Variability and colours of light curves: pure functions on arrays.

Hardness ratios follow Park et al. 2006 (ApJ 652, 610): the full posterior of Poisson rates with background, no
Gaussian errors. Fractional variability follows Vaughan et al. 2003 (MNRAS 345, 1271).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


GRID = 1001
"""Points on which posteriors are computed."""


@dataclass(frozen=True)
class Hardness:
    """A hardness ratio ``(H - S) / (H + S)`` of source rates.

    Attributes
    ----------
    value : float
        Mean of the posterior.
    low, high : float
        Ends of the shortest interval that holds the probability asked for.
    """

    value: float
    low: float
    high: float


def hardness_ratio(
    soft: tuple[int, int],
    hard: tuple[int, int],
    scale: float = 0.0,
    level: float = 0.6827,
    prior: float = 1.0,
    factors: tuple[float, float] = (1.0, 1.0),
) -> Hardness:
    """Hardness ratio of Poisson counts in two bands.

    Parameters
    ----------
    soft, hard : tuple of int
        Counts in the source region and in the background region.
    scale : float
        Area and exposure of the source region over those of the background region.
    level : float
        Probability within the interval.
    prior : float
        Index of the Gamma prior of both rates: 1 flat, 0.5 Jeffreys.
    factors : tuple of float
        Effective exposures by which the rates of the two bands are divided.

    Returns
    -------
    Hardness
        Posterior mean and shortest interval of ``(H - S) / (H + S)``.

    Raises
    ------
    RequestError
        If counts are negative, or the scale, the factors or the level make no sense.
    """
    if min(*soft, *hard) < 0 or scale < 0 or min(factors) <= 0 or not 0 < level < 1 or prior <= 0:
        raise RequestError("Counts, scale, factors or level of a hardness ratio make no sense.", "check the numbers.")
    ratio = np.linspace(-1, 1, 2 * GRID + 1)
    (s, p), (h, q) = (source_posterior(int(on), int(off), scale, prior) for on, off in (soft, hard))
    s, h = s / factors[0], h / factors[1]
    values = (h[None, :] - s[:, None]) / (h[None, :] + s[:, None])
    weights = p[:, None] * q[None, :]
    index = np.rint((values + 1) * GRID).astype(np.int64)
    probability = np.bincount(index.ravel(), weights=weights.ravel(), minlength=len(ratio))
    low, high = shortest_interval(ratio, probability, level)
    return Hardness(float(np.sum(values * weights)), low, high)


def source_posterior(
    on: int, off: int, scale: float, prior: float = 1.0, top: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior of the expected counts of a source.

    Counts in the source region are Poisson with mean ``s + scale b``, those of the background region with mean
    ``b``; b is integrated out exactly, as a sum over how many of the counts are background (Park et al. 2006, ApJ
    652, 610, appendix A).

    Parameters
    ----------
    on, off : int
        Counts in the source and in the background region.
    scale : float
        Source region to background region; 0 for no background.
    prior : float
        Index of the Gamma prior of both rates: 1 flat, 0.5 Jeffreys.
    top : float, optional
        Largest value of the grid.

    Returns
    -------
    tuple of ndarray
        Expected counts, and their probabilities, which add up to 1.
    """
    from scipy.special import gammaln, logsumexp

    if on < 0 or off < 0 or scale < 0 or not prior > 0:
        raise RequestError(
            f"on={on}, off={off}, scale={scale} make no sense.", "give counts, and a scale of 0 or more."
        )
    high = top or on + 8 * sqrt(on + 1.0) + 12
    grid = (np.arange(GRID) + 0.5) * (high / GRID)
    own = np.arange(on + 1)
    other = on - own
    weight = gammaln(other + off + prior) - gammaln(other + 1) - gammaln(own + 1)
    weight = weight + other * np.log(scale / (1 + scale)) if scale > 0 else np.where(other == 0, weight, -np.inf)
    terms = weight[None, :] + (own[None, :] + prior - 1) * np.log(grid)[:, None] - grid[:, None]
    density = logsumexp(terms, axis=1)
    probability = np.exp(density - density.max())
    return grid, probability / probability.sum()


def shortest_interval(values: np.ndarray, probability: np.ndarray, level: float) -> tuple[float, float]:
    """Shortest interval of a sorted grid that holds at least ``level`` of the probability."""
    total = np.concatenate([[0.0], np.cumsum(probability / probability.sum())])
    stop = np.searchsorted(total, total[:-1] + level - 1e-12)
    possible = np.flatnonzero(stop < len(total))
    width = stop[possible] - possible
    first = int(possible[np.argmin(width)])
    return float(values[first]), float(values[min(stop[first] - 1, len(values) - 1)])


def fractional_variability(rate: ArrayLike, error: ArrayLike) -> tuple[float, float]:
    """Root mean square variability in excess of the errors, as a fraction of the mean.

    ``F^2 = (S^2 - <sigma^2>) / <rate>^2``, with the error of Vaughan et al. 2003, equation B2.

    Parameters
    ----------
    rate, error : array_like, shape (n,)
        Rates and their errors, in the same unit.

    Returns
    -------
    tuple of float
        The fraction and its error; the fraction is NaN if the excess variance is not positive (no variability is
        measured), its error then the square root of that of the normalised excess variance: an upper limit of order one
        sigma.

    Raises
    ------
    RequestError
        If there are fewer than two bins, or the mean rate is not positive.
    """
    x, e = np.asarray(rate, dtype=float), np.asarray(error, dtype=float)
    ok = np.isfinite(x) & np.isfinite(e)
    x, e = x[ok], e[ok]
    if len(x) < 2 or not x.mean() > 0:
        raise RequestError("Variability needs two bins or more and a positive mean rate.", "take a brighter source.")
    mean, noise = x.mean(), np.mean(e**2)
    excess = (x.var(ddof=1) - noise) / mean**2
    spread = np.hypot(np.sqrt(2 / len(x)) * noise / mean**2, np.sqrt(noise / len(x)) * 2 * _root(excess) / mean)
    if excess <= 0:
        return float("nan"), float(np.sqrt(spread))
    return float(np.sqrt(excess)), float(spread / (2 * np.sqrt(excess)))


def _root(value: float) -> float:
    return float(np.sqrt(max(value, 0.0)))
