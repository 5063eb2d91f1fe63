"""One Xtend event list: columns, good time intervals and header, read once and only as far as asked for.

What is *not* a good event is decided here once, for every product:

* events outside the GTIs stay in the columns but are never used (`EventList.good` says which are inside; both ends of
  an interval belong to it, as in the HEASoft task extractor);
* events whose PI is out of 0..TLMAX (negative values mean "no pulse height", whatever TNULL says) stay in the columns;
  products drop them, because no channel range includes them. `EventList.summary` counts them.
"""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc import fitsfile
from xtendsrc.errors import (
    DeadTimeError,
    InputFileError,
    MissingColumnError,
    MissingGTIError,
    MissingKeywordError,
    NotXtendError,
)
from xtendsrc.fitsfile import HDU, FitsFile, open_fits
from xtendsrc.gti import GTI, find_gti, mjdref, read_gti, timezero

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.io.fits import Header
    from astropy.wcs import WCS

log = logging.getLogger("xtendsrc.events")

INSPECT = "run `xtendsrc inspect` on the observation to see everything that differs from an Xtend event file."
SAME_IN_ALL_PIECES = ("OBS_ID", "DATACLAS", "RA_NOM", "DEC_NOM", "PA_NOM")
AXES = {"SKY": ("X", "Y"), "DET": ("DETX", "DETY")}


class EventList:
    """The events of one data class of one observation.

    Made by `EventList.read`. ``events["PI"]`` gives a column; columns are read when first asked for and kept.

    Attributes
    ----------
    paths : tuple of str
        The file, or the pieces of a split file in the order of their counters.
    header : astropy.io.fits.Header
        Header of EVENTS of the first piece.
    gti : GTI
        Good time intervals of the file; those of several pieces ORed.
    columns : list of str
        Names of the columns.
    """

    def __init__(self, paths: Sequence[str | Path], columns: Sequence[str] | None = None) -> None:
        self.paths = tuple(str(p) for p in paths)
        if not self.paths:
            raise InputFileError("An event list needs at least one file.", "give the path of a cleaned event file.")
        self._lock = threading.RLock()
        self._cache: dict[str, np.ndarray] = {}
        files = [open_fits(p) for p in self.paths]
        self._tables = tuple(_event_table(f) for f in files)
        self.header: Header = self._tables[0].header
        _check_pieces(self.paths, self._tables)
        self.gti = _gti_of(files)
        # with the columns named, the decompressed bytes can be let go; without, they are kept for what comes
        self._files = tuple(files)
        for name in columns or ():
            self[name]
        if columns is not None:
            self._files = ()

    @classmethod
    def read(cls, paths: str | Path | Sequence[str | Path], columns: Sequence[str] | None = None) -> EventList:
        """Read an event file, or the pieces of a split one.

        Parameters
        ----------
        paths : path or sequence of paths
            One cleaned event file, plain or gzipped, or the pieces of a split file in order.
        columns : sequence of str, optional
            Columns to read at once; all others stay available and are read from the file when asked for. Without it
            nothing is read yet, and the file stays open (mapped, or decompressed in memory).

        Returns
        -------
        EventList
            The events.

        Raises
        ------
        EncryptedFileError, TruncatedFileError, NotXtendError, MissingGTIError, MissingColumnError, MissingKeywordError
            If the file cannot be used; each names the file, the reason and what to do.
        InputFileError
            If the pieces do not belong together.
        """
        return cls([paths] if isinstance(paths, (str, Path)) else list(paths), columns)

    def __len__(self) -> int:
        return sum(t.rows for t in self._tables)

    def __getitem__(self, name: str) -> np.ndarray:
        """Values of a column, in the byte order of this machine, read-only; the pieces of a split file joined."""
        key = name.upper()
        with self._lock:
            if key not in self._cache:
                pieces = [f.column(t, key) for f, t in zip(self._open(), self._tables, strict=True)]
                values = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
                values.flags.writeable = False
                self._cache[key] = values
            return self._cache[key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.upper() in self._tables[0].columns

    def __reduce__(self) -> tuple[Any, ...]:
        return EventList, (self.paths,)

    def __repr__(self) -> str:
        h = self.header
        return (
            f"<EventList {h.get('OBS_ID', '?')} {h.get('DATACLAS', '?')}: {len(self)} events, "
            f"{len(self.columns)} columns, {len(self.gti)} GTIs, {self.ontime:.1f} s>"
        )

    def _ipython_key_completions_(self) -> list[str]:
        return self.columns

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order of the file."""
        return list(self._tables[0].columns)

    @cached_property
    def times(self) -> np.ndarray:
        """Event times for GTIs and binning, mission seconds, float64.

        ``TIME + TIMEZERO - (TIMEPIXR - 0.5) TIMEDEL``: the middle of the frame, as extractor computes it. A missing
        TIMEPIXR counts as 0, as it does there. Each piece of a split file uses its own keywords.
        """
        times = self["TIME"].astype(np.float64)
        at = 0
        for path, table in zip(self.paths, self._tables, strict=True):
            times[at : at + table.rows] += _time_shift(table.header, path)
            at += table.rows
        times.flags.writeable = False
        return times

    @cached_property
    def good(self) -> np.ndarray:
        """Which events lie inside the GTIs, bool."""
        good = self.gti.contains(self.times)
        good.flags.writeable = False
        return good

    @property
    def summary(self) -> Mapping[str, int]:
        """Counts: ``events``, ``outside_gti``, ``pi_negative``, ``pi_above`` (PI beyond TLMAX)."""
        pi = self["PI"]
        return {
            "events": len(self),
            "outside_gti": int(np.count_nonzero(~self.good)),
            "pi_negative": int(np.count_nonzero(pi < 0)),
            "pi_above": int(np.count_nonzero(pi > self.limits("PI")[1])),
        }

    def status_bit(self, number: int) -> np.ndarray:
        """Whether a bit of STATUS is set; bit 1 is the first (any "bad" bit), bit 2 a calibration source.

        Parameters
        ----------
        number : int
            1-based, as in the filter ``STATUS[1]==b0``.

        Returns
        -------
        numpy.ndarray of bool
            One value an event.
        """
        pieces = []
        for file, table in zip(self._open(), self._tables, strict=True):
            column = table.columns.get("STATUS")
            if column is None:
                raise _no_column(file.path, "STATUS", list(table.columns))
            if not 1 <= number <= column.repeat:
                raise InputFileError(f"{file.path}: STATUS has bits 1..{column.repeat}, not {number}.", INSPECT)
            byte = file.byte(table, column, (number - 1) // 8)
            pieces.append((byte & (0x80 >> (number - 1) % 8)) != 0)
        return np.concatenate(pieces)

    def limits(self, column: str) -> tuple[int, int]:
        """TLMIN and TLMAX of a column.

        Raises
        ------
        MissingKeywordError
            If the header does not give them.
        """
        number = self._number(column)
        return int(self._keyword(f"TLMIN{number}", column)), int(self._keyword(f"TLMAX{number}", column))

    def wcs(self, frame: str = "SKY") -> WCS:
        """Return the coordinate system of the event columns; the 1-based pixel is the value of the column.

        Parameters
        ----------
        frame : {"SKY", "DET"}
            (X, Y), with the celestial TAN system of the table's TCTYP, TCRPX, TCRVL, TCDLT and TCROT keywords; or
            (DETX, DETY), with its linear keywords or, without them, the pixel number itself.

        Returns
        -------
        astropy.wcs.WCS
            Two axes; ``wcs.wcs_world2pix(ra, dec, 1)`` gives X, Y.

        Raises
        ------
        MissingKeywordError
            If a celestial keyword is missing.
        """
        from xtendsrc.eventwcs import table_wcs

        axes = AXES[frame]
        return table_wcs(self.header, [self._number(n) for n in axes], axes, self.paths[0])

    @property
    def ontime(self) -> float:
        """Seconds within the GTIs."""
        return self.gti.total

    @cached_property
    def deadc(self) -> float:
        """Live fraction: DEADC, else DTCOR, else LIVETIME / ONTIME, else 1 (the order in which extractor looks).

        Pieces of a split file that differ are averaged, weighted by their ONTIME.

        Raises
        ------
        DeadTimeError
            If the value is not within (0, 1].
        """
        values = [_live_fraction(t.header, p) for p, t in zip(self.paths, self._tables, strict=True)]
        if len(set(values)) == 1:
            return values[0]
        weights = [read_gti(f, find_gti(f)).total for f in self._open()]
        return float(np.average(values, weights=weights))

    @property
    def exposure(self) -> float:
        """Live seconds within the GTIs: ``ontime * deadc``, as extractor computes EXPOSURE."""
        return self.ontime * self.deadc

    @property
    def mjdref(self) -> float:
        """MJD (TT) from which the times count."""
        value = mjdref(self.header)
        if value is None:
            raise _no_keyword(self.paths[0], "MJDREFI", "the epoch of its times is unknown")
        return value

    @property
    def timedel(self) -> float:
        """Frame time in seconds (TIMEDEL)."""
        return float(self._keyword("TIMEDEL"))

    @property
    def obs_id(self) -> str:
        """OBS_ID, as text with its leading zeros."""
        return obs_id_of(self.header, self.paths[0])

    @property
    def dataclass(self) -> str:
        """DATACLAS, the eight characters of the data class."""
        return dataclass_of(self.header, self.paths[0])

    def _open(self) -> Sequence[FitsFile]:
        return self._files or [open_fits(p) for p in self.paths]

    def _number(self, column: str) -> int:
        number = self._tables[0].index(column)
        if number is None:
            raise _no_column(self.paths[0], column, self.columns)
        return number

    def _keyword(self, name: str, column: str = "") -> Any:
        if name not in self.header:
            raise _no_keyword(self.paths[0], name, f"of column {column}" if column else "")
        return self.header[name]


def read_header(path: str | Path) -> Header:
    """Header of EVENTS, without decompressing or reading more than it.

    Parameters
    ----------
    path : str or pathlib.Path
        An Xtend event file, plain or gzipped.

    Returns
    -------
    astropy.io.fits.Header
        The header of the EVENTS extension.

    Raises
    ------
    NotXtendError
        If the file is of another instrument.
    InputFileError
        If it has no EVENTS extension, or cannot be read.
    """
    header = fitsfile.read_header(path, "EVENTS")
    check_xtend(header, str(path))
    return header


def check_xtend(header: Header, path: str) -> None:
    """Refuse a header of another mission or instrument.

    Raises
    ------
    MissingKeywordError
        If it does not say which instrument.
    NotXtendError
        If the instrument is not XRISM's Xtend.
    """
    if "INSTRUME" not in header:
        raise _no_keyword(path, "INSTRUME", "the instrument is unknown")
    telescope, instrument = (str(header.get(k, "XRISM")).strip().upper() for k in ("TELESCOP", "INSTRUME"))
    if (telescope, instrument) != ("XRISM", "XTEND"):
        raise NotXtendError(
            f"{path}: this is a file of {telescope} {instrument}, not of XRISM XTEND.",
            "give an Xtend event file (xtend/event_cl/xa<obsid>xtd_p*_cl.evt).",
        )


def obs_id_of(header: Header, path: str) -> str:
    """OBS_ID of a header as nine digits; a number written without quotes gets its leading zeros back."""
    if "OBS_ID" not in header:
        raise _no_keyword(path, "OBS_ID", "the observation is unknown")
    return str(header["OBS_ID"]).strip().zfill(9)


def dataclass_of(header: Header, path: str) -> str:
    """DATACLAS of a header as eight lower-case characters, also where it was written as a number."""
    if "DATACLAS" not in header:
        raise _no_keyword(path, "DATACLAS", "the data class is unknown")
    return str(header["DATACLAS"]).strip().lower().zfill(8)


def _no_column(path: str, column: str, columns: Sequence[str]) -> MissingColumnError:
    return MissingColumnError(f"{path}: EVENTS has no column {column}; it has {', '.join(columns)}.", INSPECT)


def _no_keyword(path: str, name: str, why: str = "") -> MissingKeywordError:
    return MissingKeywordError(f"{path}: the header of EVENTS has no {name}{f' ({why})' if why else ''}.", INSPECT)


def _event_table(file: FitsFile) -> HDU:
    table = file.find("EVENTS")
    if table is None or not table.is_table:
        raise InputFileError(
            f"{file.path}: there is no EVENTS table; the file has {', '.join(h.name or '?' for h in file.hdus)}.",
            "give an Xtend event file (xtend/event_cl/xa<obsid>xtd_p*_cl.evt).",
        )
    check_xtend(table.header, file.path)
    if "TIME" not in table.columns:
        raise _no_column(file.path, "TIME", list(table.columns))
    if mjdref(table.header) is None:
        raise _no_keyword(file.path, "MJDREFI", "the epoch of its times is unknown")
    return table


def _gti_of(files: Sequence[FitsFile]) -> GTI:
    total = GTI([], [])
    for file in files:
        gti = read_gti(file, find_gti(file))
        if not len(gti):
            raise MissingGTIError(
                f"{file.path}: its GTI extension holds not one interval, so that no event is usable.",
                "leave this file out; the screening rejected the whole of it.",
            )
        total = total | gti
    return total


def _check_pieces(paths: Sequence[str], tables: Sequence[HDU]) -> None:
    """Refuse pieces that do not belong together: they would be summed on different grids or clocks."""
    first = _identity(tables[0])
    for path, table in zip(paths[1:], tables[1:], strict=True):
        other = _identity(table)
        for key in sorted(first.keys() | other.keys()):
            if first.get(key) != other.get(key):
                raise InputFileError(
                    f"{path}: {key} is {other.get(key)!r}, but {first.get(key)!r} in {paths[0]}; these are not pieces "
                    "of one event file.",
                    "read files of different data classes or pointings as separate event lists.",
                )


def _identity(table: HDU) -> dict[str, Any]:
    header = table.header
    found = {k: header[k] for k in SAME_IN_ALL_PIECES if k in header}
    found["MJDREF"] = mjdref(header)
    for name in ("X", "Y"):
        number = table.index(name)
        for key in ("TCTYP", "TCRPX", "TCRVL", "TCDLT", "TCROT", "TLMIN", "TLMAX"):
            if number is not None and f"{key}{number}" in header:
                found[f"{key} of {name}"] = header[f"{key}{number}"]
    return found


def _time_shift(header: Header, path: str) -> float:
    if "TIMEPIXR" not in header:
        log.warning("%s: the header has no TIMEPIXR; it counts as 0 (the start of the frame), as in extractor", path)
    offset = float(header.get("TIMEPIXR", 0.0)) - 0.5
    if offset == 0.0:
        return timezero(header)
    if "TIMEDEL" not in header:
        raise _no_keyword(path, "TIMEDEL", "needed because TIMEPIXR is not 0.5")
    return timezero(header) - offset * float(header["TIMEDEL"])


def _live_fraction(header: Header, path: str) -> float:
    if "DEADC" in header or "DTCOR" in header:
        value = float(header.get("DEADC", header.get("DTCOR")))
    elif header.get("ONTIME") and "LIVETIME" in header:
        value = float(header["LIVETIME"]) / float(header["ONTIME"])
    else:
        value = 1.0
    if not 0.0 < value <= 1.0 + 1e-6:
        raise DeadTimeError(
            f"{path}: the live fraction (DEADC, DTCOR or LIVETIME / ONTIME) is {value}, which is not within (0, 1].",
            "correct the keyword in a copy of the file.",
        )
    return min(value, 1.0)
