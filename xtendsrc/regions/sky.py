"""From the sky to pixels and back, each shape at its own place."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.coordinates import ICRS, SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

from xtendsrc.errors import RegionError
from xtendsrc.regions.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.coordinates import BaseCoordinateFrame
    from numpy.typing import NDArray

    from xtendsrc.instrument import Geometry

#: Half the step, in degrees, of the difference that gives the direction of North on the pixel grid (two pixels).
_STEP = 1e-3


def shapes_to_pixels(shapes: Sequence[Shape], wcs: WCS) -> tuple[Shape, ...]:
    """Convert shapes in ICRS degrees into ones in 1-based pixels of `wcs`, all at once.

    Centres and vertices follow the projection exactly, sizes the pixel scale of the grid (as HEASoft does for square
    pixels), angles the direction of North at the place of the shape.

    Raises
    ------
    RegionError
        If a shape is on the other side of the sky.
    """
    places = [_places(shape) for shape in shapes]
    ends = np.cumsum([len(lon) for lon, _ in places])[:-1]
    lon, lat = (np.concatenate(axis) for axis in zip(*places, strict=True))
    x, y = world_to_pixel(lon, lat, wcs)
    xs, ys = np.split(x, ends), np.split(y, ends)
    for shape, x, y in zip(shapes, xs, ys, strict=True):
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise RegionError(
                f"The {shape.name} at RA {shape.values[0]:g}, Dec {shape.values[1]:g} is on the other side of the sky.",
                "Check its coordinates, or take the observation that holds it.",
            )
    turned = [i for i, shape in enumerate(shapes) if shape.turns]
    north = np.full(len(shapes), 90.0)
    handed = 1.0
    if turned:
        where = np.array([shapes[i].values[:2] for i in turned])
        north[turned], handed = _north(where[:, 0], where[:, 1], wcs)
    scale = 1.0 / pixel_scale(wcs)
    return tuple(
        _moved(shape, x, y, scale, up + handed * (shape.angle - 90.0))
        for shape, x, y, up in zip(shapes, xs, ys, north.tolist(), strict=True)
    )


def shape_to_sky(shape: Shape, wcs: WCS) -> Shape:
    """Convert a shape in 1-based pixels of `wcs` into one in ICRS degrees: the inverse of `shapes_to_pixels`."""
    ra, dec = pixel_to_world(*_places(shape), wcs)
    north, handed = _north(ra[:1], dec[:1], wcs) if shape.turns else (np.array([90.0]), 1.0)
    return _moved(shape, ra, dec, pixel_scale(wcs), 90.0 + handed * (shape.angle - float(north[0])))


def det_to_sky(shape: Shape, geometry: Geometry) -> Shape:
    """Convert a shape in DET pixels into one in SKY pixels, for the nominal pointing; the grids have one scale."""
    return _moved(shape, *geometry.det_to_sky(*_places(shape)), 1.0, shape.angle + geometry.pa_nom)


def sky_to_det(shape: Shape, geometry: Geometry) -> Shape:
    """Convert a shape in SKY pixels into one in DET pixels: the inverse of `det_to_sky`."""
    return _moved(shape, *geometry.sky_to_det(*_places(shape)), 1.0, shape.angle - geometry.pa_nom)


def _places(shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The vertices of a polygon, the centre of any other shape."""
    return shape.vertices if shape.name == "polygon" else (np.array(shape.values[:1]), np.array(shape.values[1:2]))


def _moved(shape: Shape, x: NDArray[np.float64], y: NDArray[np.float64], factor: float, angle: float) -> Shape:
    """The shape at other places, its sizes multiplied by `factor`, turned to `angle` (taken modulo 360)."""
    places = np.column_stack([x, y]).ravel().tolist()
    turn = [angle % 360.0] if shape.turns else []
    return Shape(shape.name, (*places, *(factor * size for size in shape.sizes), *turn), shape.exclude)


def world_to_pixel(
    ra: NDArray[np.float64], dec: NDArray[np.float64], wcs: WCS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1-based pixels of ICRS positions in degrees, by way of the frame (FK5, ICRS, ...) that the WCS names."""
    x, y = wcs.wcs_world2pix(*_in_frame(ra, dec, wcs), 1)
    return np.asarray(x, dtype=float), np.asarray(y, dtype=float)


def _in_frame(ra: NDArray[np.float64], dec: NDArray[np.float64], wcs: WCS) -> tuple[Any, Any]:
    """ICRS degrees in the frame of a WCS; FK5 of J2000 is a fixed rotation of ICRS and quick."""
    if wcs.has_celestial and wcs.wcs.radesys == "ICRS":
        return ra, dec
    if wcs.has_celestial and wcs.wcs.radesys == "FK5" and wcs.wcs.equinox == 2000.0:
        a, d = np.radians(ra), np.radians(dec)
        x, y, z = _icrs_to_fk5() @ np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
        return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))
    place = ICRS(ra * u.deg, dec * u.deg).transform_to(_frame(wcs))
    return place.spherical.lon.deg, place.spherical.lat.deg


@cache
def _icrs_to_fk5() -> NDArray[np.float64]:
    """The rotation from ICRS to FK5 of J2000, as astropy has it."""
    axes = SkyCoord(np.eye(3), representation_type="cartesian", frame="icrs").transform_to("fk5")
    return np.asarray(axes.cartesian.xyz.value)


def pixel_to_world(
    x: NDArray[np.float64], y: NDArray[np.float64], wcs: WCS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ICRS degrees of 1-based pixels: the inverse of `world_to_pixel`."""
    lon, lat = wcs.wcs_pix2world(x, y, 1)
    place = SkyCoord(lon, lat, unit="deg", frame=_frame(wcs)).icrs
    return np.asarray(place.ra.deg, dtype=float), np.asarray(place.dec.deg, dtype=float)


def _frame(wcs: WCS) -> BaseCoordinateFrame:
    if not wcs.has_celestial:
        raise RegionError("The WCS is not one of the sky.", "Give that of the X and Y columns; for DET use to_frame().")
    return wcs_to_celestial_frame(wcs)


def pixel_scale(wcs: WCS) -> float:
    """Degrees a pixel at the reference point of the grid."""
    return math.sqrt(abs(float(np.linalg.det(wcs.pixel_scale_matrix))))


def local_wcs(ra: float, dec: float, scale: float = 1e-3) -> WCS:
    """Tangent plane at a place: North up, East left, `scale` degrees a pixel, the place at pixel (0, 0)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [0.0, 0.0]
    wcs.wcs.cdelt = [-scale, scale]
    wcs.wcs.radesys = "ICRS"
    return wcs


def frame_rotation(place: SkyCoord) -> float:
    """Angle in degrees, East of ICRS North, of the North of the frame in which `place` is given."""
    return float(frame_rotations(place))


def frame_rotations(places: SkyCoord) -> NDArray[np.float64]:
    """The same for an array of places."""
    ahead = places.directional_offset_by(0 * u.deg, 0.1 * u.deg)
    return np.asarray(places.icrs.position_angle(ahead.icrs).deg)


def _north(ra: NDArray[np.float64], dec: NDArray[np.float64], wcs: WCS) -> tuple[NDArray[np.float64], float]:
    """Direction of ICRS North on the grid, in degrees from +x, and the handedness: +1 if East is left of it."""
    places = SkyCoord(ra, dec, unit="deg", frame="icrs")
    ends = [places.directional_offset_by(turn * u.deg, _STEP * u.deg) for turn in (0.0, 180.0)]
    (x0, y0), (x1, y1) = (world_to_pixel(end.ra.deg, end.dec.deg, wcs) for end in ends)
    angle = np.degrees(np.arctan2(y0 - y1, x0 - x1))
    return angle, -math.copysign(1.0, float(np.linalg.det(wcs.pixel_scale_matrix)))
