"""Exact areas of unit squares, turned and shifted, on a grid of unit cells.

For a convex polygon P the area of P with x <= a and y <= b is a sum over its edges of the integral of
min(y, b) along the edge; the area inside a cell is the second difference of that function over the cell's
corners.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .geometry import Step

CHUNK = 150_000


def spread(values: np.ndarray, step: Step, size: int) -> np.ndarray:
    """Spread an image over a square plane of ``size`` pixels, each pixel by the area it covers.

    ``step`` carries 1-based pixel coordinates of the image to those of the plane.
    """
    lines, columns = np.nonzero(values)
    weights = values[lines, columns].astype(float)
    plane = np.zeros(size * size)
    for start in range(0, len(weights), CHUNK):
        part = slice(start, start + CHUNK)
        dx = columns[part] + 1 - step.origin[0]
        dy = lines[part] + 1 - step.origin[1]
        x = step.centre[0] + step.matrix[0] * dx + step.matrix[1] * dy
        y = step.centre[1] + step.matrix[2] * dx + step.matrix[3] * dy
        plane += _spread_part(x, y, weights[part], step, size)
    return plane.reshape(size, size)


def corners(matrix: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    """Return the corners of a turned unit square about its centre, anticlockwise."""
    a, b, c, d = matrix
    return [(u * a + v * b, u * c + v * d) for u, v in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))]


def _spread_part(x: np.ndarray, y: np.ndarray, weights: np.ndarray, step: Step, size: int) -> np.ndarray:
    shape = corners(step.matrix)
    reach = max(max(abs(u), abs(v)) for u, v in shape)
    left = np.floor(x - reach + 0.5)  # cell k covers k - 1/2 to k + 1/2
    low = np.floor(y - reach + 0.5)
    u, v = x - left + 0.5, y - low + 0.5  # the square's centre from the lower left corner of its cells
    count = math.ceil(2 * reach - 1e-12) + 1
    sums = np.zeros((count + 1, count + 1, len(x)))
    for i in range(1, count + 1):
        for j in range(1, count + 1):
            sums[i, j] = _below(shape, u, v, i, j)
    plane = np.zeros(size * size)
    for i in range(count):
        for j in range(count):
            area = sums[i + 1, j + 1] - sums[i, j + 1] - sums[i + 1, j] + sums[i, j]
            column, line = (left + i - 1).astype(int), (low + j - 1).astype(int)
            good = (column >= 0) & (column < size) & (line >= 0) & (line < size)
            place = line[good] * size + column[good]
            plane += np.bincount(place, (area * weights)[good], size * size)
    return plane


def _below(shape: list[tuple[float, float]], u: np.ndarray, v: np.ndarray, a: float, b: float) -> np.ndarray:
    """Return the area of each square with x <= a and y <= b."""
    total = np.zeros(len(u))
    for (x1, y1), (x2, y2) in zip(shape, shape[1:] + shape[:1], strict=True):
        if x1 == x2:
            continue
        sign = -1.0 if x2 > x1 else 1.0  # anticlockwise: lower edges run to the right
        (xa, ya), (xb, yb) = ((x1, y1), (x2, y2)) if x1 < x2 else ((x2, y2), (x1, y1))
        length = np.clip(a - (u + xa), 0.0, xb - xa)
        first = v + ya - b
        second = first + (yb - ya) / (xb - xa) * length
        total += sign * (length * (first + second) / 2 - _positive(first, second, length))
    return total


def _positive(first: np.ndarray, second: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the integral of the positive part of a line from ``first`` to ``second`` over ``length``."""
    up, down = np.maximum(first, second), np.minimum(first, second)
    both = length * (first + second) / 2
    span = np.where(up > down, up - down, 1.0)
    crossing = length * np.maximum(up, 0.0) ** 2 / (2 * span)
    found: np.ndarray = np.where(down >= 0, both, crossing)
    return found
