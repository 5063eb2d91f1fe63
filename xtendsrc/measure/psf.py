"""A radially symmetric point-spread function as a table of enclosed fractions, and what follows from it.

Lengths are in whatever unit the table is in: arcmin, or pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

RINGS = 1500
"""Rings into which a table made from a function is cut."""


@dataclass(frozen=True)
class RadialPSF:
    """Fractions of a point source within radii.

    Attributes
    ----------
    radius : ndarray, shape (n,)
        Rising, from 0.
    enclosed : ndarray, shape (n,)
        Fraction of the flux within each radius, from 0, never falling, at most 1.
    """

    radius: np.ndarray
    enclosed: np.ndarray

    def __post_init__(self) -> None:
        rises = np.all(np.diff(self.radius) > 0) and np.all(np.diff(self.enclosed) >= 0)
        if not (rises and self.radius[0] == 0 and self.enclosed[0] == 0 and self.enclosed[-1] <= 1 + 1e-9):
            raise RequestError(
                "The enclosed fractions of a PSF must rise from 0 at radius 0 to at most 1.", "check the table."
            )

    @classmethod
    def of(cls, enclosed: Callable[[np.ndarray], np.ndarray], reach: float) -> RadialPSF:
        """Tabulate a function of the radius up to ``reach``."""
        radius = np.linspace(0.0, reach, RINGS + 1)
        return cls(radius, np.asarray(enclosed(radius), dtype=np.float64))

    @property
    def reach(self) -> float:
        """The largest radius of the table; what lies beyond is taken to be lost."""
        return float(self.radius[-1])

    def scaled(self, factor: float) -> RadialPSF:
        """The same PSF with its lengths in another unit: ``factor`` new units are one old."""
        return RadialPSF(self.radius * factor, self.enclosed)

    def fraction(self, radius: ArrayLike) -> np.ndarray:
        """Fraction of a point source within circles around it."""
        found: np.ndarray = np.interp(np.asarray(radius, dtype=np.float64), self.radius, self.enclosed)
        return found

    def radius_of(self, fraction: float) -> float:
        """Radius of the circle that holds a fraction of a point source.

        Raises
        ------
        RequestError
            If the table does not reach that far, or the fraction is not positive.
        """
        if not 0 < fraction <= self.enclosed[-1]:
            raise RequestError(
                f"No circle of the PSF's table holds a fraction of {fraction}.",
                f"give one above 0, up to {self.enclosed[-1]:.3f}.",
            )
        after = int(np.searchsorted(self.enclosed, fraction))
        return float(np.interp(fraction, self.enclosed[after - 1 : after + 1], self.radius[after - 1 : after + 1]))

    def fraction_off_centre(self, distance: ArrayLike, radius: float) -> np.ndarray:
        """Fraction of a point source within a circle whose centre lies elsewhere.

        Of the ring of radius s around a source at a distance d from the centre of a circle of radius R, the part
        inside it has half the opening angle ``arccos((s^2 + d^2 - R^2) / (2 s d))``.

        Parameters
        ----------
        distance : array_like
            From the source to the centre of the circle.
        radius : float
            Of the circle.

        Returns
        -------
        ndarray
            Of the shape of ``distance``.
        """
        d = np.maximum(np.asarray(distance, dtype=np.float64), 1e-9 * self.reach)[..., None]
        ring, flux = 0.5 * (self.radius[1:] + self.radius[:-1]), np.diff(self.enclosed)
        opening = np.arccos(np.clip((ring**2 + d**2 - radius**2) / (2 * ring * d), -1.0, 1.0)) / np.pi
        fraction: np.ndarray = opening @ flux
        return fraction

    def brightness(self, radius: ArrayLike) -> np.ndarray:
        """Surface brightness of a point source of unit flux, per square unit of length; 0 beyond the table."""
        middle = 0.5 * (self.radius[1:] + self.radius[:-1])
        values = np.diff(self.enclosed) / (np.pi * np.diff(self.radius**2))
        return np.interp(np.asarray(radius, dtype=np.float64), middle, values, right=0.0)

    def image(self, reach: int, offset: tuple[float, float] = (0.0, 0.0), oversample: int = 3) -> np.ndarray:
        """Fractions of a point source that fall into pixels, for lengths in pixels.

        Parameters
        ----------
        reach : int
            Pixels on either side of the middle one.
        offset : (float, float)
            Of the source from the centre of the middle pixel, in x and y.
        oversample : int
            Points along a side of a pixel at which the brightness is taken.

        Returns
        -------
        ndarray, shape (2 reach + 1, 2 reach + 1)
            Its sum is at most 1: what falls beyond is missing.
        """
        fine = (np.arange((2 * reach + 1) * oversample) + 0.5) / oversample - reach - 0.5
        bright = self.brightness(np.hypot(fine[None, :] - offset[0], fine[:, None] - offset[1]))
        side = 2 * reach + 1
        sums: np.ndarray = bright.reshape(side, oversample, side, oversample).mean(axis=(1, 3))
        return sums

    def blurred(self, sigma: float) -> RadialPSF:
        """The PSF of a circular Gaussian source of standard deviation ``sigma`` along each axis.

        The part of the Gaussian in each of 64 rings of equal flux lies at a distance at which the fraction of the PSF
        within a circle is known.
        """
        if sigma <= 0:
            return self
        share = (np.arange(64) + 0.5) / 64
        distance = sigma * np.sqrt(-2 * np.log(1 - share))
        radius = np.linspace(0.0, self.reach + 4 * sigma, 201)
        coarse = np.interp(np.linspace(0.0, 1.0, 301), np.linspace(0.0, 1.0, len(self.radius)), self.radius)
        short = RadialPSF(coarse, self.fraction(coarse))
        enclosed = np.array([short.fraction_off_centre(distance, r).mean() for r in radius])
        enclosed[0] = 0.0
        return RadialPSF(radius, np.maximum.accumulate(np.minimum(enclosed, 1.0)))
