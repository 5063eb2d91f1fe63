"""What a task finds in its private directory: a working directory, parameter files, and short names for its files."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.engines.scratch import make_private, scratch_base, scratch_directory
from xtendsrc.errors import InputNotFoundError, TaskError
from xtendsrc.settings import settings

if TYPE_CHECKING:
    import os
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
        """Output that the task printed."""
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
        """Copy `source` for the task, which may edit the copy in place."""
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


def task_base() -> Path:
    """Where tasks may run: the scratch directory, or ``/tmp`` where the system's own has no short, plain path.

    Raises
    ------
    TaskError
        The directory of ``settings.scratch`` cannot be used by the tasks.
    ProductError
        No directory can be used at all.
    """
    base = scratch_base()
    if len(str(base)) <= _LONGEST_BASE and _PLAIN.match(str(base)):
        return base
    if settings.values.scratch is None:
        return Path("/tmp")  # the tasks' buffers and PFILES need a short, plain path
    raise TaskError(
        f"The scratch directory {base} cannot be used: HEASoft tasks need a short, plain path.",
        "set xtendsrc.settings.scratch to a directory such as /tmp.",
    )


def make_root(base: Path | None = None) -> Path:
    """Make the directories of a workspace that its caller clears."""
    root = make_private(base if base is not None else task_base())
    Workspace(root).empty()
    return root


@contextmanager
def private_workspace(base: Path | None = None) -> Iterator[Workspace]:
    """A workspace that is removed at the end of the ``with`` block."""
    with scratch_directory(base if base is not None else task_base()) as root:
        place = Workspace(root)
        place.empty()
        yield place
