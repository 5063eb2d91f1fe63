"""What is in the simulated sky: where, how large, how bright and how variable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.instrument import band_to_channels
from xtendsrc.responses import nominal
from xtendsrc.simulate.spectra import PhotonSpectrum, PowerLaw

LightCurveFunction = Callable[[np.ndarray], np.ndarray]
"""Relative brightness (1 is the nominal one) at seconds since the start of the first good time interval."""

_ERG_PER_KEV = 1.602176634e-9


def _arcmin(value: u.Quantity, name: str) -> float:
    if not isinstance(value, u.Quantity):
        raise UnitsError(f"{name} = {value!r} has no unit.", f"write e.g. {name}=1.5 * u.arcmin.")
    try:
        result = float(value.to_value(u.arcmin))
    except u.UnitConversionError as error:
        raise UnitsError(f"{name} = {value} is not an angle.", "give it in arcmin or arcsec.") from error
    if not result > 0:
        raise RequestError(f"{name} = {value} is not positive.", "give the size of the source on the sky.")
    return result


@dataclass(frozen=True)
class Point:
    """A point source."""

    def sample(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Offsets to the East and North in arcmin: none."""
        return np.zeros(size), np.zeros(size)


@dataclass(frozen=True)
class Disc:
    """Uniform surface brightness within a radius."""

    radius: u.Quantity

    def sample(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Random offsets to the East and North in arcmin."""
        return _polar(rng, _arcmin(self.radius, "radius") * np.sqrt(rng.random(size)))


@dataclass(frozen=True)
class Gaussian:
    """A circular Gaussian of standard deviation ``sigma``."""

    sigma: u.Quantity

    def sample(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Random offsets to the East and North in arcmin."""
        width = _arcmin(self.sigma, "sigma")
        return width * rng.standard_normal(size), width * rng.standard_normal(size)


@dataclass(frozen=True)
class Beta:
    """A beta model, ``(1 + (r/core)^2)^(0.5 - 3 beta)``, cut at ``cut`` core radii (beta > 1/2)."""

    core: u.Quantity
    beta: float = 2 / 3
    cut: float = 20.0

    def __post_init__(self) -> None:
        if not self.beta > 0.5:
            raise RequestError(f"beta = {self.beta}: the flux of the model diverges.", "give beta above 0.5.")
        if not self.cut > 0:
            raise RequestError(f"cut = {self.cut}: nothing of the model is left.", "give core radii above 0.")

    def sample(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Random offsets to the East and North in arcmin."""
        slope = 3 * self.beta - 1.5
        within = 1 - (1 + self.cut**2) ** -slope
        radius = np.sqrt((1 - within * rng.random(size)) ** (-1 / slope) - 1)
        return _polar(rng, _arcmin(self.core, "core") * radius)


def _polar(rng: np.random.Generator, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    angle = rng.uniform(0, 2 * np.pi, radius.size)
    return radius * np.cos(angle), radius * np.sin(angle)


@dataclass(frozen=True)
class Source:
    """One source of the simulated sky.

    Parameters
    ----------
    position : SkyCoord
        Centre.
    spectrum : callable, optional
        Energies in keV -> photons/cm2/s/keV; `PowerLaw`, `Thermal`, `Line`, sums of them, or any function.
    rate : Quantity, optional
        Counts/s that the source would give on axis with no pixel missing, within ``band``; rescales the spectrum.
    flux : Quantity, optional
        Energy flux (erg/cm2/s) within ``band``; rescales the spectrum. At most one of ``rate`` and ``flux``.
    shape : Point, Disc, Gaussian or Beta
        Anything with ``sample(rng, size) -> (east, north)`` in arcmin.
    lightcurve : callable, optional
        Seconds since the start of the first good time interval -> relative brightness, never negative.
    band : Quantity of shape (2,)
        Where ``rate`` and ``flux`` hold.
    name : str
        Name in the record of truths.
    """

    position: SkyCoord
    spectrum: PhotonSpectrum = field(default_factory=PowerLaw)
    rate: u.Quantity | None = None
    flux: u.Quantity | None = None
    shape: Point | Disc | Gaussian | Beta = field(default_factory=Point)
    lightcurve: LightCurveFunction | None = None
    band: u.Quantity = field(default_factory=lambda: u.Quantity([0.5, 10.0], u.keV))
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.position, SkyCoord) or not self.position.isscalar:
            raise RequestError(
                f"The position of source {self.name!r} is {self.position!r}, not one SkyCoord.",
                'give SkyCoord(ra, dec, unit="deg").',
            )
        band_to_channels(self.band)
        if self.rate is not None and self.flux is not None:
            raise RequestError(f"Source {self.name!r} has both a rate and a flux.", "give one of them.")
        for name, unit in (("rate", u.ct / u.s), ("flux", u.erg / u.cm**2 / u.s)):
            _checked(getattr(self, name), name, unit)

    def photons(self) -> np.ndarray:
        """Photons/s detected on axis in each bin of the nominal model energies, for brightness 1."""
        low, high = nominal.response_energies()
        centre = (low + high) / 2
        density = np.asarray(self.spectrum(centre), dtype=float)
        if density.shape != centre.shape or not np.all(np.isfinite(density)) or density.min() < 0:
            raise RequestError(
                f"The spectrum of source {self.name!r} is not a non-negative number at each energy.",
                "check it with an array of energies in keV, 0.2 to 24.",
            )
        incident = density * (high - low)
        detected = incident * nominal.effective_area(centre)
        found: np.ndarray = detected * self._factor(incident, detected, centre)
        return found

    def _factor(self, incident: np.ndarray, detected: np.ndarray, centre: np.ndarray) -> float:
        """What the spectrum must be multiplied with to give the rate or the flux asked for."""
        if self.rate is not None:
            lo, hi = band_to_channels(self.band)
            now = float(nominal.redistribution().fold(detected)[lo : hi + 1].sum())
            wanted = float(self.rate.to_value(u.ct / u.s))
        elif self.flux is not None:
            inside = (centre >= self.band[0].to_value(u.keV)) & (centre < self.band[1].to_value(u.keV))
            now = float((incident * centre)[inside].sum()) * _ERG_PER_KEV
            wanted = float(self.flux.to_value(u.erg / u.cm**2 / u.s))
        else:
            return 1.0
        if not now > 0:
            raise RequestError(f"Source {self.name!r} emits nothing within {self.band}.", "choose another band.")
        return wanted / now


def _checked(value: u.Quantity | None, name: str, unit: u.UnitBase) -> None:
    if value is None:
        return
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(unit):
        raise UnitsError(f"{name} = {value!r} is not in {unit}.", f"write it as a Quantity in {unit}.")
    if not (np.isfinite(value.value) and value.value >= 0):
        raise RequestError(f"{name} = {value} is not a brightness.", "give a finite, non-negative value.")
