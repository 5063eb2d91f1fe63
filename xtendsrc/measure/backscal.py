"""Exposure-weighted areas of regions.

``BACKSCAL = sum(map over the region) / norm / pixels of the map``, as HEASoft's ``ahbackscal`` computes it, with
one norm for source and background: the total exposure of the map (EXPOSURE of its extension OFFAXISHIST). The task's
default norm is the maximum of the map *inside each region*, which gives the two different scales.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.errors import InputFileError, ProductError, RegionError
from xtendsrc.regions import RegionSet

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.measure.selection import EventMasks


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


def region_backscal(events: EventMasks, raw: Any, frame: str, expmap: str) -> float:
    """Return BACKSCAL of the region of a raw spectrum or light-curve request.

    Parameters
    ----------
    events : EventMasks
        The event list of the request.
    raw : SpectrumRequest or LightCurveRequest
        Whose region is meant.
    frame : {"SKY", "DET"}
        Grid of the exposure map.
    expmap : str
        Its file.

    Raises
    ------
    RegionError
        If the region is on another grid than the map, or has no exposure.
    """
    region = events.region(raw.region, raw.exclude_calibration)
    if region.frame != frame and region.pixel_region is not None:
        raise RegionError(
            f"The region is on the {region.frame} grid, the exposure map on the {frame} grid.",
            f"make the exposure map with frame={region.frame!r}.",
        )
    data, norm = events.cached(("exposure map", expmap), lambda: read_map(expmap))
    limits = ((1, data.shape[1]), (1, data.shape[0]))
    mask = np.ones(data.shape, dtype=bool) if region.pixel_region is None else region.pixel_region.image_mask(limits)
    return backscal(data, mask, norm)
