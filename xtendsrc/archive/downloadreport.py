"""What a download will bring, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.table import Table

    from xtendsrc.archive.remote import RemoteFile

Result = Literal["fetched", "present", "failed", "refused"]


@dataclass(frozen=True, kw_only=True)
class FileOutcome:
    """Outcome of one file, or of a whole observation if ``path`` is empty.

    ``result`` is ``fetched``, ``present`` (there before, nothing was fetched), ``failed`` or ``refused`` (proprietary);
    ``resumed`` counts bytes of an earlier attempt that were kept.
    """

    obs_id: str
    path: str
    result: Result
    size: int = 0
    resumed: int = 0
    sha256: str = ""
    checks: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class DownloadPlan:
    """Plan of a download: files, sizes, problems.

    Attributes
    ----------
    into : Path
        The archive directory, absolute; files go to ``<into>/<ObsID>/...``.
    host : str
        Where they come from.
    missing : tuple of RemoteFile
        Files to fetch.
    present : tuple of RemoteFile
        Files that are there with the right size.
    started : int
        Bytes of the missing files that an earlier attempt left.
    problems : tuple of FileOutcome
        What cannot be fetched, and why.
    """

    into: Path
    host: str
    missing: tuple[RemoteFile, ...] = ()
    present: tuple[RemoteFile, ...] = ()
    started: int = 0
    problems: tuple[FileOutcome, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files, those present included."""
        return sum(f.size for f in (*self.missing, *self.present))

    @property
    def to_fetch(self) -> int:
        """Bytes still to come."""
        return max(sum(f.size for f in self.missing) - self.started, 0)

    @property
    def obs_ids(self) -> tuple[str, ...]:
        """The ObsIDs with files to fetch or present."""
        return tuple(dict.fromkeys(f.obs_id for f in (*self.missing, *self.present)))

    @property
    def table(self) -> Table:
        """Table with one row for each observation: files and bytes, those to fetch, and the problem if there is one."""
        from astropy.table import Table

        rows = []
        for obs_id in dict.fromkeys([*self.obs_ids, *(p.obs_id for p in self.problems)]):
            mine = [f for f in (*self.missing, *self.present) if f.obs_id == obs_id]
            fetch = [f for f in self.missing if f.obs_id == obs_id]
            reasons = "; ".join(p.reason for p in self.problems if p.obs_id == obs_id)
            rows.append((obs_id, len(mine), sum(f.size for f in mine), len(fetch), sum(f.size for f in fetch), reasons))
        names = ("obs_id", "files", "size", "to_fetch", "size_to_fetch", "problem")
        kinds = ("U9", int, int, int, int, "U64")
        return Table(rows=rows, names=names) if rows else Table(names=names, dtype=kinds)

    def __repr__(self) -> str:
        there = f", {len(self.present)} files are there" if self.present else ""
        lost = f", {len(self.problems)} problems" if self.problems else ""
        return (
            f"<DownloadPlan: {len(self.missing)} files of {human(self.to_fetch)} from {self.host} "
            f"for {len(self.obs_ids)} observations into {self.into}{there}{lost}>"
        )


@dataclass(frozen=True)
class DownloadReport:
    """Outcome of a download.

    Attributes
    ----------
    into : Path
        The archive directory.
    outcomes : list of FileOutcome
        One for each file.
    """

    into: Path
    outcomes: list[FileOutcome] = field(default_factory=list)

    def _of(self, *results: Result) -> list[FileOutcome]:
        return [o for o in self.outcomes if o.result in results]

    @property
    def fetched(self) -> list[FileOutcome]:
        """Files that came."""
        return self._of("fetched")

    @property
    def present(self) -> list[FileOutcome]:
        """Files that were there already."""
        return self._of("present")

    @property
    def failed(self) -> list[FileOutcome]:
        """Files, or observations, that could not be fetched, proprietary ones included."""
        return self._of("failed", "refused")

    @property
    def paths(self) -> list[Path]:
        """Directories of the observations that are complete."""
        lost = {o.obs_id for o in self.failed}
        return [self.into / i for i in dict.fromkeys(o.obs_id for o in self.outcomes) if i not in lost]

    @property
    def table(self) -> Table:
        """Table with one row for each file: result, size, bytes resumed, checks, SHA-256, the reason of a failure."""
        from astropy.table import Table

        names = ("obs_id", "path", "result", "size", "resumed", "checks", "sha256", "reason")
        rows = [
            (o.obs_id, o.path, o.result, o.size, o.resumed, "+".join(o.checks), o.sha256, o.reason)
            for o in self.outcomes
        ]
        kinds = ("U9", "U64", "U8", int, int, "U16", "U64", "U64")
        return Table(rows=rows, names=names) if rows else Table(names=names, dtype=kinds)

    def __len__(self) -> int:
        return len(self.outcomes)

    def __repr__(self) -> str:
        came = sum(o.size - o.resumed for o in self.fetched)
        head = (
            f"<DownloadReport: {len(self.fetched)} files fetched ({human(came)}), {len(self.present)} present, "
            f"{len(self.failed)} failed>"
        )
        return "\n".join([head, *(f"  {sentence(o)}" for o in self.failed[:20])])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(o.obs_id)}</td><td>{escape(o.path)}</td><td>{escape(o.reason)}</td></tr>"
            for o in self.failed
        )
        return f"<table><caption>{escape(repr(self).splitlines()[0])}</caption>{rows}</table>"


def sentence(outcome: FileOutcome) -> str:
    """Return a sentence about a file that was not downloaded."""
    return f"{outcome.obs_id}{'/' if outcome.path else ''}{outcome.path}: {outcome.reason}"


def human(size: float) -> str:
    """Return a number of bytes as text: ``3.2 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
