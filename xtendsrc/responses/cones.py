"""Where rays meet foils: the geometry of rays, cones and polygons.

Foils are pieces of coaxial cones of radius ``r0 + k (z - z0)``; a cylinder has k = 0. Every function takes
arrays of rays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xtendsrc.responses.mirror import Foils

BACK, FRONT, EDGE = 0, 1, 2
"""Faces of a foil: the outer cone, the inner cone, the upper edge."""

TURN = 2 * np.pi


def inside_span(
    foils: Foils, foil: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return whether points are between the first and the last azimuth of foils."""
    span = foils.span[foil]
    if (span >= TURN).all():
        return np.ones(len(foil), bool)
    return np.asarray(np.mod(np.arctan2(y, x) - foils.start[foil], TURN) < span)


def face_time(
    foils: Foils,
    foil: NDArray[np.int64],
    face: int,
    position: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Path to where rays meet the back or front of foils, mm; infinite where they do not.

    The crossing of a ray with the cone is the root of a quadratic equation, solved without loss of digits for rays that
    are nearly parallel to the cone (Press et al., Numerical Recipes, section 5.6).
    """
    slope = foils.slope[face, foil]
    radius = foils.radius[face, foil] + slope * (position[2] - foils.bottom[foil])
    change = slope * direction[2]
    a = direction[0] ** 2 + direction[1] ** 2 - change**2
    b = position[0] * direction[0] + position[1] * direction[1] - radius * change
    c = position[0] ** 2 + position[1] ** 2 - radius**2
    discriminant = b**2 - a * c
    with np.errstate(invalid="ignore", divide="ignore"):
        sum_ = -(b + np.copysign(np.sqrt(discriminant), b))
        roots = np.stack([sum_ / a, c / sum_])
    roots[~np.isfinite(roots)] = -1.0
    best = np.full(len(foil), np.inf)
    for root in roots:
        height = position[2] + root * direction[2]
        real = (root > 0) & (root < best) & (height <= foils.top[foil]) & (height >= foils.bottom[foil])
        rays = np.flatnonzero(real & (radius + root * change > 0))
        x, y = position[:2, rays] + root[rays] * direction[:2, rays]
        rays = rays[inside_span(foils, foil[rays], x, y)]
        best[rays] = root[rays]
    return best


def edge_time(
    foils: Foils, foil: NDArray[np.int64], position: NDArray[np.float64], direction: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Path to where rays meet the upper edges of foils, mm; infinite where they do not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        path = (foils.top[foil] - position[2]) / direction[2]
        x, y = position[:2] + path * direction[:2]
    outer, inner = foils.radius[:, foil] + foils.slope[:, foil] * (foils.top[foil] - foils.bottom[foil])
    square = x**2 + y**2
    hit = (path >= 0) & (square >= inner**2) & (square <= outer**2)
    rays = np.flatnonzero(hit)
    time = np.full(len(foil), np.inf)
    rays = rays[inside_span(foils, foil[rays], x[rays], y[rays])]
    time[rays] = path[rays]
    return time


def face_normal(
    foils: Foils, foil: NDArray[np.int64], face: NDArray[np.int64], point: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the unit vectors that stand on the faces of foils at points, (3, rays), on the side of the vacuum."""
    slope = foils.slope[face, foil]
    length = np.hypot(point[0], point[1]) * np.sqrt(1 + slope**2)
    sign = np.where(face == FRONT, -1.0, 1.0)
    return np.stack([sign * point[0] / length, sign * point[1] / length, -sign * slope / np.sqrt(1 + slope**2)])


def inside_polygon(vertices: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points are inside a polygon, by the number of edges to one side (even-odd rule)."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    inside = np.zeros(len(x), bool)
    rays = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    if not rays.size:
        return inside
    px, py = x[rays], y[rays]
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > py) != (y1 > py)
            inside[rays] ^= crosses & (px < x0 + (py - y0) * (x1 - x0) / (y1 - y0))
    return inside
