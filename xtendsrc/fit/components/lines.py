"""Emission lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from xtendsrc.fit.components.base import Array, ModelSettings, Native
    from xtendsrc.fit.grid import Grid


def gaussian_fractions(centre: float, sigma: float, edges: Array) -> Array:
    """Return the part of a Gaussian that falls in each bin; one without width falls in the bin ``low < E <= high``."""
    if sigma <= 0:
        inside = (edges[:-1] < centre) & (centre <= edges[1:])
        return inside.astype(float)
    away = (edges - centre) / sigma
    below, above = ndtr(away), ndtr(-away)
    found: Array = np.where(away[:-1] > 0, above[:-1] - above[1:], below[1:] - below[:-1])
    return found


def gaussian(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a Gaussian line of one photon/cm2/s."""
    return gaussian_fractions(values[0], values[1], grid.edges)


def zgauss(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a Gaussian line with energy and width in the frame of the source."""
    centre, sigma, redshift = values
    found: Array = gaussian_fractions(centre, sigma, grid.edges * (1.0 + redshift)) / (1.0 + redshift)
    return found


def lorentz(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a Lorentzian line of one photon/cm2/s at energies above zero, with its full width at half maximum."""
    centre, width = values
    if width <= 0:
        return gaussian_fractions(centre, 0.0, grid.edges)
    whole = 0.5 * np.pi + np.arctan(2.0 * centre / width)
    found: Array = np.diff(np.arctan(2.0 * (grid.edges - centre) / width)) / whole
    return found


COMPONENTS: dict[str, Native] = {"gaussian": gaussian, "zgauss": zgauss, "lorentz": lorentz}
