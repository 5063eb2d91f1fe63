"""Fit statistics as sums of squared residuals, so that one least-squares minimiser serves all of them.

Each statistic gives, for the expected source counts of the bins, signed residuals whose squares add up to it, their
derivatives, and the information that a bin holds about its expected counts.

- ``cstat``: -2 ln of the Poisson likelihood relative to that of a perfect model (Cash 1979, ApJ 228, 939).
- ``wstat``: the same of source and background counts together, with the background of each bin profiled out (Wachter,
  Leach & Kellogg 1979, ApJ 230, 274; the XSPEC manual's appendix on statistics).
- ``chi2`` of the counts less the scaled background. Variances: ``chi2`` of the counts themselves, ``chi2-gehrels``
  (1 + sqrt(N + 0.75))^2 (Gehrels 1986), ``chi2-churazov`` of smoothed counts (Churazov et al. 1996), ``chi2-model`` of
  the model.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from xtendsrc.errors import FitError, RequestError

if TYPE_CHECKING:
    from xtendsrc.fit.data import Selection

STATISTICS = ("cstat", "wstat", "chi2", "chi2-gehrels", "chi2-churazov", "chi2-model")
FLOOR = 1e-25
"""Expected counts below this are taken as this: a logarithm of zero has no value."""
CHURAZOV_COUNTS = 10
"""Neighbours are averaged, symmetrically, until a bin's window holds so many counts."""


class Statistic(Protocol):
    """What the minimiser needs to know of a statistic; every array has one value a bin."""

    def residuals(self, expected: np.ndarray) -> np.ndarray:
        """Return signed residuals, positive where there is more than expected."""
        ...

    def slope(self, expected: np.ndarray) -> np.ndarray:
        """Return the derivative of each residual with respect to the expected counts."""
        ...

    def information(self, expected: np.ndarray) -> np.ndarray:
        """Return the inverse variance of each bin's expected counts."""
        ...


@dataclass(frozen=True, eq=False)
class CStat:
    """The C statistic of Poisson counts."""

    counts: np.ndarray

    def residuals(self, expected: np.ndarray) -> np.ndarray:
        """Return signed square roots of the terms of the statistic."""
        mean = np.maximum(expected, FLOOR)
        found: np.ndarray = np.sign(self.counts - mean) * np.sqrt(2 * _deviance(self.counts, mean))
        return found

    def slope(self, expected: np.ndarray) -> np.ndarray:
        """Return the derivative of the residuals."""
        mean = np.maximum(expected, FLOOR)
        slope = _slope(self.counts, mean, self.residuals(mean), mean)
        return np.where(expected > FLOOR, slope, -1.0)

    def information(self, expected: np.ndarray) -> np.ndarray:
        """Return one over the expected counts."""
        found: np.ndarray = 1 / np.maximum(expected, FLOOR)
        return found


@dataclass(frozen=True, eq=False)
class WStat:
    """The W statistic: Poisson counts of the source region, and of a background scaled by ``ratio``."""

    counts: np.ndarray
    background: np.ndarray
    ratio: np.ndarray

    def profiled(self, expected: np.ndarray) -> np.ndarray:
        """Return the background counts expected in each bin of the background that fit best with a source model."""
        s, on, off, r = np.maximum(expected, FLOOR), self.counts, self.background, self.ratio
        a, b = r * (1 + r), r * (on + off) - (1 + r) * s
        root = np.sqrt(b * b + 4 * a * off * s)
        found: np.ndarray = np.where(b > 0, (b + root) / (2 * a), 2 * off * s / np.maximum(root - b, FLOOR))
        return found

    def residuals(self, expected: np.ndarray) -> np.ndarray:
        """Return signed square roots of the terms of the statistic."""
        under = self.profiled(expected)
        mean = np.maximum(expected, FLOOR) + self.ratio * under
        terms = _deviance(self.counts, mean) + _deviance(self.background, np.maximum(under, FLOOR))
        found: np.ndarray = np.sign(self.counts - mean) * np.sqrt(2 * terms)
        return found

    def slope(self, expected: np.ndarray) -> np.ndarray:
        """Return the derivative of the residuals; that of the profiled background drops out at its best value."""
        under = self.profiled(expected)
        mean = np.maximum(expected, FLOOR) + self.ratio * under
        slope = _slope(self.counts, mean, self.residuals(expected), mean + self.ratio**2 * under)
        return np.where(expected > FLOOR, slope, -1.0)

    def information(self, expected: np.ndarray) -> np.ndarray:
        """Return one over the variance of the counts less the scaled background, as the fit has them."""
        under = self.profiled(expected)
        found: np.ndarray = 1 / (np.maximum(expected, FLOOR) + self.ratio * (1 + self.ratio) * under)
        return found


@dataclass(frozen=True, eq=False)
class Chi2:
    """Chi-squared of net counts with fixed variances."""

    net: np.ndarray
    variance: np.ndarray

    def residuals(self, expected: np.ndarray) -> np.ndarray:
        """Return the deviations in units of their errors."""
        found: np.ndarray = (self.net - expected) / np.sqrt(self.variance)
        return found

    def slope(self, expected: np.ndarray) -> np.ndarray:
        """Return the derivative of the residuals."""
        return np.broadcast_to(-1 / np.sqrt(self.variance), expected.shape)

    def information(self, expected: np.ndarray) -> np.ndarray:
        """Return the inverse variances."""
        return np.broadcast_to(1 / self.variance, expected.shape)


@dataclass(frozen=True, eq=False)
class ModelChi2:
    """Chi-squared of net counts with the variance that the model predicts; ``under`` is that of the background."""

    net: np.ndarray
    under: np.ndarray

    def residuals(self, expected: np.ndarray) -> np.ndarray:
        """Return the deviations in units of their errors."""
        found: np.ndarray = (self.net - expected) / np.sqrt(self._variance(expected))
        return found

    def slope(self, expected: np.ndarray) -> np.ndarray:
        """Return the derivative of the residuals."""
        variance = self._variance(expected)
        found: np.ndarray = -1 / np.sqrt(variance) - (self.net - expected) / (2 * variance**1.5)
        return found

    def information(self, expected: np.ndarray) -> np.ndarray:
        """Return the inverse variances."""
        return 1 / self._variance(expected)

    def _variance(self, expected: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.maximum(expected + self.under, 1e-12)
        return found


def resolve(name: str, selection: Selection, modelled: bool = False) -> str:
    """Return the name of a statistic, with ``auto`` replaced by the one that suits the data.

    Counts are fitted with ``wstat`` where there is a background spectrum, with ``cstat`` where there is none or where
    the background is modelled; spectra with errors of their own with ``chi2``.

    Parameters
    ----------
    name : str
        One of `STATISTICS` or ``auto``.
    selection : Selection
        The data.
    modelled : bool
        Whether a background model takes the place of the background spectrum.

    Raises
    ------
    RequestError
        If there is no such statistic, or it does not suit the data.
    """
    if name not in (*STATISTICS, "auto"):
        near = difflib.get_close_matches(str(name), STATISTICS, 1, 0.3)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RequestError(f"There is no statistic {name!r}.", f"{hint}Choose auto or one of {', '.join(STATISTICS)}.")
    data, background = selection.dataset, selection.dataset.background
    poisson = data.source.poisson and (background is None or background.poisson)
    if name == "auto":
        if not poisson:
            return "chi2"
        return "cstat" if background is None or modelled else "wstat"
    if name in ("cstat", "wstat") and not poisson:
        raise RequestError(f"{data.name} holds no Poisson counts (STAT_ERR or negative).", 'use stat="chi2".')
    if name == "wstat" and background is None:
        raise RequestError(f"{data.name} has no background, which wstat needs.", 'use stat="cstat", or give one.')
    return name


def make_statistic(name: str, selection: Selection, modelled: bool = False) -> Statistic:
    """Return a statistic of the bins of a data set.

    Raises
    ------
    FitError
        If there are no counts, or bins without variance.
    """
    counts, off, ratio = selection.counts, selection.background_counts, selection.ratio
    if not counts.any():
        raise FitError(f"{selection.dataset.name} has no counts in the band fitted.", "widen the band.")
    if modelled:
        off, ratio = np.zeros_like(off), np.zeros_like(ratio)
    if name == "wstat":
        return WStat(counts, off, ratio) if (ratio > 0).all() else CStat(counts)
    if name == "cstat":
        return CStat(counts)
    net = counts - ratio * off
    if name == "chi2-model":
        return ModelChi2(net, ratio * (1 + ratio) * off)
    return Chi2(net, _variance(name, selection, ratio))


def _variance(name: str, selection: Selection, ratio: np.ndarray) -> np.ndarray:
    """Return the variance of the net counts of each bin."""
    parts = [selection.variance, selection.background_variance]
    if name == "chi2-gehrels":
        parts = [(1 + np.sqrt(part + 0.75)) ** 2 for part in parts]
    elif name == "chi2-churazov":
        parts = [_smoothed(part) for part in parts]
    variance: np.ndarray = parts[0] + ratio**2 * parts[1]
    if empty := int((variance <= 0).sum()):
        raise FitError(
            f"{empty} of {variance.size} bins of {selection.dataset.name} have no counts and so no error.",
            'group them, for instance group="min 20", or use cstat, wstat or chi2-gehrels.',
        )
    return variance


def _smoothed(counts: np.ndarray) -> np.ndarray:
    """Return the mean counts of the smallest window around each bin that holds enough of them."""
    total = np.concatenate([[0.0], np.cumsum(counts)])
    index, mean = np.arange(counts.size), np.zeros(counts.size)
    todo = np.ones(counts.size, bool)
    for half in range(counts.size):
        low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, counts.size)
        inside = total[high] - total[low]
        ready = todo & ((inside >= CHURAZOV_COUNTS) | ((low == 0) & (high == counts.size)))
        mean[ready] = (inside / (high - low))[ready]
        todo &= ~ready
        if not todo.any():
            break
    return mean


def _deviance(counts: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return mean - n + n ln(n / mean), never below zero, exact where the two are close."""
    excess = (mean - counts) / np.where(counts > 0, counts, 1.0)
    logarithm = np.log1p(np.maximum(excess, -1 + 1e-16))
    logarithm = np.where(counts > 0, np.where(np.abs(excess) < 0.5, logarithm, _log_ratio(counts, mean)), 0.0)
    found: np.ndarray = np.maximum(mean - counts - counts * logarithm, 0.0)
    return found


def _log_ratio(counts: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(mean) - np.log(np.where(counts > 0, counts, 1.0)))


def _slope(counts: np.ndarray, mean: np.ndarray, residuals: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return (1 - n / mean) / r, whose limit where a residual vanishes is -1 / sqrt(variance)."""
    near = np.abs(residuals) < 1e-4
    exact = (1 - counts / mean) / np.where(near, 1.0, residuals)
    found: np.ndarray = np.where(near, -1 / np.sqrt(variance), exact)
    return found
