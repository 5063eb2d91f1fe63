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
from xtendsrc.measure.eventblocks import EventBlocks
from xtendsrc.measure.grid import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.fitsblocks import CardValues
    from xtendsrc.events.gti import GTI
    from xtendsrc.events.selection import Selection
    from xtendsrc.measure.eventblocks import Block
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
class PlacedRegion:
    """A region on the grid of an event list.

    Parameters
    ----------
    pixel_region : RegionSet or None
        The region in SKY or DET pixels; None is the whole field.
    pixels : int
        Pixel centres of the grid in the region.
    grid_pixels : int
        Pixels of the grid.
    """

    pixel_region: RegionSet | None
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
        self.selection = selection
        self.gti = events.good_time(selection.gti)

    def chosen(self, block: Block, region: PlacedRegion | None = None) -> np.ndarray | slice:
        """Which events of a block are selected and, where one is given, in the region: an index of its columns."""
        if region is None or region.pixel_region is None:
            return self.events.blocks.kept(("selected", self.selection), block, lambda: self._everywhere(block))
        index = self.events.inside(region, block)
        for mask in self._masks(block):
            index = index[mask[index]]
        return index

    def _everywhere(self, block: Block) -> np.ndarray | slice:
        masks = self._masks(block)
        if not masks:
            return slice(None)
        return np.logical_and.reduce(masks) if len(masks) > 1 else masks[0]

    def _masks(self, block: Block) -> list[np.ndarray]:
        """One bool an event for each condition that leaves some out."""
        events, asked = self.events, self.selection
        masks = (
            events.in_time(asked.gti, block),
            events.in_grades(asked.grades, block),
            events.in_band(asked.channels, block),
        )
        return [mask for mask in masks if mask is not None]

    @cached_property
    def number(self) -> int:
        """How many events are selected."""
        return sum(_length(self.chosen(block), block) for block in self.events.blocks)

    def rows(self, region: PlacedRegion) -> np.ndarray:
        """Row numbers of the selected events in a region."""
        return np.concatenate(
            [block.first + np.arange(block.rows)[self.chosen(block, region)] for block in self.events.blocks]
        )

    def columns(self, names: Sequence[str], region: PlacedRegion | None = None) -> Iterator[list[np.ndarray]]:
        """Yield the values of some columns for the selected events in a region, block by block."""
        for block in self.events.blocks:
            chosen = self.chosen(block, region)
            yield [self.events.blocks.column(name, block)[chosen] for name in names]

    def times(self, region: PlacedRegion | None = None) -> Iterator[np.ndarray]:
        """Yield the times of the selected events in a region, mission seconds, block by block."""
        for block in self.events.blocks:
            yield self.events.blocks.times(block)[self.chosen(block, region)]

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

    def region_tables(self, region: PlacedRegion) -> list[bytes]:
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
        self.blocks = EventBlocks(events)
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
        if timeless := sum(int(np.count_nonzero(np.isnan(self.blocks.times(block)))) for block in self.blocks):
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

    def in_time(self, gti: GTI | None, block: Block) -> np.ndarray | None:
        """Which events of a block lie in the good time; None if all do."""

        def compute() -> np.ndarray | None:
            good = self.good_time(gti).contains(self.blocks.times(block))
            return None if good.all() else good

        return self.blocks.kept(("time", gti), block, compute)

    def in_band(self, channels: tuple[int, int] | None, block: Block) -> np.ndarray | None:
        """Which events of a block lie in the channels, both inclusive; None without channels."""
        if channels is None:
            return None
        low, high = channels

        def compute() -> np.ndarray:
            pi = self.blocks.column("PI", block)
            return (pi >= low) & (pi <= high)

        return self.blocks.kept(("band", channels), block, compute)

    def in_grades(self, grades: tuple[int, ...] | None, block: Block) -> np.ndarray | None:
        """Which events of a block have one of the grades; None without grades."""
        if grades is None:
            return None
        return self.blocks.kept(("grades", grades), block, lambda: np.isin(self.blocks.column("GRADE", block), grades))

    def inside(self, region: PlacedRegion, block: Block) -> np.ndarray:
        """Indices of the events of a block in a region, whatever their time, energy or grade."""
        placed = region.pixel_region
        if placed is None:
            return np.arange(block.rows)

        def compute() -> np.ndarray:
            x, y = (self.blocks.column(name, block) for name in COLUMNS[placed.frame])
            return np.flatnonzero(placed.mask(x, y)).astype(np.int32)

        return self.blocks.kept(("inside", placed), block, compute)

    def columns(self, names: Sequence[str], region: PlacedRegion) -> Iterator[list[np.ndarray]]:
        """Yield the values of some columns for all events in a region, good or not, block by block."""
        for block in self.blocks:
            index = self.inside(region, block)
            yield [self.blocks.column(name, block)[index] for name in names]

    def region(self, region: RegionSet | None, exclude_calibration: bool = False) -> PlacedRegion:
        """Put a region on the grid of the events.

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

    def _region(self, region: RegionSet | None, exclude_calibration: bool) -> PlacedRegion:
        frame = "SKY" if region is None or region.frame == "icrs" else region.frame
        names = COLUMNS[frame]
        limits = (self.list.limits(names[0]), self.list.limits(names[1]))
        whole = int(np.prod([high - low + 1 for low, high in limits]))
        placed = None if region is None else region.to_pixels(self.list.wcs(frame), frame)
        if exclude_calibration:
            placed = self._without_calibration(placed, frame)
        if placed is None:
            return PlacedRegion(None, whole, whole)
        pixels = placed.pixel_count(limits)
        if not pixels:
            raise RegionError(
                f"No pixel of the {frame} grid of {self.list.paths[0]} lies in the region.",
                "check its coordinates; the observation may not cover the source.",
            )
        return PlacedRegion(placed, pixels, whole)

    def _without_calibration(self, region: RegionSet | None, frame: str) -> RegionSet:
        from xtendsrc.regions import calibration_discs

        discs = calibration_discs(self.geometry, frame)
        return discs if region is None else region.exclude(discs.shapes)


def _length(chosen: np.ndarray | slice, block: Block) -> int:
    """How many events of a block are chosen by a mask, or by the slice that takes all."""
    return block.rows if isinstance(chosen, slice) else int(np.count_nonzero(chosen))
