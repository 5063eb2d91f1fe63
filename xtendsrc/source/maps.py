"""Maps of a data class: how faint a source is still detected, and how hard the light is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.measure.detect import Detector
from xtendsrc.measure.photometry import Threshold, sensitivity
from xtendsrc.measure.profile import Picture
from xtendsrc.measure.surface import hardness_map
from xtendsrc.source.detection import Finder
from xtendsrc.source.fielddata import PIXEL_ARCMIN, FieldData, nominal_psf
from xtendsrc.source.mosaics import Layer

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from xtendsrc.source.dataclass import DataClass


def sensitivity_map(dc: DataClass, fraction: float, threshold: Threshold, binning: int, **selected: Any) -> Layer:
    """Map of the limiting rate; see `xtendsrc.source.dataclass.DataClass.sensitivity`."""
    field = FieldData.of(dc, **selected)
    live, counts = field.live_image(binning), field.image(binning)
    background = Detector(live, Finder(binning=binning).search).backgrounds((counts.astype(np.float64),))[0]
    side = PIXEL_ARCMIN * binning
    psf = nominal_psf().scaled(1 / side)
    limits = sensitivity(background, live, psf, psf.radius_of(fraction), threshold)
    return Layer(limits, _binned_wcs(dc, binning), "ct / s", f"limiting rate of {dc.obs_id} {dc.code}")


def hardness(dc: DataClass, soft: Any, hard: Any, binning: int, least: float, **selected: Any) -> tuple[Layer, Layer]:
    """Map of the hardness ratio and its error; see `xtendsrc.source.dataclass.DataClass.hardness_map`."""
    side = PIXEL_ARCMIN * binning
    pictures = []
    for band in (soft, hard):
        field = FieldData.of(dc, band, **selected)
        live = field.live_image(binning)
        pictures.append(Picture(np.where(live > 0, field.image(binning), 0), live, 0.0, side))
    made = hardness_map(pictures[0], pictures[1], least, 3.0 / side)
    wcs = _binned_wcs(dc, binning)
    title = f"hardness of {dc.obs_id} {dc.code}"
    return Layer(made.ratio, wcs, "", title), Layer(made.error, wcs, "", f"error of the {title}")


def _binned_wcs(dc: DataClass, binning: int) -> WCS:
    """Coordinates of the SKY grid in blocks of pixels."""
    if not 1 <= binning <= 64:
        raise RequestError(f"binning={binning} is not within 1..64.", "use for example 8.")
    wcs = dc.geometry.wcs.deepcopy()
    wcs.wcs.crpix = (wcs.wcs.crpix - 0.5) / binning + 0.5
    wcs.wcs.cdelt = wcs.wcs.cdelt * binning
    wcs.array_shape = tuple(n // binning for n in dc.geometry.wcs.array_shape)
    return wcs
