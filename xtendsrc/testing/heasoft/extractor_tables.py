"""The spectrum and the light curve of the extractor."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

from . import evfile, fitsfile
from .extractor_events import Selected, base_header, short_header, support
from .extractor_images import add_channels, region_pixels, weighted_map
from .fitsfile import HDU, FitsError, Header

if TYPE_CHECKING:
    from .parfile import Parameters


def _channel_range(selected: Selected, pars: Parameters) -> tuple[int, int]:
    column = pars.text("ecol")
    number = selected.events.column_number(column)
    low, high = (selected.header.get(f"{key}{number}") for key in ("TLMIN", "TLMAX"))
    if low is None or high is None:
        count = selected.header.get(pars.text("phamax"))
        if count is None:
            raise FitsError(202, f"neither TLMAX of {column} nor {pars.text('phamax')} found")
        low, high = 1, int(count)  # numbered from one, as measured
    for start, stop in selected.filters.get(column.upper(), []):
        low, high = max(int(low), math.ceil(start)), min(int(high), math.floor(stop))
    return int(low), int(high)


def area_fraction(selected: Selected, pars: Parameters) -> tuple[float, float]:
    """Return (region pixels, BACKSCAL): geometry only, no exposure; 1 without a region or outside of the image."""
    names = (pars.text("xcolf"), pars.text("ycolf"))
    binning = pars.integer("binf")
    whole = 1
    for name in names:
        low, high = evfile.limits(selected.events, name)
        whole *= (high - low + 1) // binning
    if selected.region is None:
        return float(whole), 1.0
    pixels = region_pixels(selected, *names) / binning**2
    return pixels, pixels / whole if pixels else 1.0


def spectrum(selected: Selected, pars: Parameters) -> list[HDU]:
    """Make the spectrum with its weighted map, GTI and region."""
    low, high = _channel_range(selected, pars)
    step = pars.integer("specbin")
    size = (high - low + 1) // step
    counts = [0] * size
    for channel in selected.columns["channel"].astype(int).tolist():
        place = (channel - low) // step
        if 0 <= place < size:
            counts[place] += 1
    pixels, backscal = area_fraction(selected, pars)
    header = _spectrum_header(selected, pars, backscal, size)
    header.set("TOTCTS", selected.count, "Total counts in spectrum")
    header.set("SPECDELT", step, "Binning factor for spectrum")
    channels = list(range(low, low + size)) if step == 1 else list(range(size))
    columns = [("CHANNEL", "J", "", channels), ("COUNTS", "J", "count", counts)]
    table = fitsfile.table("SPECTRUM", columns, header)
    table.header.set("TLMIN1", channels[0] if channels else low, "Lowest legal channel number")
    table.header.set("TLMAX1", channels[-1] if channels else high, "Highest legal channel number")
    if selected.region is not None:
        _subspace(table.header)
    primary = fitsfile.image(None, base_header(selected))
    if pars.flag("wtmapb"):
        primary = weighted_map(selected, pars)
        primary.header.set("NPIXSOU", pixels, "Number of image bin in region")
    return [primary, table, *support(selected, pars)]


def _spectrum_header(selected: Selected, pars: Parameters, backscal: float, size: int) -> Header:
    header = base_header(selected)
    for key in ("TELESCOP", "INSTRUME", "FILTER"):
        header.set(key, header.get(key) or "NONE")
    values = {
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "SPECTRUM",
        "HDUCLAS2": "TOTAL",
        "HDUCLAS3": "COUNT",
        "HDUVERS": "1.2.0",
        "HDUVERS1": "1.2.0",
        "AREASCAL": 1.0,
        "BACKFILE": "none",
        "BACKSCAL": float(f"{backscal:.6E}"),
        "CORRFILE": "none",
        "CORRSCAL": 1.0,
        "RESPFILE": "none",
        "ANCRFILE": "none",
        "PHAVERSN": "1992a",
        "DETCHANS": size,
        "CHANTYPE": pars.text("ecol"),
        "POISSERR": True,
        "STAT_ERR": 0,
        "SYS_ERR": 0,
        "GROUPING": 0,
        "QUALITY": 0,
    }
    for key, value in values.items():
        header.set(key, value)
    return header


def _subspace(header: Header) -> None:
    header.set("DSTYP1", "POS(X,Y)", "Data subspace descriptor: name")
    header.set("DSREF1", ":REG00101", "Data subspace descriptor: reference")
    header.set("DSVAL1", "TABLE", "Data subspace descriptor: value")


def overlap(start: float, stop: float, gti: evfile.Intervals) -> float:
    """Return the seconds of a bin inside the good times."""
    return sum(max(0.0, min(stop, b) - max(start, a)) for a, b in gti)


def light_curve(selected: Selected, pars: Parameters) -> list[HDU]:
    """Make the light curve, bin by bin."""
    width, threshold = pars.number("binlc"), pars.number("lcthresh")
    start = pars.number("lcstart")
    origin = start if start >= 0 else selected.origin
    relative = pars.flag("lctzero")
    counts: dict[int, int] = {}
    for time in selected.columns["time"].tolist():
        place = int((time - origin) / width)  # towards zero: the bin before the first one joins it
        counts[place] = counts.get(place, 0) + 1
    rows: list[tuple[float, float, float, float]] = []
    starts, stops = ([pair[end] for pair in selected.gti] for end in (0, 1))
    stop = selected.gti[-1][1] if selected.gti else origin
    for place in range(math.ceil((stop - origin) / width) if stop > origin else 0):
        edge = origin + place * width
        near = slice(bisect.bisect_right(stops, edge), bisect.bisect_left(starts, edge + width))
        exposed = overlap(edge, edge + width, selected.gti[near])
        if exposed <= 0 or exposed / width < threshold:
            continue
        number = counts.get(place, 0)
        time = place * width if relative else edge + exposed / 2
        rows.append((time, number / exposed, math.sqrt(number) / exposed, exposed / width))
    header = _curve_header(selected, pars)
    header.set("TIMEZERO", origin + width / 2 if relative else 0.0, "Time Zero")
    forms = (("TIME", "D", "s"), ("RATE", "E", "count/s"), ("ERROR", "E", "count/s"), ("FRACEXP", "E", ""))
    columns = [(*form, [row[place] for row in rows]) for place, form in enumerate(forms)]
    primary = fitsfile.image(None, short_header(selected))
    return [primary, fitsfile.table("RATE", columns, header), *support(selected, pars)]


def _curve_header(selected: Selected, pars: Parameters) -> Header:
    header = base_header(selected)
    header.set("HDUCLASS", "ogip")
    header.set("HDUCLAS1", "LIGHTCURVE")
    header.set("HDUCLAS2", "TOTAL")
    header.set("HDUCLAS3", "RATE")
    header.set("TIMEPIXR", 0.5, "Timestamps give center of bin")
    header.set("TIMEDEL", pars.number("binlc"), "Binning factor")
    header.set("MINFREXP", pars.number("lcthresh"), "Minimum value of FRACEXP included")
    add_channels(header, selected, pars.text("ecol"), ("PHALCUT", "PHAHCUT"))
    if selected.region is not None:
        header.set("NPIXSOU", area_fraction(selected, pars)[0], "Numbers of Pixels")
        _subspace(header)
        header.note("COMMENT", "Region file selection")
        for line in selected.region.lines:
            header.note("COMMENT", line)
    header.note("HISTORY", "stand-in for extractor v5.31")
    return header
