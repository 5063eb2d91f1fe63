"""Checks of an event file's form: columns, types, limits, keywords, coordinates, clock, dead time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.events.deadtime import elapsed, frame_period
from xtendsrc.events.gti import MJDREF, mjdref, timezero
from xtendsrc.instrument import (
    DET_SIZE,
    PI_CHANNELS,
    PIXEL_DEG,
    SKY_CENTRE,
    SKY_SIZE,
    DataClassCode,
    charge_injection_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from astropy.io.fits import Header

    from xtendsrc.archive.findings import Collector, Severity
    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.fitstable import HDU

ALL = "no product can be made"
SKY = "no image, region or exposure map can be made"
DET = "no detector image, weighted map or calibration-source mask can be made"

# column: (types, severity if missing, consequence if missing)
COLUMNS: dict[str, tuple[str, Severity, str]] = {
    "TIME": ("D", "error", ALL),
    "PI": ("IJ", "error", "no energy band can be chosen; spectra cannot be made"),
    "X": ("I", "error", SKY),
    "Y": ("I", "error", SKY),
    "DETX": ("I", "error", DET),
    "DETY": ("I", "error", DET),
    "GRADE": ("BI", "warning", "grades= cannot be used"),
    "STATUS": ("X", "warning", "flagged events cannot be told apart"),
    "CCD_ID": ("BI", "warning", "the CCD is inferred from DETX, DETY"),
    "ACTX": ("I", "note", "rows and columns are inferred from DETX, DETY"),
    "ACTY": ("I", "note", "charge-injection rows cannot be checked against the events"),
}
LIMITS = {
    "X": (1, SKY_SIZE),
    "Y": (1, SKY_SIZE),
    "DETX": (1, DET_SIZE),
    "DETY": (1, DET_SIZE),
    "PI": (0, PI_CHANNELS - 1),
}
# keyword: (value or None for any, severity, consequence if missing or different)
KEYWORDS: dict[str, tuple[Any, Severity, str]] = {
    "TELESCOP": ("XRISM", "error", "the file is refused unless it says XRISM"),
    "INSTRUME": ("XTEND", "error", "the file is refused unless it says XTEND"),
    "OBS_ID": (None, "warning", "taken from the file name"),
    "DATACLAS": (None, "error", "the CCDs that are read are unknown: no coverage, no background region"),
    "RA_NOM": (None, "error", "sky positions cannot be placed on the detector"),
    "DEC_NOM": (None, "error", "sky positions cannot be placed on the detector"),
    "PA_NOM": (None, "error", "sky positions cannot be placed on the detector"),
    "TIMESYS": ("TT", "error", "the file is refused if it says another one, since times are not converted"),
    "TIMEUNIT": ("s", "warning", "the file is refused if it says another one, since times are not converted"),
    "TIMEDEL": (None, "error", "frame time unknown: light-curve bins cannot be checked"),
    "TIMEPIXR": (None, "note", "event times count as the start of the frame"),
    "ONTIME": (None, "note", "the sum of the GTIs is used"),
    "EXPOSURE": (None, "note", "ONTIME x DEADC is used"),
    "EQUINOX": (2000.0, "error", "coordinates would be wrong"),
    "RADECSYS": ("FK5", "note", "FK5 is assumed if absent; ICRS is used as it is, another frame refused"),
    "OPTDETX": (None, "note", "optical axis taken as DETX 733"),
    "OPTDETY": (None, "note", "optical axis taken as DETY 731"),
    "DATE-OBS": (None, "note", "products lack it"),
    "DATE-END": (None, "note", "products lack it"),
    "HDUCLAS1": ("EVENTS", "note", "not used"),
}


def check_columns(table: HDU, to: Collector) -> None:
    """Columns that are missing, or of another type."""
    for name, (codes, severity, consequence) in COLUMNS.items():
        column = table.columns.get(name)
        if column is None:
            to.add(severity, f"column {name}", "present", "absent", consequence)
        elif column.code not in codes:
            what = "values are used as they are" if column.code in "BIJKED" else consequence
            to.add(
                "note" if column.code in "BIJKED" else severity,
                f"type of {name}",
                " or ".join(f"1{c}" for c in codes),
                f"{column.repeat}{column.code}",
                what,
            )
    status = table.columns.get("STATUS")
    if status is not None and status.code == "X" and status.repeat != 48:
        to.add("warning", "type of STATUS", "48X", f"{status.repeat}X", "bits 1 and 2 may mean something else")
    time = table.columns.get("TIME")
    if time is not None:
        to.compare("unit of TIME", "s", time.unit, "warning", "times are taken as seconds")


def check_limits(table: HDU, to: Collector) -> None:
    """TLMIN and TLMAX of the columns that give the sizes of products."""
    for name, expected in LIMITS.items():
        number = table.index(name)
        if number is None:
            continue
        found = (table.header.get(f"TLMIN{number}"), table.header.get(f"TLMAX{number}"))
        if None in found:
            to.add("error", f"TLMIN, TLMAX of {name}", expected, "absent", "the size of products is unknown")
        elif (int(found[0]), int(found[1])) != expected:
            to.add("warning", f"TLMIN, TLMAX of {name}", expected, found, "products have this size instead")


def check_keywords(table: HDU, to: Collector) -> None:
    """Keywords that are missing or have unexpected values."""
    header = table.header
    for name, (value, severity, consequence) in KEYWORDS.items():
        if name not in header:
            to.add(severity, name, "present" if value is None else value, "absent", consequence)
        elif value is not None:
            to.compare(name, value, header[name], severity, consequence)
    reference = mjdref(header)
    if reference is None:
        to.add("error", "MJDREFI, MJDREFF", f"{MJDREF:.10f}", "absent", ALL)
    elif abs(reference - MJDREF) > 1e-7:
        consequence = "the file is refused if this is more than 0.1 s"
        to.add("warning", "MJDREFI + MJDREFF", f"{MJDREF:.10f}", f"{reference:.10f}", consequence)
    if zero := timezero(header):
        to.add("note", "TIMEZERO", 0.0, zero, "added to event times; GTIs use their own TIMEZERO")


def check_dataclass(table: HDU, named: str, obs_id: str, to: Collector) -> None:
    """Data class and ObsID of the header against the file's name, and what the data class implies."""
    header = table.header
    for key, expected, width in (("DATACLAS", named, 8), ("OBS_ID", obs_id, 9)):
        found = str(header.get(key, expected)).strip().lower().zfill(width)
        to.compare(key, expected, found, "error", "the file is refused: its name and its header disagree")
    try:
        code = DataClassCode.parse(named)
    except RequestError as error:
        to.add("error", "data class", "a known code", named, error.what)
        return
    if not code.documented:
        to.add("warning", "data class", "a documented combination", named, "CCDs and window are read off the digits")
    if str(header.get("DATAMODE", "")).strip().upper() not in code.datamodes:
        found, assumed = header.get("DATAMODE", "absent"), " or ".join(code.datamodes)
        to.add("warning", "DATAMODE", assumed, found, "window and burst are read off the digits")
    to.compare("DETNAM", code.detnam, header.get("DETNAM"), "note", "CCDs are read off the digits")
    _check_frame(header, code, to)
    _check_window(table, code, to)
    with to.guard("charge-injection rows"):
        if not charge_injection_rows(header).size:
            to.add("warning", "CISTATUS", "on", header.get("CISTATUS"), "no charge-injection rows are assumed")


def _check_frame(header: Header, code: DataClassCode, to: Collector) -> None:
    """TIMEDEL: the integration of a frame, or in coarse good time its period; TIMEPIXR: its start or its middle."""
    if "TIMEDEL" in header:
        timedel = float(header["TIMEDEL"])
        if timedel != code.frame_time and not any(t.agrees(timedel) for t in code.timings):
            assumed = " or ".join(f"{t.integration:g} s (integration)" for t in code.timings)
            assumed = f"{assumed} or {code.frame_time:g} s (period)"
            to.add("warning", "TIMEDEL", assumed, timedel, "the header's frame time is used instead")
    if float(header.get("TIMEPIXR", 0.0)) not in (0.0, 0.5):
        consequence = "event times are moved to the middle of the frame"
        to.add("note", "TIMEPIXR", "0 (start of the integration) or 0.5", header["TIMEPIXR"], consequence)


def _check_window(table: HDU, code: DataClassCode, to: Collector) -> None:
    if not code.windowed:
        return
    if "WIN_ST" not in table.header:
        to.add("warning", "WIN_ST", "present", "absent", "the window is taken as DETX 694..773, a guess")
    to.compare("WIN_SIZE", 80, table.header.get("WIN_SIZE"), "warning", "80 rows are assumed if absent")


def check_wcs(table: HDU, to: Collector) -> None:
    """Coordinate keywords of X and Y."""
    header = table.header
    for name, ctype, reference, sign in (("X", "RA---TAN", "RA_NOM", -1), ("Y", "DEC--TAN", "DEC_NOM", 1)):
        n = table.index(name)
        if n is None:
            continue
        expected = {
            f"TCTYP{n}": ctype,
            f"TCRPX{n}": SKY_CENTRE,
            f"TCDLT{n}": sign * PIXEL_DEG,
        }
        _check_reference(header, f"TCRVL{n}", name, reference, to)
        for key, value in expected.items():
            what = "no sky coordinates" if key not in header else "the file's value is used"
            severity: Severity = "error" if key not in header or key.startswith("TCTYP") else "warning"
            if not _seven_digits(value, header.get(key)):
                to.compare(f"{key} ({name})", value, header.get(key), severity, what)
        rotation = float(header.get(f"TCROT{n}", 0.0))
        to.compare(f"TCROT{n} ({name})", 0.0, rotation, "warning", "SKY is not north up; the rotation is used")


def _check_reference(header: Header, key: str, name: str, reference: str, to: Collector) -> None:
    """TCRVL against RA_NOM or DEC_NOM, from which it may differ by the rounding to seven digits of real files."""
    if key not in header:
        to.add("error", f"{key} ({name})", header.get(reference), "absent", "no sky coordinates")
    elif reference in header and not _seven_digits(header[reference], header[key]):
        to.compare(f"{key} ({name})", float(header[reference]), header[key], "warning", "the file's value is used")


def _seven_digits(value: Any, found: Any) -> bool:
    """Whether a number is another one written with seven significant digits, as the coordinate tasks do."""
    numbers = isinstance(value, (int, float)) and isinstance(found, (int, float))
    return numbers and f"{value:.6e}" == f"{found:.6e}"


def check_dead_time(events: EventList, to: Collector) -> None:
    """ONTIME, LIVETIME, EXPOSURE and DEADC against the GTIs, each other and the data class."""
    header, ontime = events.header, events.ontime
    live = events.deadc
    expected: dict[str, tuple[float, str, Severity]] = {
        "ONTIME": (ontime, "sum of the GTIs", "warning"),
        "LIVETIME": (ontime * live, "sum of the GTIs x DEADC", "error"),
        "EXPOSURE": (ontime * live, "sum of the GTIs x DEADC", "error"),
    }
    for key, (value, meaning, severity) in expected.items():
        if key in header and len(events.paths) == 1 and not np.isclose(float(header[key]), value, rtol=0.01):
            what = "exposures are uncertain by this; products use the GTIs and DEADC"
            to.add(severity, key, f"{value:.2f} s ({meaning})", f"{float(header[key]):.2f} s", what)
    _check_live_share(events, to)


def _check_live_share(events: EventList, to: Collector) -> None:
    """Live seconds a second of elapsed good time, with good time frame by frame or coarse with a live fraction."""
    if events.live_warning:
        to.add("warning", "dead time", "good time frame by frame, or DEADC", "neither", events.live_warning)
        return
    whole = elapsed(events.gti, events.header)
    if not whole.total:
        return
    implied = [timing.live_share for timing in DataClassCode.parse(events.dataclass).timings]
    found = events.exposure / whole.total
    if any(np.isclose(found, share, rtol=0.1) for share in implied) and not _twice(events, whole.total):
        return
    assumed = " or ".join(f"{share:.3f}" for share in implied)
    what = "fluxes scale with it: check DEADC and the good time before trusting any"
    to.add("warning", "live fraction", f"{assumed} (from the data class)", f"{found:.3f}", what)


def _twice(events: EventList, seconds: float) -> bool:
    """Whether dead time is left out of the good time and taken off again by DEADC."""
    return events.ontime < 0.995 * seconds and events.deadc < 0.995


def check_clock(events: EventList, to: Collector) -> None:
    """Frame time as the event times show it."""
    frame = frame_period(events.header)
    steps = np.diff(np.unique(events["TIME"]))
    steps = steps[steps > 1e-3]
    if not frame or steps.size < 100:
        return
    phase = np.abs(steps / frame - np.round(steps / frame))
    short = float(np.mean(steps < 0.98 * frame))  # a new phase at each GTI gives a few
    if np.median(phase) > 0.02:
        found = f"median distance from whole frames {np.median(phase):.2f} frames"
        to.add("note", "clock", f"event times {frame} s apart, or multiples", found, "bins need not match frames")
    elif short > 0.05:
        found = f"{100 * short:.0f} % of the steps are shorter, median {np.median(steps):.4f} s"
        to.add("warning", "clock", f"event times at least {frame} s apart", found, "TIMEDEL is not the frame time")


def form_checks(table: HDU, named: str, obs_id: str) -> Iterable[tuple[str, Callable[[Collector], None]]]:
    """The checks of one table that need no event, by name."""
    return (
        ("columns", lambda to: check_columns(table, to)),
        ("limits", lambda to: check_limits(table, to)),
        ("keywords", lambda to: check_keywords(table, to)),
        ("data class", lambda to: check_dataclass(table, named, obs_id, to)),
        ("coordinates", lambda to: check_wcs(table, to)),
    )
