"""Live time: the share of the good time in which the CCDs collected photons, and how far frames bridge it.

Good time comes in two forms. *Frame by frame*: one interval an integration, so that good time is live time already,
without DEADC or LIVETIME. *Coarse*: intervals over many frames, with a live fraction in the header. Both are read
here, and a burst-mode file of the second form that has lost its live fraction is corrected from its mode, since it
would be wrong by up to a factor 67.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import DeadTimeError
from xtendsrc.events.header import number
from xtendsrc.instrument.frames import possible_timings, timing_of

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from xtendsrc.events.gti import GTI
    from xtendsrc.instrument.frames import FrameTiming

KEYWORDS = ("DEADC", "DTCOR", "LIVETIME")
"""Where a header may give the live fraction."""

SLACK = 1e-3
"""Seconds by which an interval may exceed an integration, or a gap the dead time: rounding of START and STOP."""

NO_DEAD_TIME = 0.995
"""A live fraction from here on is no dead time: the shortest, of the full window, leaves 0.991."""

MOSTLY = 0.99
"""Part of the good time that must lie in single integrations for it to count as frame by frame."""


@dataclass(frozen=True)
class LiveShare:
    """Live fraction of the good time of a file.

    Attributes
    ----------
    value : float
        Within (0, 1]; what extractor calls DEADC.
    warning : str
        What the user should know; empty if the file itself gives the value and there is no doubt about it.
    corrected : bool
        Whether the value is that of the read-out mode, which the file itself does not give.
    """

    value: float
    warning: str = ""
    corrected: bool = False


def live_fraction(header: Header, path: str) -> float | None:
    """Return the live fraction a header gives: DEADC, else DTCOR, else LIVETIME / ONTIME; None if it gives none.

    Raises
    ------
    DeadTimeError
        If the value is not within (0, 1].
    """
    if "DEADC" in header or "DTCOR" in header:
        value = number(header, "DEADC" if "DEADC" in header else "DTCOR", path)
    elif header.get("ONTIME") and "LIVETIME" in header:
        value = number(header, "LIVETIME", path) / number(header, "ONTIME", path)
    else:
        return None
    if not 0.0 < value <= 1.0 + 1e-6:
        raise DeadTimeError(
            f"{path}: the live fraction (DEADC, DTCOR or LIVETIME / ONTIME) is {value}, which is not within (0, 1].",
            "correct the keyword in a copy of the file.",
        )
    return min(value, 1.0)


def frame_by_frame(gti: GTI, timing: FrameTiming | None) -> bool:
    """Tell whether good time intervals are single integrations of a mode, its dead time left out."""
    if timing is None or not len(gti):
        return False
    length = gti.stop - gti.start
    single = length <= max(timing.integration, timing.last) + SLACK
    return float(length[single].sum()) >= MOSTLY * gti.total


def live_share(header: Header, gti: GTI, path: str) -> LiveShare:
    """Return the live fraction of a file's good time.

    What the header says comes first (as in extractor), with a warning where good time lacks the dead time already.
    Without it, good time frame by frame is live time. Coarse good
    time of a burst mode is corrected with the live share of the mode; that of another mode counts as live time, as in
    extractor, with a warning.

    Parameters
    ----------
    header : Header
        Of EVENTS.
    gti : GTI
        Good time of the file.
    path : str
        Name for errors.

    Raises
    ------
    DeadTimeError
        If the header's value makes no sense, or a burst mode is not known well enough to correct for it.
    """
    given, timing = live_fraction(header, path), timing_of(header)
    single = any(frame_by_frame(gti, possible) for possible in possible_timings(header))
    if given is not None:
        return LiveShare(given, _twice(path, given) if single and given < NO_DEAD_TIME else "")
    if single:
        return LiveShare(1.0)
    if not _burst(header):
        return LiveShare(1.0, _uncorrected(path, timing))
    if timing is None:
        raise DeadTimeError(
            f"{path}: its good time includes the dead time of a burst mode, but it has neither DEADC nor LIVETIME, and "
            f"DATAMODE = {header.get('DATAMODE')}, TIMEDEL = {header.get('TIMEDEL')} leave the mode open.",
            "write DEADC (live seconds a second of good time) into a copy of the file.",
        )
    return LiveShare(
        timing.live_share,
        f"{path} is of burst mode {timing.datamode} with coarse good time and neither DEADC nor LIVETIME: its exposure "
        f"is corrected with the live share of the mode, {timing.live_share:.4f}",
        corrected=True,
    )


def _twice(path: str, given: float) -> str:
    return (
        f"{path} has good time frame by frame, without dead time, and a live fraction of {given:.4f} besides: "
        "exposures have both, as in extractor, and may be too short"
    )


def _burst(header: Header) -> bool:
    if "BURST" in str(header.get("DATAMODE", "")).upper():
        return True
    code = str(header.get("DATACLAS", "")).strip()
    return "DATAMODE" not in header and len(code) == 8 and code[2] in "23"


def _uncorrected(path: str, timing: FrameTiming | None) -> str:
    if timing is None:
        return ""
    lost = 100 * (1 - timing.live_share)
    return (
        f"{path} has coarse good time and neither DEADC nor LIVETIME: good time counts as live time, as in extractor, "
        f"although {lost:.1f} % of it is dead time of the mode {timing.datamode}"
    )


def frame_period(header: Header) -> float | None:
    """Return the seconds from one frame to the next; None if the header does not say.

    That is TIMEDEL, unless TIMEDEL is the integration time of a known mode: then the mode's period.
    """
    timing = timing_of(header)
    timedel = header.get("TIMEDEL")
    if not isinstance(timedel, (int, float)) or timedel <= 0:
        return timing.period if timing is not None and timedel is None else None
    return timing.period if timing is not None and timing.agrees(float(timedel)) else float(timedel)


def elapsed(gti: GTI, header: Header) -> GTI:
    """Return good time with the dead time of its frames filled in.

    Good time frame by frame becomes whole stretches: gaps no longer than the dead time of the mode are closed and each
    stretch ends with the period of its last frame. Coarse good time stays as it is.
    """
    timing = timing_of(header)
    if timing is None or not frame_by_frame(gti, timing):
        return gti
    dead = timing.period - timing.integration + SLACK
    whole = gti.bridged(dead)
    reach = np.minimum(whole.stop + dead - SLACK, np.append(whole.start[1:], np.inf))
    return type(gti)(whole.start, reach)
