"""What a task printed, however much it was: the beginning and the end, and every fatal line between them.

A log of a gigabyte is neither read into memory nor searched line by line. One that goes on growing stops its task, as
it would fill the disk.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xtendsrc.engines.heasoft import messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xtendsrc.engines.heasoft.processes import Child

KEPT = 1 << 20
"""Bytes of a long log that are read at its beginning and at its end."""

PIECE = 1 << 20
MOST_LINES = 100
"""Fatal lines between the two that are kept."""

LARGEST = 1 << 30
"""A task whose log grows beyond these bytes is stopped."""

PERIOD = 0.5
"""Seconds between two looks at the size of a log."""


def read_log(path: Path) -> str:
    """The text of a log; of a long one the beginning, the fatal lines of the middle, and the end.

    Parameters
    ----------
    path : Path
        The log; an empty text if it is not there.
    """
    if not path.exists():
        return ""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= 2 * KEPT:
            return file.read().decode("utf-8", "replace")
        head = file.read(KEPT)
        lines: list[str] = []
        left = size - 2 * KEPT
        rest = b""
        while left > 0 and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            whole, _, rest = (rest[-KEPT:] + piece).rpartition(b"\n")
            if len(lines) < MOST_LINES:
                lines += messages.errors(whole.decode("utf-8", "replace"))
        tail = rest[-KEPT:] + file.read(KEPT)
    note = f"[{size - 2 * KEPT} bytes between are left out]"
    found = dict.fromkeys(lines[:MOST_LINES])
    return "\n".join([head.decode("utf-8", "replace"), note, *found, tail.decode("utf-8", "replace")])


def shortened(text: str) -> str:
    """The same of a text in memory."""
    if len(text) <= 2 * KEPT:
        return text
    middle = text[KEPT:-KEPT]
    found = dict.fromkeys(messages.errors(middle)[:MOST_LINES])
    return "\n".join([text[:KEPT], f"[{len(middle)} characters between are left out]", *found, text[-KEPT:]])


@contextmanager
def bounded(running: Child, log: Path) -> Iterator[None]:
    """Stop a task whose log grows beyond `LARGEST` within the ``with`` block."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PERIOD):
            if log.stat().st_size > LARGEST:
                running.flood()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
