"""Counts with a background: significance, posterior of the source's counts, intervals and upper limits, for arrays.

Counts in the source region (``on``) are Poisson with mean ``s + scale b``, those of the background region (``off``)
with mean ``b``. The posterior of s has flat priors on s >= 0 and b, and b integrated out: a sum over how many of the
``on`` counts are background (Park et al. 2006, ApJ 652, 610, appendix A). With much more background data than
``on`` counts it is the one of Kraft, Burrows & Nousek 1991 (ApJ 374, 344).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

GRID = 241
"""Points on which a posterior is tabulated."""

EXACT_COUNTS = 60
"""Up to this many ``on`` counts the background is summed out exactly, beyond by Laplace's method (relative error of
the density below 1/(12 on))."""

CHUNK = 2048
"""Posteriors tabulated at once."""

_HUGE = 1e150


@dataclass(frozen=True)
class CountsPosterior:
    """Posteriors of the expected counts of sources.

    Attributes
    ----------
    counts : ndarray, shape (n, 241)
        Expected source counts, rising along a row.
    density : ndarray, shape (n, 241)
        Probability density, whose integral by the trapezium rule is 1.
    """

    counts: np.ndarray
    density: np.ndarray

    @classmethod
    def of(cls, on: ArrayLike, off: ArrayLike, scale: ArrayLike) -> CountsPosterior:
        """Tabulate the posteriors.

        Parameters
        ----------
        on, off : array_like, shape (n,)
            Counts in the source and in the background regions.
        scale : array_like, shape (n,)
            Area times exposure of the source region over that of the background region; 0 for no background.

        Raises
        ------
        RequestError
            If counts or scales are negative or not finite.
        """
        on, off, scale = _checked(on, off, scale)
        net, spread = on - scale * off, np.sqrt(on + scale**2 * off + 1.0)
        low = np.maximum(net - 8 * spread, 0.0)
        high = np.maximum(net, 0.0) + 8 * spread + 12.0
        grid = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, GRID)
        log = np.empty_like(grid)
        for part in _parts(on):
            method = _log_exact if on[part].max(initial=0) <= EXACT_COUNTS else _log_laplace
            log[part] = method(grid[part], on[part, None], off[part, None], scale[part, None])
        density = np.exp(log - log.max(axis=1, keepdims=True))
        density /= np.trapezoid(density, grid, axis=1)[:, None]
        return cls(grid, density)

    @property
    def mean(self) -> np.ndarray:
        """Expectation of the counts, shape (n,)."""
        found: np.ndarray = np.trapezoid(self.counts * self.density, self.counts, axis=1)
        return found

    @property
    def _cumulative(self) -> np.ndarray:
        step = np.diff(self.counts, axis=1)
        middle = 0.5 * (self.density[:, 1:] + self.density[:, :-1])
        total = np.concatenate([np.zeros((len(step), 1)), np.cumsum(step * middle, axis=1)], axis=1)
        found: np.ndarray = total / total[:, -1:]
        return found

    def quantile(self, probability: float) -> np.ndarray:
        """Counts below which a source is with this probability, shape (n,): upper limits for one near 1."""
        _check_level(probability)
        return _crossing(self._cumulative, self.counts, probability)

    def interval(self, level: float = 0.6827) -> tuple[np.ndarray, np.ndarray]:
        """Shortest intervals that hold a probability, as (lower, upper), each of shape (n,).

        Where the posterior falls from zero on, the lower end is 0 and the upper one is an upper limit.
        """
        _check_level(level)
        total, last = self._cumulative, self.counts.shape[1] - 1
        rows = np.arange(len(total))
        peak = self.density.argmax(axis=1)
        low, high = np.zeros(len(total)), self.density.max(axis=1)
        for _ in range(16):  # the level of density at which the two ends of the interval lie
            cut = 0.5 * (low + high)
            start, stop = self._ends(cut, peak)
            held = _at(total, rows, stop, last) - _at(total, rows, start, last)
            low, high = np.where(held > level, cut, low), np.where(held > level, high, cut)
        start, stop = self._ends(low, peak)
        return _at(self.counts, rows, start, last), _at(self.counts, rows, stop, last)

    def _ends(self, cut: np.ndarray, peak: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fractional indices at which the density passes a level on either side of its peak."""
        above = self.density > cut[:, None]
        rows, last = np.arange(len(cut)), self.density.shape[1] - 1
        first, final = above.argmax(axis=1), last - above[:, ::-1].argmax(axis=1)
        none = ~above.any(axis=1)
        first, final = np.where(none, peak, first), np.where(none, peak, final)
        before, after = np.maximum(first - 1, 0), np.minimum(final + 1, last)
        start = first - _share(cut, self.density[rows, before], self.density[rows, first]) * (first > before)
        stop = final + _share(cut, self.density[rows, after], self.density[rows, final]) * (after > final)
        return start, stop


def _share(cut: np.ndarray, outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """How far outwards from the inner point a line between the two reaches the level, 0 to 1."""
    fall = np.maximum(inner - outer, 1e-300)
    found: np.ndarray = np.clip((inner - cut) / fall, 0.0, 1.0)
    return found


def _at(table: np.ndarray, rows: np.ndarray, index: np.ndarray, last: int) -> np.ndarray:
    """Values of a table's rows at fractional indices."""
    below = np.clip(index.astype(int), 0, last - 1)
    part = index - below
    values: np.ndarray = (1 - part) * table[rows, below] + part * table[rows, below + 1]
    return values


def _crossing(total: np.ndarray, grid: np.ndarray, level: float) -> np.ndarray:
    after = np.clip((total < level).sum(axis=1), 1, total.shape[1] - 1)
    rows = np.arange(len(total))
    low, high = total[rows, after - 1], total[rows, after]
    part = (level - low) / np.maximum(high - low, 1e-300)
    values: np.ndarray = grid[rows, after - 1] + part * (grid[rows, after] - grid[rows, after - 1])
    return values


def _parts(on: np.ndarray) -> list[np.ndarray]:
    """Indices in groups of like counts, each either all exact or all not."""
    order = np.argsort(on, kind="stable")
    edge = int(np.searchsorted(on[order], EXACT_COUNTS, side="right"))
    spans = ((0, edge), (edge, len(order)))
    return [order[i : min(i + CHUNK, stop)] for start, stop in spans for i in range(start, stop, CHUNK)]


def _log_exact(s: np.ndarray, on: np.ndarray, off: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Logarithm of the posterior, up to a constant: a polynomial in s of degree ``on``, by Horner's rule.

    The ratio of the terms k and k - 1, where k of the counts are the source's, is
    ``(on - k + 1) / (on - k + 1 + off) (1 + scale) / scale s / k``.
    """
    tiny = np.maximum(scale, 1e-100)
    odds = (1 + tiny) / tiny
    total, unit, shifts = np.ones_like(s), np.ones_like(s), np.zeros_like(s)
    for k in range(int(on.max(initial=0)), 0, -1):
        rest = on - k + 1
        inside = rest > 0
        ratio = np.where(inside, rest / np.maximum(rest + off, 1) * odds / k, 0.0)
        total = unit + s * ratio * total
        large = total > _HUGE
        if large.any():
            total[large] /= _HUGE
            unit[large] /= _HUGE
            shifts[large] += 1
    none = scale <= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = np.where(on > 0, on * np.log(s), 0.0)
    log: np.ndarray = np.where(none, alone, np.log(total) + shifts * np.log(_HUGE)) - s
    return log


def _log_laplace(s: np.ndarray, on: np.ndarray, off: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Logarithm of the posterior with ln b integrated out around its most probable value."""
    t = np.maximum(scale, 1e-12)
    linear = (1 + t) * s - t * (on + off + 1)
    square = np.sqrt(linear**2 + 4 * (1 + t) * t * (off + 1) * s)
    # the positive root, by the form that does not cancel
    b = np.where(
        linear > 0, 2 * (off + 1) * s / np.maximum(square + linear, 1e-300), (square - linear) / (2 * t * (1 + t))
    )
    b = np.maximum(b, 1e-300)
    mean = s + t * b
    curvature = np.maximum((1 + t) * b - on * t * b * s / mean**2, 1e-300)
    log: np.ndarray = on * np.log(mean) - s - (1 + t) * b + (off + 1) * np.log(b) - 0.5 * np.log(curvature)
    return log


def poisson_errors(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one-sigma errors of Poisson counts, downwards and upwards.

    The exact limits that Gehrels (1986, ApJ 303, 336) tabulates: 0 counts give (0, 1.841), 1 count (0.827, 2.300).

    Parameters
    ----------
    counts : ndarray
        Counts, zero or more, of any shape.

    Returns
    -------
    lower, upper : ndarray of float64
        Both zero or positive, in counts.
    """
    from astropy.stats import poisson_conf_interval

    flat = np.asarray(counts)
    values, inverse = np.unique(flat, return_inverse=True)
    low, high = poisson_conf_interval(values, interval="frequentist-confidence", sigma=1)
    lower, upper = values - np.where(values > 0, low, 0.0), high - values
    return lower[inverse].reshape(flat.shape), upper[inverse].reshape(flat.shape)


def significance(on: ArrayLike, off: ArrayLike, scale: ArrayLike) -> np.ndarray:
    """Significance of excesses in standard deviations, negative for deficits.

    Equation 17 of Li & Ma 1983 (ApJ 272, 317).

    Parameters
    ----------
    on, off, scale : array_like, shape (n,)
        As for `CountsPosterior.of`; where the scale is 0 there is nothing to compare with, and the result is NaN.

    Returns
    -------
    ndarray, shape (n,)
        0 where there are no counts at all.
    """
    on, off, scale = _checked(on, off, scale)
    total = on + off
    t = np.where(scale > 0, scale, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(on > 0, on * np.log((1 + t) / t * on / total), 0.0)
        second = np.where(off > 0, off * np.log((1 + t) * off / total), 0.0)
    squared = np.maximum(2 * (first + second), 0.0)
    return np.where(np.isnan(t), np.nan, np.sqrt(squared) * np.sign(on - scale * off))


def chance(on: ArrayLike, off: ArrayLike, scale: ArrayLike) -> np.ndarray:
    """Probability of ``on`` counts or more from background alone, given ``off``: an exact binomial test.

    Of all counts a share ``scale / (1 + scale)`` is expected in the source region.
    """
    from scipy.special import betainc

    on, off, scale = _checked(on, off, scale)
    share = np.clip(scale / (1 + scale), 1e-300, 1.0)
    return np.where(on > 0, betainc(np.maximum(on, 1.0), off + 1.0, share), 1.0)


def _checked(on: ArrayLike, off: ArrayLike, scale: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (on, off, scale)))
    for name, array in zip(("on", "off", "scale"), values, strict=True):
        if not (np.isfinite(array).all() and (array >= 0).all()):
            raise RequestError(
                f"{name} holds {array[~(array >= 0)][:1]}: counts and scales are 0 or more.", "check the input."
            )
    return values[0], values[1], values[2]


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise RequestError(f"{level} is no probability.", "give a number between 0 and 1, for example 0.9.")
