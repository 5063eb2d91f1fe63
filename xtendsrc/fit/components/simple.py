"""Multiplicative components in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from xtendsrc.fit.components.base import Array, ModelSettings, Native
    from xtendsrc.fit.grid import Grid

LINE_REACH = 6.0
"""Standard deviations beyond which an absorption line takes nothing away, as in XSPEC."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def constant(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the same factor in every bin."""
    return np.full(grid.size, values[0])


def _behind_edge(threshold: float, grid: Grid, transmission: Callable[[Array], Array]) -> Array:
    """Return the mean transmission of bins that are clear below a threshold.

    A bin gets the mean of its two edges, and the one with the threshold in it the mean over its two parts.
    """
    if threshold <= 0:
        return np.ones(grid.size)
    at_edges = transmission(np.maximum(grid.edges, threshold))
    result = 0.5 * (at_edges[1:] + at_edges[:-1])
    part = np.clip((grid.high - threshold) / grid.width, 0.0, 1.0)
    return np.where(grid.low >= threshold, result, 1 - part + part * result)


def edge(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of an absorption edge, exp(-MaxTau (E/edgeE)^-3) above edgeE."""
    threshold, depth = values
    return _behind_edge(threshold, grid, lambda energy: np.exp(-depth * (energy / threshold) ** -3))


def smedge(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of a smeared edge (Ebisawa 1991, PhD thesis, appendix C)."""
    threshold, depth, index, width = values

    def transmission(energy: Array) -> Array:
        found: Array = np.exp(-depth * (energy / threshold) ** index * -np.expm1((threshold - energy) / width))
        return found

    return _behind_edge(threshold, grid, transmission)


def gabs(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of a Gaussian absorption line, averaged over each bin (nothing if it has no width)."""
    centre, sigma, strength = values
    result = np.ones(grid.size)
    if sigma <= 0:
        return result
    near = (grid.high >= centre - LINE_REACH * sigma) & (grid.low <= centre + LINE_REACH * sigma)
    energy = grid.centre[near, None] + 0.5 * grid.width[near, None] * _NODES
    depth = strength / (np.sqrt(2 * np.pi) * sigma) * np.exp(-0.5 * ((energy - centre) / sigma) ** 2)
    result[near] = 0.5 * np.exp(-depth) @ _WEIGHTS
    return result


COMPONENTS: dict[str, Native] = {"constant": constant, "edge": edge, "smedge": smedge, "gabs": gabs}
