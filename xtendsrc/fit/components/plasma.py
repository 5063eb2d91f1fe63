"""Thermal plasma in collisional equilibrium: apec and its kin, from AtomDB's tables.

As in XSPEC, spectra are interpolated linearly in kT between tabulated temperatures, and lines lie in their bins
(``low < E <= high``) or are Gaussian, with the thermal width of their element and a velocity.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from xtendsrc.fit import atomdb
from xtendsrc.fit.components.abundances import ELEMENTS, relative_to_angr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xtendsrc.fit.atomdb import Emissivities
    from xtendsrc.fit.components.base import Array, ModelSettings, Native
    from xtendsrc.fit.grid import Grid

    Places = NDArray[np.intp]

METALS = ("C", "N", "O", "Ne", "Mg", "Al", "Si", "S", "Ar", "Ca", "Fe", "Ni")
"""Elements that apec's Abundanc is for; the others are solar."""
VARIABLE = ("He", *METALS)
"""Elements that vapec has a parameter for, in its order."""
_METALS = [ELEMENTS.index(name) for name in METALS]
_VARIABLE = [ELEMENTS.index(name) for name in VARIABLE]

NORM = 1e14
"""Norms are emission measures over 4 pi distance squared, in units of 1e14 cm^-5."""
LIGHT = 2.99792458e5
"""Speed of light in km/s."""
REACH = 6.0
"""Standard deviations to which a line is drawn."""
KEV_PER_ATOMIC_MASS = 931494.06
ATOMIC_WEIGHTS = np.array(
    [
        *(1.00794, 4.002602, 6.941, 9.012182, 10.811, 12.0107, 14.0067, 15.9994, 18.9984032, 20.1797),
        *(22.98977, 24.305, 26.981538, 28.0855, 30.973761, 32.065, 35.4527, 39.948, 39.0983, 40.078),
        *(44.95591, 47.867, 50.9415, 51.9961, 54.938049, 55.845, 58.9332, 58.6934, 63.456, 65.39),
    ]
)


def _spectrum(
    kt: float, elements: Array, redshift: float, grid: Grid, settings: ModelSettings, velocity: float | None = None
) -> Array:
    """Return a plasma of one temperature; ``velocity`` in km/s broadens lines, as does heat then."""
    tables = atomdb.load()
    there = grid.shifted(redshift)
    weights = elements * relative_to_angr(settings.abund) * NORM / (1.0 + redshift)
    result = np.zeros(grid.size)
    for index, part in tables.bracket(kt):
        key = ("plasma", tables, index, velocity)
        result += (part * weights) @ there.remember(key, partial(_elements, tables, index, there, velocity))
    return result


def _elements(tables: Emissivities, index: int, grid: Grid, velocity: float | None) -> Array:
    """Return lines and continua of each element in each bin at one tabulated temperature."""
    energy, emissivity, element = tables.lines(index)
    if velocity is None:
        lines = _placed(energy, emissivity, element, grid)
    else:
        heat = tables.temperatures[index] / (ATOMIC_WEIGHTS * KEV_PER_ATOMIC_MASS)
        width = energy * np.sqrt(heat + (velocity / LIGHT) ** 2)[element]
        lines = _broadened(energy, emissivity, element, width, grid)
    return lines + tables.continuum(index, grid.edges)


def _placed(energy: Array, emissivity: Array, element: Places, grid: Grid) -> Array:
    """Return the sum of lines in their bins, by element."""
    place = np.searchsorted(grid.edges, energy, side="left") - 1
    seen = (place >= 0) & (place < grid.size)
    flat = element[seen] * grid.size + place[seen]
    summed = np.bincount(flat, emissivity[seen], minlength=atomdb.NUMBER * grid.size)
    return summed.astype(float, copy=False).reshape(atomdb.NUMBER, grid.size)


def _broadened(energy: Array, emissivity: Array, element: Places, width: Array, grid: Grid) -> Array:
    """Return the sum of Gaussian lines in the bins they reach, by element."""
    first = np.searchsorted(grid.edges, energy - REACH * width, side="right") - 1
    last = np.searchsorted(grid.edges, energy + REACH * width, side="left")
    first, last = np.clip(first, 0, grid.size), np.clip(last, 0, grid.size)
    count = np.maximum(last - first, 0)
    line = np.repeat(np.arange(energy.size), count)
    place = np.arange(line.size) - np.repeat(np.cumsum(count) - count, count) + first[line]
    away = [(edges[place] - energy[line]) / width[line] for edges in (grid.low, grid.high)]
    part = np.where(away[0] > 0, ndtr(-away[0]) - ndtr(-away[1]), ndtr(away[1]) - ndtr(away[0]))
    flat = element[line] * grid.size + place
    summed = np.bincount(flat, emissivity[line] * part, minlength=atomdb.NUMBER * grid.size)
    return summed.astype(float, copy=False).reshape(atomdb.NUMBER, grid.size)


def _one_abundance(abundance: float) -> Array:
    elements = np.ones(len(ELEMENTS))
    elements[_METALS] = abundance
    return elements


def _some_abundances(values: Array) -> Array:
    elements = np.ones(len(ELEMENTS))
    elements[_VARIABLE] = values
    return elements


def apec(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a plasma with one abundance of the metals."""
    return _spectrum(values[0], _one_abundance(values[1]), values[2], grid, settings)


def vapec(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a plasma with abundances of thirteen elements."""
    return _spectrum(values[0], _some_abundances(values[1:-1]), values[-1], grid, settings)


def vvapec(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a plasma with abundances of thirty elements."""
    return _spectrum(values[0], values[1:-1], values[-1], grid, settings)


def bapec(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return apec with lines broadened by heat and a velocity."""
    return _spectrum(values[0], _one_abundance(values[1]), values[2], grid, settings, float(values[3]))


def bvapec(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return vapec with lines broadened by heat and a velocity."""
    return _spectrum(values[0], _some_abundances(values[1:-2]), values[-2], grid, settings, float(values[-1]))


def bvvapec(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return vvapec with lines broadened by heat and a velocity."""
    return _spectrum(values[0], values[1:-2], values[-2], grid, settings, float(values[-1]))


COMPONENTS: dict[str, Native] = {
    "apec": apec,
    "vapec": vapec,
    "vvapec": vvapec,
    "bapec": bapec,
    "bvapec": bvapec,
    "bvvapec": bvvapec,
}
