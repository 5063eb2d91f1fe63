"""Child processes in groups of their own, stopped as a whole: on a timeout, on cancel, on any error, when we die."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_GUARDIAN = Path(__file__).with_name("guardian.py")
_running: dict[int, Child] = {}
_lock = threading.Lock()
_cancellations = 0


class Child:
    """A running process that leads its own group.

    Attributes
    ----------
    process : subprocess.Popen
        The process.
    timed_out, flooded, cancelled : bool
        Why it was stopped, if it was.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._owner = os.getpid()
        self.timed_out = False
        self.flooded = False
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

    def flood(self) -> None:
        """Stop the group because it prints without end."""
        self.flooded = True
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


class Guard:
    """The helper process that kills this process's tasks when it dies; started with the first task.

    See `xtendsrc.engines.heasoft.guardian`. One that was killed is replaced and told what runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def watch(self, group: int) -> None:
        """Have a process group killed when this process dies."""
        with self._lock:
            self._groups.add(group)
            self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Leave a process group alone, which has ended."""
        with self._lock:
            self._groups.discard(group)
            self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARDIAN), str(os.getpid())],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            line = "".join(f"+{group}\n" for group in self._groups)
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                os.write(self._process.stdin.fileno(), line.encode())

    def close(self) -> None:
        """End the helper."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.communicate()


_guard = Guard()
atexit.register(lambda: _guard.close())


def _new_guard() -> None:
    global _guard  # a forked copy of this process has tasks, and a helper, of its own
    _guard = Guard()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_guard)


@contextmanager
def child(argv: list[str], **options: Any) -> Iterator[Child]:
    """Start a process in a group of its own; whatever ends the ``with`` block ends the group."""
    before = _cancellations
    process = subprocess.Popen(argv, start_new_session=True, **options)
    running = Child(process)
    _guard.watch(process.pid)
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
        _guard.forget(process.pid)


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
