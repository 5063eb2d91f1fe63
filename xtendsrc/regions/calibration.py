"""The calibration sources as regions to be excluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xtendsrc.errors import RegionError
from xtendsrc.regions.regionset import RegionSet
from xtendsrc.regions.shapes import Shape

if TYPE_CHECKING:
    from xtendsrc.instrument import Geometry


def calibration_discs(geometry: Geometry | None = None, frame: str = "SKY") -> RegionSet:
    """Return the discs lit by the two 55Fe calibration sources, as excluded circles.

    Parameters
    ----------
    geometry : Geometry, optional
        Of the observation, from ``Geometry.from_header(events.header)``; not needed for DET.
    frame : {"SKY", "DET", "icrs"}
        The frame of the region. Radii keep their number of pixels from DET to SKY, the two grids having the same scale.

    Returns
    -------
    RegionSet
        Excluded shapes only: ``region.without(calibration_discs(geometry))`` takes the discs out of a region.
    """
    from xtendsrc.instrument import CALIBRATION_SOURCES

    discs = RegionSet(
        "DET", tuple(Shape("circle", (disc.x, disc.y, disc.radius), exclude=True) for disc in CALIBRATION_SOURCES)
    )
    if frame == "DET":
        return discs
    if geometry is None:
        raise RegionError(
            f"The calibration sources have no place in {frame} without the pointing.",
            "Give Geometry.from_header(events.header).",
        )
    return discs.to_frame(frame, geometry)
