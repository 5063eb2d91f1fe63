"""Region objects of the ``regions`` package, in and out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from xtendsrc.errors import RegionError
from xtendsrc.regions.shapes import FramedShapes, Shape
from xtendsrc.regions.sky import frame_rotation

if TYPE_CHECKING:
    from collections.abc import Callable

    import regions

log = logging.getLogger("xtendsrc.regions")

#: Class of the ``regions`` package (without "PixelRegion" or "SkyRegion"): our shape, its attributes in the order of
#: our values, and the factor that turns them into ours (semi-axes for full ones).
_CLASSES: dict[str, tuple[str, tuple[str, ...], float]] = {
    "Circle": ("circle", ("radius",), 1.0),
    "CircleAnnulus": ("annulus", ("inner_radius", "outer_radius"), 1.0),
    "Ellipse": ("ellipse", ("width", "height"), 0.5),
    "EllipseAnnulus": ("elliptannulus", ("inner_width", "inner_height", "outer_width", "outer_height"), 0.5),
    "Rectangle": ("box", ("width", "height"), 1.0),
    "RectangleAnnulus": ("boxannulus", ("inner_width", "inner_height", "outer_width", "outer_height"), 1.0),
    "Polygon": ("polygon", (), 1.0),
    "RegularPolygon": ("polygon", (), 1.0),
}
_USE = f"Use one of the shapes {', '.join(list(_CLASSES)[:-1])}."


def shapes_of(x: Any, frame: str, read: Callable[[Any, str], FramedShapes]) -> FramedShapes:
    """Return the shapes of anything that states a region; see `RegionSet.of`. ``read`` reads region files."""
    if frame not in ("SKY", "DET"):
        raise RegionError(f"{frame!r} is not a pixel grid.", "Choose 'SKY' or 'DET'.")
    texts: list[Any] = []
    found = list(_flat(x, frame, texts, read))
    if not found and texts:
        raise RegionError(f"A {type(texts[0]).__name__} cannot select events.", _USE)
    if not found:
        raise RegionError("The list of regions is empty.", "Give at least one region.")
    frames = {part.frame for part in found}
    if len(frames) > 1:
        raise RegionError(
            f"The regions are in different frames: {', '.join(sorted(frames))}.",
            "Convert the pixel regions with their to_sky(wcs) first.",
        )
    return FramedShapes(frames.pop(), tuple(shape for part in found for shape in part.shapes))


def _flat(x: Any, frame: str, texts: list[Any], read: Callable[[Any, str], FramedShapes]) -> Iterable[FramedShapes]:
    import regions

    if hasattr(x, "shapes") and hasattr(x, "frame"):
        yield FramedShapes(x.frame, x.shapes)
    elif isinstance(x, (str, Path)):
        yield read(x, frame)
    elif isinstance(x, (regions.TextSkyRegion, regions.TextPixelRegion)):
        log.info("skipped what selects nothing: the text %r", x.text)  # as in a file
        texts.append(x)
    elif isinstance(x, regions.Region):
        yield from _from_astropy(x, frame)
    elif isinstance(x, (list, tuple, set, frozenset, Iterator, regions.Regions)):
        for part in x.regions if isinstance(x, regions.Regions) else x:
            yield from _flat(part, frame, texts, read)
    else:
        raise RegionError(
            f"{x!r} ({type(x).__name__}) is not a region.",
            "Give a region of the regions package, a list of them, or the path of a region file.",
        )


def _from_astropy(region: regions.Region, frame: str) -> Iterable[FramedShapes]:
    import regions

    exclude = _is_excluded(region)
    if isinstance(region, (regions.CompoundPixelRegion, regions.CompoundSkyRegion)):
        for part in _union_parts(region):
            for made in _from_astropy(part, frame):
                yield made if not exclude else FramedShapes(made.frame, tuple(s.excluded() for s in made.shapes))
        return
    class_name = type(region).__name__
    on_sky = class_name.endswith("SkyRegion")
    stem = class_name.removesuffix("SkyRegion").removesuffix("PixelRegion")
    if stem not in _CLASSES:
        raise RegionError(f"A {class_name} cannot select events.", _USE)
    if _is_background(region):
        raise RegionError(
            f"The {class_name} is marked as background.", "Keep the source and the background in lists of their own."
        )
    name, attributes, factor = _CLASSES[stem]
    values = _sky_values(region, attributes, factor) if on_sky else _pixel_values(region, attributes, factor)
    yield FramedShapes("icrs" if on_sky else frame, (Shape(name, values, exclude),))


def _is_background(region: regions.Region) -> bool:
    """Whether a region read from a ds9 file was marked as background there."""
    meta = region.meta
    return meta.get("background", False) in (True, 1, "1") or meta.get("source", True) in (False, 0, "0")


def _is_excluded(region: regions.Region) -> bool:
    include = region.meta.get("include", True)
    return include in (False, "-", "0")


def _union_parts(region: Any) -> tuple[regions.Region, regions.Region]:
    import operator

    excluded = [part for part in (region.region1, region.region2) if _is_excluded(part)]
    if region.operator is not operator.or_ or excluded:
        raise RegionError(
            f"A {type(region).__name__} that is not a plain union of regions cannot be written for HEASoft.",
            'Give a list of shapes instead, those to be taken out with meta={"include": False}.',
        )
    return region.region1, region.region2


def _pixel_values(region: Any, attributes: tuple[str, ...], factor: float) -> tuple[float, ...]:
    if hasattr(region, "vertices"):
        return tuple(np.column_stack([region.vertices.x + 1.0, region.vertices.y + 1.0]).ravel())
    sizes = [factor * getattr(region, attribute) for attribute in attributes]
    angle = [region.angle.to_value(u.deg)] if hasattr(region, "angle") else []
    return (region.center.x + 1.0, region.center.y + 1.0, *sizes, *angle)


def _sky_values(region: Any, attributes: tuple[str, ...], factor: float) -> tuple[float, ...]:
    if hasattr(region, "vertices"):
        icrs = region.vertices.icrs
        return tuple(np.column_stack([icrs.ra.deg, icrs.dec.deg]).ravel())
    sizes = [factor * getattr(region, attribute).to_value(u.deg) for attribute in attributes]
    angle = [region.angle.to_value(u.deg) + frame_rotation(region.center)] if hasattr(region, "angle") else []
    return (region.center.icrs.ra.deg, region.center.icrs.dec.deg, *sizes, *angle)


def to_astropy(shape: Shape, frame: str) -> regions.Region:
    """Make the object of the ``regions`` package: on the sky for ``icrs``, else in 0-based pixels."""
    import regions

    on_sky = frame == "icrs"
    stem, (_, attributes, factor) = next((k, v) for k, v in _CLASSES.items() if v[0] == shape.name)
    make = getattr(regions, stem + ("SkyRegion" if on_sky else "PixelRegion"))
    meta = regions.RegionMeta({"include": not shape.exclude})
    if shape.name == "polygon":
        return make(vertices=_place(*shape.vertices, on_sky), meta=meta)
    options: dict[str, Any] = dict(zip(attributes, (size / factor for size in shape.sizes), strict=True))
    if on_sky:
        options = {key: value * u.deg for key, value in options.items()}
    if shape.turns:
        options["angle"] = shape.angle * u.deg
    return make(center=_place(shape.values[0], shape.values[1], on_sky), meta=meta, **options)


def _place(x: Any, y: Any, on_sky: bool) -> Any:
    import regions

    return SkyCoord(x, y, unit="deg", frame="icrs") if on_sky else regions.PixCoord(x - 1.0, y - 1.0)
