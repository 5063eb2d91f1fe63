"""What the header of an event file must say, and what is read from it when it does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import DeadTimeError, InputFileError, MissingColumnError, MissingKeywordError, NotXtendError
from xtendsrc.gti import mjdref, timezero

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.io.fits import Header

    from xtendsrc.fitsfile import FitsFile
    from xtendsrc.fitstable import HDU

log = logging.getLogger("xtendsrc.events")

INSPECT = "run `xtendsrc inspect` on the observation to see everything that differs from an Xtend event file."
SAME_IN_ALL_PIECES = ("OBS_ID", "DATACLAS", "RA_NOM", "DEC_NOM", "PA_NOM")


def check_xtend(header: Header, path: str) -> None:
    """Refuse a header of another mission or instrument.

    Raises
    ------
    MissingKeywordError
        If it does not say which instrument.
    NotXtendError
        If the instrument is not XRISM's Xtend.
    """
    if "INSTRUME" not in header:
        raise no_keyword(path, "INSTRUME", "the instrument is unknown")
    telescope, instrument = (str(header.get(k, "XRISM")).strip().upper() for k in ("TELESCOP", "INSTRUME"))
    if (telescope, instrument) != ("XRISM", "XTEND"):
        raise NotXtendError(
            f"{path}: this is a file of {telescope} {instrument}, not of XRISM XTEND.",
            "give an Xtend event file (xtend/event_cl/xa<obsid>xtd_p*_cl.evt).",
        )


def obs_id_of(header: Header, path: str) -> str:
    """OBS_ID of a header as nine digits; a number written without quotes gets its leading zeros back."""
    if "OBS_ID" not in header:
        raise no_keyword(path, "OBS_ID", "the observation is unknown")
    return str(header["OBS_ID"]).strip().zfill(9)


def dataclass_of(header: Header, path: str) -> str:
    """DATACLAS of a header as eight lower-case characters, also where it was written as a number."""
    if "DATACLAS" not in header:
        raise no_keyword(path, "DATACLAS", "the data class is unknown")
    return str(header["DATACLAS"]).strip().lower().zfill(8)


def no_column(path: str, column: str, columns: Sequence[str]) -> MissingColumnError:
    """Return the error for a column that is not there."""
    return MissingColumnError(f"{path}: EVENTS has no column {column}; it has {', '.join(columns)}.", INSPECT)


def no_keyword(path: str, name: str, why: str = "") -> MissingKeywordError:
    """Return the error for a keyword that is not there."""
    return MissingKeywordError(f"{path}: the header of EVENTS has no {name}{f' ({why})' if why else ''}.", INSPECT)


def event_table(file: FitsFile) -> HDU:
    """EVENTS of a file, refused unless it is Xtend's and has a clock."""
    table = file.find("EVENTS")
    if table is None or not table.is_table:
        raise InputFileError(
            f"{file.path}: there is no EVENTS table; the file has {', '.join(h.name or '?' for h in file.hdus)}.",
            "give an Xtend event file (xtend/event_cl/xa<obsid>xtd_p*_cl.evt).",
        )
    check_xtend(table.header, file.path)
    if "TIME" not in table.columns:
        raise no_column(file.path, "TIME", list(table.columns))
    if mjdref(table.header) is None:
        raise no_keyword(file.path, "MJDREFI and MJDREFF", "the epoch of its times is unknown")
    return table


def identity(table: HDU) -> dict[str, Any]:
    """Return what the pieces of one event file must share."""
    header = table.header
    found = {k: header[k] for k in SAME_IN_ALL_PIECES if k in header}
    found["MJDREF"] = mjdref(header)
    for name in ("X", "Y"):
        number = table.index(name)
        for key in ("TCTYP", "TCRPX", "TCRVL", "TCDLT", "TCROT", "TLMIN", "TLMAX"):
            if number is not None and f"{key}{number}" in header:
                found[f"{key} of {name}"] = header[f"{key}{number}"]
    return found


def time_shift(header: Header, path: str) -> float:
    """Seconds from the TIME column to the middle of the frame: TIMEZERO - (TIMEPIXR - 0.5) TIMEDEL."""
    if "TIMEPIXR" not in header:
        log.warning("%s: the header has no TIMEPIXR; it counts as 0 (the start of the frame), as in extractor", path)
    offset = float(header.get("TIMEPIXR", 0.0)) - 0.5
    if offset == 0.0:
        return timezero(header)
    if "TIMEDEL" not in header:
        raise no_keyword(path, "TIMEDEL", "needed because TIMEPIXR is not 0.5")
    return timezero(header) - offset * float(header["TIMEDEL"])


def live_fraction(header: Header, path: str) -> float:
    """Live fraction of a header: DEADC, else DTCOR, else LIVETIME / ONTIME, else 1."""
    if "DEADC" in header or "DTCOR" in header:
        value = float(header.get("DEADC", header.get("DTCOR")))
    elif header.get("ONTIME") and "LIVETIME" in header:
        value = float(header["LIVETIME"]) / float(header["ONTIME"])
    else:
        value = 1.0
    if not 0.0 < value <= 1.0 + 1e-6:
        raise DeadTimeError(
            f"{path}: the live fraction (DEADC, DTCOR or LIVETIME / ONTIME) is {value}, which is not within (0, 1].",
            "correct the keyword in a copy of the file.",
        )
    return min(value, 1.0)
