"""Convolutions: what changes the photons of everything right of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import ModelError

if TYPE_CHECKING:
    from xtendsrc.fit.components.base import Array, Convolution, ModelSettings
    from xtendsrc.fit.grid import Grid

KEV = 1.602176634e-9
"""Erg in a keV."""
LUMINOSITY = 1.07057e61
"""XSPEC's 4 pi (c in km/s)^2 (cm in a Mpc)^2, which is 0.44 % less than the constants say."""


def zashift(values: Array, grid: Grid, settings: ModelSettings, photons: Array) -> Array:
    """Return the photons of a source at a redshift, spread evenly over each bin as it is moved."""
    redshift = values[0]
    total = np.concatenate([[0.0], np.cumsum(photons)])
    found: Array = np.diff(np.interp(grid.edges * (1.0 + redshift), grid.edges, total)) / (1.0 + redshift)
    return found


def energy_flux(grid: Grid, photons: Array, low: float, high: float) -> float:
    """Return the energy flux between two energies in erg/cm2/s; bins count with the part that is inside.

    Raises
    ------
    ModelError
        If the band holds no bin.
    """
    inside = (np.minimum(grid.high, high) - np.maximum(grid.low, low)) / grid.width
    if not (inside > 0).any():
        raise ModelError(
            f"The band {low:g}-{high:g} keV is outside the energies {grid.edges[0]:g}-{grid.edges[-1]:g} keV.",
            "choose Emin and Emax within the energies of the response.",
        )
    inside = np.clip(inside, 0.0, 1.0)
    centre = 0.5 * (np.clip(grid.low, low, high) + np.clip(grid.high, low, high))
    return float((photons * inside * centre).sum() * KEV)


def cflux(values: Array, grid: Grid, settings: ModelSettings, photons: Array) -> Array:
    """Return the photons scaled to an energy flux of 10^lg10Flux erg/cm2/s between Emin and Emax."""
    low, high, wanted = values
    found = energy_flux(grid, photons, low, high)
    return photons * (10.0**wanted / found) if found > 0 else np.zeros_like(photons)


def clumin(values: Array, grid: Grid, settings: ModelSettings, photons: Array) -> Array:
    """Return the photons scaled to a luminosity of 10^lg10Lum erg/s between Emin and Emax of the source's energies."""
    low, high, redshift, wanted = values
    if redshift <= 0:
        raise ModelError("clumin needs a redshift above zero for a distance.", "set clumin.Redshift.")
    found = energy_flux(grid, photons, low / (1 + redshift), high / (1 + redshift))
    found *= LUMINOSITY * (distance(redshift, settings) / settings.hubble) ** 2
    return photons * (10.0**wanted / found) if found > 0 else np.zeros_like(photons)


def distance(redshift: float, settings: ModelSettings) -> float:
    """Return the luminosity distance over c/H0 as XSPEC has it.

    With dark energy it is the fit of Pen (1999, ApJS 120, 49) for a flat universe, good to 0.4 %; without,
    Mattig's formula.
    """
    q0 = settings.deceleration
    if settings.dark_energy:
        matter = 1.0 - settings.dark_energy
        return float((1 + redshift) * (_pen(1.0, matter) - _pen(1 / (1 + redshift), matter)))
    if 2 * redshift * q0 > 1e-4:
        return float((q0 * redshift + (q0 - 1) * (np.sqrt(1 + 2 * redshift * q0) - 1)) / q0**2)
    return redshift * (1 + 0.5 * redshift * (1 - q0))


def _pen(scale: float, matter: float) -> float:
    cubed = (1 - matter) / matter
    s = cubed ** (1 / 3)
    sum_ = scale**-4 - 0.1540 * s / scale**3 + 0.4304 * s**2 / scale**2 + 0.19097 * s**3 / scale + 0.066941 * s**4
    return float(2 * np.sqrt(cubed + 1) * sum_ ** (-1 / 8))


COMPONENTS: dict[str, Convolution] = {"zashift": zashift, "cflux": cflux, "clumin": clumin}
