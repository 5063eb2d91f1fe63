"""The nominal response: areas, vignetting, PSF and resolution from public numbers, for use without CALDB.

Nothing here is calibrated. The tables beside this module (``data/nominal``) come from a model of 203 nested conical
gold shells (Henke optical constants) normalised to published areas of the SXT, and from a geometric ray trace
without pre-collimator. Expected accuracy: shape 3 % and absolute 10 % on axis in 1.5-10 keV; worse than 20 % below
1 keV; 10-20 % off axis. Products made with it must say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.instrument.energy import EV_PER_CHANNEL, PI_CHANNELS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

HPD_ARCMIN = 1.47
"""Half-power diameter at 6.4 keV (XRISM Proposers' Observatory Guide)."""

VIGNETTING_ENERGIES = np.array([1.0, 1.5, 2.5, 4.5, 6.4, 8.0, 10.0])
"""Energies in keV of the vignetting table's columns."""

READ_NOISE_ELECTRONS, FANO, EV_PER_PAIR, EXCESS = 6.0, 0.12, 3.65, 0.0185
"""Terms of the resolution: read noise (*guess*), Fano factor, eV an electron-hole pair in silicon, excess over both
chosen so that FWHM = 170 eV at 5.9 keV (in-orbit 170-180 eV at 6 keV, arXiv:2503.20180)."""

SIGMAS = 5.0
"""Gaussians are cut here, as HEASoft's ``sxirmf`` does."""

_FWHM_OF_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


@cache
def _table(name: str) -> np.ndarray:
    source = files("xtendsrc") / "data" / "nominal" / name
    table = np.loadtxt(source.read_text(encoding="utf-8").splitlines(), delimiter=",", comments="#")
    table.flags.writeable = False
    return table


def effective_area(energy: ArrayLike) -> np.ndarray:
    """On-axis area in cm2 of telescope, filters and CCD, all grades of a clean event list, 310 cm2 at 6 keV.

    Parameters
    ----------
    energy : array_like
        Photon energy in keV.

    Returns
    -------
    ndarray
        Interpolated in the table; zero outside 0.3-15 keV.
    """
    table = _table("xtend_ea_nominal.csv")
    found: np.ndarray = np.interp(np.asarray(energy, dtype=float), table[:, 0], table[:, 4], left=0.0, right=0.0)
    return found


def vignetting(energy: ArrayLike, off_axis: ArrayLike) -> np.ndarray:
    """Area relative to the optical axis.

    Parameters
    ----------
    energy : array_like
        keV; below 1 and above 10 keV the table's end is used.
    off_axis : array_like
        arcmin; beyond 25' (the corners of CCD3) the last value is used.

    Returns
    -------
    ndarray
        Of the shape both broadcast to; bilinear in the table.
    """
    table = _table("xtend_vignetting_nominal.csv")
    angle, columns = table[:, 0], table[:, 1:]
    e, r = np.broadcast_arrays(np.asarray(energy, dtype=float), np.asarray(off_axis, dtype=float))
    j, v = _position(VIGNETTING_ENERGIES, e)
    i, w = _position(angle, r)
    low = (1 - w) * columns[i, j] + w * columns[i + 1, j]
    high = (1 - w) * columns[i, j + 1] + w * columns[i + 1, j + 1]
    found: np.ndarray = (1 - v) * low + v * high
    return found


def _position(grid: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell of each value in a rising grid, and how far into the cell it lies, within [0, 1]."""
    cell = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, len(grid) - 2)
    return cell, np.clip((values - grid[cell]) / (grid[cell + 1] - grid[cell]), 0.0, 1.0)


def _scale(hpd: float) -> float:
    if not hpd > 0:
        raise RequestError(f"A half-power diameter of {hpd} arcmin is not positive.", "give arcmin, e.g. 1.47.")
    return hpd / 3.3567


def psf_eef(radius: ArrayLike, hpd: float = HPD_ARCMIN) -> np.ndarray:
    """Fraction of a point source within a radius: ``1 - (1 + r/a) exp(-r/a)``, ``a = HPD / 3.357``.

    An exponential disc: it puts 0.90 (HPD 1.47') to 0.93 (1.30') into a 3.05' square, measured 0.92-0.93, but has
    neither the narrow core (FWHM 7-10") nor scattering wings (a few percent beyond 3').

    Parameters
    ----------
    radius : array_like
        arcmin.
    hpd : float
        Half-power diameter in arcmin.
    """
    x = np.asarray(radius, dtype=float) / _scale(hpd)
    return 1.0 - (1.0 + x) * np.exp(-x)


def psf_surface_brightness(radius: ArrayLike, hpd: float = HPD_ARCMIN) -> np.ndarray:
    """Surface brightness of a point source of unit flux, arcmin^-2, whose integral is `psf_eef`."""
    a = _scale(hpd)
    return np.exp(-np.asarray(radius, dtype=float) / a) / (2 * np.pi * a * a)


def disc_surface_brightness(radius: ArrayLike, disc: float, hpd: float = HPD_ARCMIN) -> np.ndarray:
    """Surface brightness, arcmin^-2, of a uniform disc of unit flux as the telescope blurs it.

    At a distance r from the middle it is the PSF's flux that comes from within the disc: of the ring of radius s
    around r, the part inside the disc has half the opening angle ``arccos((r^2 + s^2 - R^2) / (2 r s))``.

    Parameters
    ----------
    radius : array_like
        Distance from the middle of the disc, arcmin.
    disc : float
        Radius R of the disc, arcmin.
    hpd : float
        Half-power diameter of the PSF in arcmin.
    """
    values = np.asarray(radius, dtype=float)
    edges = np.linspace(0.0, 30.0 * _scale(hpd), 3001)
    ring, flux = 0.5 * (edges[:-1] + edges[1:]), np.diff(psf_eef(edges, hpd))
    grid = np.linspace(0.0, max(float(values.max(initial=0.0)), disc), 301)
    r = np.maximum(grid, 1e-6)[:, None]
    opening = np.arccos(np.clip((r**2 + ring**2 - disc**2) / (2 * r * ring), -1.0, 1.0)) / np.pi
    profile = (opening * flux).sum(axis=1) / (np.pi * disc**2)
    found: np.ndarray = np.interp(values, grid, profile)
    return found


def sample_psf(rng: np.random.Generator, size: int, hpd: float = HPD_ARCMIN) -> tuple[np.ndarray, np.ndarray]:
    """Random displacements of photons in two directions, arcmin: radii of the exponential disc, any angle."""
    radius = rng.gamma(2.0, _scale(hpd), size)
    angle = rng.uniform(0.0, 2 * np.pi, size)
    return radius * np.cos(angle), radius * np.sin(angle)


def fwhm(energy: ArrayLike) -> np.ndarray:
    """Energy resolution (FWHM) in keV at energies in keV: 63, 94, 170, 247 eV at 0.5, 2, 5.9, 10 keV."""
    ev = np.asarray(energy, dtype=float) * 1000.0
    noise = 2.355 * EV_PER_PAIR * READ_NOISE_ELECTRONS
    return np.sqrt(noise**2 + 2.355**2 * FANO * EV_PER_PAIR * ev + (EXCESS * ev) ** 2) / 1000.0


def sigma(energy: ArrayLike) -> np.ndarray:
    """Gaussian standard deviation of the line spread in keV."""
    found: np.ndarray = fwhm(energy) / _FWHM_OF_SIGMA
    return found


def sample_channels(rng: np.random.Generator, energy: np.ndarray) -> np.ndarray:
    """Random PI channels of detected photons; those below channel 0 or above 4095 go to the end channels."""
    measured = energy + sigma(energy) * rng.standard_normal(energy.shape)
    return np.clip(np.floor(measured * (1000.0 / EV_PER_CHANNEL)), 0, PI_CHANNELS - 1).astype(np.int32)


def response_energies() -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds in keV of the 6400 model energies of ``xtdrmf``: 5900 x 2 eV from 0.2, 500 x 24 eV."""
    edges = np.concatenate([200.0 + 2.0 * np.arange(5900), 12000.0 + 24.0 * np.arange(501)]) / 1000.0
    return edges[:-1], edges[1:]


@dataclass(frozen=True)
class Redistribution:
    """Probability of each channel for each model energy, Gaussian, cut at 5 sigma and normalised.

    Attributes
    ----------
    energy_lo, energy_hi : ndarray, shape (n,)
        Model energies in keV.
    first : ndarray of int, shape (n,)
        First channel of each row.
    matrix : ndarray, shape (n, width)
        Row i holds the channels ``first[i]`` onwards, zero beyond the cut.
    """

    energy_lo: np.ndarray
    energy_hi: np.ndarray
    first: np.ndarray
    matrix: np.ndarray

    def fold(self, photons: ArrayLike) -> np.ndarray:
        """Expected counts in the 4096 channels, for photons detected in each model energy bin."""
        weights = self.matrix * np.asarray(photons, dtype=float)[:, None]
        channel = np.minimum(self.first[:, None] + np.arange(self.matrix.shape[1]), PI_CHANNELS - 1)
        return np.bincount(channel.ravel(), weights.ravel(), minlength=PI_CHANNELS)


@cache
def redistribution() -> Redistribution:
    """The nominal redistribution on the grid of `response_energies`."""
    from scipy.special import ndtr

    low, high = response_energies()
    centre = (low + high) / 2
    width = sigma(centre)
    kev = EV_PER_CHANNEL / 1000.0
    first = np.maximum(np.floor((centre - SIGMAS * width) / kev), 0).astype(np.int64)
    last = np.minimum(np.floor((centre + SIGMAS * width) / kev), PI_CHANNELS - 1).astype(np.int64)
    edges = first[:, None] + np.arange(int((last - first).max()) + 2)
    inside = np.clip((edges * kev - centre[:, None]) / width[:, None], -SIGMAS, SIGMAS)
    probability = np.diff(ndtr(inside), axis=1)
    probability[edges[:, :-1] > last[:, None]] = 0.0
    probability /= probability.sum(axis=1, keepdims=True)
    return Redistribution(low, high, first, probability)
