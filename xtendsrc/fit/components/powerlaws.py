"""Power laws, integrated over the bins in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from xtendsrc.fit.components.base import Array, ModelSettings, Native
    from xtendsrc.fit.grid import Grid

NEARLY_ONE = 1e-10
"""Exponents this close to zero are integrated as a logarithm."""


def integral(index: float, edges: Array) -> Array:
    """Return the integral of E^-index over each bin, from edges in keV."""
    exponent = 1.0 - index
    if abs(exponent) < NEARLY_ONE:
        return np.diff(np.log(edges))
    return np.diff(edges**exponent) / exponent


def powerlaw(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a power law of photons, E^-PhoIndex with one photon/keV/cm2/s at 1 keV."""
    return integral(values[0], grid.edges)


COMPONENTS: dict[str, Native] = {"powerlaw": powerlaw}
