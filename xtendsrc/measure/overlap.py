"""Resampling a detector map onto a rotated grid by the exact area of overlap of the pixels.

A pixel of the new grid holds the mean of the old map over its own area: the sum of the old pixels' values weighted
with the areas in which both squares overlap. Inside a patch of constant value that mean is the value itself, so
overlaps are computed only where the nearest old pixel differs from one of its eight neighbours.

The area of a unit square, rotated by phi, within the quadrant ``X <= x, Y <= y`` is the sum of four cones, one at
each corner with alternating sign; the area of a cone within a quadrant is elementary, and the overlap with a cell
of the other grid is the second difference of that area.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

RESIDUE = 1e-10
"""Overlaps below this part of a pixel are differences of rounded numbers, not areas."""

BLOCK = 16384
"""Pixels treated at once: their work arrays stay within a processor's cache."""

PAD = 2
"""Zero pixels put around a map, so that every pixel of it has neighbours."""


@dataclass(frozen=True)
class Placement:
    """How a grid lies on another: ``new = point_new + S R(angle) (old - point_old)``, pixels counted from 1.

    Attributes
    ----------
    angle : float
        Rotation from the first towards the second axis, degrees.
    old, new : tuple of float
        The same point on both grids.
    stretch : tuple of float
        The matrix S by rows, unity but for parts in a million: it moves pixels far from the point, and leaves the
        shape of each as it is.
    """

    angle: float
    old: tuple[float, float]
    new: tuple[float, float]
    stretch: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 1.0)

    @cached_property
    def _matrix(self) -> np.ndarray:
        a = np.radians(self.angle)
        turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        found: np.ndarray = np.reshape(self.stretch, (2, 2)) @ turn
        return found

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.inv(self._matrix)

    def forward(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions on the new grid of positions on the old."""
        return _moved(self._matrix, (x, y), self.old, self.new)

    def back(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions on the old grid of positions on the new."""
        return _moved(self._inverse, (x, y), self.new, self.old)


def _moved(
    matrix: np.ndarray, point: tuple[np.ndarray, np.ndarray], old: tuple[float, float], new: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    dx, dy = np.asarray(point[0]) - old[0], np.asarray(point[1]) - old[1]
    (a, b), (c, d) = matrix.tolist()
    return new[0] + dx * a + dy * b, new[1] + dx * c + dy * d


def _cone(x: np.ndarray, y: np.ndarray, t: float) -> np.ndarray:
    """Area of the right-angled cone from the origin, opening upwards at tangent ``t``, within a quadrant.

    The cone lies between the directions (1, t) and (-t, 1), t > 0; the quadrant is everything up to (x, y).
    """
    high = np.maximum(y, 0.0)
    turn = np.minimum(np.maximum(x, 0.0) * t, high)  # up to here the right edge of the cone bounds it
    left = np.maximum(-x, 0.0) / t  # below this height the cone lies to the right of the quadrant
    above = np.maximum(high - left, 0.0)
    area = turn * turn * (0.5 * (t + 1.0 / t)) + x * (high - turn) + (high * high - turn * turn) * (0.5 * t)
    found: np.ndarray = np.where(x >= 0, area, above * above * (0.5 * t))
    return found


def square_in_quadrant(x: np.ndarray, y: np.ndarray, angle: float) -> np.ndarray:
    """Area of a unit square centred on the origin, rotated by ``angle``, within ``X <= x, Y <= y``.

    Parameters
    ----------
    x, y : ndarray
        Upper right corners of the quadrants.
    angle : float
        Rotation of the square, degrees, 0 <= angle <= 45.
    """
    if angle < 1e-9:
        return np.clip(x + 0.5, 0.0, 1.0) * np.clip(y + 0.5, 0.0, 1.0)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    reach = 0.5 * (c + s)
    x, y = np.minimum(x, reach), np.minimum(y, reach)  # nothing lies beyond; and sums stay exact
    area = np.zeros(np.broadcast(x, y).shape)
    for a, b, sign in ((-0.5, -0.5, 1.0), (0.5, -0.5, -1.0), (-0.5, 0.5, -1.0), (0.5, 0.5, 1.0)):
        area += sign * _cone(x - (a * c - b * s), y - (a * s + b * c), float(s / c))
    return area


def cell_overlaps(dx: np.ndarray, dy: np.ndarray, angle: float) -> np.ndarray:
    """Overlap of a rotated unit square with the 3 x 3 cells around the one that holds its centre.

    Parameters
    ----------
    dx, dy : ndarray, shape (n,)
        Centre of the square from the centre of the middle cell, within -0.5 to 0.5.
    angle : float
        Rotation of the square against the cells, degrees.

    Returns
    -------
    ndarray, shape (3, 3, n)
        Areas by row (second axis of the grid), column, square; they add up to 1. None is negative: what is less than
        `RESIDUE` is rounding, and zero.
    """
    turn = (angle + 45.0) % 90.0 - 45.0
    mirrored = turn < 0
    edges = np.array([-1.5, -0.5, 0.5, 1.5])
    along = (dx if mirrored else -dx) + edges[:, None]
    corner = square_in_quadrant(along[None, :, :], (edges[:, None] - dy)[:, None, :], abs(turn))
    areas = np.diff(np.diff(corner, axis=0), axis=1)
    areas[areas < RESIDUE] = 0.0
    return areas[:, ::-1] if mirrored else areas


def uneven(values: np.ndarray) -> np.ndarray:
    """Whether a pixel differs from any of its eight neighbours."""
    out = np.zeros(values.shape, dtype=bool)
    columns = values[:, 1:] != values[:, :-1]
    out[:, 1:] |= columns
    out[:, :-1] |= columns
    rows = values[1:] != values[:-1]
    out[1:] |= rows
    out[:-1] |= rows
    for here, there in ((np.s_[1:, 1:], np.s_[:-1, :-1]), (np.s_[1:, :-1], np.s_[:-1, 1:])):
        differs = values[here] != values[there]
        out[here] |= differs
        out[there] |= differs
    return out


class Resampler:
    """A detector map, ready to be placed on other grids.

    Parameters
    ----------
    values : ndarray, shape (ny, nx)
        The map; beyond it everything is zero.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.pad(np.asarray(values, dtype=np.float64), PAD)
        self._uneven = uneven(self.values)
        ny, nx = np.nonzero(self.values.any(axis=1))[0], np.nonzero(self.values.any(axis=0))[0]
        self._box = (nx[0], nx[-1] + 2, ny[0], ny[-1] + 2) if len(nx) else None

    def add_to(self, image: np.ndarray, placement: Placement, scale: float) -> None:
        """Add ``scale`` times the resampled map to an image, in place.

        Parameters
        ----------
        image : ndarray, shape (my, mx)
            The new grid.
        placement : Placement
            How the map lies on it.
        scale : float
            Factor of the map, for example seconds.
        """
        if self._box is None:
            return
        x0, x1, y0, y1 = self._limits(image.shape, placement)
        columns = np.arange(x0, x1, dtype=np.float64)
        step = max(1, 4 * BLOCK // max(x1 - x0, 1))
        for low in range(y0, y1, step):
            rows = np.arange(low, min(low + step, y1), dtype=np.float64)
            u, v = placement.back(columns[None, :] + 1.0, rows[:, None] + 1.0)
            part = self._sample(u + PAD, v + PAD, placement.angle)
            part *= scale
            image[low : low + len(rows), x0:x1] += part

    def _limits(self, shape: tuple[int, ...], placement: Placement) -> tuple[int, int, int, int]:
        """Columns and rows of the new grid that the map can reach."""
        assert self._box is not None
        bx0, bx1, by0, by1 = self._box
        x, y = placement.forward(np.array([bx0, bx1, bx0, bx1]) - PAD, np.array([by0, by0, by1, by1]) - PAD)
        lows = (int(np.floor(x.min())) - 3, int(np.floor(y.min())) - 3)
        highs = (int(np.ceil(x.max())) + 3, int(np.ceil(y.max())) + 3)
        x0, y0 = max(lows[0], 0), max(lows[1], 0)
        return x0, max(min(highs[0], shape[1]), x0), y0, max(min(highs[1], shape[0]), y0)

    def _sample(self, u: np.ndarray, v: np.ndarray, angle: float) -> np.ndarray:
        """Mean of the padded map over rotated unit squares centred on (u, v), counted from 1."""
        ny, nx = self.values.shape
        i = np.rint(u).astype(np.int32)
        j = np.rint(v).astype(np.int32)
        inside = (i >= 2) & (i < nx) & (j >= 2) & (j < ny)
        flat = np.where(inside, (j - 1) * np.int32(nx) + (i - 1), 0)
        out = self.values.ravel()[flat]
        mixed = np.flatnonzero(self._uneven.ravel()[flat] & inside)
        for low in range(0, len(mixed), BLOCK):
            pick = mixed[low : low + BLOCK]
            du, dv = u.ravel()[pick] - i.ravel()[pick], v.ravel()[pick] - j.ravel()[pick]
            weights = cell_overlaps(du, dv, -angle)
            near = flat.ravel()[pick] + (np.arange(-1, 2)[:, None, None] * nx + np.arange(-1, 2)[None, :, None])
            out.ravel()[pick] = np.einsum("jik,jik->k", weights, self.values.ravel()[near])
        return out
