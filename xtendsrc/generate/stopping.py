"""Stopping a batch: what has not started never starts, what runs ends within seconds, and no worker is left.

A batch runs in threads of this process and in child processes. A thread is first asked to stop after the product it
is making, then interrupted; being a daemon, it keeps Python from ending in no case. A child process ends when the pipe
that its parent holds is closed, which the parent does to stop it and the system does when the parent dies.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import queue
import signal
import threading
import time
from concurrent.futures import Future
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from xtendsrc.engines import engine, engines
from xtendsrc.engines.scratch import clear_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

GRACE = 0.7
"""Seconds a thread may take to finish its product before it is interrupted, and to end after that."""

_numbers = itertools.count()
_stopped: set[str] = set()
_batch: ContextVar[str] = ContextVar("xtendsrc_batch", default="")


def new_batch() -> str:
    """Return the name of a batch, by which its threads learn that it is stopped."""
    return f"{os.getpid()}-{next(_numbers)}"


def working_for(batch: str) -> None:
    """Note which batch this thread works for."""
    _batch.set(batch)


def is_stopped() -> bool:
    """Whether the batch this thread works for was stopped, so that what fails now fails for no reason of its own."""
    return _batch.get() in _stopped


def stop(batch: str) -> None:
    """Tell the threads of a batch to make no further product."""
    _stopped.add(batch)


def stopped(batch: str) -> bool:
    """Whether a batch of this process was stopped."""
    return batch in _stopped


def stop_tasks() -> None:
    """Kill every HEASoft task of this process."""
    for name in engines():
        engine(name).cancel()


class WorkerThreads:
    """Threads that run what is submitted, in its order.

    Parameters
    ----------
    number : int
        How many run at once; each is started when it is first needed.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._queue: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, function: Callable[..., Any], argument: Any) -> Future[Any]:
        """Run ``function(argument)`` in one of the threads and return its future."""
        future: Future[Any] = Future()
        self._queue.put((future, function, argument))
        if len(self._threads) < self._number:
            thread = threading.Thread(target=self._work, name=f"xtendsrc-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            future, function, argument = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function(argument)
            except BaseException as error:  # noqa: BLE001  - the future carries it to whoever waits for it
                future.set_exception(error)
            else:
                future.set_result(result)

    def close(self, cancel: bool) -> None:
        """End the threads when their work is done; with ``cancel``, interrupt what runs and drop what waits."""
        if cancel:
            self._drop()
        for _ in self._threads:
            self._queue.put(None)
        if not cancel:
            for thread in self._threads:
                thread.join()
            return
        stop_tasks()
        late = self._join()
        stop_tasks()  # also of a thread that was between two of its steps
        for thread in late:
            _interrupt(thread)
        self._join()

    def _drop(self) -> None:
        while not self._queue.empty():
            item = self._queue.get()
            if item is not None:
                item[0].cancel()

    def _join(self) -> list[threading.Thread]:
        """Wait for the threads for `GRACE` seconds in all and return those that still run."""
        end = time.monotonic() + GRACE
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return [thread for thread in self._threads if thread.is_alive()]


def _interrupt(thread: threading.Thread) -> None:
    """Raise KeyboardInterrupt in a thread, at its next step in Python."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))


def end_with_parent(lifeline: Connection) -> None:
    """Make a worker process end at once when its parent closes the other end of a pipe, or dies.

    Ctrl-C in a terminal goes to every process there; a worker leaves it to its parent.

    Parameters
    ----------
    lifeline : Connection
        The reading end of a pipe whose writing end the parent alone holds.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)  # which a pool sends to its other workers when one is lost
    threading.Thread(target=_end_at, args=(lifeline,), name="lifeline", daemon=True).start()


def _end_at(lifeline: Connection) -> None:
    lifeline.poll(None)  # nothing is ever written: it returns when the pipe is closed
    _end()


def _end(*_: object) -> None:
    """End this process at once, without its scratch directories; what it has committed to registries is safe."""
    clear_all()
    os._exit(1)


_watching = threading.Lock()


def watch_parent() -> None:
    """Make a worker of the user's own process pool end when the process that started the pool dies.

    It does nothing in a process that `multiprocessing` has not started, and nothing the second time.
    """
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None and _watching.acquire(blocking=False):
        threading.Thread(target=_end_after, args=(parent,), name="parent", daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    _end()
