"""The file of an exposure map, laid out as ``xaexpmap`` writes it so that ``xaarfgen`` can read it.

Primary image in seconds; OFFAXISHIST with one row an attitude bin; for each bin GTIEXPnnn (START, STOP) and
PARTIALEXPnnn (DETX, DETY, FRACTION), the detector pixels that were not exposed all of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from xtendsrc.events.cards import FRAME_KEYWORDS, grid_cards, primary_cards, table_block, write
from xtendsrc.events.gti import GTI
from xtendsrc.instrument import CCD_SIZE, DET_SIZE, SKY_SIZE
from xtendsrc.measure.detector import OUTSIDE
from xtendsrc.measure.exposure import binned_mean
from xtendsrc.measure.focalplane import optical_axis
from xtendsrc.measure.grid import COLUMNS, Grid

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.fitsblocks import CardValues
    from xtendsrc.measure.attitude import AttitudeBin
    from xtendsrc.measure.exposure import ExposureMap

PIXEL_MM = 0.048
FOCAL_LENGTH_MM = 5600.0

MAX_WHOLE_TABLES = 20
"""More attitude bins than this (too many to ray-trace) list only pixels of the active area in PARTIALEXPnnn."""

_COPIED = (
    *("TELESCOP", "INSTRUME", "DETNAM", "OBS_ID", "DATACLAS", "OBJECT", "RA_OBJ", "DEC_OBJ", "RA_NOM", "DEC_NOM"),
    *("PA_NOM", "EQUINOX", "RADECSYS", "TIMESYS", "MJDREFI", "MJDREFF", "TIMEUNIT", "DATE-OBS", "DATE-END"),
)


def write_map(path: Path, made: ExposureMap, events: EventList, gti: GTI, binning: int = 1) -> tuple[str, ...]:
    """Write an exposure map.

    Parameters
    ----------
    path : Path
        A file that does not exist yet.
    made : ExposureMap
        The map on its unbinned grid.
    events : EventList
        Whose header gives the keywords and the grid.
    gti : GTI
        The good time.
    binning : int
        The image is averaged over blocks of so many pixels a side.

    Returns
    -------
    tuple of str
        What a user should know about the file.
    """
    image = binned_mean(made.data, binning).astype(np.float32)
    whole = len(made.bins) <= MAX_WHOLE_TABLES
    tables = [_histogram(made, events)]
    for number, one in enumerate(made.bins, 1):
        tables += [_gti_table(number, one, events), _partial_table(number, one, made, events, whole)]
    write(path, image, _primary(made, events, gti, binning), tables)
    if whole:
        return ()
    return (
        f"{len(made.bins)} attitude bins: pixels outside the active area are left out of the PARTIALEXP tables; "
        "for ray-tracing make a map with wider bins (delta=20 arcmin, numphi=1).",
    )


def _primary(made: ExposureMap, events: EventList, gti: GTI, binning: int) -> list[CardValues]:
    names = COLUMNS["DET" if made.frame == "DET" else "SKY"]
    size = DET_SIZE if made.frame == "DET" else SKY_SIZE
    grid = Grid((1, size), (1, size), binning)
    cards = [c for c in primary_cards(events, gti, "EXPMAP") if c[0] != "EXPOSURE"]
    axis = _mean_axis(made)
    plane = made.plane
    how = "fitted to the events" if plane.fitted else "published, agrees with the events"
    return [
        *cards,
        *grid_cards(events, "DET" if made.frame == "DET" else "SKY", names, grid),
        ("BUNIT", "s", "good time; not corrected for dead time"),
        ("MAPTYPE", "EXPOSURE", "kind of map"),
        ("BINMODE", "MEAN", f"pixels are means of {binning} x {binning} pixels"),
        ("IMGBIN", float(binning), "unbinned pixels a side of a pixel"),
        ("MASKCAL", made.detector.mask_calibration, "calibration sources count as not exposed"),
        ("FLICKER", made.detector.flickering is not None, "flickering pixels are taken out"),
        ("DELTA", made.width[0], "[arcmin] width of the attitude bins"),
        ("NUMPHI", made.width[1], "attitude bins around in the first annulus"),
        ("RA_PNT", axis[0], "[deg] mean RA of the optical axis"),
        ("DEC_PNT", axis[1], "[deg] mean Dec of the optical axis"),
        ("NUMEXMAP", len(made.bins), "number of component maps"),
        ("NUMTHETA", len({b.theta[0] for b in made.bins}), "number of unique theta bins"),
        ("FOCRMS", plane.rms if np.isfinite(plane.rms) else -1.0, "[pixel] residuals of the events"),
        ("HISTORY", f"detector offset {plane.offset[0]:.4f}, {plane.offset[1]:.4f} ({how})", ""),
    ]


def _mean_axis(made: ExposureMap) -> tuple[float, float]:
    """Mean direction of the optical axis, degrees."""
    weight = np.array([b.seconds for b in made.bins]) / made.exposure
    ra, dec = np.radians(np.array([b.axis for b in made.bins])).T
    x, y, z = (np.sum(weight * v) for v in (np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)))
    return float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _histogram(made: ExposureMap, events: EventList) -> fits.BinTableHDU:
    total = made.exposure
    rows = np.array(
        [(*b.theta, *b.phi, b.seconds, b.seconds / total, *b.pointing, *b.axis) for b in made.bins], dtype=float
    )
    names = (
        *("OFFAXISLO", "OFFAXISHI", "OFFAXISVAL", "AZIMUTHLO", "AZIMUTHHI", "AZIMUTH", "TIMEINTERVAL", "FRACTION"),
        *("RANOMXP", "DECNOMXP", "PA_NOMXP", "RA_PNT", "DEC_PNT"),
    )
    units = ("arcmin", "arcmin", "arcmin", "deg", "deg", "deg", "s", None, "deg", "deg", "deg", "deg", "deg")
    columns = [fits.Column(n, "D", u, array=v) for n, u, v in zip(names, units, rows.T, strict=True)]
    axis = _mean_axis(made)
    cards: list[CardValues] = [
        *_mission(events),
        ("RA_PNT", axis[0], "[deg] mean RA of the optical axis"),
        ("DEC_PNT", axis[1], "[deg] mean Dec of the optical axis"),
        *_grid_keywords(made, events),
        ("NUMEXMAP", len(made.bins), "number of exposure maps"),
        ("NUMTHETA", len({b.theta[0] for b in made.bins}), "number of unique theta bins"),
        ("EXPOSURE", total, "[s] sum of the good time"),
    ]
    return table_block("OFFAXISHIST", fits.BinTableHDU.from_columns(columns), cards)


def _mission(events: EventList) -> list[CardValues]:
    header = events.header
    cards = [(name, header[name], header.comments[name]) for name in _COPIED if name in header]
    return [*cards, ("RADESYS", header.get("RADECSYS", header.get("RADESYS", "FK5")), FRAME_KEYWORDS[1][1])]


def _grid_keywords(made: ExposureMap, events: EventList) -> list[CardValues]:
    """Sizes and scales of the grids and their relations, as the ray-tracing reads them."""
    header, plane = events.header, made.plane
    axis = optical_axis(made.attitude, plane)
    cards: list[CardValues] = []
    for grid, size in (("RAW", CCD_SIZE), ("ACT", CCD_SIZE), ("DET", DET_SIZE), ("FOC", SKY_SIZE)):
        for n in "XY":
            cards += [(f"{grid}_{n}SIZ", size, f"[pixel] size of {grid} in {n}")]
            cards += [(f"{grid}_{n}SCL", PIXEL_MM, f"[mm/pixel] scale of {grid} in {n}")]
    cards += [
        ("DETXFLIP", 1, "DET X is not flipped"),
        ("DETYFLIP", 1, "DET Y is not flipped"),
        ("FOC_XOFF", plane.offset[0], "[pixel] DETX of the centre of FOC, less 905.5"),
        ("FOC_YOFF", plane.offset[1], "[pixel] DETY of the centre of FOC, less 905.5"),
        ("FOC_ROTD", -plane.rotation or 0.0, "[deg] rotation of FOC against DET"),
        ("OPTAXISX", float(header.get("OPTDETX", axis[0])), "[pixel] optical axis in DETX"),
        ("OPTAXISY", float(header.get("OPTDETY", axis[1])), "[pixel] optical axis in DETY"),
        ("OPTXFLIP", 1, "telescope X is not flipped"),
        ("OPTYFLIP", 1, "telescope Y is not flipped"),
        ("OPT_ROTD", 0.0, "[deg] rotation of the telescope against DET"),
        ("FOCALLEN", FOCAL_LENGTH_MM, "[mm] focal length"),
    ]
    for number, name in enumerate(("DETX", "DETY"), 1):
        cards += [(f"CTYPE{number}", name, ""), (f"CUNIT{number}", "pixel", "")]
        cards += [(f"{key}{number}", 1.0, "") for key in ("CRVAL", "CRPIX", "CDELT")]
    return cards


def _gti_table(number: int, one: AttitudeBin, events: EventList) -> fits.BinTableHDU:
    columns = [fits.Column(name, "D", "s", array=value) for name, value in (("START", one.start), ("STOP", one.stop))]
    cards: list[CardValues] = [
        *_mission(events),
        ("GTINUMBR", number, "number of this GTI table"),
        ("TSTART", float(one.start[0]), "[s] start of the first interval"),
        ("TSTOP", float(one.stop[-1]), "[s] stop of the last interval"),
    ]
    return table_block(f"GTIEXP{number:03d}", fits.BinTableHDU.from_columns(columns), cards)


def _partial_table(
    number: int, one: AttitudeBin, made: ExposureMap, events: EventList, whole: bool
) -> fits.BinTableHDU:
    fraction = made.detector.fraction(GTI(one.start, one.stop))
    listed = fraction < 1
    if not whole:
        listed &= made.detector.codes != OUTSIDE
    x, y = np.nonzero(listed.T)  # ordered by column, as the task does
    values = (x + 1, y + 1, fraction[y, x])
    columns = [
        fits.Column(name, code, array=value)
        for name, code, value in zip(("DETX", "DETY", "FRACTION"), "IIE", values, strict=True)
    ]
    cards: list[CardValues] = [
        *_mission(events),
        ("GTINUMBR", number, "number of the GTI table"),
        ("ALLPIX", whole, "pixels outside the active area are listed too"),
    ]
    return table_block(f"PARTIALEXP{number:03d}", fits.BinTableHDU.from_columns(columns), cards)
