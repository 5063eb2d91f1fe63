"""Choosing a background region from the geometry of the detector alone.

The particle background of Xtend depends on the read-out row (ACTY), which lies along DETX. A background is therefore
taken on the same CCD at the same DETX rows as the source: a 3' circle in full-window modes, the rest of the strip in
window modes. In a crowded field a smaller circle, an annulus, or a circle at other rows takes its place, and the
products say so. Nothing here reads an event or an image.

What is vignetted does not follow the rows: no region elsewhere has the X-ray background of the source's own place. The
circle is therefore laid where the off-axis angle is most like the source's, and what remains is a rate that does not
depend on the source's. With the cosmic X-ray background of Kushino et al. 2002 (5.6e-4 count/s/arcmin2 on axis in
0.5-10 keV) and the nominal vignetting, a source on axis in a 2' circle keeps 2.2e-3 count/s of it (3.3e-3 in the 1/8
window), one off axis up to 1.5e-3 count/s of either sign: 0.2 % of a source of 1 count/s, but a fifth of one of
0.01 count/s. For faint sources model the sky background in the fit (``background="none"`` and an NXB spectrum), or
give a region of the same off-axis angle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import BackgroundError
from xtendsrc.instrument import CALIBRATION_SOURCES, PIXEL_ARCSEC
from xtendsrc.regions import RegionSet, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from xtendsrc.instrument import Geometry, Rectangle

    Discs = Sequence[tuple[float, float, float]]
    Floats = NDArray[np.float64]

WINDOW_ROWS = 320
"""A read-out strip narrower than this (DETX pixels) is treated as a window mode."""
CIRCLES_ARCMIN = (3.0, 2.0, 1.5, 1.0)
"""Radii of background circles, the best first."""
DISTANCE_ARCMIN = 5.0
STRIP_ARCMIN = 3.0
CLEARANCE_ARCMIN = 1.0
LEAST_ARCMIN2 = 2.0
"""Area, free of other sources and calibration discs, that annuli and strips must have."""
RING_ARCMIN2 = 28.0
"""Area that an annulus is made for: that of a 3' circle."""
STEP = 8.0
"""Pixels between the places that are tried, and between the points that areas are measured with."""

LIGHT = "it holds light of the source itself."
ROWS = "its rows are not the source's, and the particle background differs from row to row."


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
    extent : float
        How far, in pixels, an extended source reaches, whatever its extraction region; 0 for a point.
    """

    geometry: Geometry
    area: tuple[Rectangle, ...]
    detx: float
    dety: float
    radius: float
    extent: float = 0.0

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


@dataclass(frozen=True)
class Background:
    """A background region and what the user should know about it.

    Parameters
    ----------
    region : RegionSet or None
        None for no background.
    remarks : tuple of str
        Sentences, which become warnings of the products.
    """

    region: RegionSet | None
    remarks: tuple[str, ...] = ()


def automatic(place: Place, interlopers: Discs = ()) -> Background:
    """Choose a background region.

    Parameters
    ----------
    place : Place
        Where the source lies.
    interlopers : sequence of (float, float, float)
        DETX, DETY and radius, in pixels, of other sources to stay away from.

    Returns
    -------
    Background
        In ICRS. Full window: a 3' circle on the same CCD and rows, its centre at least 5' from the source and its edge
        outside the source's region and extent, off other sources, calibration discs and chip edges. Of those that keep
        3' from the source and 1' from its region and extent the one whose off-axis angle is most like the source's, so
        that the vignetted sky is; if there is none, the farthest. Where none fits: a smaller circle, then an annulus
        around the source, then a circle at other rows, then one of these within the extent.
        Window modes: the strip of the same rows on both CCDs beyond 3' of the source (or beyond its region or extent
        if that is larger); where that leaves nothing, beyond its region alone.

    Raises
    ------
    BackgroundError
        If nothing is left of the field.
    """
    clear = [replace(place, radius=max(place.radius, place.extent))]
    if place.extent > place.radius:
        clear.append(place)
    for number, where in enumerate(clear):
        tries = _strips(where, interlopers) if place.windowed else _full_window(where, interlopers)
        for found in tries:
            within = (f"The background lies within the extent of the source: {LIGHT}",) if number else ()
            return replace(found, remarks=(*within, *found.remarks))
    raise BackgroundError(
        f"No background region is left in the field of the source (DETX {place.detx:.0f}, DETY {place.dety:.0f}), "
        f"outside its {max(place.radius, place.extent) * PIXEL_ARCSEC / 60:.1f}' and off other sources, calibration "
        "discs and chip edges.",
        'give a region, background=(inner, outer) for an annulus in source radii, or background="none".',
    )


# --- full window ------------------------------------------------------------------------------------------------------


def _full_window(place: Place, interlopers: Discs) -> Iterator[Background]:
    """Yield circles of the source's rows, an annulus, and circles of other rows, where they fit."""
    avoided = [*_calibration(), *interlopers]
    for arcmin in CIRCLES_ARCMIN:
        if (found := _same_rows(place, avoided, arcmin)) is not None:
            small = f"No {CIRCLES_ARCMIN[0]:g}' background circle fits: one of {arcmin:g}' is used."
            yield replace(found, remarks=(small, *found.remarks)) if arcmin != CIRCLES_ARCMIN[0] else found
    if (ring := _ring(place, avoided)) is not None:
        yield Background(ring, (f"No background circle fits: an annulus around the source is used; {ROWS}",))
    for arcmin in CIRCLES_ARCMIN:
        if (circle := _other_rows(place, avoided, arcmin)) is not None:
            yield Background(circle, (f"No background fits near the source: a circle elsewhere is used; {ROWS}",))


def _same_rows(place: Place, avoided: Discs, arcmin: float) -> Background | None:
    """Return a circle on the source's CCD with its centre at the source's row, or as near as the edge allows."""
    box, radius = place.chip, _pixels(arcmin)
    x = float(np.clip(place.detx, box.detx[0] - 0.5 + radius, box.detx[1] + 0.5 - radius))
    ys = np.arange(box.dety[0] - 0.5 + radius, box.dety[1] + 0.5 - radius + 1e-9, 1.0)
    distance = np.hypot(x - place.detx, ys - place.dety)
    good = (distance >= max(_pixels(DISTANCE_ARCMIN), place.radius + radius)) & _free(x, ys, radius, avoided)
    if not good.any():
        return None
    edge = distance - radius
    clear = good & (edge >= max(_pixels(STRIP_ARCMIN), place.radius + _pixels(CLEARANCE_ARCMIN)))
    if not clear.any():
        y = float(ys[np.argmax(np.where(good, distance, -np.inf))])
        near = f"The background circle is closer than {STRIP_ARCMIN:g}' to the source, or than 1' to its edge: {LIGHT}"
        return Background(_circle(place.geometry, x, y, arcmin), (near,))
    unlike = np.abs(place.geometry.off_axis(x, ys) - place.geometry.off_axis(place.detx, place.dety))
    return Background(_circle(place.geometry, x, float(ys[np.argmin(np.where(clear, unlike, np.inf))]), arcmin))


def _ring(place: Place, avoided: Discs) -> RegionSet | None:
    """Return an annulus around the source that is wide enough to have `RING_ARCMIN2` clean, if it can have any."""
    inner = max(_pixels(STRIP_ARCMIN), place.radius + _pixels(CLEARANCE_ARCMIN))
    radii = np.arange(inner, inner + _pixels(5.0), STEP / 2)
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    r, phi = np.meshgrid(radii + STEP / 4, angles, indexing="ij")
    clean = _clean(place, place.detx + r * np.cos(phi), place.dety + r * np.sin(phi), avoided)
    cells = clean.mean(axis=1) * 2 * np.pi * (radii + STEP / 4) * STEP / 2
    area = np.cumsum(cells) / _pixels(1.0) ** 2
    if area[-1] < LEAST_ARCMIN2:
        return None
    outer = radii[min(int(np.searchsorted(area, RING_ARCMIN2)), radii.size - 1)] + STEP / 2
    centre = place.geometry.det_to_icrs(place.detx, place.dety)
    degrees = (float(radius) * PIXEL_ARCSEC / 3600 for radius in (inner, outer))
    return RegionSet("icrs", (Shape("annulus", (float(centre.ra.deg), float(centre.dec.deg), *degrees)),))


def _other_rows(place: Place, avoided: Discs, arcmin: float) -> RegionSet | None:
    """Return the circle, on any CCD, whose rows are nearest to the source's and then whose vignetting is most like."""
    radius = _pixels(arcmin)
    best: tuple[float, float, float, float] | None = None
    own = float(place.geometry.off_axis(place.detx, place.dety))
    for box in place.area:
        xs, ys = (np.arange(a - 0.5 + radius, b + 0.5 - radius + 1e-9, STEP) for a, b in (box.detx, box.dety))
        x, y = (a.ravel() for a in np.meshgrid(xs, ys))
        away = place.radius + radius + _pixels(CLEARANCE_ARCMIN)
        good = (np.hypot(x - place.detx, y - place.dety) >= away) & _free(x, y, radius, avoided)
        if good.any():
            x, y = x[good], y[good]
            unlike = np.abs(place.geometry.off_axis(x, y) - own)
            first = np.lexsort((unlike, np.abs(x - place.detx)))[0]
            found = (abs(float(x[first]) - place.detx), float(unlike[first]), float(x[first]), float(y[first]))
            best = found if best is None else min(best, found)
    return None if best is None else _circle(place.geometry, best[2], best[3], arcmin)


# --- window modes -----------------------------------------------------------------------------------------------------


def _strips(place: Place, interlopers: Discs) -> Iterator[Background]:
    """Yield the strip beyond 3' of the source or its region, then, with a remark, beyond its region alone."""
    hole = max(_pixels(STRIP_ARCMIN), place.radius)
    if (strip := _strip(place, hole, interlopers)) is not None:
        yield Background(strip)
    if place.radius < hole and (strip := _strip(place, place.radius, interlopers)) is not None:
        yield Background(strip, (f"The background begins at the edge of the source's region: {LIGHT}",))


def _strip(place: Place, hole: float, interlopers: Discs) -> RegionSet | None:
    """Return the source's rows on its CCD and the one beyond the gap, without the surroundings of the source."""
    boxes = [b for b in place.area if b.detx == place.chip.detx]
    area = 0.0
    for box in boxes:
        x, y = np.meshgrid(np.arange(box.detx[0], box.detx[1] + 1, STEP), np.arange(box.dety[0], box.dety[1] + 1, STEP))
        clean = _clean(place, x, y, [*_calibration(), *interlopers, (place.detx, place.dety, hole)])
        area += float(clean.sum()) * STEP**2 / _pixels(1.0) ** 2
    if area < LEAST_ARCMIN2:
        return None
    shapes = [_polygon(place.geometry, b) for b in boxes]
    centre = place.geometry.det_to_icrs(place.detx, place.dety)
    away = Shape("circle", (float(centre.ra.deg), float(centre.dec.deg), hole * PIXEL_ARCSEC / 3600), exclude=True)
    return RegionSet("icrs", (*shapes, away))


# --- on the detector --------------------------------------------------------------------------------------------------


def _calibration() -> list[tuple[float, float, float]]:
    return [(disc.x, disc.y, disc.radius) for disc in CALIBRATION_SOURCES]


def _free(x: float | Floats, y: Floats, radius: float, avoided: Discs) -> NDArray[np.bool_]:
    """Which circles around places on the detector meet none of the discs."""
    x, y = (np.asarray(a, dtype=float) for a in np.broadcast_arrays(x, y))
    free = np.ones(x.shape, dtype=bool)
    if not free.size:
        return free
    edge = radius + np.array([disc[2] for disc in avoided])
    left, right, low, high = x.min(), x.max(), y.min(), y.max()
    for (other_x, other_y, _), reach in zip(avoided, edge, strict=True):
        if left - reach < other_x < right + reach and low - reach < other_y < high + reach:
            free &= (x - other_x) ** 2 + (y - other_y) ** 2 >= reach**2
    return free


def _clean(place: Place, x: Floats, y: Floats, avoided: Discs) -> NDArray[np.bool_]:
    """Which points of the detector are read and lie in none of the discs."""
    read = np.zeros(x.shape, dtype=bool)
    for box in place.area:
        read |= box.contains(x, y)
    return read & _free(x, y, 0.0, avoided)


def _circle(geometry: Geometry, x: float, y: float, arcmin: float) -> RegionSet:
    ra, dec = (float(v) for v in geometry.sky_to_degrees(*geometry.det_to_sky(x, y)))
    return RegionSet("icrs", (Shape("circle", (ra, dec, arcmin / 60)),))


def _polygon(geometry: Geometry, box: Rectangle) -> Shape:
    corners = np.array(box.corners)
    sky = geometry.det_to_icrs(corners[:, 0], corners[:, 1])
    return Shape("polygon", tuple(float(v) for pair in zip(sky.ra.deg, sky.dec.deg, strict=True) for v in pair))


def _pixels(arcmin: float) -> float:
    return arcmin * 60 / PIXEL_ARCSEC
