"""Counts, exposure and rates in time bins, by the rules of HEASoft's ``extractor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import GTIError, RequestError
from xtendsrc.measure.poisson import poisson_errors

if TYPE_CHECKING:
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


def rates(
    times: np.ndarray, gti: GTI, bins: Bins, min_fraction: float, reachable: GTI | None = None
) -> dict[str, np.ndarray]:
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
        Least part of a bin inside ``reachable`` for it to be kept, 0..1.
    reachable : GTI, optional
        Good time with the dead time of its frames filled in; without it ``gti`` itself, as in extractor.

    Returns
    -------
    dict of str to ndarray
        ``TIME`` (s after the origin), ``RATE``, ``ERROR``, ``ERROR_LO``, ``ERROR_HI`` (count/s) and ``FRACEXP``.
    """
    return count_rates(count(times, bins), gti, bins, min_fraction, reachable)


def count_rates(
    counts: np.ndarray, gti: GTI, bins: Bins, min_fraction: float, reachable: GTI | None = None
) -> dict[str, np.ndarray]:
    """Columns of a light curve from the counts of its bins; the other parameters and the result as for `rates`."""
    start = bins.origin + bins.offsets
    exposure = gti.overlap(start, start + bins.width)
    fraction = exposure / bins.width
    share = fraction if reachable is None else reachable.overlap(start, start + bins.width) / bins.width
    kept = (exposure > 0) & (share >= min_fraction)
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


def check_bin(width: float, period: float | None) -> tuple[str, ...]:
    """Compare a bin with the time from one frame to the next, both in seconds.

    Returns
    -------
    tuple of str
        A warning if the bin is not a whole number of frames, else nothing.

    Raises
    ------
    RequestError
        If the bin is shorter than a frame.
    """
    if not period or period <= 0:
        return ()
    frames = width / period
    if frames < 1 - 1e-9:
        raise RequestError(
            f"A light-curve bin of {width:g} s is shorter than the frame time, {period:g} s.",
            f"take bins of {period:g} s or a multiple of it.",
        )
    if abs(frames - round(frames)) > 1e-6 * frames:
        return (
            f"the bin of {width:g} s is not a multiple of the frame time {period:g} s: "
            "bins hold unequal numbers of frames, which beats with periodic signals",
        )
    return ()
