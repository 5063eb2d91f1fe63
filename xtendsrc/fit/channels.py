"""Which channels of a spectrum enter a fit, and how they are summed into bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.measure.grouping import LEFT_OVER, group


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of channels.

    Attributes
    ----------
    kept : ndarray of int
        Indices of the channels that are in some bin, rising.
    starts : ndarray of int, (bins,)
        Where each bin starts in ``kept``.
    complete : ndarray of bool, (bins,)
        False for channels at an end that did not fill a bin of the scheme and are summed into one all the same.
    """

    kept: np.ndarray
    starts: np.ndarray
    complete: np.ndarray

    def __len__(self) -> int:
        return self.starts.size

    @property
    def first(self) -> np.ndarray:
        """Index of the first channel of each bin."""
        found: np.ndarray = self.kept[self.starts]
        return found

    @property
    def last(self) -> np.ndarray:
        """Index of the last channel of each bin."""
        found: np.ndarray = self.kept[np.append(self.starts[1:], self.kept.size) - 1]
        return found

    @property
    def bin_of_kept(self) -> np.ndarray:
        """The bin that each kept channel is in."""
        return np.repeat(np.arange(len(self)), np.diff(np.append(self.starts, self.kept.size)))

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of a channel array over the bins."""
        return np.add.reduceat(values[self.kept], self.starts)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the plain means of a channel array over the bins."""
        return self.sum(values) / np.diff(np.append(self.starts, self.kept.size))


def good_channels(quality: np.ndarray, grouping: np.ndarray, scheme: str | None) -> np.ndarray:
    """Return which channels are good, (channels,) of bool.

    QUALITY 2, with which grouping tasks mark what did not fill a group, is bad for the file's own grouping only.
    """
    left_over = (quality == LEFT_OVER) & (grouping < 0).any()
    good: np.ndarray = (quality == 0) | left_over if scheme is not None else quality == 0
    return good


def inside_band(e_min: np.ndarray, e_max: np.ndarray, band: tuple[float, float] | None) -> np.ndarray:
    """Return which channels have their middle inside a band in keV, (channels,) of bool; all for no band."""
    if band is None:
        return np.ones(e_min.size, bool)
    low, high = band
    if not (np.isfinite([low, high]).all() and low < high):
        raise RequestError(f"{low:g} to {high:g} keV is not an energy band.", "give two finite, rising energies.")
    middle = (e_min + e_max) / 2
    inside: np.ndarray = (middle > low) & (middle <= high)
    return inside


def make_bins(
    kept: np.ndarray,
    scheme: str | None,
    counts: np.ndarray,
    grouping: np.ndarray,
    background: np.ndarray | None = None,
    fwhm: np.ndarray | None = None,
) -> Bins:
    """Sum channels into bins.

    Each run of neighbours among the channels kept is grouped by itself, so that the first bin starts at the first
    channel noticed and none spans a gap.

    Parameters
    ----------
    kept : ndarray of int
        Indices of the channels to use, rising.
    scheme : str or None
        See `xtendsrc.measure.grouping.Scheme.parse`; None takes the file's own GROUPING.
    counts, grouping : ndarray, (channels,)
        Counts, and GROUPING flags of the file.
    background : ndarray, (channels,), optional
        Counts of the background, for schemes that ask for them.
    fwhm : ndarray, (channels,), optional
        Energy resolution in channels, for schemes that ask for it.
    """
    gaps = np.flatnonzero(np.diff(kept) > 1) + 1
    begin, complete = np.zeros(kept.size, bool), np.ones(kept.size, bool)
    begin[np.append(0, gaps)] = True
    if scheme is None:
        begin |= grouping[kept] >= 0
        return Bins(kept, np.flatnonzero(begin), complete[begin])
    for run in np.split(np.arange(kept.size), gaps):
        here = kept[run]
        flags = group(
            counts[here],
            scheme,
            background=None if background is None else background[here],
            fwhm=None if fwhm is None else fwhm[here],
        )
        left = flags.quality == LEFT_OVER
        begin[run] = (flags.grouping >= 0) & ~left
        begin[run[0]] = True
        if left.any():
            begin[run[left.argmax()]] = True
        complete[run] = ~left
    return Bins(kept, np.flatnonzero(begin), complete[begin])
