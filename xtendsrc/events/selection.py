"""Which events enter a product: channels, good time and grades, as plain hashable values."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RequestError
from xtendsrc.instrument.energy import EV_PER_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xtendsrc.events.gti import GTI

LONGEST_LIST = 500
"""More intervals than this are stated by their digest: a frame-by-frame selection has hundreds of thousands."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which events enter a product.

    Parameters
    ----------
    channels : (int, int), optional
        First and last PI channel, both inclusive; None takes every channel.
    gti : GTI, optional
        Intervals in mission seconds that are ANDed with the file's own good time intervals; pairs become a `GTI`.
    grades : tuple of int, optional
        The event grades kept; None keeps all.
    """

    channels: tuple[int, int] | None = None
    gti: GTI | None = None
    grades: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.channels is not None:
            lo, hi = (whole("channels", channel) for channel in self.channels)
            if not (0 <= lo <= hi <= 4095):
                raise RequestError(
                    f"PI channels {lo}..{hi} are not a range within 0..4095.",
                    "give (first, last), both inclusive.",
                )
            object.__setattr__(self, "channels", (lo, hi))
        if self.gti is not None:
            object.__setattr__(self, "gti", as_gti(self.gti))
        if self.grades is not None:
            object.__setattr__(self, "grades", tuple(sorted({whole("grades", g) for g in self.grades})))
            if not self.grades:
                raise RequestError("No grade is asked for.", "give grades such as (0, 2, 3, 4, 6), or None for all.")

    @property
    def band(self) -> str:
        """The band in words, ``0.50-10.00keV``, or ``all``."""
        if self.channels is None:
            return "all"
        low, high = self.edges_kev
        return f"{low:.2f}-{high:.2f}keV"

    @property
    def edges_kev(self) -> tuple[float, float]:
        """Lower edge of the first channel and upper edge of the last, keV."""
        first, last = self.channels or (0, 4095)
        return first * EV_PER_CHANNEL / 1000, (last + 1) * EV_PER_CHANNEL / 1000


def as_gti(intervals: GTI | Iterable[tuple[float, float]]) -> GTI:
    """Return good time intervals, made from (start, stop) pairs of mission seconds where needed."""
    from xtendsrc.events.gti import GTI

    return intervals if isinstance(intervals, GTI) else GTI.from_pairs(intervals)


def gti_statement(gti: GTI) -> list[list[float]] | dict[str, Any]:
    """Return intervals as plain values: pairs, or beyond `LONGEST_LIST` their number, seconds and SHA-256.

    A product made with so many holds them in its own GTI extension.
    """
    if len(gti) <= LONGEST_LIST:
        return [[start, stop] for start, stop in gti.pairs]
    return {"intervals": len(gti), "seconds": gti.total, "sha256": gti.digest}


def whole(name: str, value: Any) -> int:
    """Return a plain whole number; a fraction is refused, never cut off."""
    try:
        number = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except TypeError as error:
        raise RequestError(f"{name}: {value!r} is not a whole number.", f"give whole numbers for {name}.") from error
    if isinstance(value, bool):
        raise RequestError(f"{name}: {value!r} is not a whole number.", f"give whole numbers for {name}.")
    return number
