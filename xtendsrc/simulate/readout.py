"""When a data class reads its CCDs, and how an event file tells of it: frame by frame, or in coarse good time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.instrument.frames import NOMINAL_EXPOSURE

if TYPE_CHECKING:
    from xtendsrc.instrument import DataClassCode
    from xtendsrc.instrument.frames import FrameTiming
    from xtendsrc.simulate.conditions import Conditions
    from xtendsrc.simulate.timeline import Timeline


@dataclass(frozen=True)
class ReadOut:
    """The frames of one data class.

    Attributes
    ----------
    timing : FrameTiming
        Integration, dead time and period of the mode.
    coarse : bool
        Whether good time is written as whole stretches with DEADC and LIVETIME, TIMEDEL being the period; else it is
        one interval an integration, which is live time, and TIMEDEL is the integration.
    timepixr : float
        Where between start (0) and end (1) of TIMEDEL the column TIME lies.
    """

    timing: FrameTiming
    coarse: bool
    timepixr: float

    @classmethod
    def of(cls, code: DataClassCode, conditions: Conditions, coarse: bool) -> ReadOut:
        """Return the read-out of a data class."""
        given = conditions.timepixr
        return cls(code.timings[0], coarse, given if given is not None else 0.5 if coarse else 0.0)

    @property
    def timedel(self) -> float:
        """Keyword TIMEDEL, seconds."""
        return self.timing.period if self.coarse else self.timing.integration

    @property
    def live(self) -> float:
        """Mean live seconds of a frame."""
        return self.timing.live_share * self.timing.period

    def offset(self, timezero: float) -> float:
        """Seconds from the middle of TIMEDEL to the column TIME."""
        return (self.timepixr - 0.5) * self.timedel - timezero

    def starts(self, low: float, high: float, clock: float) -> np.ndarray:
        """Starts of TIMEDEL of all frames between two times, of a clock whose pattern repeats from ``clock`` on."""
        first, last = (np.floor((low - clock) / NOMINAL_EXPOSURE), np.ceil((high - clock) / NOMINAL_EXPOSURE))
        pattern = clock + NOMINAL_EXPOSURE * np.arange(first, last)
        within = np.arange(self.timing.frames)
        step = within * self.timing.period if self.coarse else within * self.timing.step + self.timing.before
        return np.asarray((pattern[:, None] + step).ravel())

    def frames(self, timeline: Timeline) -> tuple[np.ndarray, np.ndarray]:
        """Middles of all frames of the pointing, and which of them lie in a good time interval."""
        middle = self.starts(*timeline.pointing, timeline.clock) + self.timedel / 2
        interval = np.searchsorted(timeline.start, middle, side="right") - 1
        return middle, (interval >= 0) & (middle <= timeline.stop[np.maximum(interval, 0)])

    def good_time(self, start: np.ndarray, stop: np.ndarray, clock: float) -> tuple[np.ndarray, np.ndarray]:
        """Good time of whole stretches as the file has it: the stretches, or the integrations within them."""
        if self.coarse:
            return start, stop
        begin = self.starts(float(start[0]) - NOMINAL_EXPOSURE, float(stop[-1]), clock)
        length = np.full((len(begin) // self.timing.frames, self.timing.frames), self.timing.integration)
        length[:, -1] = self.timing.last or self.timing.integration
        end = begin + length.ravel()
        first, last = np.searchsorted(end, start, side="right"), np.searchsorted(begin, stop, side="left")
        inside = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
        edges = [
            (np.maximum(begin[i], low), np.minimum(end[i], high))
            for i, low, high in zip(inside, start, stop, strict=True)
        ]
        low, high = (np.concatenate(part) for part in zip(*edges, strict=True))
        return low, high

    def keywords(self) -> dict[str, Any]:
        """Timing keywords of EVENTS."""
        if self.coarse:
            return {"TIMEPIXR": self.timepixr, "TIMEDEL": self.timedel, "DEADC": self.timing.live_share}
        return {"TIMEPIXR": self.timepixr, **self.timing.keywords}

    def exposures(self, ontime: float) -> dict[str, float]:
        """ONTIME, EXPOSURE and, in coarse good time, LIVETIME for the sum of the good time intervals."""
        if not self.coarse:
            return {"ONTIME": ontime, "EXPOSURE": ontime}
        live = ontime * self.timing.live_share
        return {"ONTIME": ontime, "LIVETIME": live, "EXPOSURE": live}
