"""Which detector pixels were exposed, and for how much of the time.

The bad-pixel image (``.bimg``) says it: 0 good, 1 calibration source, everything else not exposed. Where an image
holds no charge-injection rows, or no calibration sources, although the detector has them, they are taken from the
keywords of the event file and from the published circles. Flickering pixels (``.fpix``) are lost in the spans listed
there; spans of one pixel that overlap count once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, MissingColumnError, MissingKeywordError
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.events.gti import GTI, clock_fault, timezero
from xtendsrc.instrument import (
    CCD_SIZE,
    CCDS,
    DET_SIZE,
    active_area,
    charge_injection_rows,
    contained,
    flagged_rows,
    in_calibration_source,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GOOD, CALIBRATION, BAD, OUTSIDE = 0, 1, 2, -1
KNOWN = (OUTSIDE, GOOD, CALIBRATION, BAD, *range(3, 256))
"""Codes of a bad-pixel image: all from 2 on are kinds of bad pixels."""

NO_FLICKERING = "no list of flickering pixels (.fpix) is there: the holes they make are not in the map"


@dataclass(frozen=True)
class Flickering:
    """Spans in which pixels flickered: 1-based DETX, DETY, and mission seconds."""

    detx: np.ndarray
    dety: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    def merged(self) -> Flickering:
        """The same with overlapping spans of a pixel joined, sorted by pixel and time."""
        if not len(self.detx):
            return self
        pixels = self.dety.astype(np.int64) * (2 * DET_SIZE) + self.detx
        names, number = np.unique(pixels, return_inverse=True)
        zero = self.start.min() - 0.5  # half a second on both sides: spans of different pixels never touch, and
        step = float(self.stop.max() - zero) + 0.5  # no start is so near a multiple of the step that it is rounded down
        joined = GTI(self.start - zero + number * step, self.stop - zero + number * step)
        number = np.floor(joined.start / step).astype(np.int64)
        dety, detx = np.divmod(names[number], 2 * DET_SIZE)
        return Flickering(detx, dety, joined.start - number * step + zero, joined.stop - number * step + zero)

    def lost(self, gti: GTI, shape: tuple[int, int]) -> np.ndarray:
        """Seconds of ``gti`` lost in each detector pixel, shape (ny, nx)."""
        out = np.zeros(shape)
        once = self.merged()
        seconds = gti.overlap(once.start, once.stop)
        inside = (once.detx >= 1) & (once.detx <= shape[1]) & (once.dety >= 1) & (once.dety <= shape[0])
        np.add.at(out, (once.dety[inside] - 1, once.detx[inside] - 1), seconds[inside])
        return out


@dataclass(frozen=True)
class Detector:
    """The exposed part of the detector.

    Attributes
    ----------
    codes : ndarray of int, shape (1810, 1810)
        Codes of the bad-pixel image, completed.
    mask_calibration : bool
        Whether the calibration sources count as not exposed.
    flickering : Flickering or None
        Pixels lost for part of the time.
    notes : tuple of str
        What was completed.
    """

    codes: np.ndarray
    mask_calibration: bool = True
    flickering: Flickering | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def good(self) -> np.ndarray:
        """Boolean mask of the pixels that are exposed at all."""
        good = self.codes == GOOD
        found: np.ndarray = good if self.mask_calibration else good | (self.codes == CALIBRATION)
        return found

    def fraction(self, gti: GTI) -> np.ndarray:
        """Part of the time ``gti`` for which each pixel was exposed, 0 to 1, float64."""
        fraction = self.good.astype(np.float64)
        if self.flickering is not None and len(self.flickering.detx):
            fraction *= 1.0 - np.minimum(self.flickering.lost(gti, fraction.shape) / gti.total, 1.0)
        return fraction


def detector_of(
    bimg: str | Path, header: Mapping[str, Any], fpix: str | Path | None = None, mask_calibration: bool = True
) -> Detector:
    """Read what is known of the detector pixels.

    Parameters
    ----------
    bimg : path
        Bad-pixel image of the data class, on the DET grid.
    header : mapping
        Header of EVENTS, for the charge-injection rows.
    fpix : path, optional
        Flickering pixels.
    mask_calibration : bool
        Whether the calibration sources count as not exposed.

    Raises
    ------
    InputFileError
        If the image is not on the DET grid, or no pixel in it is good.
    """
    codes, strange = _read_codes(bimg)
    codes, area = with_active_area(codes, header)
    codes, rows = with_charge_injection(codes, header)
    codes, discs = with_calibration_sources(codes)
    notes = tuple(f"{bimg}: {note}" for note in (strange, area, rows, discs) if note)
    if fpix is None:
        notes += (NO_FLICKERING,)
    detector = Detector(codes, mask_calibration, None if fpix is None else read_flickering(fpix), notes)
    if not detector.good.any():
        raise InputFileError(f"{bimg} has no good pixel.", "use the .bimg file of the same data class.")
    return detector


def _read_codes(path: str | Path) -> tuple[np.ndarray, str]:
    """Codes of a bad-pixel image, and a note if some of its pixels have none."""
    file = open_fits(path)
    hdu = next((h for h in file.hdus if not h.is_table and h.integer("NAXIS") == 2), None)
    image = None if hdu is None else file.image(hdu)
    if image is None or image.shape != (DET_SIZE, DET_SIZE):
        shape = None if image is None else image.shape
        raise InputFileError(
            f"{path} holds no image of {DET_SIZE} x {DET_SIZE} DET pixels (found {shape}).",
            "use the .bimg file of the data class.",
        )
    known = np.isin(image, KNOWN)
    codes = np.where(known, image, BAD).astype(np.int16)
    strange = np.count_nonzero(~known)
    return codes, f"{strange} pixels in it have no code (NaN, or none of {KNOWN}); they count as bad" if strange else ""


def with_active_area(codes: np.ndarray, header: Mapping[str, Any]) -> tuple[np.ndarray, str]:
    """Mark what the data class does not read as outside, if the image has no such code.

    Returns
    -------
    tuple
        The codes, and a note if they were changed.
    """
    if np.any(codes == OUTSIDE):
        return codes, ""
    y, x = np.indices(codes.shape) + 1
    inside = contained(active_area(header), x, y)
    return np.where(inside, codes, OUTSIDE), "no pixels outside the CCDs in it; the nominal active area is used"


def with_charge_injection(codes: np.ndarray, header: Mapping[str, Any]) -> tuple[np.ndarray, str]:
    """Mark the charge-injection rows as bad if the image shows none of their period.

    Returns
    -------
    tuple
        The codes, and a note if rows were added.
    """
    try:
        rows = charge_injection_rows(header)
    except MissingKeywordError:
        return codes, ""
    if not len(rows):
        return codes, ""
    period = int(header["CIPERIOD"])
    lost, whole = np.zeros(period), np.zeros(period)
    acty = np.arange(1, CCD_SIZE + 1)
    for ccd in CCDS:
        x = ccd.detx_of_row(acty) - 1
        part = codes[ccd.dety[0] - 1 : ccd.dety[1], x]
        np.add.at(lost, acty % period, np.sum(part == BAD, axis=0))
        np.add.at(whole, acty % period, np.sum(part != OUTSIDE, axis=0))
    if not np.any((whole > 0) & (lost < 0.5 * whole)) or np.any(lost > 0.5 * np.maximum(whole, 1)):
        return codes, ""
    out = codes.copy()
    for ccd in CCDS:
        x = ccd.detx_of_row(flagged_rows(header)) - 1
        part = out[ccd.dety[0] - 1 : ccd.dety[1], x]
        out[ccd.dety[0] - 1 : ccd.dety[1], x] = np.where(part == OUTSIDE, OUTSIDE, BAD)
    return out, "no charge-injection rows in it; taken from CIPERIOD, CIFIRST and CIOFFSET of the event file"


def with_calibration_sources(codes: np.ndarray) -> tuple[np.ndarray, str]:
    """Mark the published circles of the calibration sources if the image has no such code.

    Returns
    -------
    tuple
        The codes, and a note if circles were added.
    """
    if np.any(codes == CALIBRATION):
        return codes, ""
    y, x = np.indices(codes.shape) + 1
    inside = in_calibration_source(x, y) & (codes == GOOD)
    if not inside.any():
        return codes, ""
    return np.where(inside, CALIBRATION, codes), "no calibration sources in it; the published circles are used"


def read_flickering(path: str | Path) -> Flickering:
    """Read the extension PIXELS of a ``.fpix`` file.

    Raises
    ------
    InputFileError
        If it has no such extension, or cannot be read.
    MissingColumnError
        If DETX, DETY, START or STOP is missing.
    """
    file = open_fits(path)
    hdu = file.find("PIXELS")
    if hdu is None or not hdu.is_table:
        raise InputFileError(f"{path} has no extension PIXELS.", "use the .fpix file of the observation.")
    missing = set(_SPANS) - set(hdu.columns)
    if missing:
        raise MissingColumnError(f"{path}[PIXELS] has no column {min(missing)}.", "use the archive's .fpix file.")
    hdu.numbers(*_SPANS)
    if fault := clock_fault(hdu.header):
        raise InputFileError(f"{path}[PIXELS]: {fault}.", "use the archive's .fpix file.")
    detx, dety, start, stop = (file.column(hdu, name).astype(float) for name in _SPANS)
    zero = timezero(hdu.header)
    ok = np.isfinite(start) & np.isfinite(stop) & (stop > start)
    ok &= (detx >= 1) & (detx <= DET_SIZE) & (dety >= 1) & (dety <= DET_SIZE)
    return Flickering(detx[ok].astype(np.int64), dety[ok].astype(np.int64), start[ok] + zero, stop[ok] + zero)


_SPANS = ("DETX", "DETY", "START", "STOP")
