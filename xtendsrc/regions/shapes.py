"""One shape of a region: its values, and the plane geometry of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xtendsrc.errors import RegionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Names of the values of each shape, in the order of ds9 and HEASoft. Radii of ellipses are semi-axes, sizes of
#: boxes are full widths; the angle turns the first size counter-clockwise from the +x (West) axis.
VALUES: dict[str, tuple[str, ...]] = {
    "circle": ("x", "y", "radius"),
    "annulus": ("x", "y", "inner radius", "outer radius"),
    "ellipse": ("x", "y", "semi-axis a", "semi-axis b", "angle"),
    "elliptannulus": ("x", "y", "inner a", "inner b", "outer a", "outer b", "angle"),
    "box": ("x", "y", "width", "height", "angle"),
    "boxannulus": ("x", "y", "inner width", "inner height", "outer width", "outer height", "angle"),
    "polygon": (),
}

#: Largest value of a shape, in pixels or degrees; the grids have a few thousand pixels.
LARGEST = 1e8

#: Distance in pixels within which a point counts as on the edge of a polygon, as in HEASoft.
_EDGE = 1e-10


@dataclass(frozen=True)
class Shape:
    """One shape, included or excluded.

    Parameters
    ----------
    name : str
        ``circle``, ``annulus``, ``ellipse``, ``elliptannulus``, ``box``, ``boxannulus`` or ``polygon``.
    values : tuple of float
        As listed in `VALUES`; a polygon has x1, y1, x2, y2, ... In units of the frame of its `RegionSet`:
        1-based pixels or degrees; angles in degrees.
    exclude : bool
        True takes the shape (and its edge) out of the region.

    Raises
    ------
    RegionError
        For an unknown name, a wrong number of values, values that are not finite, or sizes that enclose nothing.
    """

    name: str
    values: tuple[float, ...]
    exclude: bool = False

    def __post_init__(self) -> None:
        if self.name not in VALUES:
            raise RegionError(f"{self.name!r} is not a known shape.", f"Use one of {', '.join(VALUES)}.")
        try:
            object.__setattr__(self, "values", tuple(float(value) for value in self.values))
        except (TypeError, ValueError) as err:
            raise RegionError(
                f"The values of the {self.name}, {self.values!r}, are not plain numbers.", "Give pixels or degrees."
            ) from err
        object.__setattr__(self, "exclude", bool(self.exclude))
        self._check_count()
        if not all(math.isfinite(value) for value in self.values):
            raise RegionError(f"The {self.name} has a value that is not finite: {self.values}.", "Correct it.")
        if max(map(abs, self.values)) > LARGEST:
            raise RegionError(f"The {self.name} has a value beyond {LARGEST:g}: {self.values}.", "Correct it.")
        self._check_sizes()

    def _check_count(self) -> None:
        found, expected = len(self.values), VALUES[self.name]
        if self.name == "polygon":
            if found < 6 or found % 2:
                raise RegionError(
                    f"A polygon needs at least three (x, y) pairs; this one has {found} values.",
                    "Give every vertex as a pair.",
                )
        elif found != len(expected):
            raise RegionError(
                f"A {self.name} needs {len(expected)} values ({', '.join(expected)}); {found} were given.",
                "Give exactly these.",
            )

    def _check_sizes(self) -> None:
        if self.name == "polygon":
            if polygon_area(*self.vertices) == 0:
                raise RegionError("The polygon encloses no area.", "Check the order of its vertices.")
            return
        outer, inner = self.outer, self.inner
        if min(outer) <= 0:
            raise RegionError(f"The {self.name} has a size of {min(outer):g}.", "Give sizes above zero.")
        hollow = min(inner, default=0.0) > 0 or (self.name != "elliptannulus" and min(inner, default=0.0) == 0)
        if not hollow or any(a >= b for a, b in zip(inner, outer, strict=False)):
            raise RegionError(
                f"The inner sizes {inner} of the {self.name} are not between zero and its outer sizes {outer}.",
                "Give inner sizes first, smaller than the outer ones.",
            )

    @property
    def is_ring(self) -> bool:
        """True for the shapes with a hole."""
        return self.name.endswith("annulus")

    @property
    def turns(self) -> bool:
        """True for the shapes with an angle, their last value."""
        return self.name not in ("circle", "annulus", "polygon")

    @property
    def sizes(self) -> tuple[float, ...]:
        """Radii, semi-axes or widths; empty for a polygon."""
        if self.name == "polygon":
            return ()
        return self.values[2:-1] if self.turns else self.values[2:]

    @property
    def outer(self) -> tuple[float, ...]:
        """The sizes of the outer edge."""
        return self.sizes[len(self.sizes) // 2 :] if self.is_ring else self.sizes

    @property
    def inner(self) -> tuple[float, ...]:
        """The sizes of the hole of a ring, else empty."""
        return self.sizes[: len(self.sizes) // 2] if self.is_ring else ()

    @property
    def angle(self) -> float:
        """Rotation in degrees, counter-clockwise; 0 for shapes without one."""
        return self.values[-1] if self.turns else 0.0

    @property
    def vertices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The x and y of a polygon's vertices."""
        return np.array(self.values[0::2]), np.array(self.values[1::2])

    @property
    def centre(self) -> tuple[float, float]:
        """The centre; of a polygon its centre of gravity."""
        return polygon_centroid(*self.vertices) if self.name == "polygon" else self.values[:2]  # type: ignore[return-value]  # two values by the slice

    @property
    def area(self) -> float:
        """The area in closed form, in squared units of the frame (a plane is assumed)."""
        if self.name == "polygon":
            return polygon_area(*self.vertices)
        factor = 1.0 if self.name.startswith("box") else math.pi
        first, last = self.outer[0], self.outer[-1]
        hole = self.inner[0] * self.inner[-1] if self.inner else 0.0
        return factor * (first * last - hole)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest upright rectangle around the shape: x_min, x_max, y_min, y_max."""
        if self.name == "polygon":
            x, y = self.vertices
            return x.min(), x.max(), y.min(), y.max()
        x0, y0 = self.values[:2]
        cos, sin = abs(math.cos(math.radians(self.angle))), abs(math.sin(math.radians(self.angle)))
        a, b = self.outer[0], self.outer[-1]
        if self.name.startswith("box"):
            half_x, half_y = 0.5 * (a * cos + b * sin), 0.5 * (a * sin + b * cos)
        else:
            half_x, half_y = math.hypot(a * cos, b * sin), math.hypot(a * sin, b * cos)
        return x0 - half_x, x0 + half_x, y0 - half_y, y0 + half_y

    def contains(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points lie inside or on the edge, whatever `exclude` says.

        Edges belong to the shape, both edges of a ring included, save the inner edge of a box annulus: so measured
        with HEASoft's extractor and with CFITSIO 4.6, which reads its regions.
        """
        if self.name == "polygon":
            return _in_polygon(x, y, *self.vertices)
        dx, dy = x - self.values[0], y - self.values[1]
        if self.name in ("circle", "annulus"):
            distance2 = dx * dx + dy * dy
            inside = distance2 <= self.outer[0] ** 2
            return inside & (distance2 >= self.inner[0] ** 2) if self.inner else inside
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        if self.name.startswith("box"):
            return _in_boxes(along, across, self.outer, self.inner)
        return _in_ellipses(along, across, self.outer, self.inner)

    def outlines(self, n: int) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Closed curves along the edges, the outer one first; curved edges have `n` points."""
        if self.name == "polygon":
            x, y = self.vertices
            yield np.append(x, x[0]), np.append(y, y[0])
            return
        for sizes in filter(None, (self.outer, self.inner)):
            if min(sizes) > 0:
                yield self._outline(sizes[0], sizes[-1], n)

    def _outline(self, a: float, b: float, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.name.startswith("box"):
            along = 0.5 * a * np.array([-1.0, 1.0, 1.0, -1.0, -1.0])
            across = 0.5 * b * np.array([-1.0, -1.0, 1.0, 1.0, -1.0])
        else:
            phase = np.linspace(0.0, 2.0 * math.pi, n)
            along, across = a * np.cos(phase), b * np.sin(phase)
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        return self.values[0] + along * cos - across * sin, self.values[1] + along * sin + across * cos

    def excluded(self) -> Shape:
        """Return the same shape, excluded."""
        return replace(self, exclude=True)


def polygon_area(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Area of a simple polygon by the shoelace formula."""
    dx, dy = x - x[0], y - y[0]
    return 0.5 * abs(float(np.dot(dx, np.roll(dy, -1)) - np.dot(np.roll(dx, -1), dy)))


def polygon_centroid(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Centre of gravity of a simple polygon."""
    dx, dy = x - x[0], y - y[0]
    cross = dx * np.roll(dy, -1) - np.roll(dx, -1) * dy
    total = 3.0 * cross.sum()
    return (
        float(x[0] + np.dot(dx + np.roll(dx, -1), cross) / total),
        float(y[0] + np.dot(dy + np.roll(dy, -1), cross) / total),
    )


def _in_boxes(
    along: NDArray[np.float64], across: NDArray[np.float64], outer: tuple[float, ...], inner: tuple[float, ...]
) -> NDArray[np.bool_]:
    along, across = np.abs(along), np.abs(across)
    inside = (along <= 0.5 * outer[0]) & (across <= 0.5 * outer[1])
    if inner:
        inside &= (along > 0.5 * inner[0]) | (across > 0.5 * inner[1])
    return inside


def _in_ellipses(
    along: NDArray[np.float64], across: NDArray[np.float64], outer: tuple[float, ...], inner: tuple[float, ...]
) -> NDArray[np.bool_]:
    inside = (along / outer[0]) ** 2 + (across / outer[1]) ** 2 <= 1.0
    if inner:
        inside &= (along / inner[0]) ** 2 + (across / inner[1]) ** 2 >= 1.0
    return inside


def _in_polygon(
    x: NDArray[np.float64], y: NDArray[np.float64], xv: NDArray[np.float64], yv: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Even-odd rule, with every point on an edge inside."""
    inside = np.zeros(x.shape, dtype=bool)
    on_edge = np.zeros(x.shape, dtype=bool)
    for x1, y1, x2, y2 in zip(xv, yv, np.roll(xv, -1), np.roll(yv, -1), strict=True):
        if y1 == y2:
            on_edge |= (np.abs(y - y1) < _EDGE) & (x >= min(x1, x2)) & (x <= max(x1, x2))
            continue
        distance = x1 + (x2 - x1) / (y2 - y1) * (y - y1) - x
        inside ^= ((y >= y1) != (y >= y2)) & (distance > 0)
        on_edge |= (np.abs(distance) < _EDGE) & (y >= min(y1, y2)) & (y <= max(y1, y2))
    return inside | on_edge


class FramedShapes(NamedTuple):
    """Shapes and the frame they are in: what a region is made of.

    Parameters
    ----------
    frame : str
        ``icrs``, ``SKY`` or ``DET``.
    shapes : tuple of Shape
        At least one.
    """

    frame: str
    shapes: tuple[Shape, ...]
