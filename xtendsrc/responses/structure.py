"""What stands in the way above, between and below the foils: bars of the support structure, and films of shields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError
from xtendsrc.responses.calfile import read_table

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits
    from numpy.typing import NDArray

FILM_COLUMNS = ("RMIN", "RMAX", "STARTANGLE", "ENDANGLE", "ZMIN", "ZMAX", "EFFDENSITY", "MABSINDEX")
LEAST_FILMS = 6
"""The format demands as many rows of AZIMUTHALSTRUCT (the tasks fail with fewer)."""

_PRIMARY_HOUSING, _SECONDARY_HOUSING = 1, 2

_GET_CALDB = "take the telescope description from the calibration database again (`xtendsrc caldb fetch`)."


@dataclass(frozen=True, eq=False)
class Bar:
    """A polygon of the support structure, which stops what hits it: height and vertices (vertices, 2), mm."""

    height: float
    vertices: NDArray[np.float64]


@dataclass(frozen=True)
class Film:
    """A part of a shield above or below the mirror, which lets a fraction through.

    Radii and heights are in mm, azimuths in radian, density in g/cm3; `material` counts the columns of the mass
    absorption table from 1, and 0 is opaque.
    """

    inner: float
    outer: float
    start: float
    end: float
    bottom: float
    top: float
    density: float
    material: int


def read_bars(hdus: fits.HDUList, shifts: NDArray[np.float64], path: str | Path) -> tuple[Bar, ...]:
    """Read the bars from OBSTRUCT; `shifts` are those of the housings, (2, 3), mm.

    Raises
    ------
    CalibrationError
        If the extension is missing or empty, or a polygon is none.
    """
    table = read_table(hdus, "OBSTRUCT", ("LAYER", "POLYNUM", "DISTANCE", "XVERTEX", "YVERTEX"), path, least_rows=3)
    layers = table.columns["LAYER"].astype(np.int64)
    polygons, which = np.unique(np.stack([layers, table.columns["POLYNUM"]]), axis=1, return_inverse=True)
    bars = []
    for i, (layer, polygon) in enumerate(polygons.T):
        rows = which.ravel() == i
        vertices = np.stack([table.floats("XVERTEX")[rows], table.floats("YVERTEX")[rows]], axis=1)
        if len(vertices) < 3:
            raise CalibrationError(f"{path}: polygon {polygon} of OBSTRUCT has fewer than 3 vertices.", _GET_CALDB)
        housing = _SECONDARY_HOUSING if layer > 2 else _PRIMARY_HOUSING
        bars.append(Bar(float(table.floats("DISTANCE")[rows][0]), vertices + shifts[:, housing]))
    return tuple(bars)


def read_films(hdus: fits.HDUList, path: str | Path) -> tuple[Film, ...]:
    """Read the films from AZIMUTHALSTRUCT, of which there are none if it is not there.

    Raises
    ------
    CalibrationError
        If it has fewer rows than the format demands.
    """
    if "AZIMUTHALSTRUCT" not in hdus:
        return ()
    table = read_table(hdus, "AZIMUTHALSTRUCT", FILM_COLUMNS, path, least_rows=LEAST_FILMS)
    start, end = (np.deg2rad(table.floats(name)) for name in ("STARTANGLE", "ENDANGLE"))
    lengths = np.stack([table.floats(name) for name in ("RMIN", "RMAX", "ZMIN", "ZMAX", "EFFDENSITY")])
    materials = table.columns["MABSINDEX"].astype(np.int64)
    return tuple(
        Film(inner, outer, float(start[i]), float(end[i]), bottom, top, density, int(materials[i]))
        for i, (inner, outer, bottom, top, density) in enumerate(lengths.T.tolist())
    )
