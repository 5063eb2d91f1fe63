"""From hits on the detector to the rows of an event file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.instrument import ccd_id_at, det_to_act, det_to_foc
from xtendsrc.simulate.detector import BIT_BAD, BIT_FLICKERING, STATUS_BYTES, bit
from xtendsrc.simulate.photons import NULL_PI

if TYPE_CHECKING:
    from xtendsrc.simulate.conditions import Conditions
    from xtendsrc.simulate.detector import Detector, FlickeringPixels
    from xtendsrc.simulate.photons import Frames, Hits, Sky

ROW = np.dtype(
    [
        ("TIME", ">f8"),
        ("CCD_ID", "u1"),
        ("SEGMENT", "u1"),
        ("READNODE", "u1"),
        ("RAWX", ">i2"),
        ("RAWY", ">i2"),
        ("ACTX", ">i2"),
        ("ACTY", ">i2"),
        ("DETX", ">i2"),
        ("DETY", ">i2"),
        ("FOCX", ">i2"),
        ("FOCY", ">i2"),
        ("X", ">i2"),
        ("Y", ">i2"),
        ("PHA", ">i4"),
        ("PI", ">i4"),
        ("GRADE", ">i2"),
        ("STATUS", "u1", (STATUS_BYTES,)),
        ("PROC_STATUS", "u1", (4,)),
    ]
)
"""A row as it lies in the file: the columns of a real list that analysis uses, in its order."""


def status_word(status: np.ndarray) -> np.ndarray:
    """STATUS bytes of each row as one number, bit 1 the highest of 48."""
    padded = np.zeros((len(status), 8), dtype=np.uint8)
    padded[:, 8 - STATUS_BYTES :] = status
    return padded.view(">u8").astype(np.uint64)[:, 0]


def _status(hits: Hits, detector: Detector, flickering: FlickeringPixels, time: np.ndarray) -> np.ndarray:
    word = detector.status[hits.dety - 1, hits.detx - 1]
    word = np.where(flickering.at(hits.detx, hits.dety, time), word | bit(BIT_FLICKERING) | bit(BIT_BAD), word)
    found: np.ndarray = word.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - STATUS_BYTES :]
    return found


def _grades(hits: Hits, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
    codes, shares = np.array(conditions.grades).T
    drawn = rng.choice(codes.astype(np.int16), len(hits), p=shares / shares.sum())
    return np.where(hits.grade >= 0, hits.grade, drawn)


def rows_of(
    hits: Hits, sky: Sky, frames: Frames, flickering: FlickeringPixels, offset: float, rng: np.random.Generator
) -> np.ndarray:
    """All events, sorted by frame and CCD, as an array of `ROW`; TIME is the middle of the frame plus ``offset``.

    SKY positions are those of the pixel's centre under the attitude of the frame's middle, rounded to integers.
    """
    hits = hits[np.lexsort((ccd_id_at(hits.detx, hits.dety), hits.frame))]
    conditions, middle = sky.conditions, frames.middle[hits.frame]
    out = np.zeros(len(hits), dtype=ROW)
    out["TIME"] = middle + offset
    chip = ccd_id_at(hits.detx, hits.dety)
    actx, acty = det_to_act(chip, hits.detx, hits.dety)
    second = actx > 320
    out["CCD_ID"], out["SEGMENT"] = chip, second
    out["RAWX"] = np.where(second, 640 - actx, actx - 1)  # nodes A and D read out: READNODE 0
    out["RAWY"], out["ACTX"], out["ACTY"] = acty - 1, actx, acty
    out["DETX"], out["DETY"] = hits.detx, hits.dety
    focx, focy = det_to_foc(hits.detx, hits.dety, sky.geometry.foc_offset)
    x, y = sky.geometry.pointed_to_sky(focx, focy, *frames.pointed(hits.frame))
    for name, value in (("FOCX", focx), ("FOCY", focy), ("X", x), ("Y", y)):
        out[name] = np.floor(value + 0.5)
    out["PHA"] = out["PI"] = hits.pi
    out["GRADE"] = _grades(hits, conditions, rng)
    out["STATUS"] = _status(hits, sky.detector, flickering, middle)
    return out


def screened(rows: np.ndarray, good_time: np.ndarray, good_grades: tuple[int, ...]) -> np.ndarray:
    """Rows of the cleaned file: in good time, STATUS bit 1 not set, good grades. Null PI stays, as in real files."""
    bad = (rows["STATUS"][:, 0] & 0x80) != 0
    found: np.ndarray = rows[good_time & ~bad & np.isin(rows["GRADE"], good_grades)]
    return found


__all__ = ["NULL_PI", "ROW", "rows_of", "screened", "status_word"]
