"""The calibration sources as regions to be excluded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RegionError
from xtendsrc.regions.regionset import RegionSet
from xtendsrc.regions.shapes import Shape
from xtendsrc.regions.sky import pixel_scale, pixel_to_world

if TYPE_CHECKING:
    from xtendsrc.instrument import Geometry


def calibration_discs(geometry: Geometry | None = None, frame: str = "SKY") -> RegionSet:
    """Give the discs lit by the two 55Fe calibration sources, as excluded circles.

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

    discs = np.array([[disc.x, disc.y, disc.radius] for disc in CALIBRATION_SOURCES])
    if frame != "DET":
        if geometry is None:
            raise RegionError(
                f"The calibration sources have no place in {frame} without the pointing.",
                "Give Geometry.from_header(events.header).",
            )
        discs[:, 0], discs[:, 1] = geometry.det_to_sky(discs[:, 0], discs[:, 1])
        if frame == "icrs":
            discs[:, 0], discs[:, 1] = pixel_to_world(discs[:, 0], discs[:, 1], geometry.wcs)
            discs[:, 2] *= pixel_scale(geometry.wcs)
    return RegionSet(frame, tuple(Shape("circle", tuple(disc), exclude=True) for disc in discs))
