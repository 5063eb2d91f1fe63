"""How the CCDs take frames: integration, dead time and period of each read-out mode.

The CCDs of XRISM's Xtend are driven like those of Hitomi's SXI, whose task ``sximodegti`` (HEASoft) holds these times;
published exposures of Xtend are whole seconds less a whole number of these dead intervals. Every 4 s (NOMEXPO) hold
one frame, or eight in the 1/8 window. TIMEDEL is the integration of a frame, TIME the start of it (TIMEPIXR = 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NOMINAL_EXPOSURE = 4.0
"""NOMEXPO: seconds after which the pattern of frames repeats."""

TRANSFER = 0.036864
"""Seconds for which a frame is moved to the frame store, or the CCD is flushed."""

AGREES = 0.01
"""Relative difference up to which a TIMEDEL is an integration time of the table."""


@dataclass(frozen=True)
class FrameTiming:
    """Timing of one read-out mode.

    Attributes
    ----------
    datamode : str
        Keyword DATAMODE.
    integration : float
        Seconds of a frame in which photons are collected: TIMEDEL.
    frames : int
        Frames in `NOMINAL_EXPOSURE`.
    dead : tuple of (str, float, bool)
        Keyword, seconds, and whether they come before the integration, of each dead interval of a frame.
    last : float
        Integration of the last frame in `NOMINAL_EXPOSURE`: LASTDEL; 0 if it is as long as the others.
    """

    datamode: str
    integration: float
    frames: int
    dead: tuple[tuple[str, float, bool], ...]
    last: float = 0.0

    @property
    def before(self) -> float:
        """Dead seconds of a frame before its integration."""
        return sum(seconds for _, seconds, first in self.dead if first)

    @property
    def step(self) -> float:
        """Seconds from one frame to the next within `NOMINAL_EXPOSURE`, dead time included."""
        return self.integration + sum(seconds for _, seconds, _ in self.dead)

    @property
    def period(self) -> float:
        """Mean seconds from one frame to the next."""
        return NOMINAL_EXPOSURE / self.frames

    @property
    def live_share(self) -> float:
        """Part of the time in which photons are collected."""
        last = self.last or self.integration
        return ((self.frames - 1) * self.integration + last) / NOMINAL_EXPOSURE

    @property
    def keywords(self) -> dict[str, float]:
        """Timing keywords of an event file: TIMEDEL, LASTDEL, NOMEXPO and the dead intervals."""
        last = {"LASTDEL": self.last} if self.last else {}
        dead = {name: seconds for name, seconds, _ in self.dead}
        return {"TIMEDEL": self.integration, **last, "NOMEXPO": NOMINAL_EXPOSURE, **dead}

    def agrees(self, timedel: float) -> bool:
        """Whether a TIMEDEL is the integration of this mode."""
        return abs(timedel - self.integration) <= AGREES * self.integration


_BEFORE_TRANSFER = (("TIMTRANB", TRANSFER, True),)
_FLUSHED = (("FLUSHIMB", TRANSFER, True), ("TIMTRANA", TRANSFER, False))

TIMINGS = (
    FrameTiming("WINDOW1", 3.963136, 1, _BEFORE_TRANSFER),
    FrameTiming("WINDOW2", 0.4631184, 8, _BEFORE_TRANSFER, last=0.4632592),
    FrameTiming("WINDOW1BURST", 1.9395648, 1, (("EXPDEADB", 1.9865664, True), *_FLUSHED)),
    FrameTiming("WINDOW1BURST2", 0.0605952, 1, (("EXPDEADB", 3.8655360, True), *_FLUSHED)),
    FrameTiming(
        "WINDOW2BURST", 0.0605952, 8, (("EXPDEADB", 0.3633408, True), *_FLUSHED, ("EXPDEADA", 0.0023184, False))
    ),
)
"""The modes of Hitomi's SXI."""

OF_READOUT = {"0": ("WINDOW1",), "1": ("WINDOW2",), "2": ("WINDOW1BURST2", "WINDOW1BURST"), "3": ("WINDOW2BURST",)}
"""Modes by the third digit of the data class. Of the two of digit 2, the first has the 0.06 s that the observatory
guide gives for a burst; which of them flies is not published."""


def timings_of_readout(digit: str) -> tuple[FrameTiming, ...]:
    """Return the modes that the third digit of a data class can mean, the likelier first."""
    return tuple(t for name in OF_READOUT.get(digit, ()) for t in TIMINGS if t.datamode == name)


def timing_of(header: Mapping[str, Any]) -> FrameTiming | None:
    """Return the timing of the mode that a header tells of.

    DATAMODE decides, else the data class. Where that leaves two modes, TIMEDEL does, if it is an integration time of
    one of them.

    Parameters
    ----------
    header : mapping
        With DATAMODE or DATACLAS, and TIMEDEL.

    Returns
    -------
    FrameTiming or None
        None if the mode is unknown or stays ambiguous.
    """
    possible = possible_timings(header)
    return possible[0] if len(possible) == 1 else None


def possible_timings(header: Mapping[str, Any]) -> list[FrameTiming]:
    """Return all modes that a header allows: several for a burst of the full window whose TIMEDEL does not decide."""
    possible = _possible(header)
    timedel = header.get("TIMEDEL")
    exact = [t for t in possible if isinstance(timedel, (int, float)) and t.agrees(float(timedel))]
    return exact or possible


def _possible(header: Mapping[str, Any]) -> list[FrameTiming]:
    mode = str(header.get("DATAMODE", "")).strip().upper()
    if mode == "WINDOW1BURST":  # documents of the mission have one name for both burst modes of the full window
        return list(timings_of_readout("2"))
    named = [t for t in TIMINGS if t.datamode == mode]
    if named:
        return named
    code = str(header.get("DATACLAS", "")).strip()
    return list(timings_of_readout(code[2])) if len(code) == 8 else []
