"""Which events enter a product, found once for all products of a batch that share it.

An event is selected if its time (middle of the frame) lies in the good time intervals of the file and in those asked
for, both ends included; if its PI is within the channels, both included; if its grade is one of those asked for; and if
its X, Y (or DETX, DETY), as they are in the file, lie in the region. Without channels, events of every PI are
selected, also those marked with a PI out of range.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from xtendsrc.errors import GTIError, MissingColumnError, MissingKeywordError, RegionError
from xtendsrc.events.cards import common_cards, standard_cards, table_block
from xtendsrc.events.fitsblocks import hdu_bytes
from xtendsrc.instrument import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.fitsblocks import CardValues
    from xtendsrc.events.gti import GTI
    from xtendsrc.events.selection import Selection
    from xtendsrc.regions import RegionSet

log = logging.getLogger("xtendsrc.measure")

T = TypeVar("T")

GTI_DESCRIPTION = (
    ("HDUNAME", "GTI", "ASCDM block name"),
    ("MTYPE1", "TIME", "what the table restricts"),
    ("MFORM1", "START,STOP", "its columns"),
    ("METYP1", "R", "they are a range"),
)


@dataclass(frozen=True)
class RegionRows:
    """A region on the grid of an event list, and the events in it.

    Parameters
    ----------
    pixel_region : RegionSet or None
        The region in SKY or DET pixels; None is the whole field.
    index : ndarray of int
        Rows of the event list whose position lies in the region, whatever their time, energy or grade.
    pixels : int
        Pixel centres of the grid in the region.
    grid_pixels : int
        Pixels of the grid.
    """

    pixel_region: RegionSet | None
    index: np.ndarray
    pixels: int
    grid_pixels: int

    @property
    def frame(self) -> str:
        """Grid the region refers to, ``SKY`` or ``DET``."""
        return self.pixel_region.frame if self.pixel_region is not None else "SKY"

    @property
    def backscal(self) -> float:
        """Part of the grid that the region covers."""
        return self.pixels / self.grid_pixels

    @property
    def descriptor_cards(self) -> list[CardValues]:
        """Data-subspace keywords that point to the region table; none without a region."""
        if self.pixel_region is None:
            return []
        name = "POS(X,Y)" if self.frame == "SKY" else "POS(DETX,DETY)"
        return [
            ("DSTYP1", name, "what the selection is on"),
            ("DSREF1", ":REG00101", "extension that holds it"),
            ("DSVAL1", "TABLE", "it is a table"),
        ]


class SelectedEvents:
    """The rows of an event list that pass a `Selection`, and the good time they were taken from."""

    def __init__(self, events: EventMasks, selection: Selection) -> None:
        self.events = events
        self.gti = events.good_time(selection.gti)
        masks = [events.in_time(selection.gti), events.in_grades(selection.grades), events.in_band(selection.channels)]
        self._masks = [mask for mask in masks if mask is not None]

    @property
    def all(self) -> bool:
        """True if no event is left out."""
        return not self._masks

    @cached_property
    def mask(self) -> np.ndarray:
        """One bool an event."""
        if not self._masks:
            return np.ones(len(self.events.list), dtype=bool)
        return np.logical_and.reduce(self._masks) if len(self._masks) > 1 else self._masks[0]

    @cached_property
    def number(self) -> int:
        """How many events are selected."""
        return len(self.events.list) if self.all else int(np.count_nonzero(self.mask))

    def rows(self, region: RegionRows) -> np.ndarray:
        """Row numbers of the selected events in a region."""
        index = region.index
        for mask in self._masks:
            index = index[mask[index]]
        return index

    @property
    def cards(self) -> list[CardValues]:
        """Keywords of the event list, with the exposure and dates of the good time used."""
        return self.events.cached(("cards", self.gti), lambda: common_cards(self.events.list, self.gti))

    @property
    def short_cards(self) -> list[CardValues]:
        """Only the keywords every extension has."""
        return self.events.cached(("short cards", self.gti), lambda: standard_cards(self.events.list, self.gti))

    @property
    def gti_table(self) -> bytes:
        """The good time as the GTI extension of a product."""

        def make() -> bytes:
            table = self.gti.to_hdu("GTI", self.events.list.header)
            return hdu_bytes(table_block("GTI", table, (*self.short_cards, *GTI_DESCRIPTION)))

        return self.events.cached(("GTI", self.gti), make)

    def region_tables(self, region: RegionRows) -> list[bytes]:
        """The REG00101 extension of a product, if it has a region."""
        placed = region.pixel_region
        if placed is None:
            return []

        def make() -> bytes:
            return hdu_bytes(table_block("REG00101", placed.to_hdu(self.events.list.header), self.short_cards))

        return [self.events.cached(("REG00101", self.gti, placed), make)]


class EventMasks:
    """One event list with what the products of a batch need of it, each computed when first asked for."""

    def __init__(self, events: EventList) -> None:
        self.list = events
        self._cache: dict[Hashable, Any] = {}

    def cached(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return what is kept under a key, computing it the first time."""
        if key not in self._cache:
            self._cache[key] = compute()
        found: T = self._cache[key]
        return found

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about every product of this event list."""
        path, found = self.list.paths[0], [self.list.live_warning]
        if "TIMEPIXR" not in self.list.header:
            found.append(f"{path} has no TIMEPIXR: times count as the start of a frame, as in extractor")
        if timeless := int(np.count_nonzero(np.isnan(self.list.times))):
            found.append(f"{path}: {timeless} events have no TIME and are left out")
        return tuple(warning for warning in found if warning)

    @cached_property
    def geometry(self) -> Geometry:
        """How the detector lies on the sky, from the header."""
        return Geometry.from_header(self.list.header)

    @cached_property
    def channel_limits(self) -> tuple[int, int] | None:
        """First and last legal PI channel; None if the file does not say."""
        try:
            return self.list.limits("PI")
        except (MissingColumnError, MissingKeywordError):
            return None

    def select(self, selection: Selection) -> SelectedEvents:
        """Events that pass a selection."""
        return self.cached(selection, lambda: SelectedEvents(self, selection))

    def good_time(self, gti: GTI | None) -> GTI:
        """Good time of the file and, where given, of the user.

        Raises
        ------
        GTIError
            If nothing is left.
        """
        return self.cached(("gti", gti), lambda: self._good_time(gti))

    def _good_time(self, gti: GTI | None) -> GTI:
        own = self.list.gti
        both = own if gti is None else own & gti
        if not len(both) or both.total <= 0:
            raise GTIError(
                f"No good time of {self.list.paths[0]} is left within the {len(gti or ())} intervals asked for.",
                "check that they are mission seconds (TT since MJDREF) within TSTART..TSTOP of the event file.",
            )
        return both

    def in_time(self, gti: GTI | None) -> np.ndarray | None:
        """Which events lie in the good time; None if all do."""

        def compute() -> np.ndarray | None:
            good = self.good_time(gti).contains(self.list.times)
            return None if good.all() else good

        return self.cached(("time", gti), compute)

    def in_band(self, channels: tuple[int, int] | None) -> np.ndarray | None:
        """Which events lie in the channels, both inclusive; None without channels."""
        if channels is None:
            return None
        pi = self.list["PI"]
        return self.cached(("band", channels), lambda: (pi >= channels[0]) & (pi <= channels[1]))

    def in_grades(self, grades: tuple[int, ...] | None) -> np.ndarray | None:
        """Which events have one of the grades; None without grades."""
        if grades is None:
            return None
        return self.cached(("grades", grades), lambda: np.isin(self.list["GRADE"], grades))

    def region(self, region: RegionSet | None, exclude_calibration: bool = False) -> RegionRows:
        """Put a region on the grid of the events and find the events in it.

        Parameters
        ----------
        region : RegionSet or None
            In any frame; None is the whole field.
        exclude_calibration : bool
            Take the discs of the calibration sources out as well.

        Raises
        ------
        RegionError
            If no pixel of the grid lies in the region.
        """
        name = None if region is None else json.dumps(region.canonical())
        return self.cached(("region", name, exclude_calibration), lambda: self._region(region, exclude_calibration))

    def _region(self, region: RegionSet | None, exclude_calibration: bool) -> RegionRows:
        frame = "SKY" if region is None or region.frame == "icrs" else region.frame
        names = ("X", "Y") if frame == "SKY" else ("DETX", "DETY")
        limits = (self.list.limits(names[0]), self.list.limits(names[1]))
        whole = int(np.prod([high - low + 1 for low, high in limits]))
        placed = None if region is None else region.to_pixels(self.list.wcs(frame), frame)
        if exclude_calibration:
            placed = self._without_calibration(placed, frame)
        if placed is None:
            return RegionRows(None, np.arange(len(self.list)), whole, whole)
        pixels = placed.pixel_count(limits)
        if not pixels:
            raise RegionError(
                f"No pixel of the {frame} grid of {self.list.paths[0]} lies in the region.",
                "check its coordinates; the observation may not cover the source.",
            )
        index = np.flatnonzero(placed.mask(self.list[names[0]], self.list[names[1]]))
        return RegionRows(placed, index, pixels, whole)

    def _without_calibration(self, region: RegionSet | None, frame: str) -> RegionSet:
        from xtendsrc.regions import calibration_discs

        discs = calibration_discs(self.geometry, frame)
        return discs if region is None else region.exclude(discs.shapes)
