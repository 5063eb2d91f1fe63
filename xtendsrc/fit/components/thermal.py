"""Black bodies, the disc of many of them, and bremsstrahlung.

Where XSPEC takes the mean of a bin's two edges, so do we: the difference to the integral is below 2e-5 in bins of 2 eV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.fit.components.gaunt import gaunt

if TYPE_CHECKING:
    from xtendsrc.fit.components.base import Array, ModelSettings, Native
    from xtendsrc.fit.grid import Grid

BBODY = 8.0525
"""(1e39 erg/s) / (10 kpc)^2 x 15/pi^4 / (4 pi) in photons keV^3 cm^-2 s^-1."""
BBODYRAD = 1.0344e-3
"""2 pi / (h^3 c^2) x (1 km / 10 kpc)^2 in photons keV^-3 cm^-2 s^-1."""
DISKBB = 361.0
"""Divides the integral over radii of a disc of (1 km / 10 kpc)^2."""
DISC_SCALE, DISC_START, DISC_STEP = 193.21556, 1e-3, 0.06
DISC_A, DISC_B = 0.52876731, 1.6637530
DISC_CENTRES = np.array([0.078196667, -1.0662020, 1.1924180])
DISC_WIDTHS = np.array([0.52078740, 0.51345700, 0.40779830])
DISC_HEIGHTS = np.array([0.37286910, 0.039775528, 0.037766505])
DISC_RESIDUALS = 1e-3 * np.array(
    [
        *(0.96198, 1.09012, 1.23100, 1.38414, 1.54816, 1.72100, 1.89889, 2.07694, 2.24843, 2.40495),
        *(2.53662, 2.63163, 2.67750, 2.66131, 2.57088, 2.39630, 2.13065, 1.77252, 1.32687, 0.80658),
        *(0.23338, -0.36292, -0.94444, -1.46789, -1.88737, -2.15885, -2.24484, -2.11982, -1.77546, -1.22460),
        *(-0.50414, 0.32507, 1.18111, 1.96734, 2.58271, 2.93425, 2.95171, 2.60122, 1.89591, 0.90129),
        *(-0.26757, -1.45679, -2.49286, -3.20798, -3.46786, -3.19882, -2.40810, -1.19362, 0.26134, 1.71178),
        *(2.89069, 3.56144, 3.57118, 2.89214, 1.63859, 0.04986, -1.55727, -2.85782, -3.59242, -3.62530),
        *(-2.97509, -1.80444, -0.37797, 1.00762, 2.09373, 2.70909, 2.80317, 2.42766, 1.71756, 0.81031),
        *(-0.12592, -0.94888, -1.55448, -1.88320, -1.92031, -1.69058, -1.24877, -0.66790, -0.02708, 0.59932),
        *(1.14997, 1.58165, 1.87092, 2.01300, 2.01847, 1.90892, 1.71223, 1.45838, 1.17607, 0.89047),
        *(0.62191, 0.38554, 0.19155, 0.04584, -0.04918, -0.09367, -0.08962, -0.04015),
    ]
)
"""Mitsuda's formula for the disc: scale, bumps in log10 E/kT, and residuals at steps of it."""
HELIUM = 0.085
"""Helium atoms per hydrogen atom in bremss."""
COLD = 60.0
"""E/kT above which a black body gives nothing, as in XSPEC."""


def _trapezoid(at_edges: Array, grid: Grid) -> Array:
    return 0.5 * (at_edges[1:] + at_edges[:-1]) * grid.width


def _planck(kt: float, energy: Array) -> Array:
    """Return E^2 / (exp(E/kT) - 1)."""
    ratio = energy / kt
    small, large = ratio <= 1e-4, ratio > COLD
    safe = np.where(small | large, 1.0, ratio)
    return np.where(small, energy * kt, np.where(large, 0.0, energy**2 / np.expm1(safe)))


def bbody(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a black body of 1e39 erg/s at 10 kpc."""
    kt = values[0]
    found: Array = BBODY / kt**4 * _trapezoid(_planck(kt, grid.edges), grid)
    return found


def bbodyrad(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a black body with a radius of 1 km at 10 kpc."""
    return BBODYRAD * _trapezoid(_planck(values[0], grid.edges), grid)


def _disc(ratio: Array) -> Array:
    """Return the integral of u^(5/3) / (e^u - 1) from E/kT(inner) on, times its -2/3rd power.

    It is Mitsuda's formula with its table of residuals, which XSPEC uses and which is good to 1e-4.
    """
    decades = np.log10(ratio)
    bumps = DISC_HEIGHTS @ np.exp(-0.5 * ((decades - DISC_CENTRES[:, None]) / DISC_WIDTHS[:, None]) ** 2)
    place = np.clip((decades - np.log10(DISC_START)) / DISC_STEP, 0.0, len(DISC_RESIDUALS) - 1.0)
    residual = np.interp(place, np.arange(len(DISC_RESIDUALS)), DISC_RESIDUALS)
    smooth = (ratio / DISC_START) ** (-2 / 3) * (1 + DISC_A * ratio**DISC_B) * np.exp(-ratio)
    found: Array = DISC_SCALE * smooth * (1 + bumps) * (1 + residual)
    return found


def diskbb(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return a disc of black bodies, T ~ r^(-3/4), with Tin at an inner radius of 1 km, seen face on at 10 kpc.

    References
    ----------
    Mitsuda et al. 1984, PASJ 36, 741; Makishima et al. 1986, ApJ 308, 635.
    """
    inner = values[0]
    if inner <= 0:
        return np.zeros(grid.size)
    offset = 0.5 * grid.width / np.sqrt(3.0)  # Gauss-Legendre nodes of two points
    photons = sum(_disc(np.maximum(grid.centre + sign * offset, 1e-10) / inner) for sign in (-1.0, 1.0))
    found: Array = 0.5 * photons * grid.width * inner**2 / DISKBB
    return found


def bremss(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return thermal bremsstrahlung of hydrogen and helium.

    References
    ----------
    Kellogg, Baldwin & Koch 1975, ApJ 199, 299.
    """
    kt = values[0]
    energy = grid.edges
    seen = (energy > 0) & (energy < 50 * kt)
    at_edges = np.zeros(energy.size)
    here = energy[seen]
    factors = gaunt(here / kt, kt, 1) + 4 * HELIUM * gaunt(here / kt, kt, 2)
    at_edges[seen] = factors * np.exp(-here / kt) / here / np.sqrt(kt)
    return _trapezoid(at_edges, grid)


COMPONENTS: dict[str, Native] = {"bbody": bbody, "bbodyrad": bbodyrad, "diskbb": diskbb, "bremss": bremss}
