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
    for shape in shapes:
        inside[_members(shape, flat_x, flat_y)] = not shape.exclude
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
    excluded = [shape for shape in shapes if shape.exclude and any(_meet(shape, other) for other in included)]
    pairs = itertools.combinations(included, 2)
    if not excluded and not any(_meet(first, second) for first, second in pairs):
        return sum(shape.area for shape in included)
    x_min, x_max, y_min, y_max = bounds(included)
    x = x_min + (np.arange(samples) + 0.5) * (x_max - x_min) / samples
    y = y_min + (np.arange(samples) + 0.5) * (y_max - y_min) / samples
    inside = np.count_nonzero(mask([*included, *excluded], *np.meshgrid(x, y)))
    return inside / samples**2 * (x_max - x_min) * (y_max - y_min)


def _meet(first: Shape, second: Shape) -> bool:
    """Whether the bounding boxes of two shapes meet."""
    a, b = first.bounds, second.bounds
    return a[0] <= b[1] and b[0] <= a[1] and a[2] <= b[3] and b[2] <= a[3]


def _members(shape: Shape, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.intp]:
    """Indices of the points inside one shape; the exact test is made near it only."""
    x_min, x_max, y_min, y_max = shape.bounds
    near = np.flatnonzero(
        (x >= math.floor(x_min) - 1)
        & (x <= math.ceil(x_max) + 1)
        & (y >= math.floor(y_min) - 1)
        & (y <= math.ceil(y_max) + 1)
    )
    inside = shape.contains(x[near].astype(np.float64), y[near].astype(np.float64))
    return near[inside]


def _window(shape: Shape, x: NDArray[Any], y: NDArray[Any]) -> tuple[slice, slice]:
    """Rows and columns of a grid that can hold the shape."""
    x_min, x_max, y_min, y_max = shape.bounds
    rows = slice(int(np.searchsorted(y, y_min - 1)), int(np.searchsorted(y, y_max + 1)))
    return rows, slice(int(np.searchsorted(x, x_min - 1)), int(np.searchsorted(x, x_max + 1)))
