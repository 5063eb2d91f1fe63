"""Spectra made ready for fitting: BACKSCAL weighted by exposure, links to background and responses, grouping.

``BACKSCAL = sum(map over the region) / norm / pixels of the map``, as HEASoft's ``ahbackscal`` computes it, with
one norm for source and background: the total exposure of the map (EXPOSURE of its extension OFFAXISHIST). The task's
default norm is the maximum of the map *inside each region*, which gives the two different scales.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.errors import InputFileError, ProductError, RegionError
from xtendsrc.measure.grouping import Grouping, group
from xtendsrc.regions import RegionSet
from xtendsrc.responses.nominal import fwhm as nominal_fwhm

if TYPE_CHECKING:
    from xtendsrc.engines.native.selection import Batch
    from xtendsrc.engines.protocol import Job, Made

LINKS = {"background": "BACKFILE", "rmf": "RESPFILE", "arf": "ANCRFILE"}


def backscal(data: np.ndarray, mask: np.ndarray, norm: float) -> float:
    """Exposure-weighted part of a map that a region covers.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
        Exposure map, seconds, on the unbinned grid.
    mask : ndarray of bool, shape (ny, nx)
        Pixels whose centres lie in the region.
    norm : float
        Total exposure, the same for source and background.

    Raises
    ------
    RegionError
        If the region has no exposure.
    ProductError
        If the norm is not positive.
    """
    if not norm > 0:
        raise ProductError(f"The norm of the exposure map is {norm} s.", "make the exposure map again.")
    total = float(np.sum(data[mask], dtype=np.float64))
    if not total > 0:
        raise RegionError(
            "The region has no exposure.",
            "it lies off the CCDs, in a gap, outside the window or in a calibration source: choose another one.",
        )
    return total / norm / data.size


def covered(region: RegionSet | None, value: float, pixels: int) -> float:
    """Part of a region that was exposed: of its shapes before anything is taken out of them, weighted by exposure.

    What is missing was lost to gaps, edges, bad pixels, calibration discs and other sources.

    Parameters
    ----------
    region : RegionSet or None
        In pixels; None is the whole grid.
    value : float
        Its BACKSCAL.
    pixels : int
        Pixels of the map.
    """
    if region is None or not region.included:
        return value
    return value * pixels / RegionSet(region.frame, region.included).pixel_count()


def read_map(path: str | Path) -> tuple[np.ndarray, float]:
    """Exposure map, seconds, and its total exposure.

    Raises
    ------
    InputFileError
        If the map is binned, or has no OFFAXISHIST with an EXPOSURE.
    """
    with fits.open(path, memmap=False) as hdus:
        data, header = np.asarray(hdus[0].data, dtype=np.float64), hdus[0].header
        if float(header.get("IMGBIN", 1.0)) != 1.0:
            raise InputFileError(f"{path} is a binned exposure map.", "make one with binning=1 for spectra and curves.")
        if "OFFAXISHIST" not in hdus or "EXPOSURE" not in hdus["OFFAXISHIST"].header:
            raise InputFileError(f"{path} has no OFFAXISHIST with EXPOSURE.", "make the exposure map again.")
        return data, float(hdus["OFFAXISHIST"].header["EXPOSURE"])


def region_backscal(job: Job, batch: Batch, raw: Any, expmap: str) -> float:
    """BACKSCAL of the region of a raw spectrum or light-curve request.

    Raises
    ------
    RegionError
        If the region is on another grid than the map, or has no exposure.
    """
    region = batch.events(job).region(raw.region, raw.exclude_calibration)
    frame = job.request.expmap.frame  # type: ignore[attr-defined]  # requests of these kinds have one
    if region.frame != frame and region.pixel_region is not None:
        raise RegionError(
            f"The region is on the {region.frame} grid, the exposure map on the {frame} grid.",
            f"make the exposure map with frame={region.frame!r}.",
        )
    data, norm = batch.events(job).cached(("exposure map", expmap), lambda: read_map(expmap))
    limits = ((1, data.shape[1]), (1, data.shape[0]))
    mask = np.ones(data.shape, dtype=bool) if region.pixel_region is None else region.pixel_region.image_mask(limits)
    return backscal(data, mask, norm)


def make_sourcespectrum(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `SourceSpectrumRequest`.

    A copy of the counts spectrum with the exposure-weighted BACKSCAL; BACKFILE, RESPFILE and ANCRFILE are the names
    of the files this one is made from, without a directory: all lie in one. With a grouping, columns QUALITY and
    GROUPING follow COUNTS.
    """
    request: Any = job.request
    value = region_backscal(job, batch, request.spectrum, job.needs["expmap"])
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
        source = Path(job.needs["expmap"]).name
        header.add_history(f"BACKSCAL weighted with {source}; by area alone {old:.9g}")
        if request.grouping:
            hdus["SPECTRUM"] = _grouped(table, _grouping(table, job, request.grouping))
        hdus.writeto(path)
    return batch.made(path, batch.events(job))


def _grouping(table: fits.BinTableHDU, job: Job, scheme: str) -> Grouping:
    background = None
    if "background" in job.needs:
        background = fits.getdata(job.needs["background"], "SPECTRUM")["COUNTS"]
    fwhm = _fwhm_of(job.needs["rmf"]) if "rmf" in job.needs else None
    return group(table.data["COUNTS"], scheme, background, fwhm)


def _fwhm_of(path: str) -> np.ndarray:
    """Nominal resolution in the channels of a response."""
    bounds = fits.getdata(path, "EBOUNDS")
    low, high = (np.asarray(bounds[name], dtype=float) for name in ("E_MIN", "E_MAX"))
    return nominal_fwhm(0.5 * (low + high)) / (high - low)


def _grouped(table: fits.BinTableHDU, flags: Grouping) -> fits.BinTableHDU:
    """The spectrum with columns QUALITY and GROUPING instead of the keywords of those names."""
    header = table.header.copy()
    for keyword in ("QUALITY", "GROUPING"):
        header.remove(keyword, ignore_missing=True)
    kept = [c for c in table.columns if c.name not in ("QUALITY", "GROUPING")]
    new = [fits.Column("QUALITY", "I", array=flags.quality), fits.Column("GROUPING", "I", array=flags.grouping)]
    return fits.BinTableHDU.from_columns([*kept, *new], header=header)
