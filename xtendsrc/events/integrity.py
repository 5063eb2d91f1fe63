"""Whether an event file can be what it says, before any number is taken from it.

A flipped bit in a format, a keyword or a time makes a file that still opens. What a header and its tables cannot hold
at once is refused here as a whole, with the name of the file and of the keyword or column: keywords that must be
numbers, grids that fit no detector, columns that are not one number a row, times beyond the file's own span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import GTIError, InputFileError
from xtendsrc.events.fitstable import finite, whole
from xtendsrc.events.gti import timezero

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.io.fits import Header

    from xtendsrc.events.fitsfile import FitsFile
    from xtendsrc.events.fitstable import HDU
    from xtendsrc.events.gti import GTI

LOOK = "see with `xtendsrc inspect` or a FITS verifier what is wrong with it, and fetch it again."

LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("TSTART", "TSTOP", "TIMEZERO", "TIMEZERI", "TIMEZERF"), (-1e10, 1e10)),
    **dict.fromkeys(("ONTIME", "LIVETIME", "EXPOSURE", "TELAPSE"), (0.0, 1e9)),
    **dict.fromkeys(("DEADC", "DTCOR"), (-1e3, 1e3)),  # the range itself is checked where they are used
    **dict.fromkeys(("RA_NOM", "PA_NOM"), (-360.0, 720.0)),
    "DEC_NOM": (-90.0, 90.0),
    "MJDREF": (0.0, 1e6),
    "MJDREFI": (0.0, 1e6),
    "MJDREFF": (0.0, 1.0),
    "TIMEPIXR": (0.0, 1.0),
    "TIMEDEL": (0.0, 1e4),
    **dict.fromkeys(("OPTDETX", "OPTDETY", "OPTFOCX", "OPTFOCY"), (-1e5, 1e5)),
    **dict.fromkeys(("WIN_ST", "WIN_SIZE", "CIPERIOD", "CIFIRST", "CIOFFSET"), (-1e4, 1e4)),
}
"""Keywords of EVENTS that must be numbers where they are there, and between what."""

PLACES = ("X", "Y", "DETX", "DETY")
ONE_NUMBER = ("TIME", "PI", "PHA", "GRADE", "CCD_ID", "RAWX", "RAWY", "ACTX", "ACTY", *PLACES)
"""Columns that hold one number an event."""

LARGEST_GRID = 16384
"""Pixels a side of the largest grid of events; Xtend's SKY grid has 2430."""

LARGEST_RANGE = 1 << 16
"""Values of any other column that has limits (TLMIN, TLMAX)."""

DAY = 86400.0
GTI_SLACK = 60.0
"""Seconds by which good time may reach beyond TSTART..TSTOP: half a dozen frames, and the rounding of either."""


def check_event_table(file: FitsFile, table: HDU) -> None:
    """Refuse an EVENTS table that cannot be one.

    Parameters
    ----------
    file : FitsFile
        The file.
    table : HDU
        Its EVENTS extension.

    Raises
    ------
    InputFileError
        Naming the file and the keyword or column.
    """
    header, path = table.header, file.path
    for name, (low, high) in LIMITS.items():
        value = finite(header, name, path, low)
        if not low <= value <= high:
            raise InputFileError(f"{path}: {name} is {value:g}, which cannot be.", LOOK)
    if finite(header, "TSTOP", path, 0.0) < finite(header, "TSTART", path, 0.0):
        raise InputFileError(f"{path}: TSTOP is before TSTART.", LOOK)
    table.numbers(*ONE_NUMBER)
    for name in table.columns:
        _check_column(table, name)


def _check_column(table: HDU, name: str) -> None:
    """Check the limits and the coordinate keywords of a column."""
    header, number = table.header, table.index(name)
    for stem in ("TCRPX", "TCRVL", "TCDLT", "TCROT"):
        finite(header, f"{stem}{number}", table.path, 0.0)
    if name in PLACES and header.get(f"TCDLT{number}", 1) == 0:
        raise InputFileError(f"{table.path}: TCDLT{number}, the pixel size of {name}, is 0.", LOOK)
    if name not in ONE_NUMBER or not {f"TLMIN{number}", f"TLMAX{number}"} <= set(header):
        return
    low, high = (whole(header, f"{stem}{number}", table.path, low=-(2**30), high=2**30) for stem in ("TLMIN", "TLMAX"))
    if high - low >= (LARGEST_GRID if name in PLACES else LARGEST_RANGE) and name != "TIME":
        raise InputFileError(f"{table.path}: column {name} has TLMIN {low} and TLMAX {high}, which cannot be.", LOOK)


def check_event_times(blocks: Iterable[np.ndarray], header: Header, path: str) -> None:
    """Refuse event times a day or more outside of the file's own span.

    Events whose time is not a number have none: they are in no good time, and are left out.

    Parameters
    ----------
    blocks : iterable of ndarray
        Mission seconds of the middles of the frames, in one or more arrays that follow one another.
    header : Header
        Of EVENTS; without TSTART and TSTOP only infinite times are refused.
    path : str
        The file.

    Raises
    ------
    InputFileError
        Saying how many, and which is the first.
    """
    low, high = -np.inf, np.inf
    if {"TSTART", "TSTOP"} <= set(header):
        slack = DAY + abs(timezero(header))
        low, high = float(header["TSTART"]) - slack, float(header["TSTOP"]) + slack
    first, found, seen = "", 0, 0
    for times in blocks:
        bad = np.isinf(times) | (times < low) | (times > high)
        if bad.any():
            row = int(np.argmax(bad))
            first = first or f"that of row {seen + row + 1} is {times[row]:g} s"
            found += int(np.count_nonzero(bad))
        seen += times.size
    if found:
        raise InputFileError(f"{path}: {found} of {seen} events have a TIME that cannot be; {first}.", LOOK)


def check_gti_span(gti: GTI, header: Header, path: str) -> None:
    """Refuse good time that reaches beyond the span of the events it belongs to.

    Raises
    ------
    GTIError
        If it begins before TSTART or ends after TSTOP by more than a minute.
    """
    if not len(gti) or not {"TSTART", "TSTOP"} <= set(header):
        return
    zero = timezero(header)
    low, high = (float(header[key]) for key in ("TSTART", "TSTOP"))
    slack = GTI_SLACK + abs(zero)  # TSTART and TSTOP of some makers count from TIMEZERO
    if gti.start[0] < low - slack or gti.stop[-1] > high + slack:
        raise GTIError(
            f"{path}: its good time, {gti.start[0]:.1f} to {gti.stop[-1]:.1f}, reaches beyond TSTART and TSTOP of its "
            f"events, {low:.1f} to {high:.1f}.",
            LOOK,
        )
