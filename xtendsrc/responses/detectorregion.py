"""A region on the detector in each attitude bin, as ``coordpnt`` places it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import MissingKeywordError, RequestError
from xtendsrc.measure.focalplane import FocalPlane
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.responses.calfile import check_instrument, open_calibration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from xtendsrc.measure.overlap import Placement
    from xtendsrc.responses.calfile import Mode
    from xtendsrc.responses.exposuremap import ExposureBins

    Floats = NDArray[np.float64]


def detector_regions(
    region: str | Path | RegionSet, frame: str, bins: ExposureBins, teldef: str | Path | None, mode: Mode
) -> list[RegionSet]:
    """Return a region in DET pixels for each attitude bin.

    Parameters
    ----------
    region : path or RegionSet
        The region.
    frame : {"DET", "RADEC"}
        Whether it is in detector pixels, the same in all bins, or on the sky.
    bins : ExposureBins
        The attitude bins.
    teldef : path or None
        Telescope definition, needed for the sky.
    mode : {"task", "right"}
        ``task`` measures position angles from the axes of the sky grid, as ``coordpnt`` does; ``right`` from the
        North at the place of each shape.

    Raises
    ------
    RequestError
        If the region is in the other kind of coordinates, or the telescope definition is needed and not given.
    """
    shapes = region if isinstance(region, RegionSet) else RegionSet.read(region, frame="DET")
    on_sky = shapes.frame == "icrs"
    if frame == "DET":
        if on_sky:
            raise RequestError("The region is on the sky, not in DET pixels.", 'give region_frame="RADEC".')
        return [shapes] * len(bins.fraction)
    if not on_sky:
        raise RequestError("The region is in pixels, not on the sky.", 'give region_frame="DET".')
    wcs = _sky_grid(bins)
    pixels = shapes.to_pixels(wcs)
    if mode == "task":
        turned = [_with_angle(p, s.angle) for p, s in zip(pixels.shapes, shapes.shapes, strict=True)]
        pixels = RegionSet(pixels.frame, tuple(turned))
    return [_moved(pixels, placement) for placement in _placements(bins, teldef)]


def source_places(source: SkyCoord, bins: ExposureBins, teldef: str | Path) -> tuple[Floats, Floats]:
    """Return DETX and DETY of a position in each attitude bin."""
    x, y = (np.asarray(v) + 1.0 for v in _sky_grid(bins).world_to_pixel(source))
    places = [placement.back(x, y) for placement in _placements(bins, teldef)]
    return np.array([float(p[0]) for p in places]), np.array([float(p[1]) for p in places])


def _sky_grid(bins: ExposureBins) -> WCS:
    """The tangent plane of the nominal pointing."""
    from xtendsrc.instrument import Geometry

    return Geometry(*bins.nominal, 0.0).wcs


def _placements(bins: ExposureBins, teldef: str | Path | None) -> Iterator[Placement]:
    """How DET lies on SKY in each bin."""
    if teldef is None:
        raise RequestError("A region on the sky needs the telescope definition.", "give teldef.")
    with open_calibration(teldef) as hdus:
        header = hdus[0].header
    check_instrument(header, teldef, str(bins.header.get("INSTRUME", "XTEND")))
    names = ("FOC_XOFF", "FOC_YOFF", "FOC_ROTD")
    if missing := [name for name in names if name not in header]:
        raise MissingKeywordError(f"{teldef} has no keyword {', '.join(missing)}.", "give a teldef file.")
    plane = FocalPlane((float(header[names[0]]), float(header[names[1]])), float(header[names[2]]))
    for ra, dec, roll in bins.pointing.tolist():
        yield plane.on_sky((ra, dec, roll), (*bins.nominal, 0.0))


def _with_angle(shape: Shape, angle: float) -> Shape:
    return Shape(shape.name, (*shape.values[:-1], angle % 360.0), shape.exclude) if shape.turns else shape


def _moved(region: RegionSet, placement: Placement) -> RegionSet:
    """The region in DET pixels; sizes are those of SKY, of equal scale."""
    shapes = []
    for shape in region.shapes:
        if shape.name == "polygon":
            x, y = placement.back(*shape.vertices)
        else:
            x, y = placement.back(np.array(shape.values[:1]), np.array(shape.values[1:2]))
        places = np.column_stack([x, y]).ravel().tolist()
        turn = [(shape.angle - placement.angle) % 360.0] if shape.turns else []
        shapes.append(Shape(shape.name, (*places, *shape.sizes, *turn), shape.exclude))
    return RegionSet("DET", tuple(shapes))
