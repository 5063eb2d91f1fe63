"""Headers and files of the native products: the keywords HEASoft's ``extractor`` writes, and why each is there.

Every product carries the mission, pointing and time keywords of the event list (not its history), the exposure of
the good time that was used, and the GTI table itself. Times in products are absolute mission seconds, so TIMEZERO is 0
save in light curves.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xtendsrc.events.fitsblocks import CardValues, hdu_bytes, image_bytes, unique_cards, write_file
from xtendsrc.instrument import channels_to_band

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from astropy.io import fits

    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.gti import GTI
    from xtendsrc.measure.grid import Grid

SECONDS_PER_DAY = 86400.0

FRAME_KEYWORDS = (("RADECSYS", "celestial frame, for HEASoft"), ("RADESYS", "celestial frame, FITS standard"))
"""The old name, which HEASoft's tasks read and write, and the one that the FITS standard has had since 2002."""

# what describes the event table itself, and what each product states anew
_NOT_COPIED = re.compile(
    r"XTENSION|SIMPLE|EXTEND|BITPIX|NAXIS\d*|[PG]COUNT|GROUPS|TFIELDS|THEAP|LONGSTRN|CONTINUE|COMMENT|HISTORY|CHECKSUM"
    r"|DATASUM|EXTNAME|EXTVER|EXTLEVEL|HDUNAME|HDUDOC|HDUVERS.*|HDUCLA.*|NEVENTS|DATE|CREATOR|ORIGIN|FILIN\d+"
    r"|DS(TYP|VAL|REF|FORM|UNIT)\d+|M(TYPE|FORM)\d+|METYP\d+|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|BCOL|DIM)\d+"
    r"|T(LMIN|LMAX|DMIN|DMAX|DBIN|CNAM|CTYP|CUNI|CRPX|CRVL|CDLT|CROT|DRPX|DDLT)\d+|T(P|C|PC|CD)\d+_\d+|"
)


@cache
def creator() -> str:
    """Name and version for the CREATOR keyword."""
    try:
        return f"xtendsrc {version('xtendsrc')}"
    except PackageNotFoundError:
        return "xtendsrc"


def copied_cards(events: EventList) -> list[CardValues]:
    """Keywords of the event list that hold for its products too."""
    return [
        (card.keyword, card.value, card.comment)
        for card in events.header.cards
        if not _NOT_COPIED.fullmatch(card.keyword)
    ]


def standard_cards(events: EventList, gti: GTI) -> list[CardValues]:
    """Keywords of every extension: mission, exposure of the good time used, dates, time system, files, creator.

    EXPOSURE and LIVETIME are ONTIME x DEADC, whatever the event list's own EXPOSURE says (its GTIs may differ).
    """
    header = events.header
    start, stop, ontime = float(gti.start[0]), float(gti.stop[-1]), gti.total
    day, fraction = _reference(events)
    names = ("TELESCOP", "INSTRUME", "DETNAM", "DATAMODE", "DATACLAS", "OBS_ID", "OBJECT", "EQUINOX")
    return [
        *((name, header[name], header.comments[name]) for name in names if name in header),
        *((name, header.get("RADECSYS", header.get("RADESYS", "FK5")), use) for name, use in FRAME_KEYWORDS),
        ("ONTIME", ontime, "[s] sum of the good time intervals"),
        ("EXPOSURE", ontime * events.deadc, "[s] ONTIME x DEADC"),
        ("LIVETIME", ontime * events.deadc, "[s] ONTIME x DEADC"),
        ("DEADC", events.deadc, "live fraction"),
        *_date_cards(events, start, stop),
        ("TSTART", start, "[s] start of the first good time interval"),
        ("TSTOP", stop, "[s] stop of the last good time interval"),
        ("TELAPSE", stop - start, "[s] TSTOP - TSTART"),
        ("MJD-OBS", day + fraction + start / SECONDS_PER_DAY, "[d] MJD of TSTART"),
        ("MJDREFI", day, "[d] MJD of time zero, integer part"),
        ("MJDREFF", fraction, "[d] MJD of time zero, fraction"),
        ("TIMEREF", header.get("TIMEREF", "LOCAL"), "reference of the times"),
        ("TIMESYS", header.get("TIMESYS", "TT"), "time system"),
        ("TIMEUNIT", header.get("TIMEUNIT", "s"), "unit of times"),
        ("TIMEZERO", 0.0, "[s] added to times"),
        *((f"FILIN{i:03d}", Path(p).name, "input file") for i, p in enumerate(events.paths, 1)),
        ("CREATOR", creator(), "what made this file"),
        ("ORIGIN", "xtendsrc", "origin of this file"),
        ("DATE", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "date of making (UTC)"),
    ]


def common_cards(events: EventList, gti: GTI) -> list[CardValues]:
    """The event list's own keywords, brought up to date with the selection."""
    return [*copied_cards(events), *standard_cards(events, gti)]


def primary_cards(events: EventList, gti: GTI, content: str) -> list[CardValues]:
    """Keywords of a primary HDU that holds an image."""
    return [*common_cards(events, gti), *content_cards(content)]


def content_cards(content: str) -> list[CardValues]:
    """Keywords that say what an image is."""
    return [
        ("HDUCLASS", "OGIP", "format conforms to OGIP standard"),
        ("HDUCLAS1", "IMAGE", "extension contains an image"),
        ("CONTENT", content, "what this file holds"),
        ("HDUNAME", content, ""),
    ]


def band_cards(
    channels: tuple[int, int] | None, low: str, high: str, limits: tuple[int, int] | None = None
) -> list[CardValues]:
    """The PI cut and its exact energies, under the names an image or a light curve has for it.

    Without a cut: the legal channels if `limits` are given, else nothing.
    """
    if channels is None:
        if limits is None:
            return []
        return [(low, limits[0], "lowest PI channel"), (high, limits[1], "highest PI channel")]
    edges = channels_to_band(*channels).value
    return [
        (low, channels[0], "lowest PI channel"),
        (high, channels[1], "highest PI channel"),
        ("CHANTYPE", "PI", "type of channel"),
        ("E_MIN", float(edges[0]), "[keV] lower edge of the lowest channel"),
        ("E_MAX", float(edges[1]), "[keV] upper edge of the highest channel"),
    ]


def grid_cards(events: EventList, frame: str, names: Sequence[str], grid: Grid) -> list[CardValues]:
    """WCS of an image of two event columns: celestial (or DET), and ``P``, the physical one that ds9 regions use.

    The 1-based centre of image pixel i is the column value ``first + (i - 1) b + (b - 1) / 2``.
    """
    b = grid.binning
    axes = column_axes(events, frame, names)
    cards: list[CardValues] = []
    for n, (axis, (first, _)) in enumerate(zip(axes, (grid.x, grid.y), strict=True), 1):
        cards += axis_cards(n, axis, first, b)
    if frame == "SKY":
        wcs = events.wcs(frame).wcs
        rotation = float(wcs.crota[1]) if wcs.has_crota() else 0.0
        cards += [("CROTA2", rotation, "[deg] rotation of the grid"), ("DROLLANG", rotation, "[deg] roll of the grid")]
    return cards + physical_cards(names, (grid.x[0], grid.y[0]), b)


class Axis(NamedTuple):
    """Coordinate of one event column: ``value = crval + cdelt (column - crpix)``, before any projection."""

    ctype: str
    crpix: float
    crval: float
    cdelt: float
    unit: str


def column_axes(events: EventList, frame: str, names: Sequence[str]) -> list[Axis]:
    """Coordinates of two event columns; detector columns without keywords for them have the coordinate 0 at pixel 0."""
    wcs = events.wcs(frame).wcs
    numbers = [events.columns.index(name) + 1 for name in names]
    axes = []
    for i, number in enumerate(numbers):
        if frame == "DET" and f"TCRPX{number}" not in events.header:
            axes.append(Axis("", 0.0, 0.0, 1.0, "pixel"))
        else:
            crpix, crval, cdelt = (float(v[i]) for v in (wcs.crpix, wcs.crval, wcs.cdelt))
            axes.append(Axis(str(wcs.ctype[i]), crpix, crval, cdelt, str(wcs.cunit[i])))
    return axes


def axis_cards(n: int, axis: Axis, first: int, binning: int) -> list[CardValues]:
    """WCS of image axis n, whose first pixel begins with column value ``first``."""
    crpix = (axis.crpix - (first - 1)) / binning + (binning - 1) / (2 * binning)
    return [
        (f"CTYPE{n}", axis.ctype, "projection or name of the coordinate"),
        (f"CRPIX{n}", crpix, "reference pixel"),
        (f"DRPIX{n}", axis.crpix, "reference pixel at full resolution"),
        (f"CRVAL{n}", axis.crval, "coordinate of the reference pixel"),
        (f"CDELT{n}", axis.cdelt * binning, "pixel size"),
        (f"DDELT{n}", axis.cdelt, "pixel size at full resolution"),
        (f"CUNIT{n}", axis.unit, "unit of the coordinate"),
    ]


def physical_cards(names: Sequence[str], first: tuple[float, float], binning: int) -> list[CardValues]:
    """Physical WCS: image pixels to column values.

    Parameters
    ----------
    names : sequence of str
        The two columns.
    first : (float, float)
        Column value of the first unbinned pixel of the image.
    binning : int
        Unbinned pixels a side of an image pixel.
    """
    cards: list[CardValues] = [("WCSNAMEP", "PHYSICAL", "event columns")]
    for n, (name, start) in enumerate(zip(names, first, strict=True), 1):
        centre = start + (binning - 1) / 2
        cards += [
            (f"WCSTY{n}P", "PHYSICAL", ""),
            (f"LTV{n}", 1 - centre / binning, "offset of logical from physical pixels"),
            (f"LTM{n}_{n}", 1 / binning, "logical pixels in a physical one"),
            (f"CTYPE{n}P", name, "event column"),
            (f"CRPIX{n}P", 1.0, "reference pixel"),
            (f"CRVAL{n}P", centre, "column value of the reference pixel"),
            (f"CDELT{n}P", float(binning), "pixel size"),
        ]
    return cards


def table_block(name: str, table: fits.BinTableHDU, cards: Iterable[CardValues]) -> fits.BinTableHDU:
    """Name a table and give it keywords; of a keyword given twice, the last value stands in the first place."""
    table.header["EXTNAME"] = (name, "name of this extension")
    for card in unique_cards(cards):
        if card[0] in table.header and card[0] not in ("HISTORY", "COMMENT"):
            table.header[card[0]] = card[1:]
        else:
            table.header.append(card)
    return table


def write(
    path: Path,
    data: np.ndarray | None,
    cards: Iterable[CardValues],
    tables: Iterable[fits.BinTableHDU | bytes],
) -> None:
    """Write a product: the primary HDU, then the tables.

    Parameters
    ----------
    path : Path
        A file that does not exist yet.
    data : ndarray or None
        The primary image.
    cards : iterable of (keyword, value, comment)
        Keywords of the primary HDU.
    tables : iterable of BinTableHDU or bytes
        Extensions in order; bytes as `blocks.table_bytes` makes them.
    """
    extensions = [table if isinstance(table, bytes) else hdu_bytes(table) for table in tables]
    write_file(path, [*image_bytes(data, cards), *extensions])


def _reference(events: EventList) -> tuple[int, float]:
    header = events.header
    if "MJDREFI" in header and "MJDREFF" in header:
        return int(header["MJDREFI"]), float(header["MJDREFF"])
    day = int(events.mjdref // 1)
    return day, events.mjdref - day


def _date_cards(events: EventList, start: float, stop: float) -> list[CardValues]:
    """DATE-OBS and DATE-END as the event list has them, also of a part of its time; without them, from TSTART, TSTOP.

    They are UTC, as in the archive's files; the seconds are TT. Of the pieces of a split file, the first and the last.
    """
    from astropy.time import Time

    day, fraction = _reference(events)
    cards: list[CardValues] = []
    dates = (("DATE-OBS", start, min, "start of the observation"), ("DATE-END", stop, max, "end of the observation"))
    for name, seconds, outermost, comment in dates:
        given = [str(header[name]) for header in events.headers if header.get(name)]
        computed = Time(day, fraction + seconds / SECONDS_PER_DAY, format="mjd", scale="tt")
        cards.append((name, outermost(given) if given else computed.utc.isot[:19], comment))
    return cards
