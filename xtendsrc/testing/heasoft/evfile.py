"""Event files as the extractor reads them: name filters, good times, event times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import fitsfile
from .fitsfile import HDU, FitsError, Header

Intervals = list[tuple[float, float]]
Filters = dict[str, list[tuple[float, float]]]


@dataclass
class EventFile:
    """One event file: its EVENTS table, its good times and the cuts of its name."""

    name: str
    hdus: list[HDU]
    events: HDU
    gti: Intervals
    filters: Filters
    warning: str = ""


def parse_filters(parts: list[str]) -> tuple[str | None, Filters]:
    """Read the bracketed parts of a file name: an extension name and ``COL=lo:hi`` terms."""
    extension: str | None = None
    filters: Filters = {}
    for part in parts:
        if re.fullmatch(r"\w+", part):
            extension = part
            continue
        column = ""
        for term in re.split(r"[,\s]+", part):
            match = re.fullmatch(r"(?:(\w+)=)?([-+.\deE]*):?([-+.\deE]*)", term)
            if not match or not term or not (match.group(1) or column):
                raise FitsError(3, f"bad filter syntax: {part}")
            column = (match.group(1) or column).upper()
            low = float(match.group(2)) if match.group(2) else -np.inf
            high = (float(match.group(3)) if match.group(3) else np.inf) if ":" in term else low
            filters.setdefault(column, []).append((low, high))
    return extension, filters


def open_events(filename: str, extension: str, gti_name: str) -> list[EventFile]:
    """Open the event file, or each file of an ``@list``; cuts stand behind the name of the list and hold for all."""
    if filename.startswith("@"):
        listing, cut = Path(filename[1:].partition("[")[0]), filename[1:].partition("[")[2]
        if not listing.is_file():
            raise FitsError(104, f"could not open the list {listing}")
        names = [line.strip() for line in listing.read_text().splitlines() if line.strip()]
        if wrong := next((name for name in names if "[" in name), None):
            raise FitsError(104, f"could not open the named file: {wrong}")
        names = [f"{name}[{cut}" if cut else name for name in names]
    else:
        names = [filename]
    return [_open_one(name, extension, gti_name) for name in names]


def _open_one(filename: str, extension: str, gti_name: str) -> EventFile:
    path, parts = fitsfile.split_name(filename)
    if len(path) > 255:
        raise FitsError(104, f"could not open the named file: {path}")
    own, filters = parse_filters(parts)
    hdus = fitsfile.read(path)
    events = fitsfile.extension(hdus, own or extension)
    if events is None:
        raise FitsError(107, f"no {own or extension} extension in {path}")
    gti, warning = find_gti(hdus, gti_name, events.header)
    return EventFile(path, hdus, events, gti, filters, warning)


def find_gti(hdus: list[HDU], name: str, header: Header, shifted: bool = True) -> tuple[Intervals, str]:
    """Find good times: the named extension, STDGTI, GTI, any of class GTI, at last TSTART to TSTOP."""
    table = fitsfile.extension(hdus, name, "STDGTI", "GTI")
    if table is None:
        table = next((h for h in hdus if str(h.header.get("HDUCLAS1", "")).upper() == "GTI"), None)
    if table is None:
        whole = (float(header.get("TSTART", 0.0)), float(header.get("TSTOP", 0.0)))
        return [whole], "WARNING: no GTI extension; using TSTART to TSTOP"
    return read_gti(table, shifted), ""


def read_gti(table: HDU, shifted: bool = True) -> Intervals:
    """Return the START and STOP of a table as pairs, in time order; by the table's TIMEZERO later if ``shifted``."""
    zero = float(table.header.get("TIMEZERO", 0.0) or 0.0) if shifted else 0.0
    start, stop = ((table.column(name) + zero).tolist() for name in ("START", "STOP"))
    return sorted(zip(start, stop, strict=True))


def read_gti_files(name: str, gti_name: str) -> Intervals:
    """Read one file of good times, or an ``@list`` of them, ANDed."""
    names = Path(name[1:]).read_text().split() if name.startswith("@") else [name]
    found: Intervals | None = None
    for item in names:
        path, parts = fitsfile.split_name(item)
        hdus = fitsfile.read(path)
        table = fitsfile.extension(hdus, *(parts or [gti_name, "STDGTI", "GTI"]))
        if table is None:
            table = next((h for h in hdus if h.is_table and h.column_number("START")), None)
        if table is None:
            raise FitsError(107, f"no good times in {path}")
        own = union(read_gti(table))
        found = own if found is None else intersection(found, own)
    return found or []


def union(intervals: Intervals) -> Intervals:
    """OR of intervals."""
    merged: Intervals = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def intersection(first: Intervals, second: Intervals) -> Intervals:
    """AND of intervals in time order, in one pass over both."""
    one, two = union(first), union(second)
    both, i, j = [], 0, 0
    while i < len(one) and j < len(two):
        start, stop = max(one[i][0], two[j][0]), min(one[i][1], two[j][1])
        if start < stop:
            both.append((start, stop))
        if one[i][1] < two[j][1]:
            i += 1
        else:
            j += 1
    return both


def total(intervals: Intervals) -> float:
    """Sum of the lengths in seconds."""
    return sum(stop - start for start, stop in intervals)


def event_times(events: HDU, column: str, pixel_reference: float) -> np.ndarray:
    """Return the times compared with GTIs: moved to mid-frame; a missing TIMEPIXR counts as 0."""
    header = events.header
    default = 0.0 if pixel_reference == -999 else pixel_reference
    reference = float(header.get("TIMEPIXR", default))
    shift = float(header.get("TIMEZERO", 0.0)) - (reference - 0.5) * float(header.get("TIMEDEL", 0.0))
    return events.column(column).astype(float) + shift


def in_intervals(times: np.ndarray, intervals: Intervals) -> np.ndarray:
    """Tell which times are inside; both ends count."""
    if not intervals:
        return np.zeros(len(times), bool)
    starts, stops = np.array(union(intervals)).T
    place = np.searchsorted(starts, times, side="right") - 1
    found: np.ndarray = (place >= 0) & (times <= stops[place])
    return found


def apply_filters(events: HDU, filters: Filters) -> tuple[np.ndarray, bool]:
    """Return the rows that pass every column's cuts, and whether a column was missing."""
    good = np.ones(len(events.rows()), bool)
    missing = False
    for column, ranges in filters.items():
        if not events.column_number(column):
            missing = True
            good[:] = False
            continue
        values = events.column(column)
        passed = np.zeros(len(values), bool)
        for low, high in ranges:
            passed |= (values >= low) & (values <= high)
        good &= passed
    return good, missing


def limits(events: HDU, column: str) -> tuple[int, int]:
    """Return TLMIN and TLMAX of a column; status 202 when they are missing."""
    number = events.column_number(column)
    if not number:
        raise FitsError(219, f"column {column} not found")
    low, high = events.header.get(f"TLMIN{number}"), events.header.get(f"TLMAX{number}")
    if low is None or high is None:
        raise FitsError(202, f"TLMIN/TLMAX of {column} not found")
    return int(low), int(high)


def live_fraction(header: Header) -> float:
    """Return DEADC, else DTCOR, else LIVETIME / ONTIME, else 1."""
    for key in ("DEADC", "DTCOR"):
        if header.get(key) is not None:
            return float(header.get(key))
    live, on = header.get("LIVETIME"), header.get("ONTIME")
    return float(live) / float(on) if live and on else 1.0
