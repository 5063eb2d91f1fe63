"""Grouping of spectral channels, as OGIP memo 92-007 defines GROUPING and QUALITY.

GROUPING is 1 in the first channel of a bin and -1 in those that continue it; QUALITY is 0, and 2 in channels that are
left over. ``min N`` and ``constant N`` are those of HEASoft's ``grppha``: from the first channel on, a bin closes as
soon as it is full; the channels left at the end stand alone, with QUALITY 2.

``fwhm/3`` makes bins of a third of the energy resolution, and keeps adding channels until the background has enough
counts in the bin too. Bins that do not depend on the source's counts leave the W-statistic unbiased; ``min 1`` of the
source does not: at 2000 counts it shifts a photon index by one standard deviation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.instrument.energy import EV_PER_CHANNEL
from xtendsrc.responses.nominal import fwhm as nominal_fwhm

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


LEFT_OVER = 2
"""QUALITY of channels left over: bad, by the choice of software."""

_SCHEME = re.compile(
    r"(min|constant)\s+(\d+)|fwhm\s*/\s*(\d+(?:\.\d+)?)(?:\s*,?\s*(background|counts)\s*(?:>=\s*)?(\d+))?"
)
_HINT = 'give None, "none", "min N", "constant N", "fwhm/3" or "fwhm/3, background >= N".'


@dataclass(frozen=True)
class Grouping:
    """Flags of the channels of a spectrum.

    Attributes
    ----------
    grouping : ndarray of int16
        1 where a bin starts, -1 where it goes on.
    quality : ndarray of int16
        0 good, 2 left over.
    """

    grouping: np.ndarray
    quality: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Index of the first channel of each bin."""
        return np.flatnonzero(self.grouping >= 0)

    def sum(self, values: ArrayLike) -> np.ndarray:
        """Sums of a channel array over the bins; their total is that of the channels."""
        return np.add.reduceat(np.asarray(values), self.starts)


@dataclass(frozen=True)
class Scheme:
    """A grouping in numbers: ``kind`` is none, min, constant or fwhm; ``size`` channels, counts or parts of a FWHM."""

    kind: str
    size: float = 1.0
    background: int | None = None
    counts: int = 0

    @classmethod
    def parse(cls, text: str | None) -> Scheme:
        """Read ``none``, ``min 20``, ``constant 4``, ``fwhm/3`` or ``fwhm/3, background >= 1``.

        ``fwhm/3`` alone asks for one count of the background a bin, where there is a background. ``fwhm/2, counts >=
        10`` asks for counts of the spectrum itself instead: for drawings, since it biases fits as ``min N`` does.

        Raises
        ------
        RequestError
            If the text is not understood.
        """
        if not (text is None or isinstance(text, str)):
            raise RequestError(f"The grouping {text!r} is unknown.", _HINT)
        words = (text or "none").strip().lower()
        if words == "none":
            return cls("none")
        found = _SCHEME.fullmatch(words)
        if not found:
            raise RequestError(f"The grouping {text!r} is unknown.", _HINT)
        kind, number, parts, of, least = found.groups()
        size = float(number or parts)
        if size <= 0:
            raise RequestError(f"The grouping {text!r} has no size.", _HINT)
        if of == "counts":
            return cls("fwhm", size, 0, int(least))
        return cls(kind or "fwhm", size, None if least is None else int(least))

    @property
    def text(self) -> str | None:
        """The one spelling of a scheme, which `parse` reads back; None for no grouping."""
        if self.kind == "none":
            return None
        if self.kind != "fwhm":
            return f"{self.kind} {int(self.size)}"
        if self.counts:
            return f"fwhm/{self.size:g}, counts >= {self.counts}"
        return f"fwhm/{self.size:g}" + ("" if self.background is None else f", background >= {self.background}")


def group(
    counts: ArrayLike,
    scheme: str | None,
    background: ArrayLike | None = None,
    fwhm: ArrayLike | None = None,
) -> Grouping:
    """Group the channels of a spectrum.

    Parameters
    ----------
    counts : array_like of int, shape (n,)
        Counts a channel.
    scheme : str or None
        See `Scheme.parse`.
    background : array_like of int, shape (n,), optional
        Counts of the background a channel, for schemes that ask for them.
    fwhm : array_like of float, shape (n,), optional
        Energy resolution in channels (from the RMF, say); by default the nominal one for channels of 6 eV
        from 0 (`xtendsrc.responses.nominal.fwhm`).

    Raises
    ------
    RequestError
        If the scheme is unknown, or asks for a background that is not given.
    """
    values = np.asarray(counts)
    rule = Scheme.parse(scheme)
    if rule.kind == "none":
        return Grouping(np.ones(len(values), np.int16), np.zeros(len(values), np.int16))
    if rule.kind == "constant":
        return _from_stops(np.arange(int(rule.size), len(values) + 1, int(rule.size)), len(values))
    if rule.kind == "min":
        return _from_stops(_full(values, int(rule.size)), len(values))
    if rule.background and background is None:
        raise RequestError(f"The grouping {scheme!r} needs a background.", "give one, or group without it.")
    if fwhm is None:
        kev = EV_PER_CHANNEL / 1000
        fwhm = nominal_fwhm((np.arange(len(values)) + 0.5) * kev) / kev
    width = np.asarray(fwhm, dtype=float) / rule.size
    if rule.counts or background is None:
        return _from_stops(_wide(width, values, rule.counts), len(values))
    least = 1 if rule.background is None else rule.background
    return _from_stops(_wide(width, np.asarray(background), least), len(values))


def _full(counts: np.ndarray, least: int) -> np.ndarray:
    """Where bins of at least ``least`` counts end (one beyond)."""
    total = np.cumsum(counts)
    stops: list[int] = []
    reached = 0
    while True:
        stop = int(np.searchsorted(total, reached + least))
        if stop >= len(total):
            return np.array(stops, dtype=np.int64)
        stops.append(stop + 1)
        reached = int(total[stop])


def _wide(width: np.ndarray, counts: np.ndarray, least: int) -> np.ndarray:
    """Where bins end that are as wide as ``width`` at their start and hold enough counts."""
    total = np.concatenate([[0.0], np.cumsum(counts)])
    stops: list[int] = []
    start = 0
    while start < len(width):
        stop = start + max(1, round(float(width[start])))
        enough = int(np.searchsorted(total, total[start] + least)) if least else stop
        stop = max(stop, enough)
        if stop > len(width):
            break
        stops.append(stop)
        start = stop
    return np.array(stops, dtype=np.int64)


def _from_stops(stops: np.ndarray, number: int) -> Grouping:
    """Flags of bins that end at ``stops``; channels beyond the last stand alone, left over."""
    grouping = np.full(number, -1, dtype=np.int16)
    quality = np.zeros(number, dtype=np.int16)
    last = int(stops[-1]) if len(stops) else 0
    starts = np.concatenate([[0], stops[:-1]]) if len(stops) else stops
    grouping[starts] = 1
    grouping[last:], quality[last:] = 1, LEFT_OVER
    return Grouping(grouping, quality)
