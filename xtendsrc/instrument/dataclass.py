"""The eight-character data class: which CCDs, which window, burst or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from xtendsrc.errors import RequestError
from xtendsrc.instrument.frames import FrameTiming, timings_of_readout

_CCDS = {"0": (1, 2, 3, 4), "1": (1, 2), "2": (3, 4)}
_READOUT: dict[str, tuple[Literal["full", "1/8"], bool]] = {
    "0": ("full", False),
    "1": ("1/8", False),
    "2": ("full", True),
    "3": ("1/8", True),
}
_DOCUMENTED = ("300", "310", "311", "312", "313", "320")
_FORM = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class DataClassCode:
    """A data class, read digit by digit (XRISM ABC guide, "XRISM Data Specifics").

    Make one with `parse`.

    Attributes
    ----------
    code : str
        All eight characters, e.g. ``"31100010"``.
    ccds : tuple of int
        Numbers of the CCDs, 1 to 4 (``CCD_ID`` is one less).
    window : {"full", "1/8"}
        Rows read: all 640, or 80 of them.
    burst : bool
        Whether only the last ~0.1 s of a frame is exposed.
    """

    code: str
    ccds: tuple[int, ...]
    window: Literal["full", "1/8"]
    burst: bool

    @classmethod
    def parse(cls, code: str | DataClassCode) -> DataClassCode:
        """Read a data class code.

        Raises
        ------
        RequestError
            If it is not eight hexadecimal characters, or a digit has no known meaning.
        """
        if isinstance(code, DataClassCode):
            return code
        text = str(code).strip().lower()
        hint = "a data class looks like 300000a0, 31100010 or 32000010."
        if not _FORM.fullmatch(text):
            raise RequestError(f"{code!r} is not a data class: it needs eight hexadecimal characters.", hint)
        if text[0] != "3":
            raise RequestError(f"Data class {text}: digit 1 is {text[0]}, science events have 3.", hint)
        if text[1] not in _CCDS:
            raise RequestError(f"Data class {text}: digit 2 (CCDs) is {text[1]}, known are 0, 1 and 2.", hint)
        if text[2] not in _READOUT:
            raise RequestError(f"Data class {text}: digit 3 (read-out) is {text[2]}, known are 0 to 3.", hint)
        window, burst = _READOUT[text[2]]
        return cls(text, _CCDS[text[1]], window, burst)

    @property
    def ccd_ids(self) -> tuple[int, ...]:
        """Values of the column ``CCD_ID``, 0 to 3."""
        return tuple(n - 1 for n in self.ccds)

    @property
    def windowed(self) -> bool:
        """Whether only the 1/8 window is read."""
        return self.window == "1/8"

    @property
    def timings(self) -> tuple[FrameTiming, ...]:
        """Frame timings that the read-out can mean, the likelier first; two for the burst of the full window."""
        return timings_of_readout(self.code[2])

    @property
    def frame_time(self) -> float:
        """Seconds from one frame to the next: 4.0, or 0.5 in the 1/8 window."""
        return self.timings[0].period

    @property
    def live_time(self) -> float:
        """Seconds of each frame in which photons are collected: 3.96, 0.46 in the 1/8 window, 0.06 in a burst."""
        return self.timings[0].integration

    @property
    def live_fraction(self) -> float:
        """Part of the time in which photons are collected: 0.991, 0.926, 0.015 or 0.121."""
        return self.timings[0].live_share

    @property
    def datamode(self) -> str:
        """Expected keyword DATAMODE (as for Hitomi SXI; xselect's mission database lists the same for Xtend)."""
        return f"WINDOW{2 if self.windowed else 1}{'BURST' if self.burst else ''}"

    @property
    def datamodes(self) -> tuple[str, ...]:
        """Values of DATAMODE that go with the data class, `datamode` first."""
        return tuple(dict.fromkeys((self.datamode, *(timing.datamode for timing in self.timings))))

    @property
    def detnam(self) -> str:
        """Expected keyword DETNAM: ``CCD`` for all four, else ``CCD12`` or ``CCD34`` (as for Hitomi SXI)."""
        return "CCD" if len(self.ccds) == 4 else "CCD" + "".join(map(str, self.ccds))

    @property
    def parameter_set(self) -> str:
        """Digits 4 to 8: on-board settings whose meaning is not documented."""
        return self.code[3:]

    @property
    def documented(self) -> bool:
        """Whether this combination of CCDs and read-out is one the mission describes."""
        return self.code[:3] in _DOCUMENTED

    def __str__(self) -> str:
        return self.code
