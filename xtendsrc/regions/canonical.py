"""The one plain form of a region, of which keys of products are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RegionError
from xtendsrc.regions.shapes import FramedShapes, Shape

if TYPE_CHECKING:
    from xtendsrc.regions.regionset import RegionSet


def canonical(region: RegionSet) -> list[Any]:
    """Return the JSON-able form; see `RegionSet.canonical`."""
    digits = 9 if region.frame == "icrs" else 6
    rows = [[shape.name, not shape.exclude, _rounded(shape, digits, region.frame)] for shape in region.shapes]
    return [region.frame, sorted(rows, key=lambda row: (not row[1], row[0], row[2]))]


def from_canonical(x: Any) -> FramedShapes:
    """Return what the region is made of that `canonical` describes."""
    try:
        frame, rows = x
        shapes = tuple(Shape(name, tuple(values), not include) for name, include, values in rows)
    except (TypeError, ValueError) as err:
        if isinstance(err, RegionError):
            raise
        raise RegionError(
            f"{x!r} is not the canonical form of a region.", "Use what RegionSet.canonical() gives."
        ) from err
    return FramedShapes(frame, shapes)


def _rounded(shape: Shape, digits: int, frame: str) -> list[float]:
    values = list(shape.values)
    if frame == "icrs":
        step = 2 if shape.name == "polygon" else len(values)
        values[::step] = [round(ra, digits) % 360.0 for ra in values[::step]]
    if shape.turns:
        values[-1] = round(values[-1], digits) % 180.0
    return [round(value, digits) + 0.0 for value in values]
