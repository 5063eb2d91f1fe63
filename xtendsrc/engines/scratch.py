"""Private scratch directories: cleared at the end, and by the next process where the owner was killed.

The owner holds a lock (flock) on its directory, which the system releases when the process ends, however it ends. So
what a killed process left behind is recognised, also by containers that share a temporary directory and do not see
each other's processes. The name tells the machine, because locks of another one may not show.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from xtendsrc.errors import ProductError
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_swept: set[Path] = set()
_made: dict[Path, int] = {}
"""Directories of this process, and the open file that holds the lock of each."""

DAY = 86400.0


def scratch_base() -> Path:
    """Where private directories are made: ``settings.scratch``, made if need be, else the temporary directory.

    Raises
    ------
    ProductError
        It cannot be used.
    """
    chosen = settings.values.scratch
    base = Path(chosen if chosen is not None else tempfile.gettempdir()).absolute()
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise _unusable(base, str(problem)) from None
    if not os.access(base, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(base, "it may not be read and written")
    return base


def _unusable(base: Path, reason: str) -> ProductError:
    return ProductError(
        f"The scratch directory {base} cannot be used: {reason}.",
        "set xtendsrc.settings.scratch to a directory such as /tmp.",
    )


def make_private(base: Path) -> Path:
    """Make a private directory that carries this machine's and this process's mark, and hold its lock."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"xt{_machine()}-{os.getpid()}-", dir=base))
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if _locked(handle) is not False and path.exists():  # else it was swept before it was locked
            _made[path] = handle
            return path
        os.close(handle)


def _locked(handle: int) -> bool | None:
    """Take the lock of an open directory; False if another process holds it, None where there are no such locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        return False if problem.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True


@contextmanager
def scratch_directory(base: Path | None = None) -> Iterator[Path]:
    """Make a private directory with a short name for the length of a ``with`` block.

    Parameters
    ----------
    base : Path, optional
        Where; by default `scratch_base`. It is swept the first time this process uses it.
    """
    place = base if base is not None else scratch_base()
    if place not in _swept:
        _swept.add(place)
        sweep(place)
    path = make_private(place)
    try:
        yield path
    finally:
        clear(path)


def clear(path: Path) -> None:
    """Remove a directory, also when Ctrl-C comes just then."""
    try:
        shutil.rmtree(path, ignore_errors=True)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    finally:
        if (handle := _made.pop(path, None)) is not None:
            os.close(handle)


def clear_all() -> None:
    """Remove every scratch directory of this process, which is about to end."""
    for path in tuple(_made):
        for _ in range(2):  # another thread may still be writing into it
            shutil.rmtree(path, ignore_errors=True)


def sweep(base: Path | None = None) -> int:
    """Remove what killed processes of this machine left behind, and stop their orphaned tasks.

    Returns
    -------
    int
        How many directories were removed.
    """
    place = base if base is not None else scratch_base()
    pattern = re.compile(rf"xt{_machine()}-(\d+)-\w+\Z")
    removed = 0
    for item in place.iterdir():
        if (match := pattern.match(item.name)) and item not in _made:
            removed += _swept_one(item, int(match[1]))
    return removed


def _swept_one(item: Path, pid: int) -> bool:
    """Remove a directory whose owner is dead, with its lock held; tell whether it is gone."""
    try:
        handle = os.open(item, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:
        return False  # gone meanwhile, another user's, or no directory
    try:
        locked = _locked(handle)
        if locked is None:  # a file system without such locks: only what has rested for a day is taken for dead
            locked = not psutil.pid_exists(pid) and time.time() - os.fstat(handle).st_mtime > DAY
        if locked:
            _stop_orphans(item)
            shutil.rmtree(item, ignore_errors=True)
        return bool(locked) and not item.exists()
    finally:
        os.close(handle)


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _stop_orphans(root: Path) -> None:
    """Kill processes that still stand in a dead owner's directory (where the system shows them)."""
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if entry.readlink().is_relative_to(root):
                os.kill(int(entry.parent.name), signal.SIGKILL)
