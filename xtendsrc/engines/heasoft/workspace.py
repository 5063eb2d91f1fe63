"""Private scratch directories: short, one a task at a time, cleaned even after a killed parent.

A directory's name tells the machine and the process that owns it, so that what a killed process left behind can be
recognised and removed by the next one.
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.errors import InputNotFoundError, TaskError
from xtendsrc.liveness import process_exists
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_NAME = 60
"""Characters of a name inside a scratch directory; the tasks' buffers hold 160 to 255, filters included."""

_LONGEST_BASE = 120
_PLAIN = re.compile(r"[\w./+-]+\Z", re.ASCII)
_SUFFIX = re.compile(r"(\.[A-Za-z0-9_]{1,8}){1,2}\Z")


@dataclass(frozen=True)
class Workspace:
    """The directories of one task: ``work`` is its cwd, ``pfiles`` its parameter files, ``log`` its output."""

    root: Path

    @property
    def work(self) -> Path:
        """The task's working directory."""
        return self.root / "w"

    @property
    def pfiles(self) -> Path:
        """The task's parameter files."""
        return self.root / "p"

    @property
    def log(self) -> Path:
        """What the task printed."""
        return self.root / "log"

    def link(self, name: str, target: str | os.PathLike[str]) -> None:
        """Make `target` readable as `name`.

        Raises
        ------
        InputNotFoundError
            The file does not exist.
        """
        path = Path(target).absolute()
        if not path.exists():
            raise InputNotFoundError(f"The input file {path} does not exist.", "check the path.")
        (self.work / name).symlink_to(path)

    def copy(self, name: str, source: str | os.PathLike[str]) -> None:
        """Give the task a copy of `source` that it may edit in place."""
        shutil.copyfile(source, self.work / name)

    def empty(self) -> None:
        """Remove whatever is there and make the directories anew, keeping those a process may stand in."""
        for directory in (self.work, self.pfiles):
            directory.mkdir(exist_ok=True)
            for item in directory.iterdir():
                remove(item)
        self.log.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file, a link or a tree."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def short_name(path: str | os.PathLike[str], stem: str) -> str:
    """A name inside a scratch directory: the file's own when that is short and plain, else `stem` and its suffix."""
    name = Path(path).name
    if len(name) <= LONGEST_NAME and _PLAIN.match(name) and not name.startswith("-"):
        return name
    suffix = _SUFFIX.search(name)
    return f"{stem}{suffix[0] if suffix else ''}"


def scratch_base() -> Path:
    """Where private directories are made: ``settings.scratch``, else the system's temporary directory.

    Raises
    ------
    TaskError
        The directory cannot be used by the tasks.
    """
    chosen = settings.values.scratch
    base = Path(chosen if chosen is not None else tempfile.gettempdir()).absolute()
    usable = len(str(base)) <= _LONGEST_BASE and _PLAIN.match(str(base)) is not None
    if not usable and chosen is None:
        base = Path("/tmp")  # the tasks' buffers and PFILES need a short, plain path
        usable = True
    if not usable or not base.is_dir() or not os.access(base, os.W_OK):
        raise TaskError(
            f"The scratch directory {base} cannot be used: HEASoft tasks need a short, plain, writable path.",
            "set xtendsrc.settings.scratch to a directory such as /tmp.",
        )
    return base


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def make_root(base: Path | None = None) -> Path:
    """Make a private directory that carries this machine's and this process's mark."""
    prefix = f"xt{_machine()}-{os.getpid()}-"
    root = Path(tempfile.mkdtemp(prefix=prefix, dir=base if base is not None else scratch_base()))
    Workspace(root).empty()
    return root


@contextmanager
def private_workspace(base: Path | None = None) -> Iterator[Workspace]:
    """A workspace that is removed at the end of the ``with`` block."""
    root = make_root(base)
    try:
        yield Workspace(root)
    finally:
        _clear(root)


def _clear(root: Path) -> None:
    """Remove a directory, also when Ctrl-C comes just then."""
    try:
        shutil.rmtree(root, ignore_errors=True)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise


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
            removed += 1
    return removed


def _stop_orphans(root: Path) -> None:
    """Kill processes that still stand in a dead owner's directory (where the system shows them)."""
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if entry.readlink().is_relative_to(root):
                os.kill(int(entry.parent.name), signal.SIGKILL)
