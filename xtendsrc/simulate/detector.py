"""The simulated focal plane: which pixels a data class reads, which are bad, and the STATUS that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.instrument import (
    CCD_SIZE,
    CCDS,
    DET_SIZE,
    PIXEL_ARCSEC,
    DataClassCode,
    Rectangle,
    act_to_det,
    active_area,
    ccd_id_at,
    charge_injection_rows,
    det_to_act,
    in_calibration_source,
)

if TYPE_CHECKING:
    from xtendsrc.simulate.conditions import Conditions

BIT_BAD, BIT_CALIBRATION, BIT_CI_ROW, BIT_COLUMN = 1, 2, 6, 8
BIT_HOT, BIT_FLICKERING, BIT_CI_TRAILING, BIT_CI_PRECEDING = 9, 10, 16, 17
"""STATUS bits, counted from 1 (HEASoft ``sxiflagpix``, ``xtdflagpix``)."""
STATUS_BYTES = 6


@dataclass(frozen=True)
class FlickeringPixels:
    """Pixels that are bad for a while."""

    ccd_id: np.ndarray
    actx: np.ndarray
    acty: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    @property
    def det(self) -> tuple[np.ndarray, np.ndarray]:
        """DETX and DETY."""
        return act_to_det(self.ccd_id, self.actx, self.acty)

    def at(self, detx: np.ndarray, dety: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Whether each event falls on such a pixel while it flickers."""
        bad = np.zeros(len(detx), dtype=bool)
        for x, y, start, stop in zip(*self.det, self.start, self.stop, strict=True):
            bad |= (detx == x) & (dety == y) & (time >= start) & (time <= stop)
        return bad


@dataclass(frozen=True)
class Detector:
    """One data class's part of the focal plane.

    Attributes
    ----------
    code : DataClassCode
        Which.
    area : tuple of Rectangle
        What is read.
    status : ndarray of uint64, shape (1810, 1810), [DETY - 1, DETX - 1]
        STATUS of an event in each pixel: bit 1 is the highest of the lowest 48.
    image : ndarray of int16, same shape
        The bad-pixel image: 0 good, 1 calibration source, 2 bad, -1 not read.
    """

    code: DataClassCode
    area: tuple[Rectangle, ...]
    status: np.ndarray
    image: np.ndarray

    @classmethod
    def build(cls, code: DataClassCode, conditions: Conditions) -> Detector:
        """Draw the bad pixels (from the conditions' own seed) and combine everything."""
        area = active_area({"DATACLAS": code.code, **window_keywords(code, conditions)})
        read = np.zeros((DET_SIZE, DET_SIZE), dtype=bool)
        for part in area:
            read[part.dety[0] - 1 : part.dety[1], part.detx[0] - 1 : part.detx[1]] = True
        y, x = np.ogrid[1 : DET_SIZE + 1, 1 : DET_SIZE + 1]
        calibration = in_calibration_source(x, y)
        status = _rows(conditions) | _faults(conditions)
        image = np.where(status != 0, 2, np.where(calibration, 1, 0)).astype(np.int16)
        status[status != 0] |= bit(BIT_BAD)
        status[calibration] |= bit(BIT_CALIBRATION)
        image[~read] = -1
        return cls(code, area, status, image)

    @property
    def pixels(self) -> int:
        """Number of pixels read, bad ones included."""
        return int((self.image >= 0).sum())

    @property
    def solid_angle(self) -> float:
        """Of the pixels read, arcmin2."""
        return self.pixels * (PIXEL_ARCSEC / 60) ** 2

    def reads(self, detx: np.ndarray, dety: np.ndarray) -> np.ndarray:
        """Whether integer DET positions are read."""
        inside = (detx >= 1) & (detx <= DET_SIZE) & (dety >= 1) & (dety <= DET_SIZE)
        inside[inside] = self.image[dety[inside] - 1, detx[inside] - 1] >= 0
        return inside

    def uniform(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Random pixels among those read."""
        y, x = np.nonzero(self.image >= 0)
        chosen = rng.integers(0, len(x), size)
        return x[chosen] + 1, y[chosen] + 1

    def flickering(self, conditions: Conditions, span: tuple[float, float]) -> FlickeringPixels:
        """The flickering pixels among the good ones, each bad for 10 to 50 % of the pointing."""
        rng = np.random.default_rng([conditions.detector_seed, 2])
        y, x = np.nonzero(self.image == 0)
        chosen = rng.integers(0, len(x), conditions.flickering_pixels * len(self.code.ccds))
        detx, dety = x[chosen] + 1, y[chosen] + 1
        chip = ccd_id_at(detx, dety)
        actx, acty = det_to_act(chip, detx, dety)
        length = rng.uniform(0.1, 0.5, len(chosen))
        begin = rng.uniform(0, 1, len(chosen)) * (1 - length)
        start = np.floor(span[0] + begin * (span[1] - span[0]))
        return FlickeringPixels(chip, actx, acty, start, np.ceil(start + length * (span[1] - span[0])))


def bit(number: int) -> np.uint64:
    """STATUS with one bit set, numbered from 1 as in FITS."""
    return np.uint64(1 << (8 * STATUS_BYTES - number))


def window_keywords(code: DataClassCode, conditions: Conditions) -> dict[str, int]:
    """WIN_ST and WIN_SIZE of a data class."""
    if code.windowed:
        return {"WIN_ST": conditions.window_start, "WIN_SIZE": conditions.window_size}
    return {"WIN_ST": 1, "WIN_SIZE": CCD_SIZE}


def injection_keywords(conditions: Conditions) -> dict[str, int]:
    """Charge-injection keywords."""
    return {
        "CISTATUS": 1,
        "CIPERIOD": conditions.ci_period,
        "CIFIRST": conditions.ci_first,
        "CIOFFSET": conditions.ci_offset,
    }


def _rows(conditions: Conditions) -> np.ndarray:
    """STATUS of charge-injection rows, the row before and the two after."""
    status = np.zeros((DET_SIZE, DET_SIZE), dtype=np.uint64)
    rows = charge_injection_rows(injection_keywords(conditions))
    for shift, number in ((0, BIT_CI_ROW), (-1, BIT_CI_PRECEDING), (1, BIT_CI_TRAILING), (2, BIT_CI_TRAILING)):
        near = rows + shift
        for ccd in CCDS:
            columns = ccd.detx_of_row(near[(near >= 1) & (near <= CCD_SIZE)]) - 1
            status[ccd.dety[0] - 1 : ccd.dety[1], columns] |= bit(number)
    return status


def _faults(conditions: Conditions) -> np.ndarray:
    """STATUS of bad columns (lines of constant DETY) and hot pixels."""
    status = np.zeros((DET_SIZE, DET_SIZE), dtype=np.uint64)
    rng = np.random.default_rng([conditions.detector_seed, 1])
    for ccd in CCDS:
        columns = ccd.dety_of_column(rng.integers(1, CCD_SIZE + 1, conditions.bad_columns))
        status[columns - 1, ccd.detx[0] - 1 : ccd.detx[1]] |= bit(BIT_COLUMN)
        actx, acty = rng.integers(1, CCD_SIZE + 1, (2, conditions.hot_pixels))
        status[ccd.dety_of_column(actx) - 1, ccd.detx_of_row(acty) - 1] |= bit(BIT_HOT)
    return status
