"""Fingerprints of input files: size and times first, the content only when these changed."""

from __future__ import annotations

import hashlib
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from xtendsrc.errors import InputFileError, InputNotFoundError, RegistryError

if TYPE_CHECKING:
    from pathlib import Path

_YOUNG_NS = 2_000_000_000


class Fingerprint(NamedTuple):
    """Size in bytes, modification time in ns and SHA-256 of a file, and the time its inode was last changed.

    The last, ``ctime_ns``, shows also where a file was replaced by another of the same size and modification time.
    """

    size: int
    mtime_ns: int
    sha256: str
    ctime_ns: int = 0

    @property
    def look(self) -> tuple[int, int, int]:
        """What tells without reading whether the file is the same."""
        return self.size, self.mtime_ns, self.ctime_ns


def look(path: Path) -> tuple[int, int, int]:
    """Return (size, mtime_ns, ctime_ns) of an input file.

    Raises
    ------
    InputNotFoundError
        If it is not there.
    InputFileError
        If it is no regular file, or the system does not let us look.
    """
    try:
        found = path.stat()
    except FileNotFoundError as err:
        raise InputNotFoundError(
            f"The input file {path} is not there.", "restore it, or look for observations again."
        ) from err
    except OSError as err:
        raise _unreadable(path, err) from err
    if not stat.S_ISREG(found.st_mode):
        raise InputFileError(
            f"The input {path} is not a regular file.", "put the file itself there, or take this away."
        )
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _unreadable(path: Path, err: OSError) -> InputFileError:
    return InputFileError(
        f"The input file {path} cannot be read: {err.strerror or err}.", "check its permissions and its disk."
    )


def is_settled(time_ns: int) -> bool:
    """Whether a file is old enough that a further change would show in its times.

    File systems count time in steps (4 ms on ext4, 1-2 s on some others): a file changed twice within a step keeps
    its time. A file that seems to come from the future (a clock jumped) is never settled: it is hashed every time.
    """
    return time.time_ns() - time_ns > _YOUNG_NS


def take(path: Path) -> Fingerprint:
    """Hash a file; if it changes meanwhile, hash it again.

    Raises
    ------
    InputNotFoundError, InputFileError
        If it cannot be read.
    RegistryError
        If it keeps changing.
    """
    for _ in range(3):
        before = look(path)
        try:
            with path.open("rb") as f:
                digest = hashlib.file_digest(f, "sha256").hexdigest()
        except OSError as err:
            raise _unreadable(path, err) from err
        if look(path) == before:
            size, mtime_ns, ctime_ns = before
            return Fingerprint(size, mtime_ns, digest, ctime_ns)
    raise RegistryError(f"The input file {path} is being written to.", "wait until it is complete, then try again.")
