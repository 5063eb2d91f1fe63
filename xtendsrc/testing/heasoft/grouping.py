"""grppha and ftgrouppha: group the channels of a spectrum."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from . import fitsfile
from .fitsfile import HDU, FitsError
from .parfile import ParameterError
from .runtime import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from .parfile import Parameters

Edges = list[int]


def grppha(pars: Parameters) -> int:
    """Run the line-mode task with the one command that ``comm`` holds, then ``tempc``."""
    path, _ = fitsfile.split_name(pars.text("infile"))
    hdus = fitsfile.read(path)
    table = _spectrum(hdus, path)
    counts = table.column("COUNTS").astype(float)
    commands = [part.strip().lower() for part in f"{pars.text('comm')} & {pars.text('tempc')}".split("&")]
    grouping, quality = _current(table)
    for command in commands:
        if command.startswith(("exit", "quit")):
            break
        match = re.match(r"group\s+min\s+(\d+)", command)
        if not match:
            say(f" GRPPHA: command not recognised: {command}")
            continue
        grouping, quality = by_minimum(counts, float(match.group(1)), quality)
    _store(hdus, table, grouping, quality)
    fitsfile.write(pars.text("outfile"), hdus, pars.flag("clobber"))
    say(" ** grppha 3.0.1 completed successfully")
    return 0


def ftgrouppha(pars: Parameters) -> int:
    """Run the task."""
    path, _ = fitsfile.split_name(pars.text("infile"))
    hdus = fitsfile.read(path)
    table = _spectrum(hdus, path)
    counts = table.column("COUNTS").astype(float)
    _, quality = _current(table)
    kind, scale = pars.text("grouptype").lower(), pars.number("groupscale")
    low, high = _range(table, pars)
    reached = _reached(kind, scale, counts, table, pars)
    if kind in ("opt", "optmin", "optsnmin"):
        widths = _optimal_widths(pars, counts)
        grouping, quality = _walk(counts, _optimal_end(widths, reached), quality, (0, len(counts)))
    elif kind == "file":
        template, _ = _current(_spectrum(fitsfile.read(pars.text("templatefile")), pars.text("templatefile")))
        grouping = template
    else:
        grouping, quality = _walk(counts, reached, quality, (low, high))
    _store(hdus, table, grouping, quality)
    fitsfile.write(pars.text("outfile"), hdus, pars.flag("clobber"))
    return 0


def _spectrum(hdus: list[HDU], path: str) -> HDU:
    table = fitsfile.extension(hdus, "SPECTRUM")
    if table is None or not table.column_number("COUNTS"):
        raise FitsError(107, f"no SPECTRUM extension with COUNTS in {path}")
    return table


def _current(table: HDU) -> tuple[np.ndarray, np.ndarray]:
    size = len(table.rows())
    found = []
    for name, default in (("GROUPING", 1), ("QUALITY", 0)):
        found.append(table.column(name) if table.column_number(name) else np.full(size, default, np.int16))
    return found[0], found[1]


def by_minimum(counts: np.ndarray, minimum: float, quality: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group left to right until each bin has the minimum; channels left over stand alone with quality 2."""
    return _walk(counts, lambda start, end: counts[start : end + 1].sum() >= minimum, quality, (0, len(counts)))


def _walk(
    counts: np.ndarray, complete: Callable[[int, int], bool], quality: np.ndarray, span: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    grouping = np.ones(len(counts), np.int16)
    quality = quality.astype(np.int16).copy()
    start = span[0]
    for channel in range(span[0], span[1]):
        if quality[channel] not in (0, 2):
            _leave(grouping, quality, start, channel)
            start = channel + 1
            continue
        if complete(start, channel):
            grouping[start + 1 : channel + 1] = -1
            start = channel + 1
    _leave(grouping, quality, start, span[1])
    return grouping, quality


def _leave(grouping: np.ndarray, quality: np.ndarray, start: int, stop: int) -> None:
    grouping[start:stop] = 1
    quality[start:stop] = 2


def _range(table: HDU, pars: Parameters) -> tuple[int, int]:
    first = int(table.column("CHANNEL")[0])
    low, high = pars.integer("minchannel"), pars.integer("maxchannel")
    size = len(table.rows())
    return (low - first if low >= 0 else 0), (high - first + 1 if high >= 0 else size)


def _reached(kind: str, scale: float, counts: np.ndarray, table: HDU, pars: Parameters) -> Callable[[int, int], bool]:
    if kind == "constant":
        return lambda start, end: end - start + 1 >= scale
    if kind in ("min", "optmin"):
        return lambda start, end: bool(counts[start : end + 1].sum() >= scale)
    if kind == "opt":
        return lambda start, end: True
    name = pars.file("backfile")
    if kind == "bmin" and name is None:
        raise ParameterError(1, "grouptype bmin needs backfile")
    back = np.zeros(len(counts))
    ratio = 0.0
    if name is not None:
        other = _spectrum(fitsfile.read(name), name)
        back = other.column("COUNTS").astype(float)
        ratio = float(table.header.get("EXPOSURE", 1)) * float(table.header.get("BACKSCAL", 1))
        ratio /= float(other.header.get("EXPOSURE", 1)) * float(other.header.get("BACKSCAL", 1))
    if kind == "bmin":
        return lambda start, end: bool(back[start : end + 1].sum() >= scale)
    return lambda start, end: (
        _signal_to_noise(counts[start : end + 1].sum(), back[start : end + 1].sum(), ratio) >= scale
    )


def _signal_to_noise(source: float, back: float, ratio: float) -> float:
    variance = source + ratio**2 * back
    return (source - ratio * back) / math.sqrt(variance) if variance > 0 else 0.0


def _channel_fwhm(pars: Parameters, size: int) -> np.ndarray:
    """Return the full width at half maximum, in channels, of the response at each channel."""
    name = pars.file("respfile")
    if name is None:
        raise ParameterError(1, "optimal grouping needs respfile")
    hdus = fitsfile.read(name)
    matrix, bounds = fitsfile.extension(hdus, "MATRIX", "SPECRESP MATRIX"), fitsfile.extension(hdus, "EBOUNDS")
    if matrix is None or bounds is None:
        raise FitsError(107, f"{name} is not a response")
    first = int(matrix.header.get(f"TLMIN{matrix.column_number('F_CHAN')}", 0) or 0)
    energies = (matrix.column("ENERG_LO") + matrix.column("ENERG_HI")) / 2
    middles = (bounds.column("E_MIN") + bounds.column("E_MAX")) / 2
    starts, rows = matrix.arrays("F_CHAN"), matrix.arrays("MATRIX")
    widths = np.ones(size)
    for channel, energy in enumerate(middles[:size]):
        row = int(np.argmin(np.abs(energies - energy)))
        values = rows[row]
        if len(values):
            widths[channel] = max(_half_width(values), 1.0) if starts[row][0] >= first else 1.0
    return widths


def _half_width(values: np.ndarray) -> float:
    peak = int(np.argmax(values))
    half = values[peak] / 2
    left = peak
    while left > 0 and values[left - 1] > half:
        left -= 1
    right = peak
    while right < len(values) - 1 and values[right + 1] > half:
        right += 1
    low = left - (values[left] - half) / (values[left] - values[left - 1]) if left > 0 else left
    high = right + (values[right] - half) / (values[right] - values[right + 1]) if right < len(values) - 1 else right
    return float(high - low)


def _optimal_widths(pars: Parameters, counts: np.ndarray) -> np.ndarray:
    """Return the optimal bin width of each channel (Kaastra and Bleeker 2016, A&A 587, A151)."""
    fwhm = _channel_fwhm(pars, len(counts))
    resolution = 1 + (1 / fwhm).sum()
    widths = np.ones(len(counts), int)
    for channel, width in enumerate(fwhm):
        half = int(width / 2)
        total = 1.314 * counts[max(0, channel - half) : channel + half + 1].sum()
        x = math.log(total * (1 + 0.2 * math.log(resolution))) if total > 0 else -1.0
        best = width * (0.08 * x + 7 + 1.8 / x) / (x + 5.9) if x > 2.119 else width
        widths[channel] = max(int(best), 1)
    return widths


def _optimal_end(widths: np.ndarray, reached: Callable[[int, int], bool]) -> Callable[[int, int], bool]:
    def complete(start: int, end: int) -> bool:
        last = start + widths[start] - 1
        for inside in range(start, end + 1):
            last = min(last, inside + widths[inside] - 1)
        return bool(end >= last) and reached(start, end)

    return complete


def _store(hdus: list[HDU], table: HDU, grouping: np.ndarray, quality: np.ndarray) -> None:
    """Put QUALITY and GROUPING columns in place of the keywords."""
    columns = []
    for number in range(1, int(table.header.get("TFIELDS")) + 1):
        name = str(table.header.get(f"TTYPE{number}"))
        if name.upper() in ("QUALITY", "GROUPING"):
            continue
        unit = str(table.header.get(f"TUNIT{number}", ""))
        columns.append((name, str(table.header.get(f"TFORM{number}")), unit, table.column(name)))
    columns += [("QUALITY", "I", "", quality), ("GROUPING", "I", "", grouping)]
    header = table.header.copy()
    header.drop("QUALITY", "GROUPING")
    made = fitsfile.table("SPECTRUM", columns, header)
    for key in ("TLMIN1", "TLMAX1"):
        if key in table.header:
            made.header.set(key, table.header.get(key))
    hdus[hdus.index(table)] = made
