"""Light curves: count rates in equal bins, corrected for the good time of each bin.

As HEASoft's ``extractor`` measures it: bins start at the first good time of the event file (or at ``start``), a bin
holds the events with ``floor((t - origin) / bin)`` equal to its number, ``RATE`` is counts over the seconds of the
bin inside the good time intervals, ``ERROR`` the square root of the counts over those seconds, ``FRACEXP`` the
exposed part of the bin. A bin is kept if it has exposure and ``FRACEXP >= min_fraction``. ``TIME`` is the start of
the bin after the origin and ``TIMEZERO`` the origin plus half a bin, so that their sum is the middle of the bin. Rates
are *not* divided by the live fraction: ``DEADC`` is in the header, with ``DEADAPP = F``.

Added after extractor's four columns: ``ERROR_LO`` and ``ERROR_HI``, one-sigma errors that also hold for few and for no
counts (Gehrels 1986, ApJ 303, 336).

Deliberately other than extractor: events up to one bin before ``start`` do not enter the first bin (extractor truncates
towards zero); a bin shorter than the frame time is refused, since its rates would beat with the read-out, and
one that is not a multiple of it gives a warning; good time that leaves no bin is an error instead of an empty table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.native.cards import band_cards, write
from xtendsrc.errors import GTIError, RequestError
from xtendsrc.events.fitsblocks import Column, table_bytes
from xtendsrc.measure.statistics import poisson_errors

if TYPE_CHECKING:
    from xtendsrc.engines.native.selection import Batch, RegionRows, SelectedEvents
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.events.fitsblocks import CardValues
    from xtendsrc.events.gti import GTI


@dataclass(frozen=True)
class Bins:
    """Equal time bins that may hold good time.

    Parameters
    ----------
    origin : float
        Start of bin 0 in mission seconds.
    width : float
        Seconds of a bin.
    first, number : int
        Number of the first bin kept and how many follow from there.
    """

    origin: float
    width: float
    first: int
    number: int

    @property
    def offsets(self) -> np.ndarray:
        """Start of each bin in seconds after the origin."""
        return self.width * np.arange(self.first, self.first + self.number)


def bins_over(gti: GTI, origin: float, width: float) -> Bins:
    """All bins at or after the origin that overlap the good time intervals.

    Raises
    ------
    GTIError
        If all good time ends before the origin.
    """
    first = max(0, int(np.floor((gti.start[0] - origin) / width)))
    last = int(np.floor((gti.stop[-1] - origin) / width))
    if last < 0:
        raise GTIError(
            f"The light curve starts at {origin} s, after the last good time ({gti.stop[-1]} s).",
            "give an earlier start, or none.",
        )
    return Bins(origin, width, first, last - first + 1)


def count(times: np.ndarray, bins: Bins) -> np.ndarray:
    """Events a bin; events before the first or after the last bin are not counted.

    Parameters
    ----------
    times : ndarray
        Event times in mission seconds.

    Returns
    -------
    ndarray of int64
        Counts.
    """
    index = np.floor((times - bins.origin) / bins.width).astype(np.int64) - bins.first
    index = index[(index >= 0) & (index < bins.number)]
    return np.bincount(index, minlength=bins.number)


def rates(times: np.ndarray, gti: GTI, bins: Bins, min_fraction: float) -> dict[str, np.ndarray]:
    """Columns of a light curve.

    Parameters
    ----------
    times : ndarray
        Times of the events, all inside the good time intervals.
    gti : GTI
        Good time intervals, mission seconds.
    bins : Bins
        Time bins.
    min_fraction : float
        Least exposed part of a bin that is kept, 0..1.

    Returns
    -------
    dict of str to ndarray
        ``TIME`` (s after the origin), ``RATE``, ``ERROR``, ``ERROR_LO``, ``ERROR_HI`` (count/s) and ``FRACEXP``.
    """
    counts = count(times, bins)
    start = bins.origin + bins.offsets
    exposure = gti.overlap(start, start + bins.width)
    fraction = exposure / bins.width
    kept = (exposure > 0) & (fraction >= min_fraction)
    counts, exposure = counts[kept], exposure[kept]
    lower, upper = poisson_errors(counts)
    return {
        "TIME": bins.offsets[kept],
        "RATE": counts / exposure,
        "ERROR": np.sqrt(counts.astype(np.float32)) / exposure,  # single precision, to agree with extractor to the bit
        "FRACEXP": fraction[kept],
        "ERROR_LO": lower / exposure,
        "ERROR_HI": upper / exposure,
    }


def check_bin(width: float, frame: float | None) -> tuple[str, ...]:
    """Compare a bin with the frame time (TIMEDEL), both in seconds.

    Returns
    -------
    tuple of str
        A warning if the bin is not a whole number of frames, else nothing.

    Raises
    ------
    RequestError
        If the bin is shorter than a frame.
    """
    if not frame or frame <= 0:
        return ()
    frames = width / frame
    if frames < 1 - 1e-9:
        raise RequestError(
            f"A light-curve bin of {width:g} s is shorter than the frame time, TIMEDEL = {frame:g} s.",
            f"take bins of {frame:g} s or a multiple of it.",
        )
    if abs(frames - round(frames)) > 1e-6 * frames:
        return (
            f"the bin of {width:g} s is not a multiple of the frame time {frame:g} s: "
            "bins hold unequal numbers of frames, which beats with periodic signals",
        )
    return ()


def make_lightcurve(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `LightCurveRequest`: an empty primary, RATE, GTI and, with a region, REG00101."""
    request: Any = job.request
    events = batch.events(job)
    warnings = check_bin(request.bin, events.list.timedel if "TIMEDEL" in events.list.header else None)
    region = events.region(request.region, request.exclude_calibration)
    selected = events.select(request.selection)
    origin = float(events.list.gti.start[0]) if request.start is None else request.start
    bins = bins_over(selected.gti, origin, request.bin)
    columns = rates(events.list.times[selected.rows(region)], selected.gti, bins, request.min_fraction)
    if not len(columns["TIME"]):
        raise GTIError(
            f"No bin of {request.bin:g} s of {events.list.paths[0]} is exposed by {request.min_fraction:g} or more.",
            "lower min_fraction, or take shorter bins.",
        )
    primary = [*selected.short_cards, ("TIMEDEL", request.bin, "[s] bin width")]
    path = batch.path(job)
    rate = table_bytes("RATE", _table(columns), _cards(request, selected, region, origin))
    write(path, None, primary, [rate, selected.gti_table, *selected.region_tables(region)])
    return batch.made(path, events, warnings)


def _table(columns: dict[str, np.ndarray]) -> list[Column]:
    units = {"TIME": "s", "FRACEXP": ""}
    return [
        Column(name, "D" if name == "TIME" else "E", units.get(name, "count/s"), values)
        for name, values in columns.items()
    ]


def _cards(request: Any, selected: SelectedEvents, region: RegionRows, origin: float) -> list[CardValues]:
    return [
        *selected.cards,
        ("HDUCLASS", "OGIP", "format conforms to OGIP standard"),
        ("HDUCLAS1", "LIGHTCURVE", "extension contains a light curve"),
        ("HDUCLAS2", "TOTAL", "source and background"),
        ("HDUCLAS3", "RATE", "count rates"),
        ("TIMEZERO", origin + request.bin / 2, "[s] added to TIME gives the middle of the bin"),
        ("TIMEDEL", request.bin, "[s] bin width"),
        ("TIMEPIXR", 0.5, "times are the middle of the bin"),
        ("DEADAPP", False, "rates are not corrected for dead time"),
        ("BACKAPP", False, "background is not subtracted"),
        *band_cards(request.selection.channels, "PHALCUT", "PHAHCUT", selected.events.channel_limits),
        ("NPIXSOU", float(region.pixels), "pixels in the region"),
        ("MINFREXP", request.min_fraction, "least FRACEXP of a bin that is kept"),
        *region.descriptor_cards,
    ]
