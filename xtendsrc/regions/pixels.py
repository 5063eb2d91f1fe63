"""Which pixels and events lie in a list of shapes."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from xtendsrc.regions.shapes import Shape

MANY = 30
"""With more shapes than this, points are sorted first."""

MOST_PAIRS = 300
"""With more shapes than this, an area is always sampled: every pair of them would have to be looked at."""

#: First and last pixel of both axes: ((x_min, x_max), (y_min, y_max)).
Limits = tuple[tuple[int, int], tuple[int, int]]


def grid_limits(frame: str) -> Limits:
    """First and last pixel of the whole SKY or DET grid."""
    from xtendsrc import instrument

    size = instrument.SKY_SIZE if frame == "SKY" else instrument.DET_SIZE
    return (1, size), (1, size)


def mask(shapes: Sequence[Shape], x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
    """Whether points lie in the region; the included shapes must come before the excluded ones."""
    x, y = np.broadcast_arrays(np.asarray(x), np.asarray(y))
    flat_x, flat_y = x.ravel(), y.ravel()
    inside = np.full(flat_x.size, all(shape.exclude for shape in shapes))
    order = np.argsort(flat_x, kind="stable") if len(shapes) > MANY else None
    sorted_x = None if order is None else flat_x[order].astype(np.float64)
    for shape in shapes:
        x_min, x_max, y_min, y_max = shape.bounds
        if order is None or sorted_x is None:
            near = np.flatnonzero((flat_x >= math.floor(x_min) - 1) & (flat_x <= math.ceil(x_max) + 1))
        else:
            near = order[np.searchsorted(sorted_x, x_min - 1) : np.searchsorted(sorted_x, x_max + 1, "right")]
        near = near[(flat_y[near] >= math.floor(y_min) - 1) & (flat_y[near] <= math.ceil(y_max) + 1)]
        found = shape.contains(flat_x[near].astype(np.float64), flat_y[near].astype(np.float64))
        inside[near[found]] = not shape.exclude
    return inside.reshape(x.shape)


def image_mask(shapes: Sequence[Shape], limits: Limits, binning: int) -> NDArray[np.bool_]:
    """Whether the centres of image pixels lie in the region, (ny, nx); the order of shapes as for `mask`."""
    (x_min, x_max), (y_min, y_max) = limits
    x = x_min + (binning - 1) / 2 + binning * np.arange((x_max - x_min + 1) // binning)
    y = y_min + (binning - 1) / 2 + binning * np.arange((y_max - y_min + 1) // binning)
    image = np.full((y.size, x.size), all(shape.exclude for shape in shapes))
    for shape in shapes:
        rows, columns = _window(shape, x, y)
        grid_x, grid_y = np.meshgrid(x[columns], y[rows])
        image[rows, columns][shape.contains(grid_x, grid_y)] = not shape.exclude
    return image


def bounds(shapes: Sequence[Shape]) -> tuple[float, float, float, float]:
    """Upright rectangle around all shapes: x_min, x_max, y_min, y_max."""
    x_min, x_max, y_min, y_max = np.array([shape.bounds for shape in shapes]).T
    return float(x_min.min()), float(x_max.max()), float(y_min.min()), float(y_max.max())


def area(shapes: Sequence[Shape], samples: int) -> float:
    """Area of the included shapes less the excluded ones; exact where their bounding boxes do not meet."""
    included = [shape for shape in shapes if not shape.exclude]
    excluded = [shape for shape in shapes if shape.exclude]
    if len(shapes) <= MOST_PAIRS:
        excluded = [shape for shape in excluded if any(_meet(shape, other) for other in included)]
    apart = len(included) == 1 or (len(shapes) <= MOST_PAIRS and not _any_meet(included))
    if not excluded and apart:
        return sum(shape.area for shape in included)
    x_min, x_max, y_min, y_max = bounds(included)
    x = x_min + (np.arange(samples) + 0.5) * (x_max - x_min) / samples
    y = y_min + (np.arange(samples) + 0.5) * (y_max - y_min) / samples
    inside = np.count_nonzero(mask([*included, *excluded], *np.meshgrid(x, y)))
    return inside / samples**2 * (x_max - x_min) * (y_max - y_min)


def _any_meet(shapes: Sequence[Shape]) -> bool:
    return any(_meet(first, second) for first, second in itertools.combinations(shapes, 2))


def _meet(first: Shape, second: Shape) -> bool:
    """Whether the bounding boxes of two shapes meet."""
    a, b = first.bounds, second.bounds
    return a[0] <= b[1] and b[0] <= a[1] and a[2] <= b[3] and b[2] <= a[3]


def _window(shape: Shape, x: NDArray[Any], y: NDArray[Any]) -> tuple[slice, slice]:
    """Rows and columns of a grid that can hold the shape."""
    x_min, x_max, y_min, y_max = shape.bounds
    rows = slice(int(np.searchsorted(y, y_min - 1)), int(np.searchsorted(y, y_max + 1)))
    return rows, slice(int(np.searchsorted(x, x_min - 1)), int(np.searchsorted(x, x_max + 1)))
