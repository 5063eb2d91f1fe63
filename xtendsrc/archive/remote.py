"""What every host of the archive offers: lists of files, and files from any byte on."""

from __future__ import annotations

import fnmatch
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from xtendsrc.errors import ArchiveError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

T = TypeVar("T")

NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._+-]*$")
DEPTH = 8
CHUNK = 1 << 18
"""Bytes read at a time."""

AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Answers after which a request is tried again."""

ENCRYPTED = (".gpg", ".pgp")
SELECTIONS = {
    "xtend": ("auxil/*", "xtend/*"),
    "events": ("auxil/*", "xtend/event_cl/*", "xtend/event_uf/*.bimg*", "xtend/event_uf/*.fpix*", "xtend/hk/*"),
    "all": ("*",),
}


class Interrupted(Exception):  # noqa: N818  - not an error before it has been tried again
    """The transfer broke off, and may be tried again after ``wait`` seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class NotThereError(ArchiveError):
    """The host has no such file or directory."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Timeouts and retries of a transfer.

    Attributes
    ----------
    attempts : int
        How often in a row a transfer may break off without a byte having come.
    pause : float
        Seconds before the second attempt; twice as long before each later one.
    longest : float
        Longest pause, whatever the host asks for.
    timeout : float
        Seconds without a byte after which a transfer counts as broken off.
    """

    attempts: int = 5
    pause: float = 1.0
    longest: float = 60.0
    timeout: float = 60.0

    def wait(self, failures: int, asked: float = 0.0) -> None:
        """Pause after a number of failures in a row, or as long as the host asked for."""
        time.sleep(min(max(self.pause * 2 ** (failures - 1), asked), self.longest))


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of an observation at a host.

    Attributes
    ----------
    obs_id : str
        The ObsID.
    path : str
        Below the directory of the ObsID, with ``/``.
    address : str
        What the host calls it.
    size : int
        Bytes, exactly.
    etag, modified : str
        What the host says to tell versions of the file apart; empty if nothing.
    md5 : str
        Checksum given by the host, hexadecimal; empty if none.
    """

    obs_id: str
    path: str
    address: str
    size: int
    etag: str = ""
    modified: str = ""
    md5: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether it is proprietary."""
        return self.path.endswith(ENCRYPTED)


class Host(Protocol):
    """A place that serves the archive."""

    name: str

    def files(self, obs_id: str, location: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """List the files of an observation that fit the patterns.

        Raises
        ------
        NotThereError
            If the host has no such observation.
        ArchiveError
            If it cannot be listed.
        """

    def open(self, file: RemoteFile, start: int) -> AbstractContextManager[tuple[int, Iterator[bytes]]]:
        """Open a file from a byte on; gives the byte it really starts at, and the bytes.

        Raises
        ------
        Interrupted
            If it may be tried again.
        ArchiveError
            If it may not.
        """

    def close(self) -> None:
        """Let connections go."""


def patterns_of(what: str | Sequence[str]) -> tuple[str, ...]:
    """Convert a selection into patterns of paths below the directory of an ObsID, in which ``*`` also matches ``/``.

    Raises
    ------
    RequestError
        If the selection is not known, or a pattern leaves the directory.
    """
    if isinstance(what, str):
        if what not in SELECTIONS:
            raise RequestError(
                f"what={what!r} is not known.", f"give one of {', '.join(SELECTIONS)}, or patterns such as 'auxil/*'."
            )
        return SELECTIONS[what]
    patterns = tuple(str(p) for p in what or ())
    if not patterns or any(p.startswith("/") or ".." in p.split("/") for p in patterns):
        raise RequestError(f"what={what!r} names no files of an observation.", "give patterns such as 'auxil/*'.")
    return patterns


def wanted(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path below the directory of an ObsID fits a pattern."""
    return any(fnmatch.fnmatchcase(path, p) for p in patterns)


def folders_of(patterns: Sequence[str]) -> list[str]:
    """Return the folders that must be listed for these patterns; ``""`` is the directory of the ObsID itself."""
    found = set()
    for pattern in patterns:
        parts = pattern.split("/")[:-1]
        plain = [p for n, p in enumerate(parts) if not any(re.search(r"[*?\[]", q) for q in parts[: n + 1])]
        found.add("/".join(plain))
    return sorted(f for f in found if not any(f != g and (not g or f.startswith(f"{g}/")) for g in found))


def safe_path(path: str) -> str:
    """Return a path below the directory of an ObsID if it stays there and consists of plain names.

    Raises
    ------
    ArchiveError
        If it does not.
    """
    parts = path.split("/")
    if not parts or len(parts) > DEPTH or not all(NAME.match(p) for p in parts):
        raise ArchiveError(f"The archive names a file {path!r}, which is not a name of the archive.", "report it.")
    return path


def patiently(action: Callable[[], T], policy: Policy, what: str) -> T:
    """Do something again when it is interrupted.

    Raises
    ------
    ArchiveError
        If it is interrupted too often.
    """
    for failures in range(1, policy.attempts + 1):
        try:
            return action()
        except Interrupted as problem:
            if failures == policy.attempts:
                raise ArchiveError(f"{what}: {problem} ({failures} attempts)", "try again later.") from problem
            policy.wait(failures, problem.wait)
    raise AssertionError("a policy has at least one attempt")
