"""Mosaics: images of several observations on one sky grid, by the exact area in which pixels overlap.

A pixel of an image becomes a quadrilateral on the new grid. The area of it within ``X <= x, Y <= y`` follows from its
edges by Green's theorem, and the overlap with a pixel of the grid is the second difference of that area. Counts of a
pixel are shared out in proportion to the overlaps, so that their sum stays what it was; exposures are averaged over the
area of the new pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import GridMismatchError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from astropy.wcs import WCS

BLOCK = 65536
"""Pixels treated at once."""

FARTHEST = 5.0
"""Degrees of a pixel from the middle of a mosaic at most: fields farther apart make no sense on one grid."""


@dataclass(frozen=True)
class Plane:
    """One image of a mosaic.

    Attributes
    ----------
    counts : ndarray, shape (ny, nx)
        Counts a pixel.
    exposure : ndarray or None, shape (ny, nx)
        Live seconds a pixel; None if there is no exposure map.
    wcs : WCS
        Celestial coordinates of the pixels.

    Raises
    ------
    GridMismatchError
        If counts and exposure differ in shape.
    """

    counts: np.ndarray
    exposure: np.ndarray | None
    wcs: WCS

    def __post_init__(self) -> None:
        if self.exposure is not None and self.exposure.shape != self.counts.shape:
            raise GridMismatchError(
                f"Counts {self.counts.shape} and exposure {self.exposure.shape} of a mosaic differ in shape.",
                "make both with the same binning.",
            )


@dataclass(frozen=True)
class Mosaic:
    """Several images on one grid.

    Attributes
    ----------
    counts : ndarray, shape (ny, nx)
        Counts a pixel, not whole numbers: those of a pixel are shared among the ones it overlaps.
    exposure : ndarray, shape (ny, nx)
        Seconds a pixel, of all images together; NaN everywhere if an image has no exposure map.
    seen : ndarray, shape (ny, nx)
        Counts of pixels with exposure only: those of rates.
    outside : float
        Counts that fell off the grid; 0 on a grid of `common_grid`.
    wcs : WCS
        Coordinates of the pixels.
    """

    counts: np.ndarray
    exposure: np.ndarray
    seen: np.ndarray
    outside: float
    wcs: WCS

    @property
    def rate(self) -> np.ndarray:
        """Counts/s a pixel; NaN without exposure."""
        exposed = self.exposure > 1e-6 * np.nanmax(self.exposure, initial=0.0)
        found: np.ndarray = np.divide(self.seen, self.exposure, out=np.full(self.counts.shape, np.nan), where=exposed)
        return found


def mosaic(planes: Sequence[Plane], wcs: WCS | None = None, shape: tuple[int, int] | None = None) -> Mosaic:
    """Add images up on one grid.

    Parameters
    ----------
    planes : sequence of Plane
        The images.
    wcs : WCS, optional
        The grid; North up, with the pixels of the finest image, and large enough for all, if not given.
    shape : (int, int), optional
        Rows and columns of it; those of the WCS's ``array_shape`` if not given.

    Raises
    ------
    RequestError
        If there is no image, the grid has no shape, or the images lie too far apart.
    """
    if not planes:
        raise RequestError("There is no image to make a mosaic of.", "give one or more.")
    if wcs is None:
        wcs, shape = common_grid(planes)
    shape = shape or wcs.array_shape
    if shape is None:
        raise RequestError("The grid of the mosaic has no shape.", "set wcs.array_shape to (rows, columns).")
    counts, exposure, seen = (np.zeros(shape) for _ in range(3))
    for plane in planes:
        _add(plane, wcs, (counts, exposure, seen))
    if any(p.exposure is None for p in planes):
        exposure = np.full(shape, np.nan)
    given = float(sum(p.counts.sum(dtype=np.float64) for p in planes))
    missing = given - float(counts.sum())
    return Mosaic(counts, exposure, seen, 0.0 if abs(missing) < 1e-9 * max(given, 1.0) else missing, wcs)


def common_grid(planes: Sequence[Plane]) -> tuple[WCS, tuple[int, int]]:
    """A tangent plane, North up, that holds every pixel with counts or exposure.

    Returns
    -------
    wcs : WCS
        Square pixels of the side of the finest image's, in ICRS, around the middle of the images.
    shape : (int, int)
        Rows and columns.
    """
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    corners = []
    for plane in planes:
        rows, columns = _used(plane)
        x = np.array([columns[0], columns[1], columns[1], columns[0]]) - 0.5
        y = np.array([rows[0], rows[0], rows[1], rows[1]]) - 0.5
        corners.append(plane.wcs.pixel_to_world(x, y).icrs)
    middle = np.mean([c.cartesian.xyz.value.mean(axis=1) for c in corners], axis=0)
    centre = SkyCoord(*middle, representation_type="cartesian").spherical
    side = min(float(np.abs(proj_plane_pixel_scales(p.wcs)).min()) for p in planes)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cunit, wcs.wcs.radesys = ["RA---TAN", "DEC--TAN"], ["deg", "deg"], "ICRS"
    wcs.wcs.crval, wcs.wcs.crpix = [centre.lon.deg, centre.lat.deg], [1.0, 1.0]
    wcs.wcs.cdelt = [-side, side]
    x, y = (np.concatenate(axis) for axis in zip(*(wcs.world_to_pixel(c) for c in corners), strict=True))
    if not np.hypot(x, y).max() * side < FARTHEST:
        raise RequestError("The images lie too far apart for one grid.", "make a mosaic of each field.")
    left, low = np.floor(x.min()) - 2, np.floor(y.min()) - 2
    wcs.wcs.crpix = [1 - left, 1 - low]
    shape = (int(np.ceil(y.max()) + 3 - low), int(np.ceil(x.max()) + 3 - left))
    wcs.array_shape = shape
    return wcs, shape


def _used(plane: Plane) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last + 1 row, and column, with counts or exposure."""
    used = plane.counts != 0
    if plane.exposure is not None:
        used |= plane.exposure > 0
    if not used.any():
        raise RequestError("An image of the mosaic has neither counts nor exposure.", "leave it out.")
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def _add(plane: Plane, wcs: WCS, sums: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """Add the counts, the exposure, and the counts with exposure of one image to sums on the grid, in place."""
    ny, nx = sums[0].shape
    for pixels, corners in _blocks(plane, wcs):
        source, column, row, area = overlaps(*corners)
        whole = np.bincount(source, area, minlength=corners[0].shape[1])
        inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
        source, target, area = source[inside], row[inside] * nx + column[inside], area[inside]
        if not len(target):
            continue
        share = plane.counts[pixels].astype(np.float64) / whole
        parts = [share]
        if plane.exposure is not None:
            seconds = plane.exposure[pixels].astype(np.float64)
            parts += [seconds, np.where(seconds > 0, share, 0.0)]
        first, last = int(target.min()), int(target.max()) + 1
        for total, values in zip(sums, parts, strict=False):
            total.ravel()[first:last] += np.bincount(target - first, area * values[source], minlength=last - first)


Pixels = tuple[np.ndarray, np.ndarray]


def _blocks(plane: Plane, wcs: WCS) -> Iterator[tuple[Pixels, tuple[np.ndarray, np.ndarray]]]:
    """Pixels (rows, columns) with counts or exposure, and their corners on the grid, shape (4, n), block by block."""
    (top, bottom), (left, right) = _used(plane)
    step = max(1, BLOCK // (right - left))
    for low in range(top, bottom, step):
        high = min(low + step, bottom)
        edge_y, edge_x = np.mgrid[low : high + 1, left : right + 1] - 0.5
        x, y = wcs.world_to_pixel(plane.wcs.pixel_to_world(edge_x, edge_y))
        used = plane.counts[low:high, left:right] != 0
        if plane.exposure is not None:
            used |= plane.exposure[low:high, left:right] > 0
        row, column = np.nonzero(used)
        around = ((0, 0), (0, 1), (1, 1), (1, 0))
        corners = tuple(np.array([axis[row + dy, column + dx] for dy, dx in around]) for axis in (x, y))
        if len(row):
            yield (row + low, column + left), (corners[0], corners[1])


def overlaps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Areas in which convex quadrilaterals overlap the unit squares around whole numbers.

    Parameters
    ----------
    x, y : ndarray, shape (4, n)
        Corners, in order around each.

    Returns
    -------
    source, column, row : ndarray of int
        Which quadrilateral, and the centre of the square.
    area : ndarray
        Positive; those of one quadrilateral add up to its area.
    """
    column, row = np.floor(x.min(axis=0) + 0.5), np.floor(y.min(axis=0) + 0.5)
    u, v = x - (column - 0.5), y - (row - 0.5)
    wide, high = max(int(np.ceil(u.max())), 1), max(int(np.ceil(v.max())), 1)
    below = np.zeros((high + 1, wide + 1, x.shape[1]))
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
        for i in range(1, wide + 1):
            part = _left_of(u[a], u[b], float(i))
            ends = [v[a] + t * (v[b] - v[a]) for t in part]
            width = (part[1] - part[0]) * (u[b] - u[a])
            for j in range(1, high + 1):
                below[j, i] -= width * (j - _mean_gap(j - ends[0], j - ends[1]))
    areas = np.diff(np.diff(below, axis=0), axis=1) * np.sign(below[-1, -1])
    above, right, source = np.nonzero(areas > 1e-14)
    columns, rows = column[source].astype(np.int64) + right, row[source].astype(np.int64) + above
    return source, columns, rows, areas[above, right, source]


def _left_of(start: np.ndarray, stop: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of an edge, as two fractions of its length, that lies left of a limit."""
    run = stop - start
    flat = run == 0
    cut = np.clip((limit - start) / np.where(flat, 1.0, run), 0.0, 1.0)
    zero, one = np.zeros_like(cut), np.ones_like(cut)
    return np.where(run > 0, zero, cut), np.where(run > 0, cut, np.where(flat, cut, one))


def _mean_gap(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Mean of the positive part of what changes linearly from one value to another."""
    high, low = np.maximum(first, last), np.minimum(first, last)
    mixed = np.maximum(high, 0.0) ** 2 / np.maximum(2 * (high - low), 1e-300)
    found: np.ndarray = np.where(low >= 0, 0.5 * (first + last), mixed)
    return found
