"""Reading light curves of any maker (OGIP/93-003): their columns, and when and how wide their bins are.

Names of columns count in any case. Times may be in seconds or days; TIMEZERO may be split into TIMEZERI and TIMEZERF;
the width of the bins may be a keyword, a column, or, where neither is there, the spacing of the times.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, MissingColumnError, MissingKeywordError
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.events.fitstable import CODES, finite
from xtendsrc.events.gti import timezero

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from astropy.io import fits

    from xtendsrc.events.fitsfile import FitsFile
    from xtendsrc.events.fitstable import HDU

logger = logging.getLogger(__name__)

RATES = ("RATE", "COUNTS")
NUMBERS = ("TIME", "TIMEDEL", "RATE", "COUNTS", "ERROR", "FRACEXP", "ERROR_LO", "ERROR_HI")
SPACING = 1e-3
"""Times whose distances are multiples of the shortest to this fraction are those of equal bins."""


@dataclass(frozen=True)
class Bins:
    """When the bins of a curve are.

    Attributes
    ----------
    centre : ndarray
        Mission seconds, float64.
    width : ndarray
        Seconds.
    """

    centre: np.ndarray
    width: np.ndarray


def read_curve(path: Path) -> tuple[FitsFile, dict[str, np.ndarray], fits.Header]:
    """Read the rates of a light curve.

    Returns
    -------
    file : FitsFile
        The open file.
    columns : dict of str to ndarray
        Columns of numbers by upper-case name; RATE is there also where the file has COUNTS.
    header : Header
        Of their extension.

    Raises
    ------
    InputFileError
        If the file holds no light curve, or its times are no numbers.
    """
    file = open_fits(path)
    table = _table(file)
    table.numbers(*NUMBERS)
    columns = {n: file.column(table, n) for n, c in table.columns.items() if c.code in CODES}
    if "TIME" not in columns:
        raise MissingColumnError(f"{path} has no column TIME.", f"it has {', '.join(table.columns)}.")
    if not np.isfinite(columns["TIME"]).all():
        raise InputFileError(f"{path}: TIME has values that are not finite.", "leave these bins out, or mend the file.")
    if "RATE" not in columns and "COUNTS" in columns:
        exposed = bins_of(columns, table.header, path).width * columns.get("FRACEXP", 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["RATE"] = columns["COUNTS"] / exposed
    return file, columns, table.header.copy()


def _table(file: FitsFile) -> HDU:
    """Find the extension with the rates: by its name, by what it says it is, or by its columns."""
    tables = [h for h in file.hdus if h.is_table]
    for test in (_is_named, _is_said, _has_rates):
        if found := [h for h in tables if test(h)]:
            return found[0]
    names = ", ".join(h.name or "?" for h in file.hdus)
    raise InputFileError(f"{file.path} has no RATE extension; it has {names}.", "check the path.")


def _is_named(hdu: HDU) -> bool:
    return hdu.name == "RATE"


def _is_said(hdu: HDU) -> bool:
    return str(hdu.header.get("HDUCLAS1", "")).strip().upper() == "LIGHTCURVE"


def _has_rates(hdu: HDU) -> bool:
    return "TIME" in hdu.columns and "RATE" in hdu.columns


def bins_of(columns: Mapping[str, np.ndarray] | Any, header: fits.Header, path: Path) -> Bins:
    """Return the bins of a light curve.

    Parameters
    ----------
    columns : mapping of str to array
        The columns of the curve.
    header : Header
        Of their extension.
    path : Path
        The file, for messages.

    Raises
    ------
    MissingKeywordError
        If the width of the bins cannot be known.
    InputFileError
        If a unit or a number is none.
    """
    unit = _seconds_in(str(header.get("TIMEUNIT", "s")), "TIMEUNIT", path)
    time = np.asarray(columns["TIME"], dtype=np.float64) * _unit_of_column(header, "TIME", unit, path)
    for key in ("TIMEZERO", "TIMEZERI", "TIMEZERF"):
        finite(header, key, str(path), 0.0)
    width = _widths(columns, header, time, unit, path)
    shift = 0.5 - finite(header, "TIMEPIXR", str(path), 0.5)
    return Bins(time + timezero(header) * unit + shift * width, width)


def _widths(columns: Any, header: fits.Header, time: np.ndarray, unit: float, path: Path) -> np.ndarray:
    if "TIMEDEL" in header:
        width = finite(header, "TIMEDEL", str(path), 0.0)
        widths = np.full(time.size, width * (1.0 if _is_in_seconds(width, unit, time, path) else unit))
    elif "TIMEDEL" in _names(columns):
        own = np.asarray(columns["TIMEDEL"], dtype=np.float64)
        widths = own * _unit_of_column(header, "TIMEDEL", _unit_of_column(header, "TIME", unit, path), path)
    else:
        widths = np.full(time.size, _spacing(time, path))
    if not (np.isfinite(widths) & (widths > 0)).all():
        raise InputFileError(f"{path}: TIMEDEL, the width of its bins, is not a positive number.", "correct it.")
    return widths


def _names(columns: Any) -> Sequence[str]:
    return columns.colnames if hasattr(columns, "colnames") else tuple(columns)


def _is_in_seconds(width: float, unit: float, time: np.ndarray, path: Path) -> bool:
    """Whether TIMEDEL is in seconds though TIMEUNIT is not: where its bins would overlap in that unit alone."""
    shortest = np.diff(np.sort(time)).min(initial=np.inf)
    if unit == 1.0 or not width * unit > shortest * (1 + SPACING) >= width:
        return False
    logger.warning("%s: TIMEDEL is taken to be in seconds; in units of TIMEUNIT the bins would overlap.", path)
    return True


def _spacing(time: np.ndarray, path: Path) -> float:
    """The width of equal bins from their times alone."""
    steps = np.diff(time)
    shortest = float(steps.min(initial=np.inf))
    if 0 < shortest < np.inf and np.allclose(steps / shortest, np.rint(steps / shortest), atol=SPACING, rtol=0):
        logger.warning("%s has no TIMEDEL; its bins are taken to be %g s wide, the spacing of TIME.", path, shortest)
        return shortest
    raise MissingKeywordError(
        f"{path} has neither a keyword nor a column TIMEDEL, and its times are not equally spaced: "
        "the width of its bins is unknown.",
        "write TIMEDEL (in units of TIMEUNIT) into the header of its rates.",
    )


def _unit_of_column(header: fits.Header, name: str, default: float, path: Path) -> float:
    """Seconds in the unit that a column names; the default where it names none."""
    for key, value in header["TTYPE*"].items():
        if str(value).strip().upper() == name and (unit := str(header.get(f"TUNIT{key[5:]}", "")).strip()):
            return _seconds_in(unit, f"the unit of {name}", path)
    return default


def _seconds_in(unit: str, what: str, path: Path) -> float:
    import astropy.units as u

    text = unit.strip().lower().removesuffix("s") if len(unit.strip()) > 2 else unit.strip().lower()
    try:
        return float(u.Unit({"sec": "s", "second": "s", "hour": "h", "": "s"}.get(text, text)).to(u.s))
    except (ValueError, TypeError, u.UnitConversionError) as error:
        raise InputFileError(f"{path}: {what} is {unit!r}, which is no unit of time.", "correct it.") from error
