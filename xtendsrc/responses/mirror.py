"""The telescope as its calibration file describes it: foils in layers and sectors, bars, films, misalignments.

The file is the "telescope description" of the calibration database (extensions MIRROR, OBSTRUCT, SEGMENT, SURFACE and,
where there are such, COLLIMATOR and AZIMUTHALSTRUCT). Lengths are in mm and angles in radian; z is the height above
the focal plane along the optical axis. A foil is a pair of coaxial cones between two heights and two azimuths: the
inner cone is its front, which reflects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError
from xtendsrc.responses.calfile import CalibrationTable, check_instrument, open_calibration, read_table
from xtendsrc.responses.misalign import Alignment, foil_alignment, housing_shifts
from xtendsrc.responses.structure import Bar, Film, read_bars, read_films

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits
    from numpy.typing import NDArray

FOIL_NUMBERS = (
    *("LAYER", "ASSEMBLY", "NUMBER", "SECTORNUMBER", "SECTORSHIFT", "SYSTILT", "SYSTWIST", "FUNCTION"),
    *("FSTART", "FEND", "TOPINR", "TOPOUTR", "BOTINR", "BOTOUTR", "TOPD", "BOTD"),
)
FOIL_NAMES = ("SCATTER", "FREFLECT", "BREFLECT", "SCROSS", "ECROSS")
LENGTHS = ("SECTORSHIFT", "TOPINR", "TOPOUTR", "BOTINR", "BOTOUTR", "TOPD", "BOTD")
UNITS = dict.fromkeys(LENGTHS, ("mm",)) | dict.fromkeys(("FSTART", "FEND"), ("radian", "rad", "radians"))
SEGMENT_COLUMNS = ("SEGMENT", "COMPONENT", "DELTAX", "DELTAY", "DELTAZ", "DELTATX", "DELTATY", "DELTATZ")
TURN = 2 * np.pi
COLLIMATOR, PRIMARY, SECONDARY = 0, 1, 2
LAYER_NAMES = ("collimator", "primary", "secondary")

_GET_CALDB = "take the telescope description from the calibration database again (`xtendsrc caldb fetch`)."


@dataclass(frozen=True, eq=False)
class Foils:
    """Every foil of the telescope; each array has one entry a foil.

    Attributes
    ----------
    layer : ndarray of int
        0 pre-collimator, 1 primary, 2 secondary mirror.
    top, bottom : ndarray
        Heights of the edges, mm.
    radius, slope : ndarray, shape (2, foils)
        Radius at the bottom (mm) and its increase with height, of the back (0, outer cone) and the front (1, inner).
    start, span : ndarray
        First azimuth and the angle covered, radian.
    walls : ndarray of bool, shape (foils, 2)
        Whether the sides at the first and last azimuth are walls.
    surfaces : ndarray of str, shape (2, foils)
        Names of the reflectivity columns of back and front.
    scatter : ndarray of str
        Name of the scattering column of the front.
    segment : ndarray of int
        Assembly the foil belongs to, from 1.
    alignment : Alignment or None
        How foils are turned and shifted; None if every foil stands as designed.
    """

    layer: NDArray[np.int64]
    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    radius: NDArray[np.float64]
    slope: NDArray[np.float64]
    start: NDArray[np.float64]
    span: NDArray[np.float64]
    walls: NDArray[np.bool_]
    surfaces: NDArray[np.str_]
    scatter: NDArray[np.str_]
    segment: NDArray[np.int64]
    alignment: Alignment | None


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of nested shells: where to look for the foils near a ray.

    Attributes
    ----------
    number : int
        0 pre-collimator, 1 primary, 2 secondary mirror.
    top, bottom : float
        Heights between which its foils stand, mm.
    radii : ndarray, shape (shells,)
        Inner radius of each shell at its top, mm, from the inside.
    boundaries : ndarray, shape (sectors,)
        First azimuth of each sector, radian, rising.
    foils : ndarray of int, shape (sectors, shells)
        Rows of `Foils`; -1 where there is no foil.
    walls : ndarray of bool, shape (sectors,)
        Whether a wall stands at the first azimuth of the sector.
    """

    number: int
    top: float
    bottom: float
    radii: NDArray[np.float64]
    boundaries: NDArray[np.float64]
    foils: NDArray[np.int64]
    walls: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Mirror:
    """A telescope, ready for tracing.

    Attributes
    ----------
    path : Path
        The telescope description.
    telescope, instrument : str
        TELESCOP and INSTRUME of the file.
    focal_length : float
        In mm.
    rotation : float
        Angle of the telescope about its axis (TELFPROT), radian.
    aperture : (float, float)
        Inner and outer radius of the aperture, mm.
    """

    path: Path
    telescope: str
    instrument: str
    focal_length: float
    rotation: float
    aperture: tuple[float, float]
    foils: Foils
    layers: tuple[Layer, ...]
    bars: tuple[Bar, ...]
    films: tuple[Film, ...]

    @property
    def entrance(self) -> float:
        """Height of the plane where rays enter, mm."""
        return max(self.layers[0].top, *(film.top for film in self.films), 0.0)

    @property
    def aperture_area(self) -> float:
        """Area of the aperture, cm2."""
        inner, outer = self.aperture
        return float(np.pi * (outer**2 - inner**2)) / 100


def read_mirror(path: str | Path) -> Mirror:
    """Read a telescope description.

    Parameters
    ----------
    path : str or Path
        The calibration file, plain or gzipped.

    Returns
    -------
    Mirror
        The telescope.

    Raises
    ------
    InputNotFoundError
        If there is no such file.
    CalibrationError
        If an extension is missing or shorter than the format demands, or holds what no telescope has.
    MissingColumnError, MissingKeywordError
        If a column or keyword is missing.
    """
    with open_calibration(path) as hdus:
        tables = [read_table(hdus, "MIRROR", FOIL_NUMBERS + FOIL_NAMES, path, least_rows=2)]
        if "COLLIMATOR" in hdus:
            tables.insert(0, read_table(hdus, "COLLIMATOR", FOIL_NUMBERS + FOIL_NAMES, path))
        for table in tables:
            _check_units(table)
        segments = read_table(hdus, "SEGMENT", SEGMENT_COLUMNS, path, least_rows=3)
        _check_surface(hdus, path)
        foils = _foils(tables, segments)
        mirror = tables[-1]
        check_instrument(mirror.header, path, "XTEND")
        return Mirror(
            path=mirror.path,
            telescope=str(mirror.keyword("TELESCOP")).strip(),
            instrument=str(mirror.keyword("INSTRUME")).strip(),
            focal_length=_number(mirror, "FOCALLEN"),
            rotation=np.deg2rad(float(mirror.header.get("TELFPROT", 0.0))),
            aperture=_aperture(mirror),
            foils=foils,
            layers=_layers(tables, foils),
            bars=read_bars(hdus, housing_shifts(tables), path),
            films=read_films(hdus, path),
        )


def _number(table: CalibrationTable, keyword: str) -> float:
    value = table.keyword(keyword)
    if isinstance(value, str) or not np.isfinite(value):
        raise CalibrationError(f"{table.path}: {keyword} of {table.name} is {value!r}, not a number.", _GET_CALDB)
    return float(value)


def _aperture(table: CalibrationTable) -> tuple[float, float]:
    inner, outer = _number(table, "PMINRAD"), _number(table, "PMAXRAD")
    if not 0 <= inner < outer:
        raise CalibrationError(
            f"{table.path}: the aperture (PMINRAD, PMAXRAD) from {inner:g} to {outer:g} mm is none.", _GET_CALDB
        )
    return inner, outer


def _check_surface(hdus: fits.HDUList, path: str | Path) -> None:
    surface = read_table(hdus, "SURFACE", ("GROUP", "DENSITY", "THICKNESS"), path)
    surface.keyword("NGROUPS")


def _check_units(table: CalibrationTable) -> None:
    """Make sure that azimuths are in radian and lengths in mm, where the file tells units."""
    for name in FOIL_NUMBERS:
        if (unit := table.unit(name)) and name in UNITS and unit.lower() not in UNITS[name]:
            raise CalibrationError(
                f"{table.path}: column {name} of {table.name} is in {unit}, not in {UNITS[name][0]}.", _GET_CALDB
            )


def _stacked(tables: list[CalibrationTable], name: str) -> NDArray[np.float64]:
    return np.concatenate([t.floats(name) for t in tables])


def _text(tables: list[CalibrationTable], name: str) -> NDArray[np.str_]:
    return np.char.upper(np.char.strip(np.concatenate([t.columns[name].astype(str) for t in tables])))


def _layer_numbers(tables: list[CalibrationTable]) -> NDArray[np.int64]:
    numbers = [
        np.full(len(t), COLLIMATOR) if t.name == "COLLIMATOR" else t.columns["LAYER"].astype(np.int64) for t in tables
    ]
    layer = np.concatenate(numbers)
    mirror = set(np.unique(layer[layer != COLLIMATOR]).tolist())
    if mirror != {PRIMARY, SECONDARY}:
        raise CalibrationError(
            f"{tables[-1].path}: the layers of MIRROR are {sorted(mirror)}, not 1 (primary) and 2 (secondary).",
            _GET_CALDB,
        )
    return layer.astype(np.int64)


def _foils(tables: list[CalibrationTable], segments: CalibrationTable) -> Foils:
    layer = _layer_numbers(tables)
    top, bottom = _stacked(tables, "TOPD"), _stacked(tables, "BOTD")
    if (top <= bottom).any():
        raise CalibrationError(f"{tables[-1].path}: a foil has its top (TOPD) below its bottom (BOTD).", _GET_CALDB)
    radius = np.stack([_stacked(tables, "BOTOUTR"), _stacked(tables, "BOTINR")])
    upper = np.stack([_stacked(tables, "TOPOUTR"), _stacked(tables, "TOPINR")])
    if (radius[0] < radius[1]).any() or (upper[0] < upper[1]).any():
        raise CalibrationError(f"{tables[-1].path}: a foil has its outer radius inside its inner radius.", _GET_CALDB)
    span = _stacked(tables, "FEND") - _stacked(tables, "FSTART")
    walls = np.stack([~np.concatenate([t.columns[n].astype(bool) for t in tables]) for n in ("SCROSS", "ECROSS")], 1)
    foils = Foils(
        layer=layer,
        top=top,
        bottom=bottom,
        radius=radius,
        slope=(upper - radius) / (top - bottom),
        start=np.mod(_stacked(tables, "FSTART"), TURN),
        span=span,
        walls=walls,
        surfaces=np.stack([_text(tables, "BREFLECT"), _text(tables, "FREFLECT")]),
        scatter=_text(tables, "SCATTER"),
        segment=_stacked(tables, "ASSEMBLY").astype(np.int64),
        alignment=None,
    )
    return _aligned(foils, tables, segments)


def _aligned(foils: Foils, tables: list[CalibrationTable], segments: CalibrationTable) -> Foils:
    """Add to foils how they are turned and shifted."""
    arrays = {name: _stacked(tables, name) for name in ("SECTORSHIFT", "SYSTILT", "SYSTWIST")}
    middle = _stacked(tables, "FSTART") + 0.5 * foils.span
    alignment = foil_alignment(foils, middle, arrays, tables, segments)
    return foils if alignment is None else Foils(**{**vars(foils), "alignment": alignment})


def _layers(tables: list[CalibrationTable], foils: Foils) -> tuple[Layer, ...]:
    shell = _stacked(tables, "NUMBER").astype(np.int64)
    sector = _stacked(tables, "SECTORNUMBER").astype(np.int64)
    found = []
    for number in np.unique(foils.layer):
        rows = np.flatnonzero(foils.layer == number)
        _, sectors = np.unique(np.stack([foils.segment[rows], sector[rows]]), axis=1, return_inverse=True)
        found.append(_layer(int(number), rows, sectors.ravel(), shell[rows] - 1, foils, tables[-1].path))
    return tuple(sorted(found, key=lambda layer: -layer.top))


def _layer(
    number: int,
    rows: NDArray[np.int64],
    sectors: NDArray[np.int64],
    shells: NDArray[np.int64],
    foils: Foils,
    path: Path,
) -> Layer:
    if shells.min() < 0 or shells.max() < 1:
        raise CalibrationError(
            f"{path}: the {LAYER_NAMES[number]} layer needs two shells, numbered from 1.", _GET_CALDB
        )
    start = np.array([foils.start[rows[sectors == s][0]] for s in range(sectors.max() + 1)])
    order = np.argsort(start)
    grid = np.full((len(start), shells.max() + 1), -1)
    grid[np.argsort(order)[sectors], shells] = rows
    upper = foils.radius[1] + foils.slope[1] * (foils.top - foils.bottom)
    radii = np.array([np.median(upper[column[column >= 0]]) if (column >= 0).any() else np.nan for column in grid.T])
    if np.isnan(radii).any() or (np.diff(radii) <= 0).any():
        raise CalibrationError(
            f"{path}: the shells of the {LAYER_NAMES[number]} layer are not numbered from the inside without gaps.",
            _GET_CALDB,
        )
    opens = np.array([foils.walls[row[row >= 0]][:, 0].any() for row in grid])
    ends = np.array([foils.walls[row[row >= 0]][:, 1].any() for row in grid])
    return Layer(
        number=number,
        top=float(foils.top[rows].max()),
        bottom=float(foils.bottom[rows].min()),
        radii=radii,
        boundaries=start[order],
        foils=grid,
        walls=opens | np.roll(ends, 1),
    )
