"""Gaunt factors of thermal bremsstrahlung, as XSPEC has them.

The Born approximation where kT is high, corrected by polynomials fitted to Karzas & Latter (1961) where it is lower,
and a table by Kurucz where it is lowest. The three do not meet smoothly; neither do they in XSPEC.

References
----------
Kellogg, Baldwin & Koch 1975, ApJ 199, 299.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import k0e

if TYPE_CHECKING:
    from xtendsrc.fit.components.base import Array

IONISATION = 0.01358
"""Ionisation energy of hydrogen in keV, as XSPEC has it."""
BORN = 0.5513
"""Square root of 3 over pi, as XSPEC has it."""

U_LIMITS = np.array([0.03, 0.30, 1.0, 5.0, 15.0])
"""Limits of E/kT between the polynomials."""
GAMMA_LIMITS = np.array([1.773, 3.0, 5.6234, 10.0, 30.0])
"""Limits of 1000 Z^2 Ry / kT between which they are interpolated."""
GAMMA_NODES = np.array([1.0, 1.7783, 3.0, 5.6234, 10.0, 30.0])
GAMMA_STEPS = np.array([0.7783, 1.2217, 2.6234, 4.3766, 20.0, 70.0])

POLYNOMIALS = np.array(
    [
        [
            [1.001, 1.004, 1.017, 1.036, 1.056, 1.121],
            [1.001, 1.005, 1.017, 1.046, 1.073, 1.115],
            [0.9991, 1.005, 1.03, 1.055, 1.102, 1.176],
            [0.997, 1.005, 1.035, 1.069, 1.134, 1.186],
            [0.9962, 1.004, 1.042, 1.1, 1.193, 1.306],
            [0.9874, 0.9962, 1.047, 1.156, 1.327, 1.485],
            [0.9681, 0.9755, 1.020, 1.208, 1.525, 1.965],
        ],
        [
            [0.3029, 0.1616, 0.04757, 0.013, 0.0049, -0.0032],
            [0.4905, 0.2155, 0.08357, 0.02041, 0.00739, 0.00029],
            [0.654, 0.2833, 0.08057, 0.03257, 0.00759, -0.00151],
            [1.029, 0.391, 0.1266, 0.05149, 0.01274, 0.00324],
            [0.9569, 0.4891, 0.1764, 0.05914, 0.01407, -0.00024],
            [1.236, 0.7579, 0.326, 0.1077, 0.028, 0.00548],
            [1.327, 1.017, 0.6017, 0.205, 0.0605, 0.00187],
        ],
        [
            [-1.323, -0.254, -0.01571, -0.001, -0.000184, 0.00008],
            [-4.762, -0.3386, -0.03571, -0.001786, -0.0003, 0.00001],
            [-6.349, -0.4206, -0.02571, -0.003429, -0.000234, 0.00005],
            [-13.231, -0.59, -0.04571, -0.005714, -0.000445, -0.00004],
            [-7.672, -0.6852, -0.0643, -0.005857, -0.00042, 0.00004],
            [-7.143, -0.9947, -0.12, -0.01007, -0.000851, -0.00004],
            [-3.175, -1.116, -0.2270, -0.01821, -0.001729, 0.00023],
        ],
    ]
)
"""Coefficients of 1, u and u2, by gamma and by interval of u (Kellogg, Baldwin & Koch, table)."""

KURUCZ = np.array(
    [
        [5.40, 5.25, 5.00, 4.69, 4.48, 4.16, 3.85],
        [4.77, 4.63, 4.40, 4.13, 3.87, 3.52, 3.27],
        [4.15, 4.02, 3.80, 3.57, 3.27, 2.98, 2.70],
        [3.54, 3.41, 3.22, 2.97, 2.70, 2.45, 2.20],
        [2.94, 2.81, 2.65, 2.44, 2.21, 2.01, 1.81],
        [2.41, 2.32, 2.19, 2.02, 1.84, 1.67, 1.50],
        [1.95, 1.90, 1.80, 1.68, 1.52, 1.41, 1.30],
        [1.55, 1.56, 1.51, 1.42, 1.33, 1.25, 1.17],
        [1.17, 1.30, 1.32, 1.30, 1.20, 1.15, 1.11],
        [0.86, 1.00, 1.15, 1.18, 1.15, 1.11, 1.08],
        [0.59, 0.76, 0.97, 1.09, 1.13, 1.10, 1.08],
        [0.38, 0.53, 0.76, 0.96, 1.08, 1.09, 1.09],
    ]
)
"""By log10 u from -4 in steps of 0.5, and by log10 gamma from -1 in steps of 0.5."""


def gaunt(u: Array, kt: float, charge: int) -> Array:
    """Return the Gaunt factor.

    Parameters
    ----------
    u : array
        E/kT, above zero.
    kt : float
        Temperature in keV.
    charge : int
        Charge of the ions.
    """
    gamma = charge**2 * IONISATION / kt
    if gamma > 0.1:
        return _cold(u, gamma)
    born = BORN * k0e(0.5 * u)
    scaled = min(1000.0 * gamma, 100.0)
    found: Array = born if scaled < 1.0 else born * _correction(np.maximum(u, 0.003), scaled)
    return found


def _correction(u: Array, gamma: float) -> Array:
    """Return what the Born approximation is multiplied by."""
    interval = np.searchsorted(U_LIMITS, u)
    row = int(np.searchsorted(GAMMA_LIMITS, gamma))
    zero, one, two = POLYNOMIALS[:, row : row + 2, :][:, :, interval]
    low, high = zero + one * u + two * u**2
    part = (gamma - GAMMA_NODES[row]) / GAMMA_STEPS[row]
    found: Array = (1 - part) * low + part * high
    return found


def _cold(u: Array, gamma: float) -> Array:
    """Return Kurucz's factor: linear between the logarithms of his table, nothing outside it."""
    column = int(2 * np.log10(gamma) + 3)
    if not 1 <= column < KURUCZ.shape[1]:
        return np.zeros_like(u)
    place = 2 * np.log10(u) + 9
    row = np.maximum(place.astype(int), 1)
    inside = row < KURUCZ.shape[0]
    row = np.minimum(row, KURUCZ.shape[0] - 1)
    across = (np.log10(gamma) - (column - 3) / 2) / 0.5
    along = place - row
    table = (1 - across) * KURUCZ[:, column - 1] + across * KURUCZ[:, column]
    return np.where(inside, (1 - along) * table[row - 1] + along * table[row], 0.0)
