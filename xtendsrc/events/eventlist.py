"""One Xtend event list: columns, good time intervals and header, read once and only as far as asked for.

What is *not* a good event is decided here once, for every product:

* events outside the GTIs stay in the columns but are never used (`EventList.good` says which are inside; both ends of
  an interval belong to it, as in the HEASoft task extractor);
* events whose PI is out of 0..TLMAX (negative values mean "no pulse height", whatever TNULL says) stay in the columns;
  products drop them, because no channel range includes them. `EventList.summary` counts them.
"""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import (
    InputFileError,
    MissingGTIError,
)
from xtendsrc.events import fitsfile
from xtendsrc.events.deadtime import LiveShare, live_share
from xtendsrc.events.fitsfile import FitsFile, open_fits
from xtendsrc.events.gti import GTI, find_gti, mjdref, read_gti
from xtendsrc.events.header import (
    INSPECT,
    check_xtend,
    dataclass_of,
    event_table,
    identity,
    no_column,
    no_keyword,
    number,
    obs_id_of,
    time_shift,
)
from xtendsrc.events.integrity import check_event_times, check_gti_span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.io.fits import Header
    from astropy.wcs import WCS

    from xtendsrc.events.fitstable import HDU

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
        self._tables = tuple(event_table(f) for f in files)
        self.header: Header = self._tables[0].header
        _check_pieces(self.paths, self._tables)
        self.gti = _gti_of(files, self._tables)
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

    @property
    def piece_rows(self) -> tuple[int, ...]:
        """Number of events of every piece."""
        return tuple(table.rows for table in self._tables)

    def part(self, name: str, piece: int, rows: slice) -> np.ndarray:
        """Values of a column in some rows of one piece, read from the file and not kept.

        Parameters
        ----------
        name : str
            Column name, in any case.
        piece : int
            Number of the piece, from 0.
        rows : slice
            Rows of this piece, without a step.
        """
        return self._open()[piece].column(self._tables[piece], name, rows)

    def part_times(self, piece: int, rows: slice) -> np.ndarray:
        """Event times (see `times`) in some rows of one piece, neither kept nor compared with the file's span."""
        times = self.part("TIME", piece, rows).astype(np.float64, copy=False)
        times += time_shift(self._tables[piece].header, self.paths[piece])
        return times

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
    def headers(self) -> tuple[Header, ...]:
        """Header of EVENTS of every piece."""
        return tuple(table.header for table in self._tables)

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
            times[at : at + table.rows] += time_shift(table.header, path)
            check_event_times([times[at : at + table.rows]], table.header, path)
            at += table.rows
        times.flags.writeable = False
        return times

    @cached_property
    def good(self) -> np.ndarray:
        """Boolean mask of the events inside the GTIs."""
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
                raise no_column(file.path, "STATUS", list(table.columns))
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
        InputFileError
            If they are not two rising numbers.
        """
        names = [f"{key}{self._number(column)}" for key in ("TLMIN", "TLMAX")]
        for name in names:
            self._keyword(name, column)
        low, high = (int(number(self.header, name, self.paths[0])) for name in names)
        if low >= high:
            raise InputFileError(f"{self.paths[0]}: column {column} has {names[0]}={low}, {names[1]}={high}.", INSPECT)
        return low, high

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
        from xtendsrc.events.wcs import table_wcs

        axes = AXES[frame]
        return table_wcs(self.header, [self._number(n) for n in axes], axes, self.paths[0])

    @property
    def ontime(self) -> float:
        """Seconds within the GTIs."""
        return self.gti.total

    @property
    def deadc(self) -> float:
        """Live fraction: DEADC, else DTCOR, else LIVETIME / ONTIME (the order in which extractor looks).

        Without any of them it is 1, as in extractor, but for coarse good time of a burst mode: there it is the live
        share of the mode (see `live_warning`). Pieces of a split file that differ are averaged, weighted by ONTIME.

        Raises
        ------
        DeadTimeError
            If the value is not within (0, 1], or a burst mode's is not known.
        """
        return self._live.value

    @property
    def live_warning(self) -> str:
        """What is to be known about `deadc` where the file does not give it, or in doubt; empty if nothing."""
        return self._live.warning

    @property
    def live_corrected(self) -> bool:
        """Whether `deadc` is the live share of the read-out mode, for want of a keyword."""
        return self._live.corrected

    @cached_property
    def _live(self) -> LiveShare:
        goods = [read_gti(f, find_gti(f)) for f in self._open()] if len(self.paths) > 1 else [self.gti]
        shares = [live_share(t.header, g, p) for p, t, g in zip(self.paths, self._tables, goods, strict=True)]
        values = [share.value for share in shares]
        mean = values[0] if len(set(values)) == 1 else float(np.average(values, weights=[g.total for g in goods]))
        warning = next((share.warning for share in shares if share.warning), "")
        return LiveShare(mean, warning, any(share.corrected for share in shares))

    @property
    def exposure(self) -> float:
        """Live seconds within the GTIs: ``ontime * deadc``, as extractor computes EXPOSURE."""
        return self.ontime * self.deadc

    @property
    def mjdref(self) -> float:
        """MJD (TT) from which the times count."""
        value = mjdref(self.header)
        if value is None:
            raise no_keyword(self.paths[0], "MJDREFI and MJDREFF", "the epoch of its times is unknown")
        return value

    @property
    def timedel(self) -> float:
        """Frame time in seconds (TIMEDEL)."""
        self._keyword("TIMEDEL")
        return number(self.header, "TIMEDEL", self.paths[0])

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
            raise no_column(self.paths[0], column, self.columns)
        return number

    def _keyword(self, name: str, column: str = "") -> Any:
        if name not in self.header:
            raise no_keyword(self.paths[0], name, f"of column {column}" if column else "")
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


def _gti_of(files: Sequence[FitsFile], tables: Sequence[HDU]) -> GTI:
    total = GTI([], [])
    for file, table in zip(files, tables, strict=True):
        gti = read_gti(file, find_gti(file))
        if not len(gti):
            raise MissingGTIError(
                f"{file.path}: its GTI extension holds not one interval, so that no event is usable.",
                "leave this file out; the screening rejected the whole of it.",
            )
        check_gti_span(gti, table.header, file.path)
        total = total | gti
    return total


def _check_pieces(paths: Sequence[str], tables: Sequence[HDU]) -> None:
    """Refuse pieces that do not belong together: they would be summed on different grids or clocks."""
    first = identity(tables[0])
    for path, table in zip(paths[1:], tables[1:], strict=True):
        other = identity(table)
        for key in sorted(first.keys() | other.keys()):
            if first.get(key) != other.get(key):
                raise InputFileError(
                    f"{path}: {key} is {other.get(key)!r}, but {first.get(key)!r} in {paths[0]}; these are not pieces "
                    "of one event file.",
                    "read files of different data classes or pointings as separate event lists.",
                )
