"""Photoelectric absorption by neutral gas, molecules and grains.

Cross sections of each element were tabulated from XSPEC's own (HEASoft 6.35) on energies close enough that a straight
line between logarithms is good to 3e-6. As in XSPEC, a bin gets the mean of the cross sections at its two edges (with
bcmc and obcm the one at its centre).

References
----------
Wilms, Allen & McCray 2000, ApJ 542, 914 (tbabs); Verner et al. 1996, ApJ 465, 487 (vern); Balucinska-Church & McCammon
1992, ApJ 400, 699 (bcmc, obcm); Morrison & McCammon 1983, ApJ 270, 119 (wabs).
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.fit.components.abundances import ELEMENTS, abundances, relative_to_angr
from xtendsrc.fit.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from xtendsrc.fit.components.base import Array, ModelSettings, Native

ABSORBERS = ("H", "He", "C", "N", "O", "Ne", "Na", "Mg", "Al", "Si", "S", "Cl", "Ar", "Ca", "Cr", "Fe", "Co", "Ni")
_PLACES = [ELEMENTS.index(name) for name in ABSORBERS]

IN_GAS = np.array([1, 1, 0.5, 1, 0.6, 1, 0.25, 0.2, 0.02, 0.1, 0.6, 0.5, 1, 0.003, 0.03, 0.3, 0.05, 0.04])
"""Fraction of each of `ABSORBERS` that is gas; the rest is in grains (Wilms et al., table 2)."""
MASS_NUMBERS = np.array([1, 4, 12, 14, 16, 20, 23, 24, 27, 28, 32, 35, 40, 40, 52, 56, 59, 59])
ATOMIC_MASS = 1.6605655e-24
"""Grams in a unit of `MASS_NUMBERS`, as XSPEC has it."""
SMALLEST, LARGEST = 0.025e-4, 0.25e-4
"""Radii of grains in cm; their number goes as radius^-3.5, and their density is 1 g/cm3."""

RESONANCES = ((0.52, 0.58), (0.70, 0.75), (0.84, 0.91))
"""Energies in keV with resonances of oxygen, iron and neon in tbabs."""
AT_CENTRES = ("phabs_bcmc", "phabs_obcm")
"""Tables of which a bin gets the cross section at its centre."""

MORRISON_MCCAMMON = np.array(
    [
        (0.030, 17.3, 608.1, -2150.0),
        (0.100, 34.6, 267.9, -476.1),
        (0.284, 78.1, 18.8, 4.3),
        (0.400, 71.4, 66.8, -51.4),
        (0.532, 95.5, 145.8, -61.1),
        (0.707, 308.9, -380.6, 294.0),
        (0.867, 120.6, 169.3, -47.7),
        (1.303, 141.3, 146.8, -31.5),
        (1.840, 202.7, 104.7, -17.0),
        (2.471, 342.7, 18.7, 0.0),
        (3.210, 352.2, 18.7, 0.0),
        (4.038, 433.9, -2.4, 0.75),
        (7.111, 629.0, 30.9, 0.0),
        (8.331, 701.2, 25.2, 0.0),
        (10.00, 953.2, 0.0, 0.0),
    ]
)
"""Lower end in keV, and coefficients of 1, E and E2 in sigma E3 / 1e-24 cm2 (their table 2; XSPEC's above 10 keV)."""


@cache
def _table(name: str) -> tuple[tuple[Array, Array], ...]:
    """Return log energy (keV) and log cross section (1e-22 cm2 per hydrogen atom at angr) of each of `ABSORBERS`."""
    with (resources.files("xtendsrc") / "data" / "fit" / f"{name}.npz").open("rb") as stream, np.load(stream) as held:
        cuts = np.cumsum(held["count"])[:-1]
        energies, sigmas = (np.split(held[key].astype(float), cuts) for key in ("log_energy", "log_sigma"))
    return tuple(zip(energies, sigmas, strict=True))


def _by_element(name: str, grid: Grid) -> Array:
    """Return the cross sections of each of `ABSORBERS` in each bin, for the abundances of angr."""
    energy = grid.centre if name in AT_CENTRES else grid.edges
    log_energy = np.log(np.maximum(energy, 1e-3))
    sigma = np.exp([np.interp(log_energy, *nodes) for nodes in _table(name)])
    return sigma if name in AT_CENTRES else 0.5 * (sigma[:, 1:] + sigma[:, :-1])


def _per_element(name: str, grid: Grid, abund: str) -> Array:
    elements = grid.remember(("absorbers", name), lambda: _by_element(name, grid))
    return elements * relative_to_angr(abund)[_PLACES, None]


def _in_grains(sigma: Array, abund: str) -> Array:
    """Return the cross section of grains per hydrogen atom, shielded by themselves, in 1e-22 cm2.

    Parameters
    ----------
    sigma : array
        Cross section that the atoms in grains would have as gas, in 1e-22 cm2 per hydrogen atom.
    abund : str
        Table of abundances.
    """
    mass = (abundances(abund)[_PLACES] * (1 - IN_GAS) * MASS_NUMBERS).sum() * ATOMIC_MASS
    nodes, weights = np.polynomial.legendre.leggauss(24)
    span = np.log(LARGEST / SMALLEST)
    radius = SMALLEST * np.exp(0.5 * (nodes + 1) * span)
    number = radius**-2.5 * weights * 0.5 * span
    number *= mass / (number * 4 / 3 * np.pi * radius**3).sum()
    depth = 4 / 3 * radius * (sigma[:, None] * 1e-22 / mass)
    found: Array = -np.expm1(-depth) @ (number * np.pi * radius**2) * 1e22
    return found


def _with_grains(elements: Array, abund: str) -> Array:
    return IN_GAS @ elements + _in_grains((1 - IN_GAS) @ elements, abund)


def _without_grains(elements: Array, abund: str) -> Array:
    found: Array = elements.sum(axis=0)
    return found


@cache
def _narrow() -> Grid:
    """Return the bins of 0.053 % that resonances are averaged over, those of the tables of astromodels."""
    return Grid(np.geomspace(0.1, 20.0, 10_001))


def _tbabs_sigma(grid: Grid, abund: str, total: Callable[[Array, str], Array]) -> Array:
    """Return a cross section in each bin: the mean of its edges, or in `RESONANCES` the mean over narrow bins.

    There, the mean of two edges hits or misses lines that are narrower than the bins of any response.
    """
    mean = total(_per_element("tbabs", grid, abund), abund)
    narrow = _narrow()
    averaged = narrow.remember((abund, total), lambda: np.log(total(_per_element("tbabs", narrow, abund), abund)))
    centre = np.exp(np.interp(np.log(grid.centre), np.log(narrow.centre), averaged))
    lines = np.any([(low < grid.centre) & (grid.centre < high) for low, high in RESONANCES], axis=0)
    return np.where(lines, centre, mean)


def tbabs(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of interstellar gas, molecules and grains."""
    sigma = grid.remember(("tbabs", settings.abund), lambda: _tbabs_sigma(grid, settings.abund, _with_grains))
    found: Array = np.exp(-values[0] * sigma)
    return found


def ztbabs(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of gas and molecules at a redshift; as in XSPEC, there are no grains."""
    there = grid.shifted(values[1])
    key = ("ztbabs", settings.abund)
    sigma = there.remember(key, lambda: _tbabs_sigma(there, settings.abund, _without_grains))
    found: Array = np.exp(-values[0] * sigma)
    return found


def zphabs(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of gas at a redshift."""
    there = grid.shifted(values[1])
    table, abund = f"phabs_{settings.xsect}", settings.abund
    sigma = there.remember((table, abund), lambda: _per_element(table, there, abund).sum(axis=0))
    found: Array = np.exp(-values[0] * sigma)
    return found


def phabs(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of gas."""
    return zphabs(np.array([values[0], 0.0]), grid, settings)


def _wabs_pieces(grid: Grid) -> tuple[Array, Array, Array, NDArray[np.intp]]:
    """Return the pieces of bins cut at the edges of elements.

    They are: the cross section at the low and high end in 1e-22 cm2 per hydrogen atom, the part of the bin that a piece
    is, and the first piece of each bin.
    """
    starts = MORRISON_MCCAMMON[:, 0]
    cuts = np.union1d(grid.edges, starts[(starts > grid.edges[0]) & (starts < grid.edges[-1])])
    low, high = cuts[:-1], cuts[1:]
    row = np.maximum(np.searchsorted(starts, low, side="right") - 1, 0)
    _, zero, one, two = MORRISON_MCCAMMON[row].T
    first = np.searchsorted(low, grid.low)
    part = (high - low) / np.repeat(grid.width, np.diff([*first, low.size]))

    def sigma(energy: Array) -> Array:
        found: Array = (zero + one * energy + two * energy**2) / np.maximum(energy, starts[0]) ** 3 * 1e-2
        return found

    return sigma(low), sigma(high), part, first


def wabs(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of gas with the abundances of Anders & Ebihara 1982, whatever the settings say.

    Unlike the others, a bin gets the mean of the transmissions at its edges, as in XSPEC.
    """
    low, high, part, first = grid.remember("wabs", lambda: _wabs_pieces(grid))
    transmission = 0.5 * (np.exp(-values[0] * low) + np.exp(-values[0] * high))
    return np.add.reduceat(part * transmission, first)


COMPONENTS: dict[str, Native] = {
    "tbabs": tbabs,
    "ztbabs": ztbabs,
    "phabs": phabs,
    "zphabs": zphabs,
    "wabs": wabs,
}
