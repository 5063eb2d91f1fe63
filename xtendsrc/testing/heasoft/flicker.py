"""searchflickpix, thin: pixels with improbably many counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from . import evfile, fitsfile
from .fitsfile import HDU, FitsError

if TYPE_CHECKING:
    from .parfile import Parameters


def searchflickpix(pars: Parameters) -> int:
    """Flag pixels by the chance of their counts under the mean of their chip; ``cellsize=0`` is a plain cut."""
    path, parts = fitsfile.split_name(pars.text("infile"))
    _, filters = evfile.parse_filters(parts)
    hdus = fitsfile.read(path)
    events = fitsfile.extension(hdus, "EVENTS")
    if events is None:
        raise FitsError(107, f"no EVENTS extension in {path}")
    _check_coordinates(events, (pars.text("xcol"), pars.text("ycol")))
    used, _ = evfile.apply_filters(events, filters)
    grades = [int(word) for word in pars.text("grade").replace(",", " ").split() if word.isdigit()]
    if events.column_number(pars.text("gradecol")):
        used &= np.isin(events.column(pars.text("gradecol")), grades)
    names = (pars.text("chipcol"), pars.text("xcol"), pars.text("ycol"))
    keys = list(zip(*(events.column(name).tolist() for name in names), strict=True))
    bad = _bad_pixels([key for key, good in zip(keys, used.tolist(), strict=True) if good], pars)
    flagged = np.array([key in bad for key in keys], bool)
    keep = ~flagged if pars.flag("cleanimg") else flagged
    rows = [(*key, *_where(events, keys, key)) for key in sorted(bad)]
    forms = [(names[0], "B"), (names[1], "I"), (names[2], "I"), ("DETX", "I"), ("DETY", "I"), ("START", "D")]
    columns = [(name, form, "", [row[place] for row in rows]) for place, (name, form) in enumerate(forms)]
    columns.append(("STOP", "D", "", [row[6] for row in rows]))
    pixels = fitsfile.table("PIXELS", columns, events.header.describing())
    fitsfile.write(pars.text("outfile"), [hdus[0], fitsfile.select(events, keep), pixels], pars.flag("clobber"))
    return 0


def _check_coordinates(events: HDU, columns: tuple[str, str]) -> None:
    """Stop, as the real task does, where a column lacks a keyword that PIXELS gets copied."""
    for column in columns:
        number = events.column_number(column)
        for key in ("TCRPX", "TCRVL", "TCDLT", "TCTYP", "TCUNI", "TNULL", "TLMIN", "TLMAX"):
            if number and f"{key}{number}" not in events.header:
                raise FitsError(1, f"keyword {key}{number} not found (202)")


def _bad_pixels(keys: list[tuple[int, ...]], pars: Parameters) -> set[tuple[int, ...]]:
    counts: dict[tuple[int, ...], int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    if pars.integer("cellsize") == 0:
        return {key for key, count in counts.items() if count > pars.integer("bthresh")}
    totals: dict[int, int] = {}
    for key, count in counts.items():
        totals[key[0]] = totals.get(key[0], 0) + count
    limit = pars.number("logprob1")
    return {key for key, count in counts.items() if _log_chance(count, totals[key[0]] / 640**2) < limit}


def _log_chance(count: int, mean: float) -> float:
    """Return log10 of the chance of at least so many counts, by the leading term of the Poisson sum."""
    if count <= mean or mean <= 0:
        return 0.0
    return (count * math.log(mean) - mean - math.lgamma(count + 1)) / math.log(10)


def _where(events: HDU, keys: list[tuple[int, ...]], key: tuple[int, ...]) -> tuple[int, int, float, float]:
    row = keys.index(key)
    start, stop = float(events.header.get("TSTART", 0)), float(events.header.get("TSTOP", 0))
    detector = [int(events.column(name)[row]) if events.column_number(name) else 0 for name in ("DETX", "DETY")]
    return detector[0], detector[1], start, stop
