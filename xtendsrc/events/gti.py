"""Good time intervals: sorted, disjoint spans of mission time, and the arithmetic on them.

Times are mission seconds (TT) since MJDREF. An interval includes both of its ends, as the event test of the HEASoft
task extractor does; intervals that overlap or touch are one, so that no second is counted twice.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.errors import GTIError, MissingColumnError, MissingGTIError
from xtendsrc.events.fitsfile import FitsFile, open_fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import ArrayLike

    from xtendsrc.events.fitstable import HDU

MJDREF = 58484 + 8.0074074074e-4
"""2019-01-01T00:00:00 UTC in TT days, the epoch of XRISM mission time (MJDREFI + MJDREFF of the archive's files)."""

MISSION_TIME = "make the GTI file in XRISM mission time (TT seconds since 2019-01-01 UTC), or pass pairs of Time."

SECONDS = ("S", "SEC", "SECOND", "SECONDS")
"""What a unit of seconds may be called, in capitals."""

CLOCK_NUMBERS = ("MJDREF", "MJDREFI", "MJDREFF", "TIMEZERO", "TIMEZERI", "TIMEZERF")

TIME_KEYWORDS = (
    *("TELESCOP", "INSTRUME", "DETNAM", "DATAMODE", "DATACLAS", "OBS_ID", "OBS_MODE", "OBJECT"),
    *("RA_OBJ", "DEC_OBJ", "RA_NOM", "DEC_NOM", "RA_PNT", "DEC_PNT", "PA_NOM", "EQUINOX", "RADECSYS"),
    *("TIMESYS", "TIMEUNIT", "TIMEREF", "TASSIGN", "MJDREFI", "MJDREFF", "MJDREF", "DATE-OBS", "DATE-END"),
)


class GTI:
    """Good time intervals in mission seconds, sorted and disjoint.

    Parameters
    ----------
    start, stop : array_like of float
        Ends of the intervals in mission seconds (TT since MJDREF). They may come in any order and overlap; spans of
        no length are dropped.

    Attributes
    ----------
    start, stop : numpy.ndarray
        Ends of the disjoint intervals, float64, read-only, ascending.

    Raises
    ------
    GTIError
        If an interval ends before it starts, or a time is not finite.
    """

    __slots__ = ("_digest", "start", "stop")

    start: np.ndarray
    stop: np.ndarray
    _digest: str

    def __init__(self, start: ArrayLike, stop: ArrayLike) -> None:
        lo = np.array(start, dtype=np.float64).reshape(-1)
        hi = np.array(stop, dtype=np.float64).reshape(-1)
        _check(lo, hi)
        lo, hi = _merged(lo[hi > lo], hi[hi > lo])
        for name, value in (("start", lo), ("stop", hi)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_digest", "")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a GTI does not change; cannot set {name}")

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[float, float]]) -> GTI:
        """Intervals from (start, stop) pairs in mission seconds."""
        array = np.array([tuple(pair) for pair in pairs], dtype=np.float64).reshape(-1, 2)
        return cls(array[:, 0], array[:, 1])

    @classmethod
    def read(cls, path: str | Path, ext: str | None = None) -> GTI:
        """Intervals of a FITS file.

        Parameters
        ----------
        path : str or pathlib.Path
            A GTI file or an event file, plain or gzipped.
        ext : str, optional
            Name of the extension. Without it: ``GTI``, then ``STDGTI``, then the only extension with columns
            START and STOP.

        Returns
        -------
        GTI
            The intervals, shifted by the extension's own TIMEZERO.

        Raises
        ------
        MissingGTIError
            If no extension, or more than one, answers.
        GTIError
            If the file says that its times are not XRISM mission time.
        """
        file = open_fits(path)
        return read_gti(file, find_gti(file, ext))

    @classmethod
    def from_hdu(cls, hdu: fits.BinTableHDU) -> GTI:
        """Intervals of an open binary table with columns START and STOP, shifted by its TIMEZERO."""
        names = {name.upper(): name for name in hdu.columns.names}
        if not {"START", "STOP"} <= set(names):
            raise MissingColumnError(
                f"Extension {hdu.name}: a GTI table needs columns START and STOP, this one has {', '.join(names)}.",
                "give the extension that holds good time intervals.",
            )
        if fault := clock_fault(hdu.header):
            raise GTIError(f"Extension {hdu.name}: {fault}.", MISSION_TIME)
        zero = timezero(hdu.header)
        start, stop = (np.asarray(hdu.data[names[n]], dtype=np.float64) + zero for n in ("START", "STOP"))
        return cls(start, stop)

    def __len__(self) -> int:
        return len(self.start)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(self.pairs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GTI):
            return NotImplemented
        return np.array_equal(self.start, other.start) and np.array_equal(self.stop, other.stop)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[type[GTI], tuple[np.ndarray, np.ndarray]]:
        return GTI, (self.start, self.stop)

    def __and__(self, other: GTI) -> GTI:
        """Time that is good in both."""
        edges = np.concatenate([self.start, other.start, self.stop, other.stop])
        step = np.repeat([1, -1], len(self) + len(other))
        order = np.lexsort((-step, edges))  # at equal times an interval opens before another closes
        edges, depth = edges[order], np.cumsum(step[order])
        both = np.flatnonzero(depth[:-1] == 2)
        return GTI(edges[both], edges[both + 1])

    def __or__(self, other: GTI) -> GTI:
        """Time that is good in either."""
        return GTI(np.concatenate([self.start, other.start]), np.concatenate([self.stop, other.stop]))

    def __repr__(self) -> str:
        if not len(self):
            return "<GTI: empty>"
        return f"<GTI: {len(self)} intervals, {self.total:.3f} s within {self.start[0]:.3f}..{self.stop[-1]:.3f}>"

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """(start, stop) of each interval as plain floats."""
        return tuple(zip(self.start.tolist(), self.stop.tolist(), strict=True))

    @property
    def total(self) -> float:
        """Good seconds."""
        return float(np.sum(self.stop - self.start))

    @property
    def digest(self) -> str:
        """SHA-256 of the ends of all intervals, as 64 hexadecimal digits; the same on every machine."""
        if not self._digest:
            ends = np.stack([self.start, self.stop]).astype("<f8")
            object.__setattr__(self, "_digest", hashlib.sha256(ends.tobytes()).hexdigest())
        return self._digest

    @property
    def gaps(self) -> GTI:
        """The spans between the intervals."""
        return GTI(self.stop[:-1], self.start[1:])

    def contains(self, t: ArrayLike) -> np.ndarray:
        """Return a boolean mask of good times; both ends of an interval belong to it.

        Parameters
        ----------
        t : array_like of float
            Mission seconds; NaN is never good.

        Returns
        -------
        numpy.ndarray of bool
            Same shape as `t`.
        """
        times = np.asarray(t, dtype=np.float64)
        if not len(self):
            return np.zeros(times.shape, dtype=bool)
        at = np.searchsorted(self.start, times, side="right") - 1
        return (at >= 0) & (times <= self.stop[at])

    def overlap(self, edges_lo: ArrayLike, edges_hi: ArrayLike) -> np.ndarray:
        """Good seconds in each bin [lo, hi).

        A bin wholly inside an interval has exactly ``hi - lo`` seconds and survives a threshold of 1. The work grows
        with the intervals plus the bins, not with their product: intervals wholly inside a bin are summed once.

        Parameters
        ----------
        edges_lo, edges_hi : array_like of float
            Edges of the bins in mission seconds, in any order.

        Returns
        -------
        numpy.ndarray of float64
            Seconds, one value a bin.
        """
        lo, hi = (np.asarray(e, dtype=np.float64).reshape(-1) for e in (edges_lo, edges_hi))
        seconds = np.zeros(lo.shape)
        first = np.searchsorted(self.stop, lo, side="right")
        last = np.searchsorted(self.start, hi, side="left") - 1
        one, more = (np.flatnonzero(which) for which in (last == first, last > first))
        i = first[one]
        seconds[one] = np.minimum(hi[one], self.stop[i]) - np.maximum(lo[one], self.start[i])
        i, j = first[more], last[more]
        before = np.concatenate([[0.0], np.cumsum(self.stop - self.start)])
        head = self.stop[i] - np.maximum(lo[more], self.start[i])
        tail = np.minimum(hi[more], self.stop[j]) - self.start[j]
        seconds[more] = head + (before[j] - before[i + 1]) + tail
        return seconds

    def bridged(self, gap: float) -> GTI:
        """Return the intervals with gaps of up to ``gap`` seconds between them closed."""
        if len(self) < 2 or gap <= 0:
            return self
        open_after = np.flatnonzero(self.start[1:] - self.stop[:-1] > gap)
        return GTI(
            np.concatenate([self.start[:1], self.start[open_after + 1]]),
            np.concatenate([self.stop[open_after], self.stop[-1:]]),
        )

    def to_hdu(self, name: str = "GTI", header: fits.Header | None = None) -> fits.BinTableHDU:
        """Return a GTI extension as OGIP wants it (columns START, STOP; OGIP/93-003).

        Parameters
        ----------
        name : str
            Its EXTNAME.
        header : astropy.io.fits.Header, optional
            Header whose mission, target and time keywords are carried over.

        Returns
        -------
        astropy.io.fits.BinTableHDU
            Columns START and STOP (1D, s), TIMEZERO 0.
        """
        columns = [fits.Column(n, "1D", unit="s", array=v) for n, v in (("START", self.start), ("STOP", self.stop))]
        hdu = fits.BinTableHDU.from_columns(columns, name=name)
        for key in TIME_KEYWORDS:
            if header is not None and key in header:
                hdu.header[key] = (header[key], header.comments[key])
        hdu.header["TIMEZERO"] = (0.0, "time zero of the columns")
        if len(self):
            hdu.header["TSTART"], hdu.header["TSTOP"] = float(self.start[0]), float(self.stop[-1])
        hdu.header["ONTIME"] = (self.total, "[s] sum of the intervals")
        for key, value in (("HDUCLASS", "OGIP"), ("HDUCLAS1", "GTI"), ("HDUCLAS2", "STANDARD")):
            hdu.header[key] = value
        return hdu


def timezero(header: Any) -> float:
    """Seconds to add to the time columns of an extension: TIMEZERO, or TIMEZERI + TIMEZERF; 0 if absent."""
    if "TIMEZERO" in header:
        return float(header["TIMEZERO"])
    return float(header.get("TIMEZERI", 0)) + float(header.get("TIMEZERF", 0))


def mjdref(header: Any) -> float | None:
    """MJD (TT) from which an extension counts its seconds: MJDREFI + MJDREFF, or MJDREF; None if absent."""
    if "MJDREFI" in header and "MJDREFF" in header:  # one alone would be 69 s off
        return int(header["MJDREFI"]) + float(header["MJDREFF"])
    return float(header["MJDREF"]) if "MJDREF" in header else None


def clock_fault(header: Any) -> str:
    """What a header says that its times are, other than seconds of TT since XRISM's epoch; empty if nothing else."""
    for name in CLOCK_NUMBERS:
        value = header.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"{name} is {value!r}, not a number"
    reference = mjdref(header)
    if reference is not None and abs(reference - MJDREF) > 1e-6:
        return f"its times count from MJD {reference}, XRISM's from {MJDREF:.10f}"
    for name, expected, known in (("TIMESYS", "TT", ("TT",)), ("TIMEUNIT", "s", SECONDS)):
        found = str(header.get(name, expected)).strip()
        if found.upper() not in known:
            return f"{name} is {found!r}, not {expected!r}, so that its times are not XRISM mission time"
    return ""


def find_gti(file: FitsFile, ext: str | None = None) -> HDU:
    """Return the extension of a file that holds its good time intervals.

    Without `ext`: ``GTI``, then ``STDGTI`` (the order in which extractor looks), then the only extension with columns
    START and STOP.

    Raises
    ------
    MissingGTIError
        If there is none, or several without one being named.
    """
    named = file.find(ext) if ext else file.find("GTI", "STDGTI")
    if named is not None:
        return named
    tables = [h for h in file.hdus if h.is_table and {"START", "STOP"} <= set(h.columns)]
    if ext is None and len(tables) == 1:
        return tables[0]
    wanted = f"no extension {ext}" if ext else "no extension of good time intervals (GTI or STDGTI)"
    choice = f"; it offers {', '.join(t.name for t in tables)}" if tables else ""
    raise MissingGTIError(
        f"{file.path}: there is {wanted}{choice}.",
        "name one of the extensions." if tables else "take the event file of the archive, which has a GTI extension.",
    )


def read_gti(file: FitsFile, hdu: HDU) -> GTI:
    """Intervals of one extension of an open file, shifted by the extension's own TIMEZERO.

    Raises
    ------
    GTIError
        If the extension says that its times are not XRISM mission time, or holds no intervals.
    """
    if fault := clock_fault(hdu.header):
        raise GTIError(f"{file.path}[{hdu.name}]: {fault}.", MISSION_TIME)
    zero = timezero(hdu.header)
    start, stop = (file.column(hdu, n).astype(np.float64) + zero for n in ("START", "STOP"))
    units = {hdu.columns[n].unit for n in ("START", "STOP")}
    if not {unit.upper() for unit in units} <= {"", *SECONDS}:
        raise GTIError(
            f"{file.path}[{hdu.name}]: its times are in {', '.join(sorted(units))}, not in seconds.",
            "write START and STOP in seconds of mission time.",
        )
    try:
        return GTI(start, stop)
    except GTIError as error:
        raise GTIError(f"{file.path}[{hdu.name}]: {error.what}", error.next_step) from error


def _check(start: np.ndarray, stop: np.ndarray) -> None:
    if start.shape != stop.shape:
        raise GTIError(f"Good time intervals need as many starts as stops, not {start.size} and {stop.size}.")
    bad = np.flatnonzero(~np.isfinite(start) | ~np.isfinite(stop) | (stop < start))
    if bad.size:
        i = int(bad[0])
        raise GTIError(
            f"Good time interval {i + 1} is reversed or not finite: {start[i]} to {stop[i]} s.",
            "correct the start and stop times, in mission seconds.",
        )


def _merged(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted intervals with those that overlap or touch made one."""
    if not start.size:
        return start, stop
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(stop[order])
    new = np.concatenate([[True], start[1:] > reach[:-1]])
    last = np.concatenate([np.flatnonzero(new)[1:] - 1, [start.size - 1]])
    return start[new].copy(), reach[last].copy()
