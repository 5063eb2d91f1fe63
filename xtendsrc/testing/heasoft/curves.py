"""lcmath: subtract or add light curves, with its error modes and its dead-time correction."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import fitsfile
from .fitsfile import HDU, FitsError
from .runtime import say

if TYPE_CHECKING:
    from .parfile import Parameters

NAME_LIMIT = 160


def lcmath(pars: Parameters) -> int:
    """Run the task."""
    names = [pars.text(name) for name in ("infile", "bgfile", "outfile")]
    if max(len(name) for name in names) > NAME_LIMIT:
        raise FitsError(104, "file name too long")
    if names[0] == names[2]:
        raise FitsError(105, "infile and outfile must differ")
    hdus = fitsfile.read(names[0])
    source, background = (_rate(names[place]) for place in (0, 1))
    say(" Light curves possibly asynchronous")
    rows = source.rows().copy()
    rates, errors, keep = _combine(source, background, pars)
    table = HDU(source.header.copy(), rows[keep])
    assert table.data is not None
    assert table.data.dtype.names is not None
    for name, values in (("RATE", rates), ("ERROR", errors)):
        table.data[table.data.dtype.names[table.column_number(name) - 1]] = values[keep]
    _label(table, pars)
    Path(names[2].lstrip("!")).unlink(missing_ok=True)
    fitsfile.write(names[2], [table if hdu.name == "RATE" else hdu for hdu in hdus])
    return 0


def _rate(name: str) -> HDU:
    path, _ = fitsfile.split_name(name)
    table = fitsfile.extension(fitsfile.read(path), "RATE")
    if table is None:
        raise FitsError(107, f"no RATE extension in {path}")
    return table


def _edges(table: HDU) -> list[tuple[float, float]]:
    width = float(table.header.get("TIMEDEL"))
    start = float(table.header.get("TIMEZERO", 0.0)) - float(table.header.get("TIMEPIXR", 0.5)) * width
    return [(start + time, start + time + width) for time in table.column("TIME").tolist()]


def _average(
    edges: tuple[float, float], bins: list[tuple[float, float]], values: list[tuple[float, ...]]
) -> list[float] | None:
    """Return rate, error and exposure of the background in a bin, weighted by overlap."""
    share = [
        (max(0.0, min(edges[1], b) - max(edges[0], a)) / (b - a), row) for (a, b), row in zip(bins, values, strict=True)
    ]
    share = [(weight, row) for weight, row in share if weight > 1e-9]
    if not share:
        return None
    weight = sum(w for w, _ in share)
    rate = sum(w * row[0] for w, row in share) / weight
    error = math.sqrt(sum((w * row[1]) ** 2 for w, row in share)) / weight
    return [rate, error, sum(w * row[2] for w, row in share)]


def _combine(source: HDU, background: HDU, pars: Parameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    multi, multb = pars.number("multi"), pars.number("multb")
    sign = 1.0 if pars.flag("addsubr") else -1.0
    mode = pars.integer("err_mode")
    bins = _edges(background)
    width = float(background.header.get("TIMEDEL"))
    frac = background.column("FRACEXP")
    rows = list(zip(background.column("RATE"), background.column("ERROR"), frac * width, strict=True))
    size = len(source.rows())
    rates, errors, keep = np.full(size, np.nan), np.full(size, np.nan), np.ones(size, bool)
    correction = _live(source) if pars.flag("docor") else 1.0
    pairs = zip(source.column("RATE"), source.column("ERROR"), _edges(source), strict=True)
    near = _nearby(_edges(source), bins)
    for place, (rate, error, edges) in enumerate(pairs):
        found = _average(edges, [bins[i] for i in near[place]], [rows[i] for i in near[place]])
        if found is None:
            continue
        scaled = multb * (found[0] + pars.number("addb"))
        rates[place] = (multi * (rate + pars.number("addi")) + sign * scaled) / correction
        errors[place] = _error(mode, (multi, multb), (error, found[1])) / correction
    return rates, errors, keep


def _nearby(bins: list[tuple[float, float]], others: list[tuple[float, float]]) -> list[list[int]]:
    starts = np.array([start for start, _ in others])
    stops = np.array([stop for _, stop in others])
    return [np.nonzero((stops > a) & (starts < b))[0].tolist() for a, b in bins]


def _error(mode: int, scales: tuple[float, float], errors: tuple[float, float]) -> float:
    """Mode 1 scales the variance by the factor itself; mode 2 is the usual quadrature; 6 is the source alone."""
    own, other = errors
    if mode in (1, 3):
        return math.sqrt(scales[0] * own**2 + scales[1] * other**2)
    if mode == 6:
        return scales[0] * own
    return math.sqrt((scales[0] * own) ** 2 + (scales[1] * other) ** 2)


def _live(source: HDU) -> float:
    if source.header.get("DEADAPP") is True:
        return 1.0
    return float(source.header.get("DEADC", 1.0) or 1.0) * float(source.header.get("VIGNET", 1.0) or 1.0)


def _label(table: HDU, pars: Parameters) -> None:
    header = table.header
    header.drop("CHECKSUM", "DATASUM")
    header.set("HDUCLAS2", "NET", "Data have been background-subtracted")
    header.set("BACKAPP", True)
    header.set("DEADAPP", pars.flag("docor") or header.get("DEADAPP") is True)
    header.set("VIGNAPP", header.get("VIGNAPP") is True)
