"""An event list in blocks of rows, so that a long one needs no more memory than a short one.

What is made of a block (a column, a mask, an index) is kept for the next product only as long as all that is kept fits
a number of bytes; then what was not used for longest is let go, and read or computed again when it is wanted again. An
ordinary event list is a single block, of which everything is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from xtendsrc.events.integrity import check_event_times

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from xtendsrc.events.eventlist import EventList

T = TypeVar("T")

ROWS = 1 << 20
"""Events of a block; the arrays that come and go with a block are of this length."""

KEPT_BYTES = 512 << 20
"""Bytes of columns, masks and indices of one event list that are kept from one product to the next."""


class Block(NamedTuple):
    """Some consecutive rows of one piece of an event list.

    ``start`` and ``stop`` count from the first row of the piece, ``first`` is the row of the whole list at ``start``.
    """

    piece: int
    start: int
    stop: int
    first: int

    @property
    def rows(self) -> int:
        """How many events it has."""
        return self.stop - self.start


class EventBlocks:
    """The blocks of an event list, and what is kept of them.

    Parameters
    ----------
    events : EventList
        The events.
    rows : int, optional
        Most events of a block; `ROWS` if not given.
    kept_bytes : int, optional
        Most bytes that are kept; `KEPT_BYTES` if not given.
    """

    def __init__(self, events: EventList, rows: int | None = None, kept_bytes: int | None = None) -> None:
        self.list = events
        self._all = tuple(_cut(events.piece_rows, ROWS if rows is None else rows))
        self._room = KEPT_BYTES if kept_bytes is None else kept_bytes
        self._kept: OrderedDict[Hashable, dict[Block, object]] = OrderedDict()
        self._used = 0
        self._checked = False

    def __iter__(self) -> Iterator[Block]:
        return iter(self._all)

    def column(self, name: str, block: Block) -> np.ndarray:
        """Values of a column in a block, in the byte order of this machine."""
        rows = slice(block.start, block.stop)
        return self.kept(("column", name), block, lambda: self.list.part(name, block.piece, rows))

    def times(self, block: Block) -> np.ndarray:
        """Event times in a block, mission seconds of the middle of the frame.

        Raises
        ------
        InputFileError
            If any event of the list has a time that cannot be.
        """
        if not self._checked:
            for piece, (header, path) in enumerate(zip(self.list.headers, self.list.paths, strict=True)):
                check_event_times((self._times(b) for b in self if b.piece == piece), header, path)
            self._checked = True
        return self._times(block)

    def _times(self, block: Block) -> np.ndarray:
        rows = slice(block.start, block.stop)
        return self.kept(("times",), block, lambda: self.list.part_times(block.piece, rows))

    def kept(self, name: Hashable, block: Block, compute: Callable[[], T]) -> T:
        """Return what is kept of a block under a name, computing it where nothing is."""
        known = self._kept.get(name)
        if known is not None and block in known:
            self._kept.move_to_end(name)
            return known[block]  # type: ignore[return-value]  # one name always stands for one type
        value = compute()
        self._kept.setdefault(name, {})[block] = value
        self._kept.move_to_end(name)
        self._used += _size(value)
        self._let_go(name, block)
        return value

    def _let_go(self, name: Hashable, block: Block) -> None:
        """Forget the names not used for longest until the rest fits; if the last alone does not, its newest block."""
        while self._used > self._room and len(self._kept) > 1:
            self._used -= sum(map(_size, self._kept.popitem(last=False)[1].values()))
        if self._used > self._room:
            self._used -= _size(self._kept[name].pop(block))


def _cut(piece_rows: tuple[int, ...], rows: int) -> Iterator[Block]:
    """Blocks of at most so many rows that cover every piece; an empty piece is one empty block."""
    first = 0
    for piece, number in enumerate(piece_rows):
        for start in range(0, max(number, 1), rows):
            yield Block(piece, start, min(start + rows, number), first + start)
        first += number


def _size(value: object) -> int:
    return value.nbytes if isinstance(value, np.ndarray) else 0
