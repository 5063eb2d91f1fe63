"""Locks between processes: which kind a file system can keep, and one lock for each key."""

from __future__ import annotations

import logging
import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import filelock

from xtendsrc.errors import RegistryError
from xtendsrc.registry.files import os_errors
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("xtendsrc.registry")
LockName = Literal["native", "soft"]
_WITHOUT = re.compile(r"nfs\d?|lustre|cifs|smb\d?|smbfs|9p|afs|gpfs|beegfs|ceph|fuse\..*")
_PATIENCE = 10.0


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the type of the file system that a path is (or will be) on, e.g. ``ext4``; empty if unknown."""
    place = path.resolve()
    best = ("", "")
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), point)
        if place.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def lock_kind_for(path: str | os.PathLike[str]) -> LockName:
    """Return the kind of lock used below a directory.

    Parameters
    ----------
    path : path
        Output directory; need not exist.

    Returns
    -------
    {"native", "soft"}
        ``settings.lock`` if that is not ``auto``; else ``soft`` (a marker file) on network file systems, where the
        locks of the operating system may not hold between machines, and ``native`` everywhere else.
    """
    if settings.lock != "auto":
        kind: LockName = settings.lock
        return kind
    return "soft" if _WITHOUT.fullmatch(file_system(Path(path))) else "native"


def _file_lock(path: Path, kind: LockName) -> filelock.BaseFileLock:
    if kind == "native":
        return filelock.FileLock(path, thread_local=False)
    # of filelock's marker files the kind that a killed holder of this machine does not keep for ever: two makers of one
    # product at once cost time, never correctness
    return filelock.SoftFileLock(path, thread_local=False)


class _Threads:
    """One lock a path for the threads of this process, which file locks do not tell apart cheaply."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    def join(self, name: str) -> threading.Lock:
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = (lock, users + 1)
            return lock

    def leave(self, name: str) -> None:
        with self._guard:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, users - 1)


_threads = _Threads()


def _new_threads() -> None:
    global _threads  # a forked child must not inherit locks other threads held
    _threads = _Threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_threads)


@contextmanager
def held(path: Path, kind: LockName, timeout: float | None = None) -> Iterator[None]:
    """Hold the lock of a path, against other threads and processes; its file is removed afterwards.

    Raises
    ------
    RegistryError
        If it was not free within ``timeout`` seconds, or cannot be made.
    """
    threads = _threads
    in_process = threads.join(str(path))
    try:
        if not in_process.acquire(timeout=-1 if timeout is None else timeout):
            raise _busy(path, timeout)
        try:
            lock = _acquired(path, kind, timeout)
            try:
                yield
            finally:
                _release(lock, path, kind)
        finally:
            in_process.release()
    finally:
        threads.leave(str(path))


def _acquired(path: Path, kind: LockName, timeout: float | None) -> filelock.BaseFileLock:
    with os_errors(f"Making the lock {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _file_lock(path, kind)
        try:
            lock.acquire(timeout=_PATIENCE if timeout is None else timeout, poll_interval=0.01)
        except filelock.Timeout as err:
            if timeout is not None:
                raise _busy(path, timeout) from err
            log.warning("waiting for %s, held by another process; if that ended on another machine, delete it", path)
            lock.acquire(poll_interval=0.1)
    return lock


def _release(lock: filelock.BaseFileLock, path: Path, kind: LockName) -> None:
    # removed while held: whoever waits on the removed file sees that it has no name any more and tries again
    if kind == "native":
        path.unlink(missing_ok=True)
    lock.release()


def _busy(path: Path, timeout: float | None) -> RegistryError:
    return RegistryError(
        f"The lock {path} was not free within {timeout} s.",
        "another process is at work on this product; if none is, delete that file.",
    )
