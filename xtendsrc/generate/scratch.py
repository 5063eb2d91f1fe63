"""Private scratch directories that outlive neither a batch nor, for long, a killed one."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.liveness import process_exists
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Make a private directory with a short path for the length of a ``with`` block.

    Its name tells host and process, so that what a killed process left behind is removed by the next one.
    """
    root = Path(settings.scratch or tempfile.gettempdir()) / f"xts{os.getuid()}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(root)
    path = Path(tempfile.mkdtemp(prefix=f"{_host()}-{os.getpid()}-", dir=root))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _host() -> str:
    return socket.gethostname().split(".")[0].replace("-", "_")[:16]


def _sweep(root: Path) -> None:
    for entry in root.glob(f"{_host()}-*-*"):
        pid = entry.name.split("-")[1]
        if pid.isdigit() and not process_exists(int(pid)):
            shutil.rmtree(entry, ignore_errors=True)
