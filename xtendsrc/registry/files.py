"""Files that are either complete under their name or not there at all."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import re
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

import psutil

from xtendsrc.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("xtendsrc.registry")
_counter = itertools.count()
_PART = re.compile(r"\.(\d+)\.\d+\.part$")
_ASIDE = re.compile(r"\.damaged-\d{8}T\d{6}(-\d+)?(\.|$)")
DAY = 86400.0
_NEXT = {
    errno.ENOSPC: "free some space on that file system, then run the batch again; what was committed is kept.",
    errno.EDQUOT: "your quota is used up: free some space, then run the batch again; what was committed is kept.",
    errno.EROFS: "that file system is mounted read-only: choose another output directory.",
    errno.EACCES: "you may not write there: choose another output directory, or ask its owner for permission.",
    errno.EPERM: "you may not write there: choose another output directory, or ask its owner for permission.",
    errno.ENAMETOOLONG: "the name is too long for that file system: choose a shorter output directory or source name.",
}


@contextmanager
def os_errors(doing: str) -> Iterator[None]:
    """Convert an `OSError` into a `RegistryError` that says what was being done and what to do next."""
    try:
        yield
    except RegistryError:
        raise
    except OSError as err:
        step = _NEXT.get(err.errno or 0, "look after that file system, then run the batch again.")
        raise RegistryError(f"{doing} failed: {err.strerror or err}.", step) from err


def open_part(final: Path) -> tuple[BinaryIO, Path]:
    """Open a new ``<name>.<pid>.<n>.part`` beside its final place, never one that exists."""
    while True:
        part = final.with_name(f"{final.name[:200]}.{os.getpid()}.{next(_counter)}.part")
        with suppress(FileExistsError):
            return part.open("x+b"), part


def distinguish(fd: int, final: Path) -> os.stat_result:
    """Set a modification time of a file that differs from that of the file it is about to replace.

    File systems count time in steps (ext4: 4 ms); two files written within one step, of one size, could otherwise not
    be told apart without reading them.
    """
    now = time.time_ns()
    old = final.stat().st_mtime_ns if final.exists() else None
    for step in (0, 1, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000):
        os.utime(fd, ns=(now + step, now + step))
        found = os.fstat(fd)
        if found.st_mtime_ns != old:
            break
    return found


def publish(part: Path, final: Path) -> None:
    """Rename a complete file to its final name, in one step; `fsync_directory` makes the rename last."""
    os.replace(part, final)  # noqa: PTH105  (the one call everything rests on, by its own name)


def fsync_directory(directory: Path) -> None:
    """Make renames in a directory survive a power cut, where the file system can."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as err:
        if err.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(fd)


def write_part(final: Path, data: bytes, *, durable: bool = True) -> Path:
    """Write a complete file beside its final place; return where."""
    f, part = open_part(final)
    try:
        with f:
            f.write(data)
            f.flush()
            if durable:
                os.fsync(f.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def write_whole(final: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that its name only ever shows the old or the new content."""
    part = write_part(final, data, durable=durable)
    try:
        publish(part, final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if durable:
        fsync_directory(final.parent)


def set_aside(path: Path) -> Path:
    """Rename a damaged file to ``<stem>.damaged-<date><suffix>``, keeping it for inspection."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for n in itertools.count():
        tail = f"-{n}" if n else ""
        aside = path.with_name(f"{path.stem}.damaged-{stamp}{tail}{path.suffix}")
        if not aside.exists():
            break
    os.replace(path, aside)  # noqa: PTH105  (as in publish)
    return aside


def is_set_aside(name: str) -> bool:
    """Whether a file name is one that `set_aside` gives."""
    return _ASIDE.search(name) is not None


def is_debris(path: Path) -> bool:
    """Whether a ``.part`` file is more than a day old and its writer is not a process of this machine."""
    if (match := _PART.search(path.name)) is None:
        return False
    return age(path) > DAY and not psutil.pid_exists(int(match[1]))


def age(path: Path) -> float:
    """Seconds since a file was last written; 0 if it is not there."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
