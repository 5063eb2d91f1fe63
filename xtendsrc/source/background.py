"""Choosing a background region from the geometry of the detector alone.

The particle background of Xtend depends on the read-out row (ACTY), which lies along DETX. A background is therefore
taken on the same CCD at the same DETX rows as the source: a 3' circle in full-window modes, the rest of the strip in
window modes. Nothing here reads an event or an image.

What is vignetted does not follow the rows: no region elsewhere has the X-ray background of the source's own place. The
circle is therefore laid where the off-axis angle is most like the source's, and what remains is a rate that does not
depend on the source's. With the cosmic X-ray background of Kushino et al. 2002 (5.6e-4 count/s/arcmin2 on axis in
0.5-10 keV) and the nominal vignetting, a source on axis in a 2' circle keeps 2.2e-3 count/s of it (3.3e-3 in the 1/8
window), one off axis up to 1.5e-3 count/s of either sign: 0.2 % of a source of 1 count/s, but a fifth of one of
0.01 count/s. For faint sources model the sky background in the fit (``background="none"`` and an NXB spectrum), or
give a region of the same off-axis angle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import BackgroundError
from xtendsrc.instrument import CALIBRATION_SOURCES, PIXEL_ARCSEC, Rectangle
from xtendsrc.regions import RegionSet, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xtendsrc.instrument import Geometry

CIRCLE_ARCMIN = 3.0
DISTANCE_ARCMIN = 5.0
STRIP_ARCMIN = 3.0
CLEARANCE_ARCMIN = 1.0
WINDOW_ROWS = 320
"""A read-out strip narrower than this (DETX pixels) is treated as a window mode."""


@dataclass(frozen=True)
class Place:
    """A source on the detector of one data class.

    Parameters
    ----------
    geometry : Geometry
        The sky grid of the observation.
    area : tuple of Rectangle
        What the data class reads, in DET pixels.
    detx, dety : float
        The source position.
    radius : float
        Its extraction radius in pixels.
    """

    geometry: Geometry
    area: tuple[Rectangle, ...]
    detx: float
    dety: float
    radius: float

    @property
    def chip(self) -> Rectangle:
        """The read-out rectangle nearest to the source position."""

        def distance(box: Rectangle) -> float:
            dx = max(box.detx[0] - self.detx, 0.0, self.detx - box.detx[1])
            dy = max(box.dety[0] - self.dety, 0.0, self.dety - box.dety[1])
            return float(np.hypot(dx, dy))

        return min(self.area, key=distance)

    @property
    def windowed(self) -> bool:
        """Whether only a strip of rows is read."""
        first, last = self.chip.detx
        return last - first + 1 < WINDOW_ROWS


def automatic(place: Place, interlopers: Sequence[tuple[float, float, float]] = ()) -> RegionSet:
    """Choose a background region.

    Parameters
    ----------
    place : Place
        Where the source lies.
    interlopers : sequence of (float, float, float)
        DETX, DETY and radius, in pixels, of other sources to stay away from.

    Returns
    -------
    RegionSet
        In ICRS. Full window: a 3' circle on the same CCD and rows, its centre at least 5' from the source, off other
        sources, calibration discs and chip edges. Of those that keep 3' from the source and 1' from its region the one
        whose off-axis angle is most like the source's, so that the vignetted sky is; if there is none, the farthest.
        Window modes: the strip of the same rows on both CCDs beyond 3' of the source (or beyond the source region if
        that is larger).

    Raises
    ------
    BackgroundError
        If none fits.
    """
    return _strip(place) if place.windowed else _circle(place, interlopers)


def annulus(place: Place, inner: float, outer: float) -> RegionSet:
    """Give an annulus around the source, ``inner`` and ``outer`` times its radius.

    Raises
    ------
    BackgroundError
        If the annulus reaches into the source region or has no width.
    """
    if not 1.0 <= inner < outer:
        raise BackgroundError(
            f"A background annulus from {inner} to {outer} source radii overlaps the source or is empty.",
            "give factors with 1 <= inner < outer.",
        )
    centre = place.geometry.det_to_icrs(place.detx, place.dety)
    degrees = place.radius * PIXEL_ARCSEC / 3600
    shape = Shape("annulus", (float(centre.ra.deg), float(centre.dec.deg), inner * degrees, outer * degrees))
    return RegionSet("icrs", (shape,))


def _circle(place: Place, interlopers: Sequence[tuple[float, float, float]]) -> RegionSet:
    box, radius = place.chip, _pixels(CIRCLE_ARCMIN)
    x = float(np.clip(place.detx, box.detx[0] - 0.5 + radius, box.detx[1] + 0.5 - radius))
    ys = np.arange(box.dety[0] - 0.5 + radius, box.dety[1] + 0.5 - radius + 1e-9, 1.0)
    distance = np.hypot(x - place.detx, ys - place.dety)
    good = distance >= max(_pixels(DISTANCE_ARCMIN), place.radius + radius)
    discs = [(c.x, c.y, c.radius) for c in CALIBRATION_SOURCES]
    for other_x, other_y, other_radius in (*discs, *interlopers):
        good &= np.hypot(x - other_x, ys - other_y) >= other_radius + radius
    if not good.any():
        raise BackgroundError(
            f"No 3' background circle fits on the CCD of the source (DETX {place.detx:.0f}, DETY {place.dety:.0f}) at "
            "its rows, at least 5' from it and off other sources, calibration discs and chip edges.",
            'give a region, background=(inner, outer) for an annulus in source radii, or background="none".',
        )
    y = float(ys[_best(place, x, ys, distance, good)])
    centre = place.geometry.det_to_icrs(x, y)
    return RegionSet("icrs", (Shape("circle", (float(centre.ra.deg), float(centre.dec.deg), CIRCLE_ARCMIN / 60)),))


def _best(place: Place, x: float, ys: np.ndarray, distance: np.ndarray, good: np.ndarray) -> int:
    """Index of the centre with the source's vignetting among those clear of its light; else of the farthest."""
    edge = distance - _pixels(CIRCLE_ARCMIN)
    clear = good & (edge >= max(_pixels(STRIP_ARCMIN), place.radius + _pixels(CLEARANCE_ARCMIN)))
    if not clear.any():
        return int(np.argmax(np.where(good, distance, -np.inf)))
    unlike = np.abs(place.geometry.off_axis(x, ys) - place.geometry.off_axis(place.detx, place.dety))
    return int(np.argmin(np.where(clear, unlike, np.inf)))


def _strip(place: Place) -> RegionSet:
    """Give the strip of the source's rows on its CCD and the one beyond the gap, without the source's surroundings."""
    chip = place.chip
    boxes = [b for b in place.area if b.detx == chip.detx]
    hole = max(_pixels(STRIP_ARCMIN), place.radius)
    length = sum(_free_length(b, place.dety, hole) for b in boxes)
    if length < _pixels(1.0):
        raise BackgroundError(
            f"The window of {chip.detx[1] - chip.detx[0] + 1} rows leaves no background beyond "
            f"{hole * PIXEL_ARCSEC / 60:.1f}' of the source.",
            'give a region from the companion data class, or background="none".',
        )
    shapes = [_polygon(place.geometry, b) for b in boxes]
    centre = place.geometry.det_to_icrs(place.detx, place.dety)
    away = Shape("circle", (float(centre.ra.deg), float(centre.dec.deg), hole * PIXEL_ARCSEC / 3600), exclude=True)
    return RegionSet("icrs", (*shapes, away))


def _free_length(box: Rectangle, dety: float, hole: float) -> float:
    low, high = box.dety
    inside = max(0.0, min(high, dety + hole) - max(low, dety - hole))
    return high - low - inside


def _polygon(geometry: Geometry, box: Rectangle) -> Shape:
    corners = np.array(box.corners)
    sky = geometry.det_to_icrs(corners[:, 0], corners[:, 1])
    return Shape("polygon", tuple(float(v) for pair in zip(sky.ra.deg, sky.dec.deg, strict=True) for v in pair))


def _pixels(arcmin: float) -> float:
    return arcmin * 60 / PIXEL_ARCSEC


def chosen(mode: Any, place: Place, interlopers: Sequence[tuple[float, float, float]] = ()) -> RegionSet | None:
    """Turn the ``background=`` argument of a source method into a region.

    Parameters
    ----------
    mode : "auto", "none", None, (float, float), or region
        See `automatic`; ``"none"`` or None for no background; factors of the source radius for `annulus`; anything
        that `RegionSet.of` takes for a region of the user's own.
    place : Place
        Where the source lies.
    interlopers : sequence of (float, float, float)
        As for `automatic`.

    Raises
    ------
    BackgroundError
        If it overlaps the source, lies off the field, or none fits.
    """
    if mode is None or (isinstance(mode, str) and mode == "none"):
        return None
    if isinstance(mode, str) and mode == "auto":
        return automatic(place, interlopers)
    if isinstance(mode, tuple) and len(mode) == 2 and all(isinstance(v, (int, float)) for v in mode):
        return annulus(place, float(mode[0]), float(mode[1]))
    region = RegionSet.of(mode)
    check(region, place)
    return region


def check(region: RegionSet, place: Place) -> None:
    """Make sure that a user's background lies on the area that is read and does not overlap the source.

    Raises
    ------
    BackgroundError
        If less than a quarter of it is on the area that is read, or it holds part of the source region.
    """
    pixels = region if region.frame != "icrs" else region.to_pixels(place.geometry.wcs)
    xlo, xhi, ylo, yhi = pixels.bounds
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(xlo, xhi, 200), np.linspace(ylo, yhi, 200)))
    inside = pixels.mask(x, y)
    x, y = x[inside], y[inside]
    detx, dety = place.geometry.sky_to_det(x, y) if pixels.frame == "SKY" else (x, y)
    read = np.zeros(x.shape, bool)
    for box in place.area:
        read |= box.contains(detx, dety)
    if not read.any() or read.mean() < 0.25:
        raise BackgroundError(
            f"Only {100 * read.mean() if x.size else 0:.0f} % of the background region is on the area that is read.",
            "move it onto the CCDs of this data class.",
        )
    if (np.hypot(detx - place.detx, dety - place.dety) < place.radius).any():
        raise BackgroundError("The background region overlaps the source region.", "move it away from the source.")
