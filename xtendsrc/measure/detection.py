"""Is there a source, and how bright: Poisson counts on a source and in a background region."""

from __future__ import annotations

from math import copysign, sqrt

import numpy as np

from xtendsrc.errors import RequestError

GRID = 1001
"""Points on which posteriors are computed."""


def li_ma(on: int, off: int, scale: float) -> float:
    """Significance of an excess, in standard deviations; negative for a deficit.

    Equation 17 of Li & Ma 1983 (ApJ 272, 317).

    Parameters
    ----------
    on, off : int
        Counts in the source and in the background region.
    scale : float
        Area times exposure of the source region over that of the background region.

    Raises
    ------
    RequestError
        If counts are negative or the scale is not positive.
    """
    if on < 0 or off < 0 or not scale > 0:
        raise RequestError(f"on={on}, off={off}, scale={scale} make no sense.", "give counts and a positive scale.")
    total = on + off
    if total == 0:
        return 0.0
    first = on * np.log((1 + scale) / scale * on / total) if on else 0.0
    second = off * np.log((1 + scale) * off / total) if off else 0.0
    return copysign(sqrt(max(2.0 * (first + second), 0.0)), on - scale * off)


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


def upper_limit(on: int, off: int, scale: float, level: float = 0.9987) -> float:
    """Upper limit of a source's expected counts: the quantile of the posterior with a flat prior.

    Without counts and background it is ``-ln(1 - level)``: 3.0 at 95 %.

    Parameters
    ----------
    on, off : int
        Counts in the source and in the background region.
    scale : float
        Source region to background region.
    level : float
        One-sided probability.
    """
    if not 0 < level < 1:
        raise RequestError(f"level={level} is no probability.", "give a number between 0 and 1.")
    grid, probability = source_posterior(on, off, scale)
    edges = np.concatenate([[0.0], grid + grid[0]])
    return float(np.interp(level, np.concatenate([[0.0], np.cumsum(probability)]), edges))
