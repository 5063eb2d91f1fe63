"""Shapes of sources on the sky, for tracing: where on the source each ray comes from.

Positions on the source are offsets from its centre in the tangent plane, in radian, along the x and y axes of the
telescope. Rays are drawn in proportion to the brightness.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from xtendsrc.errors import InputNotFoundError, RequestError, UnitsError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.units import Quantity
    from numpy.typing import NDArray


def radians(value: Quantity, name: str) -> Any:
    """Return an angle, or angles, in radian.

    Raises
    ------
    UnitsError
        If it is not an angle with a unit.
    """
    try:
        return u.Quantity(value).to_value(u.rad)
    except (u.UnitConversionError, TypeError) as error:
        raise UnitsError(
            f"{name} = {value!r} is not an angle.", f"give it with a unit, {name}=3 * u.arcmin."
        ) from error


def _positive(value: float, name: str) -> None:
    if not np.isfinite(value) or value <= 0:
        raise RequestError(f"{name} must be positive.", "give an angle above zero.")


@dataclass(frozen=True)
class PointShape:
    """A point source: every ray has the same direction."""

    dimensions = 0

    def offsets(self, random: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the offset of each ray, (2, rays), radian: zero for all."""
        return np.zeros((2, random.shape[1]))


@dataclass(frozen=True)
class DiscShape:
    """A disc of uniform brightness.

    Parameters
    ----------
    radius : Quantity
        Radius of the disc.
    """

    radius: Quantity
    dimensions = 2

    def __post_init__(self) -> None:
        _positive(radians(self.radius, "radius"), "The radius of a disc")

    def offsets(self, random: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the offset of each ray, (2, rays), radian, from two random numbers each."""
        return _polar(radians(self.radius, "radius") * np.sqrt(random[0]), random[1])


@dataclass(frozen=True)
class BetaShape:
    """A beta model: brightness ``(1 + (r / core)^2)^(1/2 - 3 beta)`` (Cavaliere & Fusco-Femiano 1976), cut off.

    Parameters
    ----------
    core : Quantity
        Core radius.
    beta : float
        Index of the model.
    edge : Quantity
        Radius beyond which there is nothing.
    """

    core: Quantity
    beta: float
    edge: Quantity
    dimensions = 2

    def __post_init__(self) -> None:
        for name in ("core", "edge"):
            _positive(radians(getattr(self, name), name), f"The {name} radius of a beta model")
        if not np.isfinite(self.beta) or self.beta <= 0:
            raise RequestError(f"A beta model cannot have beta = {self.beta!r}.", "give a number above zero.")

    def offsets(self, random: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the offset of each ray, (2, rays), radian, by inverting the growth of the flux with radius."""
        core = radians(self.core, "core")
        power = 1.5 - 3.0 * self.beta
        most = np.log1p((radians(self.edge, "edge") / core) ** 2)
        grown = np.log1p(random[0] * np.expm1(power * most)) / power if power else random[0] * most
        return _polar(core * np.sqrt(np.expm1(grown)), random[1])


@dataclass(frozen=True, eq=False)
class ImageShape:
    """An image of the source; within a pixel the brightness is uniform.

    Parameters
    ----------
    data : array_like, shape (ny, nx)
        Brightness, of any unit; none negative.
    pixel : Quantity
        Width of a pixel.
    center : (float, float), optional
        0-based pixel (x, y) that is at the position traced; the middle of the image by default.
    rotation : Quantity, optional
        Angle from the x axis of the telescope to the x axis of the image, counter-clockwise.
    mirrored : bool, optional
        Whether the x axis of the image runs against that of the telescope before it is turned, as right ascension does.
    """

    data: NDArray[np.float64]
    pixel: Quantity
    center: tuple[float, float] | None = None
    rotation: Quantity = field(default_factory=lambda: 0 * u.deg)
    mirrored: bool = False
    dimensions = 2

    def __post_init__(self) -> None:
        data = np.asarray(self.data, np.float64)
        object.__setattr__(self, "data", data)
        _positive(radians(self.pixel, "pixel"), "The pixel of an image")
        if data.ndim != 2 or not np.isfinite(data).all() or (data < 0).any() or not data.any():
            raise RequestError(
                "The image of a source must have two axes and no negative or undefined pixel, and not be all zero.",
                "subtract its background, set what is not source to 0, and give that.",
            )

    @classmethod
    def read(cls, path: str | Path, center: SkyCoord, rotation: Quantity, mirrored: bool = False) -> ImageShape:
        """Return the shape of a FITS image of the sky.

        Parameters
        ----------
        path : str or Path
            The image, in the primary HDU, with a celestial WCS.
        center : SkyCoord
            The position that is traced.
        rotation : Quantity
            Angle from the x axis of the telescope to West (to East if mirrored), counter-clockwise.
        mirrored : bool
            Whether the telescope's axes show the sky as in a mirror.

        Raises
        ------
        InputNotFoundError
            If there is no such file.
        RequestError
            If it has no celestial WCS, or the image is not one of a source.
        """
        from astropy.io import fits
        from astropy.wcs import WCS
        from astropy.wcs.utils import proj_plane_pixel_scales

        if not Path(path).is_file():
            raise InputNotFoundError(f"There is no image {path}.", "check the path.")
        with fits.open(path, memmap=False) as hdus:
            wcs, data = WCS(hdus[0].header), hdus[0].data
        if data is None or data.ndim != 2 or not wcs.has_celestial:
            raise RequestError(f"{path}: the primary HDU is not an image of the sky.", "give a FITS image with a WCS.")
        x, y = (float(v) for v in wcs.world_to_pixel(center))
        ahead = center.directional_offset_by(0 * u.deg, 1 * u.arcmin)
        north = np.array([float(v) for v in wcs.world_to_pixel(ahead)]) - (x, y)
        tilt = np.arctan2(north[0], north[1]) * u.rad
        pixel = float(np.sqrt(np.prod(proj_plane_pixel_scales(wcs.celestial)))) * u.deg
        return cls(data, pixel, (x, y), rotation + (-tilt if mirrored else tilt), mirrored)

    def offsets(self, random: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the offset of each ray, (2, rays), radian, from two random numbers each."""
        rows, columns = self.data.shape
        grown = np.cumsum(self.data.sum(axis=1))
        y, below = _draw(random[0], grown)
        growth = np.cumsum(self.data, axis=1)
        x = np.empty_like(y)
        for row in np.unique(below):
            rays = below == row
            x[rays] = _draw(random[1, rays], growth[row])[0]
        middle = ((columns - 1) / 2, (rows - 1) / 2) if self.center is None else self.center
        offset = np.stack([x - 0.5 - middle[0], y - 0.5 - middle[1]]) * radians(self.pixel, "pixel")
        if self.mirrored:
            offset[0] *= -1
        angle = radians(self.rotation, "rotation")
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.asarray(turn @ offset)


Shape = PointShape | DiscShape | BetaShape | ImageShape


def _polar(radius: NDArray[np.float64], turn: NDArray[np.float64]) -> NDArray[np.float64]:
    azimuth = 2 * np.pi * turn
    return np.asarray(radius * np.stack([np.cos(azimuth), np.sin(azimuth)]))


def _draw(random: NDArray[np.float64], growth: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Positions along an axis of pixels (pixel i from i to i + 1) in proportion to their values, and the pixels."""
    target = random * growth[-1]
    pixel = np.minimum(np.searchsorted(growth, target, side="right"), len(growth) - 1)
    before = np.where(pixel > 0, growth[pixel - 1], 0.0)
    return pixel + (target - before) / (growth[pixel] - before), pixel
