"""What the products of the extractor share: the events selected by time, region and column cuts, and headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from . import evfile, fitsfile, regfile, wcs
from .fitsfile import HDU, FitsError, Header
from .runtime import say

if TYPE_CHECKING:
    from .parfile import Parameters

CREATOR = "extractor v5.31"
BUFFER = 255  # characters, for the event file and the region expression together
SHORT = {
    *("TELESCOP", "DATAMODE", "DETNAM", "INSTRUME", "OBJECT", "ONTIME", "EXPOSURE", "LIVETIME", "DATE-OBS", "DATE-END"),
    *("TSTART", "TSTOP", "TELAPSE", "MJD-OBS", "MJDREFI", "MJDREFF", "TIMEREF", "TIMESYS", "TIMEUNIT", "EQUINOX"),
    *("RADECSYS", "CREATOR", "ORIGIN"),
}


@dataclass
class Selected:
    """The events that passed, and all the products need to know."""

    header: Header
    events: HDU
    gti: evfile.Intervals
    origin: float
    region: regfile.Region | None
    files: list[str]
    filters: evfile.Filters
    missing_filter: bool = False
    kept: list[HDU] = field(default_factory=list)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    places: list[tuple[np.ndarray, ...]] = field(default_factory=list)  # x, y, map x, map y in the region, of any time

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.columns["time"])


def select(pars: Parameters) -> Selected:
    """Return the events that pass the filters of a call, and the good time they were taken from."""
    files = evfile.open_events(pars.text("filename"), pars.text("events"), pars.text("gti"))
    first = files[0]
    gti = evfile.union([pair for item in files for pair in item.gti])
    origin = gti[0][0] if gti else 0.0
    if timefile := pars.file("timefile"):
        gti = evfile.intersection(gti, evfile.read_gti_files(timefile, pars.text("gti")))
    selected = Selected(
        first.events.header,
        first.events,
        gti,
        origin,
        _region(pars, first.events),
        [item.name for item in files],
        first.filters,
    )
    _check_channels(pars, first)
    say("        Total      Good    Bad: Time      Region      Cut")
    pieces = [_select_one(pars, item, selected) for item in files]
    for name in pieces[0]:
        selected.columns[name] = np.concatenate([piece[name] for piece in pieces])
    say(f"   Grand Total {selected.count:9d}   in {evfile.total(gti):14.5f} seconds")
    return selected


def _check_channels(pars: Parameters, item: evfile.EventFile) -> None:
    column = pars.text("ecol")
    number = item.events.column_number(column)
    top = item.events.header.get(f"TLMAX{number}") if number else None
    ranges = item.filters.get(column.upper(), [])
    if ranges and top is not None and all(low > top for low, _ in ranges):
        raise FitsError(101, f"{column} cut is above TLMAX {top}")


def _region(pars: Parameters, events: HDU) -> regfile.Region | None:
    path = pars.file("regionfile")
    if path is None:
        return None
    projection = wcs.of_columns(events, pars.text("xcolf"), pars.text("ycolf"))
    expression = f'{pars.text("filename")}[regfilter("{path}","{pars.text("xcolf")}","{pars.text("ycolf")}")]'
    try:
        if len(expression) > BUFFER:
            raise regfile.RegionRejectedError("the expression is cut off")
        return regfile.read(path, projection)
    except regfile.RegionRejectedError as error:
        say(f" Warning: No region information read from {path}")
        say(f"   ({error})")
        say(" Ignoring region filtering...")
        return None


def _select_one(pars: Parameters, item: evfile.EventFile, selected: Selected) -> dict[str, np.ndarray]:
    events = item.events
    if item.warning:
        say(item.warning)
    passed, missing = evfile.apply_filters(events, item.filters)
    selected.missing_filter |= missing
    times = evfile.event_times(events, pars.text("tcol"), pars.number("tpixrpar"))
    in_time = evfile.in_intervals(times, selected.gti)
    x, y = (events.column(pars.text(name)).astype(float) for name in ("xcolf", "ycolf"))
    in_region = np.ones(len(times), bool) if selected.region is None else selected.region.inside(x, y)
    good = passed & in_time & in_region
    say(
        f" {len(times):12d} {good.sum():9d} {(~in_time).sum():10d}"
        f" {(in_time & ~in_region).sum():10d} {(in_time & in_region & ~passed).sum():10d}"
    )
    selected.kept.append(fitsfile.select(events, good))
    found = {"time": times[good], "x": x[good], "y": y[good]}
    for name, parameter in (("channel", "ecol"), ("wx", "xcolh"), ("wy", "ycolh")):
        column = pars.text(parameter)
        if events.column_number(column):
            found[name] = nearest(events.column(column)[good].astype(float))
        elif name == "channel" or pars.file("phafile"):  # a spectrum needs the columns of its map
            raise FitsError(219, f"column {column} not found")
        else:
            found[name] = np.zeros(good.sum())
    selected.places.append((x[in_region], y[in_region], *_map_places(events, pars, in_region)))
    return found


def nearest(values: np.ndarray) -> np.ndarray:
    """Round to whole numbers, halves away from zero."""
    found: np.ndarray = np.sign(values) * np.floor(np.abs(values) + 0.5)
    return found


def _map_places(events: HDU, pars: Parameters, rows: np.ndarray) -> list[np.ndarray]:
    names = [pars.text(name) for name in ("xcolh", "ycolh")]
    return [events.column(n)[rows].astype(float) if events.column_number(n) else np.zeros(rows.sum()) for n in names]


def event_list(selected: Selected, pars: Parameters) -> list[HDU]:
    """Return the HDUs of an event file with the selected events."""
    rows = [hdu.rows() for hdu in selected.kept]
    header = selected.events.header.copy()
    for card in common(selected).cards:
        header.set(card[:8].strip(), fitsfile.parse_value(card))
    header.drop("CHECKSUM", "DATASUM")
    primary = fitsfile.image(None, selected.header.describing())
    return [primary, HDU(header, np.concatenate(rows)), *support(selected, pars)]


def common(selected: Selected) -> Header:
    """Return the keywords every product carries about its exposure and origin."""
    header = Header()
    on = evfile.total(selected.gti)
    live = on * evfile.live_fraction(selected.header)
    header.set("ONTIME", on, "On-source time")
    header.set("LIVETIME", live, "On-source time")
    header.set("EXPOSURE", live, "Exposure time")
    if selected.gti:
        header.set("TSTART", selected.gti[0][0], "time start")
        header.set("TSTOP", selected.gti[-1][1], "time stop")
        header.set("TELAPSE", selected.gti[-1][1] - selected.gti[0][0], "elapsed time")
        reference = float(selected.header.get("MJDREFI", 0)) + float(selected.header.get("MJDREFF", 0.0))
        header.set("MJD-OBS", reference + selected.gti[0][0] / 86400, "MJD of data start time")
    header.set("CREATOR", CREATOR, "Extractor")
    header.set("ORIGIN", "STAND-IN", "origin of fits file")
    for number, name in enumerate(selected.files, 1):
        header.set(f"FILIN{number:03d}", name[-60:], "Input file name")
    return header


def base_header(selected: Selected) -> Header:
    """Return the keywords of the event file with those of `common` set."""
    header = selected.header.describing()
    header.drop("HDUCLAS1", "HDUCLAS2", "HDUCLASS")
    for card in common(selected).cards:
        key = card[:8].strip()
        header.drop(key)
        header.cards.append(card)
    return header


def short_header(selected: Selected) -> Header:
    """Return the few keywords that extensions beside the data carry; TIMEZERO is not among them."""
    header, kept = base_header(selected), Header()
    for card in header.cards:
        key = card[:8].strip()
        if key in SHORT or key.startswith("FILIN"):
            kept.cards.append(card)
    return kept


def support(selected: Selected, pars: Parameters) -> list[HDU]:
    """Return the GTI extension and, with a region, REG00101."""
    header = short_header(selected)
    header.set("HDUCLASS", "OGIP")
    header.set("HDUCLAS1", "GTI")
    header.set("HDUCLAS2", "STANDARD")
    times = [("START", "1D", "s", [a for a, _ in selected.gti]), ("STOP", "1D", "s", [b for _, b in selected.gti])]
    hdus = [fitsfile.table(pars.text("gtinam"), times, header)]
    if selected.region is not None:
        hdus.append(_region_table(selected, pars))
    return hdus


def _region_table(selected: Selected, pars: Parameters) -> HDU:
    assert selected.region is not None
    rows = [(shape, n) for n, parts in enumerate(selected.region.components, 1) for shape in parts]
    x, y, radii, angles = _region_columns([shape for shape, _ in rows])
    points, sizes = x.shape[1], radii.shape[1]
    header = short_header(selected)
    header.set("HDUNAME", "REGION", "ASCDM block name")
    header.set("HDUCLASS", "ASC", "Region extension")
    header.set("HDUCLAS1", "REGION", "Region extension")
    header.set("MTYPE1", "pos")
    header.set("MFORM1", f"{pars.text('xcolf')},{pars.text('ycolf')}")
    names = [(("!" if s.exclude else "") + s.name.upper()).encode() for s, _ in rows]
    table = fitsfile.table(
        "REG00101",
        [
            (pars.text("xcolf"), f"{points}D", "pixel", x if points > 1 else x[:, 0]),
            (pars.text("ycolf"), f"{points}D", "pixel", y if points > 1 else y[:, 0]),
            ("SHAPE", "16A", "", names),
            ("R", f"{sizes}D", "pixel", radii if sizes > 1 else radii[:, 0]),
            ("ROTANG", "1D", "degree", angles),
            ("COMPONENT", "1I", "", [number for _, number in rows]),
        ],
        header,
    )
    for axis, column in enumerate(("xcolf", "ycolf"), 1):
        number = selected.events.column_number(pars.text(column))
        for key in ("TCTYP", "TCRPX", "TCRVL", "TCDLT"):
            if f"{key}{number}" in selected.header:
                table.header.set(f"{key}{axis}", selected.header.get(f"{key}{number}"))
    return table


def _region_columns(shapes: list[regfile.Shape]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return X, Y, R and ROTANG, one row for each shape; unused places of R keep the values of the row before."""
    points = max([len(s.values) // 2 for s in shapes if s.name == "polygon"], default=1)
    sizes = max([_size_count(s) for s in shapes], default=1)
    x, y = np.zeros((len(shapes), points)), np.zeros((len(shapes), points))
    radii, angles = np.zeros((len(shapes), sizes)), np.zeros(len(shapes))
    for index, shape in enumerate(shapes):
        radii[index] = radii[index - 1] if index else 0.0
        polygon = shape.name == "polygon"
        count = len(shape.values) // 2 if polygon else 1
        x[index, :count], y[index, :count] = shape.values[: 2 * count : 2], shape.values[1 : 2 * count : 2]
        size = _size_count(shape)
        radii[index, :size] = 0.0 if polygon else shape.values[2 : 2 + size]
        if shape.name in ("box", "ellipse", "rotbox") and len(shape.values) == 5:
            angles[index] = shape.values[4]
    return x, y, radii, angles


def _size_count(shape: regfile.Shape) -> int:
    counts = {"circle": 1, "polygon": 1, "annulus": 2, "box": 2, "rotbox": 2, "ellipse": 2}
    return counts.get(shape.name, max(len(shape.values) - 2, 1))
