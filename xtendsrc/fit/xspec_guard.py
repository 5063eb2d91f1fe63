"""A small process that runs XSPEC and ends it when whoever asked for the fit is no more.

It is started by `xtendsrc.fit.xspec` as a script, leads a process group of its own, and imports nothing of xtendsrc.
PyXspec holds Python's lock while it fits, so that it cannot look after itself; and a program that is no Python cannot
either. The guard waits for its end and gives its code back; 128 and the number of the signal if one ended it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

INTERVAL = 0.2
"""Seconds between looks at the parent; short fits are waited for more finely."""


def main(command: list[str]) -> int:
    """Run a command and return its code; kill the whole group, this process with it, when the parent dies."""
    parent = os.getppid()
    process = subprocess.Popen(command)
    pause = 0.01
    while (code := process.poll()) is None:
        if os.getppid() != parent:
            os.killpg(os.getpgid(0), signal.SIGKILL)
        time.sleep(pause)
        pause = min(2 * pause, INTERVAL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
