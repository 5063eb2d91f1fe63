"""Fingerprints of input files: size and modification time first, the content only when these changed."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, NamedTuple

from xtendsrc.errors import InputNotFoundError, RegistryError

if TYPE_CHECKING:
    from pathlib import Path

_YOUNG_NS = 2_000_000_000


class Fingerprint(NamedTuple):
    """Size in bytes, modification time in ns, and SHA-256 of the content of a file."""

    size: int
    mtime_ns: int
    sha256: str


def look(path: Path) -> tuple[int, int]:
    """Give (size, mtime_ns) of an input file.

    Raises
    ------
    InputNotFoundError
        If it is not there.
    """
    try:
        found = path.stat()
    except FileNotFoundError as err:
        raise InputNotFoundError(
            f"The input file {path} is not there.", "restore it, or look for observations again."
        ) from err
    return found.st_size, found.st_mtime_ns


def is_settled(mtime_ns: int) -> bool:
    """Whether a file is old enough that a further change would show in its modification time.

    File systems count time in steps (4 ms on ext4, 1-2 s on some others): a file changed twice within a step keeps
    its time. A file that seems to come from the future (a clock jumped) is never settled: it is hashed every time.
    """
    return time.time_ns() - mtime_ns > _YOUNG_NS


def take(path: Path) -> Fingerprint:
    """Hash a file; if it changes meanwhile, hash it again.

    Raises
    ------
    RegistryError
        If it keeps changing.
    """
    for _ in range(3):
        before = look(path)
        with path.open("rb") as f:
            digest = hashlib.file_digest(f, "sha256").hexdigest()
        if look(path) == before:
            return Fingerprint(*before, digest)
    raise RegistryError(f"The input file {path} is being written to.", "wait until it is complete, then try again.")
