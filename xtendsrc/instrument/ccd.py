"""The four CCDs in DET, their rows and columns, charge-injection rows and the calibration sources.

Layout: a sketch in HEASoft's ``sxiflagpix`` (Hitomi SXI, the same camera), chips of 640 x 640 pixels centred 327
pixels from the middle of DET, hence a gap of 14 pixels (SOXS; it reproduces the 1081 arcmin2 of the XRISM NXB page
to 0.5 %). Rows, lines of constant ACTY, are lines of constant DETX.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import MissingKeywordError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

CCD_SIZE = 640
"""Logical pixels of a CCD in ACTX and ACTY (Proposers' Observatory Guide: 2 x 2 on-chip binning of 24 um)."""


@dataclass(frozen=True)
class CCD:
    """One CCD.

    Attributes
    ----------
    number : int
        1 to 4.
    detx, dety : tuple of int
        First and last DET pixel.
    turned : bool
        CCD3 and CCD4 are rotated by 180 degrees: ACTX and ACTY fall as DETY and DETX rise.
    """

    number: int
    detx: tuple[int, int]
    dety: tuple[int, int]
    turned: bool

    @property
    def ccd_id(self) -> int:
        """Value of the column CCD_ID."""
        return self.number - 1

    @property
    def name(self) -> str:
        """``CCD1`` to ``CCD4``."""
        return f"CCD{self.number}"

    def detx_of_row(self, acty: ArrayLike) -> np.ndarray:
        """DETX of rows ``acty``; its own inverse up to exchange of the two."""
        y = np.asarray(acty)
        return self.detx[1] + 1 - y if self.turned else self.detx[0] - 1 + y

    def dety_of_column(self, actx: ArrayLike) -> np.ndarray:
        """DETY of columns ``actx``."""
        x = np.asarray(actx)
        return self.dety[1] + 1 - x if self.turned else self.dety[0] - 1 + x


CCDS = (
    CCD(1, (259, 898), (913, 1552), turned=False),
    CCD(2, (259, 898), (259, 898), turned=False),
    CCD(3, (913, 1552), (913, 1552), turned=True),
    CCD(4, (913, 1552), (259, 898), turned=True),
)
"""The CCDs in the order of CCD_ID. The gap is known to a few pixels only (*guess*: 14, perhaps up to 20)."""


@dataclass(frozen=True)
class Circle:
    """A circle in DET pixels, edge included."""

    x: float
    y: float
    radius: float

    def contains(self, detx: ArrayLike, dety: ArrayLike) -> np.ndarray:
        """Whether points lie inside."""
        dx, dy = np.asarray(detx, dtype=float) - self.x, np.asarray(dety, dtype=float) - self.y
        return dx * dx + dy * dy <= self.radius**2


CALIBRATION_SOURCES = (Circle(920.0, 1530.0, 92.0), Circle(919.0, 271.0, 91.0))
"""The two 55Fe sources (public XRISM scripts agree on these; HEASoft ships them as ``calsrc_XTD_det.reg``)."""


def in_calibration_source(detx: ArrayLike, dety: ArrayLike) -> np.ndarray:
    """Whether DET positions lie in one of the calibration-source circles."""
    inside = [circle.contains(detx, dety) for circle in CALIBRATION_SOURCES]
    found: np.ndarray = np.logical_or.reduce(inside)
    return found


def ccd_id_at(detx: ArrayLike, dety: ArrayLike) -> np.ndarray:
    """CCD_ID at DET positions (a pixel reaches half a pixel around its centre); -1 off the CCDs."""
    x, y = np.broadcast_arrays(np.asarray(detx), np.asarray(dety))
    out = np.full(x.shape, -1, dtype=np.int16)
    for ccd in CCDS:
        inside = (x >= ccd.detx[0] - 0.5) & (x < ccd.detx[1] + 0.5) & (y >= ccd.dety[0] - 0.5) & (y < ccd.dety[1] + 0.5)
        out[inside] = ccd.ccd_id
    return out


_TURNED = np.array([ccd.turned for ccd in CCDS])
_ORIGIN = np.array([[c.detx[1] + 1, c.dety[1] + 1] if c.turned else [c.detx[0] - 1, c.dety[0] - 1] for c in CCDS])


def act_to_det(ccd_id: ArrayLike, actx: ArrayLike, acty: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """DETX, DETY of CCD pixels; ACTX and ACTY count from 1 to 640 on the CCD ``ccd_id`` (0 to 3)."""
    chip = np.asarray(ccd_id)
    sign = np.where(_TURNED[chip], -1, 1)
    return _ORIGIN[chip, 0] + sign * np.asarray(acty), _ORIGIN[chip, 1] + sign * np.asarray(actx)


def det_to_act(ccd_id: ArrayLike, detx: ArrayLike, dety: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """ACTX, ACTY on CCD ``ccd_id`` of DET pixels; find the CCD with `ccd_id_at`."""
    chip = np.asarray(ccd_id)
    sign = np.where(_TURNED[chip], -1, 1)
    return sign * (np.asarray(dety) - _ORIGIN[chip, 1]), sign * (np.asarray(detx) - _ORIGIN[chip, 0])


def charge_injection_rows(header: Mapping[str, Any]) -> np.ndarray:
    """Rows (ACTY) into which charge is injected, from the keywords of an event file.

    ACTY is such a row if it is ``CIFIRST + CIOFFSET`` or any multiple of CIPERIOD beyond (HEASoft, ``sxipilib``).

    Returns
    -------
    ndarray of int
        Rising rows within 1 to 640; empty if CISTATUS says that there is no injection.

    Raises
    ------
    MissingKeywordError
        If CIPERIOD, CIFIRST or CIOFFSET is missing and CISTATUS does not say off, or CIPERIOD is not positive.
    """
    if str(header.get("CISTATUS", "ON")).strip().upper() in ("0", "F", "FALSE", "OFF", "NONE"):
        return np.empty(0, dtype=int)
    hint = "take the rows from the bad-pixel image (.bimg) of the data class instead."
    values = {}
    for name in ("CIPERIOD", "CIFIRST", "CIOFFSET"):
        if name not in header:
            raise MissingKeywordError(f"The header has no keyword {name}: charge-injection rows are unknown.", hint)
        values[name] = int(header[name])
    if values["CIPERIOD"] <= 0:
        raise MissingKeywordError(f"CIPERIOD is {values['CIPERIOD']}: charge-injection rows are unknown.", hint)
    first = values["CIFIRST"] + values["CIOFFSET"]
    rows = np.arange(first, CCD_SIZE + 1, values["CIPERIOD"])
    return rows[rows >= 1]


def flagged_rows(header: Mapping[str, Any], preceding: int = 1, trailing: int = 2) -> np.ndarray:
    """Rows that screening rejects: injected ones with their neighbours (``xtdflagpix`` defaults: 1 before, 2 after)."""
    rows = charge_injection_rows(header)
    near = rows[:, None] + np.arange(-preceding, trailing + 1)
    return np.unique(near[(near >= 1) & (near <= CCD_SIZE)])
