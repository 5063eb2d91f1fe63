"""Where the units of a batch run: threads over child processes, a pool of processes, or the user's own cluster."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Protocol

from xtendsrc.engines import engine
from xtendsrc.errors import RequestError
from xtendsrc.generate.stopping import WorkerThreads, end_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from xtendsrc.generate.work import Unit


WORTH_A_PROCESS = 25.0
"""Weight of native work, besides the heaviest unit's, that repays starting processes (an image weighs 1)."""


class Submitter(Protocol):
    """What the batch asks of an executor."""

    def submit(self, unit: Unit, function: Callable[[Unit], Any]) -> Future[Any]:
        """Start a unit and give its future."""

    @property
    def retries(self) -> bool:
        """Whether a unit whose worker died may be submitted again."""

    def close(self, cancel: bool) -> None:
        """Let the workers go."""


class LocalSubmitter:
    """The default: HEASoft in threads, native units in this process, or in spawned ones where that is quicker.

    A spawned worker imports for some two seconds first; in-process units still overlap where NumPy and the disk work.

    Parameters
    ----------
    jobs : int
        How many units run at once.
    weights : sequence of float
        Of the native units of the batch.
    """

    def __init__(self, jobs: int, weights: Sequence[float]) -> None:
        self.jobs = jobs
        self._threads = WorkerThreads(jobs)
        self._spawn = jobs > 1 and sum(weights) - max(weights, default=0.0) > WORTH_A_PROCESS
        self._processes: ProcessPoolExecutor | None = None
        self._lifeline: tuple[Connection, Connection] | None = None

    def submit(self, unit: Unit, function: Callable[[Unit], Any]) -> Future[Any]:
        """Start a unit and give its future."""
        if engine(unit.engine).in_threads or not self._spawn:
            return self._threads.submit(function, unit)
        with _main_not_imported():
            try:
                return self._pool().submit(function, unit)
            except BrokenExecutor:
                self._processes = None
                return self._pool().submit(function, unit)

    def _pool(self) -> ProcessPoolExecutor:
        if self._processes is None:
            context = get_context("spawn")
            if self._lifeline is None:
                self._lifeline = context.Pipe(duplex=False)
            self._processes = ProcessPoolExecutor(
                self.jobs, mp_context=context, initializer=end_with_parent, initargs=self._lifeline[:1]
            )
        return self._processes

    @property
    def retries(self) -> bool:
        """Whether a unit whose worker died may be submitted again: a broken pool is replaced by `submit`."""
        return True

    def close(self, cancel: bool) -> None:
        """Let the workers go; with ``cancel``, stop them with what they are making."""
        if cancel and self._lifeline is not None:
            self._lifeline[1].close()
        if self._processes is not None:
            self._processes.shutdown(wait=not cancel, cancel_futures=cancel)
        self._threads.close(cancel)
        for end in self._lifeline or ():
            end.close()


class SerialSubmitter:
    """One unit after the other in this thread, for debugging."""

    def submit(self, unit: Unit, function: Callable[[Unit], Any]) -> Future[Any]:
        """Run a unit now and give its finished future."""
        future: Future[Any] = Future()
        future.set_result(function(unit))
        return future

    @property
    def retries(self) -> bool:
        """Nothing can die here."""
        return False

    def close(self, cancel: bool) -> None:
        """Nothing to let go."""


class UserSubmitter:
    """Any ``concurrent.futures.Executor``; it stays open when the batch is done."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._futures: list[Future[Any]] = []

    def submit(self, unit: Unit, function: Callable[[Unit], Any]) -> Future[Any]:
        """Start a unit and give its future."""
        self._futures.append(self._executor.submit(function, unit))
        return self._futures[-1]

    @property
    def retries(self) -> bool:
        """The user's workers are not ours to replace."""
        return False

    def close(self, cancel: bool) -> None:
        """Cancel what has not started if asked to; the executor stays open."""
        if cancel:
            for future in self._futures:
                future.cancel()


class DaskSubmitter:
    """A ``dask.distributed.Client``; Dask's own retry covers a worker that dies."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._inner: list[Any] = []

    def submit(self, unit: Unit, function: Callable[[Unit], Any]) -> Future[Any]:
        """Start a unit on the cluster and give a future that follows Dask's."""
        outer: Future[Any] = Future()
        inner = self._client.submit(function, unit, pure=False, retries=1)
        self._inner.append(inner)

        def follow(done: Any) -> None:
            if done.status == "finished":
                outer.set_result(done.result())
            elif done.status == "cancelled":
                outer.cancel()
                outer.set_running_or_notify_cancel()
            else:
                outer.set_exception(done.exception() or RuntimeError(f"Dask reports {done.status}"))

        inner.add_done_callback(follow)
        return outer

    @property
    def retries(self) -> bool:
        """Dask replaces its own workers."""
        return True

    def close(self, cancel: bool) -> None:
        """Cancel what has not finished if asked to; the client stays open."""
        if cancel:
            self._client.cancel(self._inner)


def submitter(executor: Any, jobs: int | None, weights: Sequence[float]) -> Submitter:
    """Choose where a batch runs.

    Parameters
    ----------
    executor : None, "serial", Executor or dask.distributed.Client
        None for this machine.
    jobs : int or None
        How many at once on this machine; None for one a core.
    weights : sequence of float
        Of the native units of the batch.

    Raises
    ------
    RequestError
        If the executor is none of these, or ``jobs`` no positive number.
    """
    if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
        raise RequestError(f"jobs={jobs!r} is not a number of jobs.", "give 1 or more, or None for one a core.")
    if executor is None:
        return LocalSubmitter(jobs or available_cores(), weights)
    if executor == "serial":
        return SerialSubmitter()
    if isinstance(executor, Executor):
        return UserSubmitter(executor)
    if hasattr(executor, "submit") and hasattr(executor, "scheduler_info"):
        return DaskSubmitter(executor)
    raise RequestError(
        f"{executor!r} cannot run a batch.",
        'give a concurrent.futures.Executor, a dask.distributed.Client, "serial" or None.',
    )


def available_cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_MAIN_LOCK = threading.Lock()


@contextmanager
def _main_not_imported() -> Iterator[None]:
    """Keep spawned workers from running the user's script again.

    ``spawn`` imports the main module in every worker, which starts a script without an ``if __name__ ==
    "__main__"`` guard all over. Workers need only xtendsrc, so the main module's file is hidden while they start.
    """
    main = sys.modules["__main__"]
    with _MAIN_LOCK:
        hidden: dict[str, Any] = {
            name: main.__dict__.pop(name) for name in ("__file__", "__spec__") if name in main.__dict__
        }
        main.__dict__["__spec__"] = None
        try:
            yield
        finally:
            main.__dict__.update(hidden)
