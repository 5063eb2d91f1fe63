"""A helper process that kills the tasks of a process that died without stopping them (SIGKILL, SIGTERM, a crash).

Started as a script by `processes.Guard`; it must not import the rest of the package. It reads lines from its standard
input: ``+N`` when a task that leads process group N was started, ``-N`` when it has ended. When the pipe is closed, or
its parent is another process than at the start, it kills the groups that are left, with whatever the tasks started.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress

PATIENCE = 0.3
"""Seconds between looks at the parent: a forked copy of it may hold the pipe open."""


def watch(parent: int, requests: int = 0) -> set[int]:
    """Return the process groups that are running when the parent has ended."""
    groups: set[int] = set()
    text = b""
    while os.getppid() == parent:
        if not select.select([requests], [], [], PATIENCE)[0]:
            continue
        data = os.read(requests, 65536)
        if not data:
            break
        *lines, text = (text + data).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    return groups


def main(parent: int) -> None:
    """Watch, then kill what is left."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    for group in watch(parent):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
