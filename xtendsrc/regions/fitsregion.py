"""Reading FITS region tables ("FITS REGION Binary Table Design", ASC-FITS-REGION-1.0), as ours, extractor's and CIAO's.

Shapes of one COMPONENT are ANDed and components ORed. A `RegionSet` is a union less what is excluded, so a table is
read where each component is one included shape and the same excluded ones, or excluded ones alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import InputFileError, RegionError
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.regions.shapes import FramedShapes, Shape

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.events.fitsfile import FitsFile
    from xtendsrc.events.fitstable import HDU

FRAMES = {("X", "Y"): "SKY", ("DETX", "DETY"): "DET", ("RA", "DEC"): "icrs"}
SIZES = {"circle": 1, "annulus": 2, "ellipse": 2, "elliptannulus": 4, "box": 2, "boxannulus": 4}
NAMES = {"rotbox": "box", "rotrectangle": "rectangle", "ellipticalannulus": "elliptannulus"}
ALONE = -1
"""Component of every shape of a table without the column: those included are joined, those excluded taken out."""

SAVE = "Save the regions as ds9 text."


def read_region_table(path: Path) -> FramedShapes:
    """Read the region table of a FITS file.

    Parameters
    ----------
    path : Path
        A region file, or a product that holds one region table.

    Returns
    -------
    FramedShapes
        In SKY pixels for columns X and Y, DET pixels for DETX and DETY, ICRS degrees for RA and DEC.

    Raises
    ------
    RegionError
        If there is none, or it says what a `RegionSet` cannot; the message names the row.
    """
    try:
        file = open_fits(path)
        table = _table(file)
        axes = next((axes for axes in FRAMES if set(axes) <= set(table.columns)), None)
        if axes is None:
            raise RegionError(
                f"{path}: its region table has the columns {', '.join(table.columns)}; none of "
                f"{', '.join(' and '.join(pair) for pair in FRAMES)}.",
                SAVE,
            )
        rows = _rows(file, table, axes)
    except InputFileError as err:
        raise RegionError(f"{path}: the FITS file is no region file: {err.what}", err.next_step) from err
    return FramedShapes(FRAMES[axes], tuple(_combined(path, rows)))


def _table(file: FitsFile) -> HDU:
    found = [h for h in file.hdus if h.is_table and "SHAPE" in h.columns]
    if len(found) != 1:
        what = f"{len(found)} region tables" if found else "no region table"
        raise RegionError(f"{file.path}: the FITS file has {what}.", "Give a file with one, or save it as ds9 text.")
    if not found[0].rows:
        raise RegionError(f"{file.path}: the file holds no region.", "Write at least one shape.")
    return found[0]


def _rows(file: FitsFile, table: HDU, axes: tuple[str, str]) -> list[tuple[int, Shape]]:
    """Component and shape of each row."""
    labels = [bytes(label).decode("ascii", "replace").strip() for label in file.column(table, "SHAPE").reshape(-1)]
    x, y = (_split(file, table, name) for name in axes)
    sizes, angles = (_split(file, table, name, len(labels)) for name in ("R", "ROTANG"))
    if "COMPONENT" in table.columns:
        table.numbers("COMPONENT")
        components = file.column(table, "COMPONENT").astype(int).tolist()
    else:
        components = [ALONE] * len(labels)
    rows = []
    for number, label in enumerate(labels):
        try:
            shape = _shape(label, x[number], y[number], sizes[number], angles[number])
        except RegionError as err:
            raise RegionError(f"{file.path}, row {number + 1} ({label}): {err.what}", err.next_step) from err
        rows.append((components[number], shape))
    return rows


def _split(file: FitsFile, table: HDU, name: str, rows: int = 0) -> list[np.ndarray]:
    """Values of each row of a column; empty ones for a column that is not there."""
    if rows and name not in table.columns:
        return [np.empty(0)] * rows
    lengths, values = file.variable(table, name)
    return np.split(values.astype(float), np.cumsum(lengths)[:-1])


def _shape(label: str, x: np.ndarray, y: np.ndarray, sizes: np.ndarray, angles: np.ndarray) -> Shape:
    exclude = label.startswith("!")
    name = re.sub(r"[\s_]", "", label.lstrip("!").lower())
    name = NAMES.get(name, name)
    angle = float(angles[0]) if angles.size else 0.0
    if name == "polygon":
        return Shape("polygon", tuple(np.column_stack(_vertices(x, y)).ravel()), exclude)
    if name == "rectangle":
        if x.size < 2 or y.size < 2:
            raise RegionError("The rectangle has no two corners.", SAVE)
        middle = (x[0] + x[1]) / 2, (y[0] + y[1]) / 2
        return Shape("box", (*middle, abs(x[1] - x[0]), abs(y[1] - y[0]), angle), exclude)
    if name in ("box", "ellipse") and np.count_nonzero(sizes) == 4:
        name = {"box": "boxannulus", "ellipse": "elliptannulus"}[name]
    if name not in SIZES:
        raise RegionError("It is not a shape that can select events here.", f"Use {', '.join(SIZES)} or polygon.")
    if sizes.size < SIZES[name] or not x.size or not y.size:
        raise RegionError(f"It needs a place and {SIZES[name]} sizes (column R).", "Make the table again.")
    turn = () if name in ("circle", "annulus") else (angle,)
    return Shape(name, (x[0], y[0], *sizes[: SIZES[name]], *turn), exclude)


def _vertices(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertices without what fills the row: zeros, or the last vertex or the first one again."""
    size = min(x.size, y.size)
    while size > 3 and _is_filling(x, y, size - 1):
        size -= 1
    return x[:size], y[:size]


def _is_filling(x: np.ndarray, y: np.ndarray, last: int) -> bool:
    place = (x[last], y[last])
    return not np.isfinite(place).all() or place in ((0.0, 0.0), (x[0], y[0]), (x[last - 1], y[last - 1]))


def _combined(path: Path, rows: list[tuple[int, Shape]]) -> list[Shape]:
    """Shapes whose union less the excluded ones is what the components say."""
    groups: dict[int, list[Shape]] = {}
    if rows[0][0] == ALONE:
        return [shape for _, shape in rows]
    for component, shape in rows:
        groups.setdefault(component, []).append(shape)
    excluded = [{s for s in group if s.exclude} for group in groups.values()]
    included = [sum(not s.exclude for s in group) for group in groups.values()]
    plain = all(number == 1 for number in included) or (len(groups) == 1 and included == [0])
    if not plain or any(out != excluded[0] for out in excluded):
        raise RegionError(
            f"{path}: the components of its region table intersect shapes, which included and excluded shapes cannot "
            "say.",
            SAVE,
        )
    return list(dict.fromkeys(shape for _, shape in rows))
