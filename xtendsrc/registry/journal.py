"""Journals: what a process committed since the index was last folded, one line a product.

Each process appends to a file of its own. Folding takes a journal by renaming it first: a writer looks, after each
line, whether the name still leads to the file it wrote to, and writes the line again if not; so a line is either in
the file before it is read by the folder, or in the next journal. A line may occur twice; that is harmless.
"""

from __future__ import annotations

import json
import os
import platform
import re
import threading
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from xtendsrc.registry.files import DAY

Operation = dict[str, Any]
TAKEN = ".taken"
_compact = json.JSONEncoder(separators=(",", ":"))
_NAME = re.compile(r"(.*)-(\d+)-(\d+)\.jsonl(?:\.taken)?")


class Found(NamedTuple):
    """A journal file: where, and who writes it."""

    path: Path
    host: str
    pid: int
    token: int


def _start_token(pid: int | str) -> int:
    """Start time of a process in clock ticks, which tells it from another one of the same number; 0 if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "_", platform.node()) or "host"


def find(directory: Path) -> list[Found]:
    """List the journals of a registry."""
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208  (names alone are wanted, and fast)
    except FileNotFoundError:
        return []
    matches = [(name, m) for name in names if (m := _NAME.fullmatch(name))]
    return [Found(directory / name, m[1], int(m[2]), int(m[3])) for name, m in matches]


def writer_is_gone(found: Found) -> bool:
    """Whether nobody will append to a journal any more: its process ended, or it rested for more than a day."""
    if found.path.name.endswith(TAKEN):
        return True
    if found.host == _host():
        return not psutil.pid_exists(found.pid) or _start_token(found.pid) != found.token
    try:
        return abs(time.time() - found.path.stat().st_mtime) > DAY
    except FileNotFoundError:
        return False


def encode(operation: Operation) -> bytes:
    """Return one operation as a line that shows whether it is whole."""
    text = _compact.encode(operation).encode("ascii")
    return b"\n%08x %s\n" % (zlib.crc32(text), text)


class Lines(NamedTuple):
    """What a stretch of a journal says; ``torn`` if it holds a line that is not whole."""

    operations: list[Operation]
    torn: bool


def decode(data: bytes) -> Lines:
    """Read all whole lines; those that are not (a full disk, a flipped bit) are passed over and reported."""
    found, torn = [], False
    for line in data.split(b"\n"):
        head, _, text = line.partition(b" ")
        if len(head) == 8 and head == b"%08x" % zlib.crc32(text):
            found.append(json.loads(text))
        elif line:
            torn = True
    return Lines(found, torn)


class Journal:
    """The journal of this process."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self._directory = directory
        self._durable = durable
        self._lock = threading.Lock()
        self._owner = (0, Path())

    @property
    def path(self) -> Path:
        """File of this process; another one after a fork."""
        if self._owner[0] != (pid := os.getpid()):
            self._lock = threading.Lock()
            self._owner = (pid, self._directory / f"{_host()}-{pid}-{_start_token('self')}.jsonl")
        return self._owner[1]

    def append(self, operations: list[Operation], *, durable: bool = True) -> None:
        """Append operations; when it returns, they are in a file that readers see.

        Raises
        ------
        OSError
            If the file cannot be written, or was written in part.
        """
        data = b"".join(encode(op) for op in operations)
        path = self.path
        with self._lock:
            while not self._append_once(path, data, durable=durable and self._durable):
                pass

    @staticmethod
    def _append_once(path: Path, data: bytes, *, durable: bool) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            if durable:
                os.fsync(fd)
            written = os.fstat(fd)
        finally:
            os.close(fd)
        try:
            there = path.stat()
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (written.st_dev, written.st_ino)


def take(found: Found) -> Path | None:
    """Take a journal for folding; None if somebody else did."""
    if found.path.name.endswith(TAKEN):
        return found.path
    target = found.path.with_name(found.path.name + TAKEN)
    if target.exists():
        return None
    try:
        return found.path.rename(target)
    except FileNotFoundError:
        return None


class Reader:
    """Reads journals, each time only what was added since."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[int, int] = {}

    def new(self) -> list[tuple[Found, Lines]]:
        """Return the operations added since the last call, by journal."""
        added = []
        for found in find(self._directory):
            try:
                added.append((found, self._read(found.path)))
            except FileNotFoundError:
                continue
        return added

    def _read(self, path: Path) -> Lines:
        with path.open("rb") as f:
            state = os.fstat(f.fileno())
            start = self._seen.get(state.st_ino, 0)
            if state.st_size <= start:
                if state.st_size == start:
                    return Lines([], torn=False)
                start = 0
            f.seek(start)
            data = f.read()
        end = data.rfind(b"\n") + 1
        self._seen[state.st_ino] = start + end
        return decode(data[:end])
