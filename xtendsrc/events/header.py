"""What the header of an event file must say, and what is read from it when it does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import InputFileError, MissingColumnError, MissingKeywordError, NotXtendError
from xtendsrc.events.gti import SECONDS, clock_fault, mjdref, timezero
from xtendsrc.events.integrity import check_event_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.io.fits import Header

    from xtendsrc.events.fitsfile import FitsFile
    from xtendsrc.events.fitstable import HDU

log = logging.getLogger("xtendsrc.events.eventlist")

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


def check_clock(header: Header, path: str) -> None:
    """Refuse a header whose times are not seconds of TT since the mission's epoch: nothing is converted.

    A header that does not name the scale or the unit is taken to mean these.

    Raises
    ------
    MissingKeywordError
        If it does not say from when times count.
    InputFileError
        If it says otherwise.
    """
    if mjdref(header) is None:
        raise no_keyword(path, "MJDREFI and MJDREFF", "the epoch of its times is unknown")
    if fault := clock_fault(header):
        raise InputFileError(f"{path}: {fault}.", INSPECT)


def check_identity(header: Header, path: str, obs_id: str, dataclass: str) -> None:
    """Refuse a header that says it is of another observation or data class than its file's name.

    Raises
    ------
    InputFileError
        If OBS_ID or DATACLAS is there and another one.
    """
    for key, expected, width in (("DATACLAS", dataclass, 8), ("OBS_ID", obs_id, 9)):
        found = str(header.get(key, expected)).strip().lower().zfill(width)
        if found != expected:
            raise InputFileError(
                f"{path}: its header says {key} = {found}, its name {expected}.",
                "check where the file comes from; give it the name of what it holds.",
            )


def number(header: Header, name: str, path: str) -> float:
    """Value of a keyword that is there, refused unless it is a number.

    Raises
    ------
    InputFileError
        If it is none.
    """
    try:
        return float(header[name])
    except (TypeError, ValueError) as error:
        raise InputFileError(f"{path}: {name} is {header[name]!r}, not a number.", INSPECT) from error


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
    """EVENTS of a file, refused unless it is Xtend's and has the mission's clock."""
    table = file.find("EVENTS")
    if table is None or not table.is_table:
        raise InputFileError(
            f"{file.path}: there is no EVENTS table; the file has {', '.join(h.name or '?' for h in file.hdus)}.",
            "give an Xtend event file (xtend/event_cl/xa<obsid>xtd_p*_cl.evt).",
        )
    check_xtend(table.header, file.path)
    if "TIME" not in table.columns:
        raise no_column(file.path, "TIME", list(table.columns))
    check_event_table(file, table)
    check_clock(table.header, file.path)
    if (unit := table.columns["TIME"].unit).upper() not in ("", *SECONDS):
        raise InputFileError(f"{file.path}: the column TIME is in {unit!r}, not in seconds.", INSPECT)
    return table


def identity(table: HDU) -> dict[str, Any]:
    """Return what the pieces of one event file must share."""
    header = table.header
    found = {k: header[k] for k in SAME_IN_ALL_PIECES if k in header}
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
    offset = (number(header, "TIMEPIXR", path) if "TIMEPIXR" in header else 0.0) - 0.5
    if offset == 0.0:
        return timezero(header)
    if "TIMEDEL" not in header:
        raise no_keyword(path, "TIMEDEL", "needed because TIMEPIXR is not 0.5")
    return timezero(header) - offset * number(header, "TIMEDEL", path)
