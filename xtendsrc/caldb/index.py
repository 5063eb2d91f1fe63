"""The index of a calibration database (``caldb.indx``, OGIP CAL/GEN/92-008) and the selection that ``quzcif`` makes."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.caldb.boundaries import Boundary, parse_boundary, parse_expression, satisfied
from xtendsrc.errors import CaldbError, CalibrationMissingError, InputNotFoundError

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.time import Time

_TEXTS = {
    "telescope": "TELESCOP",
    "instrument": "INSTRUME",
    "detector": "DETNAM",
    "filter": "FILTER",
    "directory": "CAL_DIR",
    "file": "CAL_FILE",
    "codename": "CAL_CNAM",
    "start": "CAL_VSD",
    "start_time": "CAL_VST",
}
_NUMBERS = ("CAL_XNO", "REF_TIME", "CAL_QUAL")
_AGAIN = "fetch the index again (`xtendsrc caldb fetch --update`)."


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One calibration data set of an index.

    Attributes
    ----------
    telescope, instrument, detector, filter : str
        For what it holds; ``NONE`` for any.
    directory, file : str
        Where it is below the root of the database.
    extension : int
        Number of its extension; 0 is the primary HDU.
    codename : str
        What it is (CCNM0001).
    boundaries : tuple of str
        CAL_CBD, as written.
    start, start_time : str
        From which date and time on it is valid.
    valid_from : float
        The same as MJD.
    quality : int
        0 if good.
    """

    telescope: str
    instrument: str
    detector: str
    filter: str
    directory: str
    file: str
    extension: int
    codename: str
    boundaries: tuple[str, ...]
    start: str
    start_time: str
    valid_from: float
    quality: int

    @property
    def path(self) -> str:
        """Path below the root of the database."""
        return f"{self.directory.strip('/')}/{self.file}"


@dataclass(frozen=True, kw_only=True)
class Query:
    """Query of an index; ``-`` stands for anything.

    Attributes
    ----------
    codename : str
        What it is (CCNM0001), such as ``RMF_PARAMETERS``.
    telescope, instrument, detector, filter : str
        For what it must hold, in any case.
    expression : str
        Conditions on boundaries.
    """

    codename: str
    telescope: str = "XRISM"
    instrument: str = "XTEND"
    detector: str = "-"
    filter: str = "-"
    expression: str = "-"

    def names(self, entry: Entry) -> bool:
        """Whether a data set is of the name, telescope, instrument, detector and filter."""
        exact = ((entry.telescope, self.telescope), (entry.instrument, self.instrument))
        loose = ((entry.codename, self.codename), (entry.detector, self.detector), (entry.filter, self.filter))
        return all(found.upper() == wanted.upper() for found, wanted in exact) and all(_same(*pair) for pair in loose)


@dataclass(frozen=True, eq=False)
class Index:
    """All data sets of an instrument.

    Attributes
    ----------
    path : Path
        The index file.
    entries : tuple of Entry
        In the order of the file.
    """

    path: Path
    entries: tuple[Entry, ...]

    def select(self, query: Query, time: Time | None = None) -> list[Entry]:
        """Return the data sets that ``quzcif`` would.

        Parameters
        ----------
        query : Query
            What is wanted.
        time : Time, optional
            When it must be valid; now if not given.

        Returns
        -------
        list of Entry
            Those of good quality whose boundaries agree and that became valid last before the time, in the order of
            the file; empty if none.

        Raises
        ------
        CaldbError
            If a boundary of a data set that would do has an unknown syntax.
        RequestError
            If the expression cannot be understood.
        """
        conditions = parse_expression(query.expression)
        named = [e for e in self.entries if query.names(e) and e.quality == 0]
        agreeing = [e for e in named if satisfied(conditions, self._boundaries(e))]
        begun = [e for e in agreeing if e.valid_from <= _mjd(time)]
        latest = max((e.valid_from for e in begun), default=0.0)
        return [e for e in begun if e.valid_from == latest]

    def one(self, query: Query, time: Time | None = None) -> Entry:
        """Return the first data set that `select` finds.

        Raises
        ------
        CalibrationMissingError
            If there is none; the message says which condition fails.
        """
        if found := self.select(query, time):
            return found[0]
        raise CalibrationMissingError(f"{self.path} has no {query.codename}: {self._reason(query, time)}.", _AGAIN)

    def _reason(self, query: Query, time: Time | None) -> str:
        """Why nothing was selected."""
        same = [e for e in self.entries if e.codename.upper() == query.codename.upper()]
        if not same:
            close = difflib.get_close_matches(query.codename.upper(), {e.codename for e in self.entries}, n=1)
            return "no file of that name" + (f"; the nearest is {close[0]}" if close else "")
        named = [e for e in same if query.names(e)]
        if not named:
            return f"none is for {query.telescope} {query.instrument}"
        if all(e.quality != 0 for e in named):
            return "all of them are marked as bad"
        first = min(named, key=lambda e: e.valid_from)
        if first.valid_from > _mjd(time):
            return f"the first is valid from {first.start}"
        limits = sorted({text for e in named for text in e.boundaries if text and not text.upper().startswith("NONE")})
        return f"none holds for {query.expression} (there are {', '.join(limits) or 'no boundaries'})"

    def _boundaries(self, entry: Entry) -> list[Boundary]:
        try:
            return [b for text in entry.boundaries if (b := parse_boundary(text)) is not None]
        except CaldbError as err:
            raise CaldbError(f"{self.path}, {entry.file}: {err.what}", err.next_step) from err


def read_index(path: str | Path) -> Index:
    """Read an index file; the last ones are remembered.

    Raises
    ------
    InputNotFoundError
        If it is not there.
    CaldbError
        If it is no index.
    """
    file = Path(path)
    try:
        status = file.stat()
    except FileNotFoundError as err:
        raise InputNotFoundError(f"There is no index {file}.", _AGAIN) from err
    return _read(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int) -> Index:
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            table = next(hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU))
            return Index(path, tuple(_entries(table)))
    except (OSError, StopIteration, TypeError, ValueError, KeyError) as err:
        raise CaldbError(f"{path} is not the index of a calibration database ({err}).", _AGAIN) from err


def _entries(table: fits.BinTableHDU) -> list[Entry]:
    columns = {name: np.char.strip(np.asarray(table.data[column])) for name, column in _TEXTS.items()}
    extension, valid_from, quality = (np.asarray(table.data[name], float) for name in _NUMBERS)
    boundaries = _texts(table, "CAL_CBD")
    return [
        Entry(
            **{name: str(values[row]) for name, values in columns.items()},
            extension=int(extension[row]),
            boundaries=boundaries[row],
            valid_from=float(valid_from[row]),
            quality=int(quality[row]),
        )
        for row in range(len(table.data))
    ]


def _texts(table: fits.BinTableHDU, name: str) -> list[tuple[str, ...]]:
    """The texts of a column that holds several of fixed width in each row (TFORM ``630A70`` or TDIM)."""
    column: Any = table.columns[name]
    values = np.asarray(table.data[name])
    if values.ndim > 1:
        return [tuple(str(v).strip() for v in row) for row in values]
    width = int(str(column.format).partition("A")[2] or 70)
    return [tuple(str(v)[i : i + width].strip() for i in range(0, len(str(v)), width)) for v in values]


def _same(found: str, wanted: str) -> bool:
    return wanted == "-" or found.upper() == wanted.upper() or "NONE" in (found.upper(), wanted.upper())


def _mjd(time: Time | None) -> float:
    from astropy.time import Time

    return float((Time.now() if time is None else time).utc.mjd)
