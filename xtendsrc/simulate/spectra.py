"""Photon spectra of simulated sources: callables of energy in keV giving photons/cm2/s/keV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

PhotonSpectrum = Callable[[np.ndarray], np.ndarray]
"""Anything that maps energies in keV to photons/cm2/s/keV."""


class Spectrum:
    """Base of the spectra here; they add up with ``+``."""

    def __call__(self, energy: np.ndarray) -> np.ndarray:
        """Photons/cm2/s/keV at energies in keV."""
        raise NotImplementedError

    def __add__(self, other: PhotonSpectrum) -> Sum:
        return Sum((self, other))


@dataclass(frozen=True)
class Sum(Spectrum):
    """Sum of spectra."""

    parts: tuple[PhotonSpectrum, ...]

    def __call__(self, energy: np.ndarray) -> np.ndarray:
        """Photons/cm2/s/keV at energies in keV."""
        found: np.ndarray = np.sum([part(energy) for part in self.parts], axis=0)
        return found


@dataclass(frozen=True)
class PowerLaw(Spectrum):
    """``norm * E**-index`` (XSPEC ``powerlaw``); the norm is photons/cm2/s/keV at 1 keV."""

    index: float = 1.8
    norm: float = 1e-3

    def __call__(self, energy: np.ndarray) -> np.ndarray:
        """Photons/cm2/s/keV at energies in keV."""
        return self.norm * np.asarray(energy, dtype=float) ** -self.index


@dataclass(frozen=True)
class Thermal(Spectrum):
    """``norm * exp(-E/kT) / E``: thermal bremsstrahlung with a constant Gaunt factor; kT in keV."""

    kt: float = 2.0
    norm: float = 1e-3

    def __call__(self, energy: np.ndarray) -> np.ndarray:
        """Photons/cm2/s/keV at energies in keV."""
        e = np.asarray(energy, dtype=float)
        found: np.ndarray = self.norm * np.exp(-e / self.kt) / e
        return found


@dataclass(frozen=True)
class Line(Spectrum):
    """A Gaussian line; energy and standard deviation in keV, norm in photons/cm2/s."""

    energy: float
    norm: float = 1e-4
    width: float = 0.005

    def __call__(self, energy: np.ndarray) -> np.ndarray:
        """Photons/cm2/s/keV at energies in keV."""
        x = (np.asarray(energy, dtype=float) - self.energy) / self.width
        found: np.ndarray = self.norm / (self.width * np.sqrt(2 * np.pi)) * np.exp(-0.5 * x * x)
        return found
