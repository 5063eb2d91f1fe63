"""Region files that HEASoft obeys.

HEASoft's reader ignores ``# include=0``, takes a bare radius on the sky for pixels, lets an excluded shape act only on
the included ones before it, and drops the whole file, with a warning at most, for anything that it does not know. So:
one frame line, included shapes first, ``-`` before each excluded one, ``"`` on every angular size, nothing else.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord

from xtendsrc.errors import RegionError
from xtendsrc.regions.reader import read_region_file
from xtendsrc.regions.sky import frame_rotation

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from xtendsrc.regions.regionset import RegionSet
    from xtendsrc.regions.shapes import FramedShapes, Shape

log = logging.getLogger("xtendsrc.regions")

#: Largest difference of a value between a region and its file: pixels, or degrees on the sky.
_SHIFT = {"icrs": 1e-8, "SKY": 2e-6, "DET": 2e-6}
#: Largest difference of an angle, degrees.
_TURN = 1e-5
#: Largest relative difference of the area of a shape.
_AREA = 1e-3


def write_region_file(region: RegionSet, path: str | Path, frame: str, wcs: WCS | None) -> Path:
    """Write a region file for HEASoft and read it back; see `RegionSet.write`.

    Raises
    ------
    RegionError
        If the frame is not one that HEASoft reads, a WCS is missing, the file cannot be written, or what is read back
        differs.
    """
    path = Path(path)
    if frame == "physical":
        region = region.to_pixels(wcs) if region.frame == "icrs" else region
        lines = [_pixel_line(shape) for shape in region.shapes]
    elif frame == "fk5":
        region = region.to_sky(wcs)
        _warn_of_leaning(region, path)
        lines = [_sky_line(shape) for shape in region.shapes]
    else:
        raise RegionError(f"{path}: {frame!r} is not a frame to write a region in.", "Use 'physical' or 'fk5'.")
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text("\n".join([frame, *lines, ""]), encoding="ascii")
        _compare(region, part, path)
        part.replace(path)
    except OSError as err:
        raise RegionError(f"{path}: the region file cannot be written ({err.strerror}).", "Check the folder.") from err
    finally:
        part.unlink(missing_ok=True)
    return path


def _warn_of_leaning(region: RegionSet, path: Path) -> None:
    """Say where HEASoft's reading of an angle on the sky differs from ours.

    CFITSIO adds the rotation of the grid to it, the same all over the field, whereas North leans away from the centre
    of the field: by (RA - RA_NOM) sin(Dec), half a degree at a quarter of a degree's distance and Dec -70.
    """
    turned = sorted({shape.name for shape in region.shapes if shape.turns})
    if turned:
        log.warning(
            "%s: HEASoft turns %s under fk5 by the grid's rotation only, not by the local North; use frame='physical' "
            "or a polygon where that matters.",
            path,
            " and ".join(turned),
        )


def _line(shape: Shape, positions: list[str], sizes: list[str], angle: float) -> str:
    """One line; HEASoft calls a box annulus a box and gives an elliptical annulus an angle for each edge."""
    name = "box" if shape.name == "boxannulus" else shape.name
    angles = [f"{angle % 360.0:.6f}"] * (2 if shape.name == "elliptannulus" else 1) if shape.turns else []
    return f"{'-' if shape.exclude else ''}{name}({','.join([*positions, *sizes, *angles])})"


def _pixel_line(shape: Shape) -> str:
    positions = shape.values if shape.name == "polygon" else shape.values[:2]
    return _line(shape, [f"{v:.6f}" for v in positions], [f"{v:.6f}" for v in shape.sizes], shape.angle)


def _sky_line(shape: Shape) -> str:
    lon, lat = shape.vertices if shape.name == "polygon" else np.array(shape.values[:2])[:, None]
    places = SkyCoord(lon, lat, unit="deg", frame="icrs").transform_to("fk5")
    positions = np.column_stack([places.ra.deg, places.dec.deg]).ravel()
    sizes = [f'{3600.0 * size:.6f}"' for size in shape.sizes]
    return _line(shape, [f"{v:.10f}" for v in positions], sizes, shape.angle - frame_rotation(places[0]))


def _compare(region: RegionSet, part: Path, path: Path) -> None:
    """Raise unless the file reads back as the region it was written from."""
    try:
        found = read_region_file(part, "SKY" if region.frame == "icrs" else region.frame)
        different = _difference(region, found)
    except RegionError as err:
        different = str(err)
    if different:
        raise RegionError(
            f"{path}: the region would not be what was meant when read back: {different}.",
            "Check its sizes: below 1e-6 pixel nothing is left of them.",
        )


def _difference(region: RegionSet, found: FramedShapes) -> str:
    """What differs, in words; empty if nothing does."""
    if [(s.name, s.exclude) for s in region.shapes] != [(s.name, s.exclude) for s in found.shapes]:
        return f"its shapes are {[s.name for s in found.shapes]}"
    for meant, read in zip(region.shapes, found.shapes, strict=True):
        shift = np.abs(np.array(meant.values) - read.values)
        if region.frame == "icrs":
            shift = np.minimum(shift, np.abs(shift - 360.0))
        size = slice(None) if meant.name == "polygon" else slice(0, 2 + len(meant.sizes))
        if abs((meant.angle - read.angle + 90.0) % 180.0 - 90.0) > _TURN:
            return f"the angle of the {meant.name} became {read.angle:g} instead of {meant.angle:g}"
        if shift[size].max() > _SHIFT[region.frame]:
            return f"a value of the {meant.name} moved by {shift[size].max():g}"
        areas = [replace(region, shapes=(replace(shape, exclude=False),)).area() for shape in (meant, read)]
        if abs(areas[1] / areas[0] - 1.0) > _AREA:
            return f"the area of the {meant.name} became {areas[1]:g} instead of {areas[0]:g}"
    return ""
