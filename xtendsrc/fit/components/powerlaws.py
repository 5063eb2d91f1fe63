"""Power laws and other continua without a temperature, integrated over the bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from xtendsrc.fit.components.base import Array, ModelSettings, Native
    from xtendsrc.fit.grid import Grid

NEARLY_ONE = 1e-10
"""Exponents this close to zero are integrated as a logarithm."""
LOWEST_BREAK = 1e-10
"""Where a break at 0 keV is taken to be."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def integral(index: float, edges: Array) -> Array:
    """Return the integral of E^-index over each bin, from edges in keV."""
    exponent = 1.0 - index
    if abs(exponent) < NEARLY_ONE:
        return np.diff(np.log(edges))
    return np.diff(edges**exponent) / exponent


def powerlaw(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a power law of photons, E^-PhoIndex with one photon/keV/cm2/s at 1 keV."""
    return integral(values[0], grid.edges)


def zpowerlw(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a redshifted power law, (E (1 + z))^-PhoIndex."""
    index, redshift = values
    found: Array = integral(index, grid.edges) * (1.0 + redshift) ** -index
    return found


def cutoffpl(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a power law with an exponential cut-off, E^-PhoIndex exp(-E/HighECut)."""
    index, cutoff = values
    log_low, log_high = np.log(grid.low), np.log(grid.high)
    half = 0.5 * (log_high - log_low)
    energy = np.exp(0.5 * (log_high + log_low)[:, None] + half[:, None] * _NODES)
    found: Array = half * ((energy ** (1.0 - index) * np.exp(-energy / cutoff)) @ _WEIGHTS)
    return found


def bknpower(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a power law whose index changes at BreakE, without a step there."""
    first, at, second = values[0], max(values[1], LOWEST_BREAK), values[2]
    below = integral(first, np.minimum(grid.edges, at))
    above = integral(second, np.maximum(grid.edges, at))
    found: Array = below + at ** (second - first) * above
    return found


def expdec(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return an exponential, exp(-factor E)."""
    factor = values[0]
    if factor == 0:
        return grid.width.copy()
    found: Array = -np.diff(np.exp(-factor * grid.edges)) / factor
    return found


COMPONENTS: dict[str, Native] = {
    "powerlaw": powerlaw,
    "zpowerlw": zpowerlw,
    "cutoffpl": cutoffpl,
    "bknpower": bknpower,
    "expdec": expdec,
}
