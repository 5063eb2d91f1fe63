"""The files of one data class: events with their good time, whole or in pieces, bad and flickering pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.simulate.detector import injection_keywords, window_keywords

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.instrument import DataClassCode
    from xtendsrc.simulate.detector import Detector, FlickeringPixels
    from xtendsrc.simulate.fitsout import Cards, Writer
    from xtendsrc.simulate.readout import ReadOut
    from xtendsrc.simulate.timeline import Timeline


@dataclass(frozen=True)
class ClassFiles:
    """What the files of one data class depend on, the events aside.

    Attributes
    ----------
    writer : Writer
        Of the observation.
    code : DataClassCode
        Which data class.
    readout : ReadOut
        Its frames.
    timeline : Timeline
        When it was read.
    split : int
        Pieces of each event file.
    """

    writer: Writer
    code: DataClassCode
    readout: ReadOut
    timeline: Timeline
    split: int

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return f"xa{self.writer.obs_id}xtd_"

    @property
    def offset(self) -> float:
        """Seconds from the middle of a frame to TIME."""
        return self.readout.offset(self.writer.conditions.timezero)

    @property
    def cards(self) -> Cards:
        """Keywords of the data class."""
        conditions = self.writer.conditions
        zero = {"TIMEZERO": conditions.timezero} if self.readout.coarse or conditions.timezero else {}
        return {
            "DETNAM": self.code.detnam,
            "DATAMODE": self.readout.timing.datamode,
            "DATACLAS": self.code.code,
            "FILTER": "NONE",
            **zero,
            **self.readout.keywords(),
            **window_keywords(self.code, conditions),
            **injection_keywords(conditions),
        }

    def write_cleaned(self, folder: Path, rows: np.ndarray) -> float:
        """Write the cleaned events; returns the sum of their good time intervals."""
        return self._write(folder, f"{self.stem}p{{}}{self.code}_cl.evt", rows, self.timeline, self.readout)

    def write_unfiltered(self, folder: Path, rows: np.ndarray) -> None:
        """Write all events, good for the whole pointing: nothing has been cut yet, not even the dead time."""
        low, high = self.timeline.pointing
        whole = replace(self.timeline, start=np.array([low]), stop=np.array([high]))
        self._write(folder, f"{self.stem}p{{}}{self.code}_uf.evt", rows, whole, None)

    def _write(self, folder: Path, name: str, rows: np.ndarray, timeline: Timeline, readout: ReadOut | None) -> float:
        edges, total = self._cuts(rows, timeline), 0.0
        middle = rows["TIME"] - self.offset
        for number, (low, high) in enumerate(pairwise(edges)):
            last = number == len(edges) - 2
            piece = rows[(middle >= low) & ((middle < high) | last)]
            start, stop = timeline.clipped(low, high)
            if readout is not None and len(start):
                start, stop = readout.good_time(start, stop, timeline.clock)
            if not len(start):
                raise RequestError(
                    f"{name.format(number + 1)} would have no good time.", f"split into fewer than {self.split} pieces."
                )
            total += float((stop - start).sum())
            counter = 0 if self.split == 1 else number + 1
            self._write_piece(folder / name.format(counter), piece, start, stop)
        return total

    def _write_piece(self, path: Path, rows: np.ndarray, start: np.ndarray, stop: np.ndarray) -> None:
        zero = self.writer.conditions.timezero  # in the header of the intervals too, and added when they are read
        cards = {
            **self.writer.identity(float(start[0]), float(stop[-1])),
            **self.cards,
            **self.readout.exposures(float((stop - start).sum())),
            "HDUCLASS": "OGIP",
        }
        events = self.writer.table("EVENTS", rows, {**cards, "HDUCLAS1": "EVENTS", "HDUCLAS2": "ALL"}, wcs=True)
        good = self.writer.intervals("GTI", start - zero, stop - zero, cards)
        self.writer.save(path, [events, good], cards)

    def _cuts(self, rows: np.ndarray, timeline: Timeline) -> list[float]:
        """Times at which a file is cut into pieces: just before a frame, at equal numbers of events."""
        low, high, pieces = float(timeline.start[0]), float(timeline.stop[-1]), self.split
        if pieces == 1 or not len(rows):
            return [low + (high - low) * n / pieces for n in range(pieces + 1)]
        before = self.readout.timedel / 2 + (0.0 if self.readout.coarse else self.readout.timing.before)
        inner = [float(rows["TIME"][len(rows) * n // pieces]) - self.offset - before for n in range(1, pieces)]
        return [low, *inner, high]

    def write_pixels(self, folder: Path, detector: Detector, flickering: FlickeringPixels, rows: np.ndarray) -> None:
        """Write the bad-pixel image and the list of flickering pixels."""
        low, high = self.timeline.pointing
        cards = {**self.writer.identity(low, high), "DETNAM": self.code.detnam, "DATACLAS": self.code.code}
        axes = {
            f"{key}{axis}": value
            for axis, column in ((1, "DETX"), (2, "DETY"))
            for key, value in (("CTYPE", column), ("CUNIT", "pixel"), ("CRPIX", 1.0), ("CRVAL", 1.0), ("CDELT", 1.0))
        }
        self.writer.save(folder / f"{self.stem}p0{self.code}.bimg", [], {**cards, **axes}, detector.image)
        names = ("CCD_ID", "ACTX", "ACTY", "DETX", "DETY")
        values = (flickering.ccd_id, flickering.actx, flickering.acty, *flickering.det)
        dtype = [*((name, ">i2") for name in names), ("START", ">f8"), ("STOP", ">f8")]
        table = np.zeros(len(flickering.ccd_id), dtype=dtype)
        for name, value in zip(names, values, strict=True):
            table[name] = value
        table["START"], table["STOP"] = flickering.start, flickering.stop
        events = rows[(rows["STATUS"][:, 1] & 0x40) != 0]
        parts = [self.writer.table("EVENTS", events, cards, wcs=True), self.writer.table("PIXELS", table, cards)]
        self.writer.save(folder / f"{self.stem}a0{self.code}.fpix", parts, cards)
