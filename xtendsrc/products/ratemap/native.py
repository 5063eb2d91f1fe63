"""Count-rate maps of data classes: an image over the live exposure of its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from xtendsrc.measure.ratemap import NO_EXPOSURE, live_fraction

if TYPE_CHECKING:
    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made

NOT_COPIED = ("XTS", "CHECKSUM", "DATASUM", "TOTCTS", "BITPIX", "BUNIT")
"""Beginnings of the image's keywords that say nothing of its rates."""


def make_ratemap(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `RateMapRequest`: rates in count/s, NaN where there is no exposure.

    Raises
    ------
    DeadTimeError
        If ONTIME, LIVETIME and DEADC of the image contradict each other.
    """
    with fits.open(job.needs["expmap"], memmap=False) as hdus:
        seconds = np.asarray(hdus[0].data, dtype=np.float64)
    with fits.open(job.needs["image"], memmap=False) as hdus:
        header = hdus[0].header
        live = seconds * live_fraction(header)
        exposed = live > NO_EXPOSURE * live.max()
        rate = np.divide(hdus[0].data, live, out=np.full(live.shape, np.nan), where=exposed)
        made = fits.PrimaryHDU(rate.astype(np.float32))
        made.header.extend([c for c in header.cards if not c.keyword.startswith(NOT_COPIED)], unique=True)
        made.header["BUNIT"] = ("count/s", "unit of the pixel values")
        path = batch.path(job)
        fits.HDUList([made, *(hdu.copy() for hdu in hdus[1:])]).writeto(path)
    return batch.made(path, batch.events(job))
