"""Child processes in groups of their own, stopped as a whole: on a timeout, on cancel, on any error."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_running: dict[int, Child] = {}
_lock = threading.Lock()
_cancellations = 0


class Child:
    """A running process that leads its own group.

    Attributes
    ----------
    process : subprocess.Popen
        The process.
    timed_out, cancelled : bool
        Why it was stopped, if it was.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._owner = os.getpid()
        self.timed_out = False
        self.cancelled = False

    def stop(self) -> None:
        """Kill the whole group at once, unless its leader is gone and its number may be another's.

        A forked copy of this process owns no task: what it inherited stays with the parent.
        """
        if os.getpid() != self._owner:
            return
        if self.process.returncode is not None and hasattr(os, "waitid"):
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def expire(self) -> None:
        """Stop it because its time is over."""
        self.timed_out = True
        self.stop()

    def cancel(self) -> None:
        """Stop it because it is not wanted any more."""
        self.cancelled = True
        self.stop()

    def wait(self) -> int:
        """Wait for the process, then stop what it left running in its group; return its code."""
        if hasattr(os, "waitid"):
            with suppress(ChildProcessError):  # not reaped yet, so that the group's number cannot be another's
                os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            self.stop()
            return self.process.wait()
        code = self.process.wait()
        self.stop()
        return code


@contextmanager
def child(argv: list[str], **options: Any) -> Iterator[Child]:
    """Start a process in a group of its own; whatever ends the ``with`` block ends the group."""
    before = _cancellations
    process = subprocess.Popen(argv, start_new_session=True, **options)
    running = Child(process)
    with _lock:
        _running[process.pid] = running
        cancelled_meanwhile = _cancellations != before
    if cancelled_meanwhile:
        running.cancel()
    try:
        yield running
    except BaseException:
        running.stop()
        process.wait()
        raise
    finally:
        with _lock:
            _running.pop(process.pid, None)


@contextmanager
def deadline(running: Child, seconds: float | None) -> Iterator[None]:
    """Stop `running` when the ``with`` block takes longer than `seconds`."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), running.expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def cancel_running() -> int:
    """Stop every task this process is running or just starting, with all it started; return how many there were."""
    global _cancellations
    with _lock:
        _cancellations += 1
        found = list(_running.values())
    for running in found:
        running.cancel()
    return len(found)
