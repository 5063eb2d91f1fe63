"""Which part of DET a data class reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, MissingKeywordError
from xtendsrc.instrument.ccd import CCD_SIZE, CCDS
from xtendsrc.instrument.dataclass import DataClassCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike

logger = logging.getLogger(__name__)

WINDOW_SIZE = 80
"""Rows of the 1/8 window (640 / 8; Hitomi SXI WIN_SIZE)."""

WINDOW_START = 436
"""First row of the 1/8 window if the header has no WIN_ST: centred on the aim, DETX 694 to 773 (*guess*)."""


@dataclass(frozen=True)
class Rectangle:
    """Pixels of one CCD that are read: first and last DETX and DETY, inclusive."""

    ccd_id: int
    detx: tuple[int, int]
    dety: tuple[int, int]

    def contains(self, detx: ArrayLike, dety: ArrayLike) -> np.ndarray:
        """Whether positions lie in it; a pixel reaches half a pixel around its centre."""
        x, y = np.asarray(detx), np.asarray(dety)
        in_x = (x >= self.detx[0] - 0.5) & (x < self.detx[1] + 0.5)
        return in_x & (y >= self.dety[0] - 0.5) & (y < self.dety[1] + 0.5)

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Outer corners in DET pixels, counter-clockwise."""
        x0, x1 = self.detx[0] - 0.5, self.detx[1] + 0.5
        y0, y1 = self.dety[0] - 0.5, self.dety[1] + 0.5
        return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _code_of(of: Mapping[str, Any]) -> DataClassCode:
    if "DATACLAS" not in of:
        raise MissingKeywordError(
            "The header has no keyword DATACLAS: the CCDs read are unknown.", "use the archive's event file."
        )
    code = DataClassCode.parse(str(of["DATACLAS"]))
    mode = str(of.get("DATAMODE", code.datamode)).strip().upper()
    if mode not in code.datamodes:
        logger.warning("DATAMODE %s is not what data class %s should have (%s)", mode, code, code.datamode)
    return code


def window_rows(of: Mapping[str, Any] | DataClassCode | str) -> tuple[int, int]:
    """First and last row (ACTY, inclusive) that is read.

    WIN_ST and WIN_SIZE of the header decide where they are present; else the data class: all 640 rows, or the
    80 rows around the aim.

    Raises
    ------
    MissingKeywordError
        If a header has no DATACLAS.
    InputFileError
        If WIN_ST and WIN_SIZE leave the CCD.
    """
    header: Mapping[str, Any] = {} if isinstance(of, (str, DataClassCode)) else of
    windowed = (DataClassCode.parse(of) if isinstance(of, (str, DataClassCode)) else _code_of(of)).windowed
    size = int(header.get("WIN_SIZE", WINDOW_SIZE if windowed else CCD_SIZE))
    start = int(header.get("WIN_ST", WINDOW_START if size < CCD_SIZE else 1))
    if size < 1 or start < 1 or start + size - 1 > CCD_SIZE:
        raise InputFileError(
            f"WIN_ST={start}, WIN_SIZE={size} leave the {CCD_SIZE} rows of a CCD.", "check the header of the file."
        )
    return start, start + size - 1


def active_area(of: Mapping[str, Any] | DataClassCode | str) -> tuple[Rectangle, ...]:
    """Rectangles of DET that a data class reads, one a CCD.

    Parameters
    ----------
    of : Header, DataClassCode or str
        Header of an EVENTS extension (keywords DATACLAS, and WIN_ST, WIN_SIZE if present), or a data class alone.
        CCD3 and CCD4 have no window.

    Returns
    -------
    tuple of Rectangle
    """
    code = DataClassCode.parse(of) if isinstance(of, (str, DataClassCode)) else _code_of(of)
    rows = np.array(window_rows(of))
    area = []
    for ccd_id in code.ccd_ids:
        ccd = CCDS[ccd_id]
        low, high = np.sort(ccd.detx_of_row(rows))
        area.append(Rectangle(ccd_id, (int(low), int(high)), ccd.dety))
    return tuple(area)


def contained(area: Iterable[Rectangle], detx: ArrayLike, dety: ArrayLike) -> np.ndarray:
    """Whether DET positions lie in any rectangle of an active area."""
    x, y = np.broadcast_arrays(np.asarray(detx), np.asarray(dety))
    inside = np.zeros(x.shape, dtype=bool)
    for rectangle in area:
        inside |= rectangle.contains(x, y)
    return inside
