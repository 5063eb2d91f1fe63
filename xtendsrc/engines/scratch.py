"""Private scratch directories: cleared at the end, and by the next process where the owner was killed.

A directory's name tells the machine and the process that owns it, so that what a killed process left behind can be
recognised and removed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import signal
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.errors import ProductError
from xtendsrc.liveness import process_exists
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_swept: set[Path] = set()
_made: set[Path] = set()


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
    """Make a private directory that carries this machine's and this process's mark."""
    return Path(tempfile.mkdtemp(prefix=f"xt{_machine()}-{os.getpid()}-", dir=base))


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
    _made.add(path)
    try:
        yield path
    finally:
        clear(path)
        _made.discard(path)


def clear(path: Path) -> None:
    """Remove a directory, also when Ctrl-C comes just then."""
    try:
        shutil.rmtree(path, ignore_errors=True)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


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
        match = pattern.match(item.name)
        if match and not process_exists(int(match[1])):
            _stop_orphans(item)
            shutil.rmtree(item, ignore_errors=True)
            removed += not item.exists()
    return removed


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _stop_orphans(root: Path) -> None:
    """Kill processes that still stand in a dead owner's directory (where the system shows them)."""
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if entry.readlink().is_relative_to(root):
                os.kill(int(entry.parent.name), signal.SIGKILL)
