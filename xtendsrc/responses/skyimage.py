"""An image of the sky as the shape of a source, laid on the axes of the telescope as an observation has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from xtendsrc.responses.exposuremap import read_exposure_map
from xtendsrc.responses.shapes import ImageShape
from xtendsrc.responses.sourcerays import source_angles

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.coordinates import SkyCoord
    from numpy.typing import NDArray

    from xtendsrc.responses.exposuremap import ExposureBins

STEP = 1 * u.arcmin
"""How far West and North the axes of the sky are looked for."""


def sky_image(image: str | Path, exposure_map: str | Path, teldef: str | Path, source: SkyCoord) -> ImageShape:
    """Return the shape of a source that a FITS image of the sky shows, for `source_rays`.

    Parameters
    ----------
    image : str or Path
        Image with a celestial WCS in its primary HDU: background subtracted, corrected for exposure, not negative.
    exposure_map : str or Path
        Exposure map of the observation; the attitude is that of its longest bin.
    teldef : str or Path
        How the detector lies in the focal plane.
    source : SkyCoord
        The position that will be traced.

    Raises
    ------
    InputNotFoundError, CalibrationError
        If a file is not there or cannot be used.
    RequestError
        If the image is not one of a source on the sky.
    """
    bins = read_exposure_map(exposure_map, "right")
    longest = int(np.argmax(bins.fraction))
    here = _place(bins, source, teldef, longest)
    west, north = (
        _place(bins, source.directional_offset_by(angle * u.deg, STEP), teldef, longest) - here for angle in (270, 0)
    )
    mirrored = bool(west[0] * north[1] - west[1] * north[0] < 0)
    along = -west if mirrored else west
    rotation = np.arctan2(along[1], along[0]) * u.rad
    return ImageShape.read(image, source, rotation, mirrored=mirrored)


def _place(bins: ExposureBins, position: SkyCoord, teldef: str | Path, number: int) -> NDArray[np.float64]:
    """Offset of a position from the optical axis along the axes of the telescope, arcmin."""
    off_axis, azimuth = source_angles(bins, position, teldef)
    angle = np.deg2rad(azimuth[number])
    return np.asarray(off_axis[number] * np.array([np.cos(angle), np.sin(angle)]))
