"""Counts images: events into pixels, with extractor's grid and header.

The pixel of a column value ``v`` is ``floor((nint(v) - TLMIN) / binning)``; an image has
``floor((TLMAX - TLMIN + 1) / binning)`` pixels a side, so that columns and rows that do not fill a last pixel are
left out, as in HEASoft's ``extractor``. Values are int32 counts.

Deliberately other than extractor: an image in detector coordinates keeps the true RA_NOM and DEC_NOM (extractor
writes 0 there); an event file without the WCS or the TLMIN, TLMAX of its columns is refused instead of given a
grid of its own; a selection without any exposure is an error instead of an empty image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.events.cards import band_cards, content_cards, grid_cards, write
from xtendsrc.measure.grid import COLUMNS, Grid, count_blocks, flat_index, rebin

if TYPE_CHECKING:
    import numpy as np

    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.events.fitsblocks import CardValues
    from xtendsrc.measure.eventblocks import Block
    from xtendsrc.measure.selection import EventMasks, SelectedEvents


def make_image(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `ImageRequest`: the image, then the GTI table."""
    request: Any = job.request
    events = batch.events(job)
    selected = events.select(request.selection)
    x, y = (events.list.limits(name) for name in COLUMNS[request.frame])
    grid = Grid(x, y, request.binning)
    cards = [
        *selected.cards,
        *content_cards("IMAGE"),
        ("BUNIT", "count", "unit of the pixel values"),
        ("IMGBIN", request.binning, "image binning factor"),
        *events.cached(("grid", request.frame, grid), lambda: _grid(events, request.frame, grid)),
        ("TOTCTS", selected.number, "events selected"),
        *band_cards(request.selection.channels, "CHANMIN", "CHANMAX"),
    ]
    path = batch.path(job)
    write(path, _counts(job, batch, selected, grid), cards, [selected.gti_table])
    return batch.made(path, events)


def _grid(events: EventMasks, frame: str, grid: Grid) -> list[CardValues]:
    return grid_cards(events.list, frame, COLUMNS[frame], grid)


def _counts(job: Job, batch: Batch, selected: SelectedEvents, grid: Grid) -> np.ndarray:
    """The image, summed from the unbinned one of the same events where that is a product too."""
    request: Any = job.request
    whole = Grid(grid.x, grid.y)
    if batch.wants_unbinned(job):
        return rebin(batch.unbinned(job, lambda: _counted(selected, request.frame, whole)), grid.binning)
    return _counted(selected, request.frame, grid)


def _counted(selected: SelectedEvents, frame: str, grid: Grid) -> np.ndarray:
    def index(block: Block) -> np.ndarray:
        x, y = (blocks.column(name, block) for name in COLUMNS[frame])
        return blocks.kept(("index", frame, grid), block, lambda: flat_index(x, y, grid))

    blocks = selected.events.blocks
    return count_blocks((index(block)[selected.chosen(block)] for block in blocks), grid.shape)
