"""Spectra made ready for fitting: BACKSCAL weighted by exposure, links to background and responses, grouping.

How areas are weighted by exposure is said in `xtendsrc.measure.backscal`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.fit.spectrumfile import LINKS
from xtendsrc.measure.backscal import covered, region_backscal
from xtendsrc.measure.grouping import Grouping, group
from xtendsrc.responses.nominal import fwhm as nominal_fwhm

if TYPE_CHECKING:
    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made

BACKGROUND = ("BKG", "background")
"""HDUCLAS2 of a background spectrum (OGIP/92-007a), without which programs take it for a source."""


def make_sourcespectrum(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `SourceSpectrumRequest`.

    A copy of the counts spectrum with the exposure-weighted BACKSCAL; BACKFILE, RESPFILE and ANCRFILE are the names
    of the files this one is made from, without a directory: all lie in one. With a grouping, columns QUALITY and
    GROUPING follow COUNTS.
    """
    request: Any = job.request
    value = region_backscal(batch.events(job), request.spectrum, request.expmap.frame, job.needs["expmap"])
    rows = batch.events(job).region(request.spectrum.region, request.spectrum.exclude_calibration)
    path = batch.path(job)
    with fits.open(job.needs["spectrum"], memmap=False) as hdus:
        table = hdus["SPECTRUM"]
        header = table.header
        old = float(header.get("BACKSCAL", 1.0))
        header["BACKSCAL"] = (value, "exposure in the region / (norm x pixels)")
        header["COVERED"] = (covered(rows.pixel_region, value, rows.grid_pixels), "exposed part of the region's shapes")
        for role, keyword in LINKS.items():
            header[keyword] = (Path(job.needs[role]).name if role in job.needs else "none", "")
        if request.content == "background":
            header["HDUCLAS2"] = BACKGROUND
        source = Path(job.needs["expmap"]).name
        header.add_history(f"BACKSCAL weighted with {source}; by area alone {old:.9g}")
        if request.grouping:
            hdus["SPECTRUM"] = grouped(table, grouping(table, job, request.grouping))
        hdus.writeto(path)
    return batch.made(path, batch.events(job))


def grouping(table: fits.BinTableHDU, job: Job, scheme: str) -> Grouping:
    """Return the groups of a spectrum by a scheme, with its background and response where the scheme asks for them."""
    background = None
    if "background" in job.needs:
        background = fits.getdata(job.needs["background"], "SPECTRUM")["COUNTS"]
    fwhm = _fwhm_of(job.needs["rmf"]) if "rmf" in job.needs else None
    return group(table.data["COUNTS"], scheme, background, fwhm)


def _fwhm_of(path: str) -> np.ndarray:
    """Nominal resolution in the channels of a response."""
    bounds = fits.getdata(path, "EBOUNDS")
    low, high = (np.asarray(bounds[name], dtype=float) for name in ("E_MIN", "E_MAX"))
    found: np.ndarray = nominal_fwhm(0.5 * (low + high)) / (high - low)
    return found


def grouped(table: fits.BinTableHDU, flags: Grouping) -> fits.BinTableHDU:
    """The spectrum with columns QUALITY and GROUPING instead of the keywords of those names."""
    header = table.header.copy()
    for keyword in ("QUALITY", "GROUPING"):
        header.remove(keyword, ignore_missing=True)
    kept = [c for c in table.columns if c.name not in ("QUALITY", "GROUPING")]
    new = [fits.Column("QUALITY", "I", array=flags.quality), fits.Column("GROUPING", "I", array=flags.grouping)]
    return fits.BinTableHDU.from_columns([*kept, *new], header=header)
