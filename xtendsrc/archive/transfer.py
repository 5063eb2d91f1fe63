"""One file from a host to the disk: resumed, verified, and never half under its own name.

Bytes go to ``<name>.<version>.part``, where ``version`` stands for what the host says of the file's size and version,
so that pieces of two versions never meet. The part is verified, synced and renamed in one step.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xtendsrc.archive.remote import Interrupted, Policy, RemoteFile
from xtendsrc.errors import ArchiveError, DownloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from xtendsrc.archive.remote import Host

BLOCK = 1 << 20
CORRUPT = 2
"""How often a file may arrive with wrong bytes."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Outcome of one transfer.

    Attributes
    ----------
    sha256 : str
        Of the file on disk.
    checks : tuple of str
        What was compared: ``size``, ``md5`` (where the host gives it), ``gzip`` (the checksum inside the file).
    resumed : int
        Bytes that were there from an earlier attempt.
    """

    sha256: str
    checks: tuple[str, ...]
    resumed: int


def part_of(target: Path, file: RemoteFile) -> Path:
    """Name the part of a file's present version."""
    text = "\n".join((file.address, str(file.size), file.etag, file.modified))
    return target.with_name(f"{target.name}.{hashlib.sha256(text.encode()).hexdigest()[:8]}.part")


def arrived(target: Path, file: RemoteFile) -> int:
    """Bytes that an earlier attempt left."""
    part = part_of(target, file)
    return part.stat().st_size if part.is_file() else 0


def fetch(host: Host, file: RemoteFile, target: Path, policy: Policy, tell: Callable[[int], None]) -> Arrival:
    """Bring one file.

    Parameters
    ----------
    host : Host
        Where from.
    file : RemoteFile
        Which.
    target : Path
        Its name on disk; replaced in one step.
    policy : Policy
        How patient to be.
    tell : callable
        Called with the number of bytes that came; negative when bytes are thrown away.

    Raises
    ------
    DownloadError
        If it could not be brought, or arrived wrong twice. What came of a broken transfer stays for the next attempt.
    """
    part = part_of(target, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    for other in target.parent.glob(f"{target.name}.????????.part"):
        if other != part:
            other.unlink()
    resumed = arrived(target, file)
    idle = wrong = 0
    while True:
        before = arrived(target, file)
        try:
            _receive(host, file, part, tell)
            digest, checks = verified(part, file)
            break
        except Interrupted as problem:
            idle = 1 if arrived(target, file) > before else idle + 1
            if idle >= policy.attempts:
                raise _given_up(file, part, problem) from problem
            policy.wait(idle, problem.wait)
        except _WrongBytes as problem:
            wrong += 1
            tell(-arrived(target, file))
            part.unlink(missing_ok=True)
            resumed = 0
            if wrong >= CORRUPT:
                raise DownloadError(f"{file.address}: {problem}, {wrong} times.", "try another host.") from problem
        except ArchiveError as problem:
            raise DownloadError(problem.what, problem.next_step) from problem
    part.replace(target)
    _sync_directory(target.parent)
    return Arrival(sha256=digest, checks=checks, resumed=resumed)


class _WrongBytes(Exception):  # noqa: N818  - tried again before it is an error
    """All bytes came, and are wrong."""


def _given_up(file: RemoteFile, part: Path, problem: Exception) -> DownloadError:
    got = part.stat().st_size if part.is_file() else 0
    return DownloadError(
        f"{file.address}: broke off after {got} of {file.size} bytes ({problem}).",
        "download again: it goes on where it stopped.",
    )


def _receive(host: Host, file: RemoteFile, part: Path, tell: Callable[[int], None]) -> None:
    """Append what is missing to the part."""
    have = part.stat().st_size if part.is_file() else 0
    if have > file.size:
        raise _WrongBytes(f"{have} bytes came instead of {file.size}")
    if have == file.size:
        part.touch()
        return
    with host.open(file, have) as (start, chunks), part.open("ab") as stream:
        if start != have:
            stream.truncate(start)
            tell(start - have)
        have = _append(stream, chunks, start, file.size, tell)
        stream.flush()
        os.fsync(stream.fileno())
    if have < file.size:
        raise Interrupted(f"the connection ended after {have} bytes")
    if have > file.size:
        raise _WrongBytes(f"more than {file.size} bytes came")


def _append(stream: object, chunks: Iterator[bytes], have: int, size: int, tell: Callable[[int], None]) -> int:
    for chunk in chunks:
        stream.write(chunk)  # type: ignore[attr-defined]
        have += len(chunk)
        tell(len(chunk))
        if have > size:
            break
    return have


def verified(path: Path, file: RemoteFile) -> tuple[str, tuple[str, ...]]:
    """Compare a file with what the host says of it, and with its own checksum if it is gzipped.

    Returns
    -------
    str, tuple of str
        Its SHA-256, and what was compared.

    Raises
    ------
    _WrongBytes
        If they differ.
    """
    sha, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    unzip = _Gunzip() if file.path.endswith(".gz") else None
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            size += len(block)
            sha.update(block)
            if file.md5:
                md5.update(block)
            if unzip is not None:
                unzip.feed(block)
    if size != file.size:
        raise _WrongBytes(f"{size} bytes came instead of {file.size}")
    if file.md5 and md5.hexdigest() != file.md5:
        raise _WrongBytes("its MD5 is not what the host says")
    if unzip is not None:
        unzip.close()
    return sha.hexdigest(), ("size", *(["md5"] if file.md5 else []), *(["gzip"] if unzip is not None else []))


class _Gunzip:
    """Reads a gzip file through without keeping it; zlib compares the checksum of every member."""

    def __init__(self) -> None:
        self._reader = zlib.decompressobj(wbits=31)

    def feed(self, block: bytes) -> None:
        try:
            while block:
                if self._reader.eof:
                    if not block.strip(b"\0"):
                        return  # padding after the last member
                    self._reader = zlib.decompressobj(wbits=31)
                self._reader.decompress(block, BLOCK * 16)
                while self._reader.unconsumed_tail:
                    self._reader.decompress(self._reader.unconsumed_tail, BLOCK * 16)
                block = self._reader.unused_data
        except zlib.error as error:
            raise _WrongBytes(f"it is not the gzip file that its name says ({error})") from error

    def close(self) -> None:
        if not self._reader.eof:
            raise _WrongBytes("the gzip file ends before its content does")


def _sync_directory(directory: Path) -> None:
    """Make a rename last; not every file system can."""
    try:
        number = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(number)
    except OSError:
        return
    finally:
        os.close(number)
