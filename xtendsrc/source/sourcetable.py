"""Tables of sources: read from any file that astropy reads, and checked row by row.

A missing value is not a number: astropy keeps a 0, or ``--``, under the mask of a column. So every value is asked for
its mask first, and a row without a name, or with a position that is not on the sky, is an error that names the row.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, InputNotFoundError, RequestError
from xtendsrc.events.filebytes import check_exists

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.coordinates import SkyCoord
    from astropy.table import Table
    from astropy.units import Quantity

COLUMNS = {"ra": ("ra", "raj2000", "ra_deg"), "dec": ("dec", "dej2000", "de", "dec_deg"), "name": ("name", "src_name")}
"""What a column may be called, in any case."""

LARGEST = 1 << 30
"""Bytes of the largest file that is read as a table of sources."""

_SEXAGESIMAL = re.compile(r"[:hms°'\s]", re.IGNORECASE)
_STEP = "correct the row, or remove it."


def read_table(path: Path) -> Table:
    """Read a table of sources.

    Raises
    ------
    InputNotFoundError
        If there is no such file.
    InputFileError
        If astropy cannot read it as a table.
    """
    from astropy.table import Table

    try:
        check_exists(path)
    except InputNotFoundError as err:
        raise InputNotFoundError(f"There is no table {path} ({err.what})", "check the path.") from err
    if path.stat().st_size > LARGEST:
        raise InputFileError(f"{path} has more than {LARGEST >> 30} GB.", "give a table of sources alone.")
    try:
        return Table.read(path)
    except Exception as err:  # each reader of astropy raises its own
        step = "give a table that astropy reads by itself (FITS, ECSV, CSV, VOTable), or a Table."
        reason = (str(err).splitlines() or [type(err).__name__])[0]
        raise InputFileError(f"{path} cannot be read as a table: {reason}.", step) from err


def column_of(table: Table, wanted: str) -> str | None:
    """Name of a column in a table, whatever its case; None if it is not there."""
    known = COLUMNS.get(wanted, (wanted,))
    return next((str(name) for name in table.colnames if str(name).lower() in known), None)


def names_of(table: Table, where: str) -> list[str]:
    """Name of every source.

    Parameters
    ----------
    table : Table
        With a column ``name``.
    where : str
        What errors call the table.

    Raises
    ------
    RequestError
        If there is no such column, or a row has no name.
    """
    column = column_of(table, "name")
    if column is None:
        raise RequestError(f"{where} has no column name; it has {', '.join(table.colnames)}.", "add one.")
    names = []
    for number, value in enumerate(table[column], start=1):
        text = "" if is_missing(value) else _text(value)
        if text in ("", "--") or (isinstance(value, float) and math.isnan(value)):
            raise RequestError(f"{where}, row {number}: the source has no name.", _STEP)
        names.append(text)
    return names


def positions_of(table: Table, where: str) -> SkyCoord | None:
    """Positions of all sources, ICRS; None for a table without coordinates.

    Columns ``ra`` and ``dec`` hold degrees unless they have a unit, or text: numbers in degrees, or sexagesimal right
    ascensions in hours and declinations in degrees.

    Raises
    ------
    RequestError
        If only one of the two columns is there, or a row's position is missing or not on the sky; the row is named.
    """
    from astropy.coordinates import SkyCoord

    columns = [column_of(table, name) for name in ("ra", "dec")]
    if columns == [None, None]:
        return None
    if None in columns:
        there, lost = ("ra", "dec") if columns[0] else ("dec", "ra")
        raise RequestError(f"{where} has a column {there} and none of {lost}.", "give both, or names alone.")
    units = [getattr(table[str(name)], "unit", None) for name in columns]
    places = []
    for number, row in enumerate(zip(*(table[str(name)] for name in columns), strict=True), start=1):
        try:
            places.append(
                [_degrees(value, unit, i == 0) for i, (value, unit) in enumerate(zip(row, units, strict=True))]
            )
        except (ValueError, TypeError) as err:
            raise RequestError(f"{where}, row {number}: {' '.join(str(err).split())}.", _STEP) from err
    flat = np.array(places).reshape(-1, 2)
    return SkyCoord(flat[:, 0], flat[:, 1], unit="deg", frame="icrs")


def quantity_of(value: Any, unit: Any, what: str, where: str) -> Quantity | None:
    """A positive quantity of a row; None if it is missing.

    Raises
    ------
    RequestError
        If it is not a positive number.
    """
    import astropy.units as u

    if is_missing(value):
        return None
    try:
        found = u.Quantity(value, unit)
        positive = bool(np.isfinite(found.value) and found.value > 0)
    except (TypeError, ValueError) as err:
        raise RequestError(f"{where}: the {what} {value!r} is not a number.", _STEP) from err
    if not positive:
        raise RequestError(f"{where}: the {what} {found} is not positive.", _STEP)
    return found


def number_of(value: Any, what: str, where: str) -> float | None:
    """A finite number of a row; None if it is missing.

    Raises
    ------
    RequestError
        If it is no finite number.
    """
    if is_missing(value):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise RequestError(f"{where}: the {what} {value!r} is not a number.", _STEP)
    return found


def is_missing(value: Any) -> bool:
    """Whether a value of a table is masked, or an empty text."""
    return bool(np.any(getattr(value, "mask", False))) or (isinstance(value, str | bytes) and not _text(value))


def _text(value: Any) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()


def _degrees(value: Any, unit: Any, is_ra: bool) -> float:
    """A coordinate in degrees, within its range."""
    import astropy.units as u
    from astropy.coordinates import Angle

    what = "right ascension" if is_ra else "declination"
    if is_missing(value):
        raise ValueError(f"the {what} is missing")
    if isinstance(value, str | bytes):
        text = _text(value)
        sexagesimal = _SEXAGESIMAL.search(text) is not None
        try:
            found = Angle(text, u.hourangle if is_ra else u.deg).deg if sexagesimal else float(text) * _factor(unit)
        except (ValueError, TypeError) as err:
            raise ValueError(f"the {what} {text!r} is no coordinate") from err
    else:
        found = u.Quantity(value, unit or u.deg).to_value(u.deg)
    low, high = (-180.0, 360.0) if is_ra else (-90.0, 90.0)
    if np.ndim(found) or not low <= float(found) <= high:  # so put that NaN is refused
        raise ValueError(f"the {what} {value} is not between {low:g} and {high:g} degrees")
    return float(found)


def _factor(unit: Any) -> float:
    import astropy.units as u

    return float((unit or u.deg).to(u.deg))
