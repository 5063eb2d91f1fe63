"""Observations from the archive to the disk: planned, fetched in parallel, resumed, verified."""

from __future__ import annotations

import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.archive.downloadreport import DownloadPlan, DownloadReport, FileOutcome, human, sentence
from xtendsrc.archive.endpoints import Endpoints
from xtendsrc.archive.hosts import host_for
from xtendsrc.archive.locate import locations
from xtendsrc.archive.manifest import Manifest
from xtendsrc.archive.observation_table import ObservationTable
from xtendsrc.archive.remote import ENCRYPTED, Policy, patterns_of
from xtendsrc.archive.transfer import arrived, fetch
from xtendsrc.errors import ArchiveError, DownloadError, ProprietaryDataError, RequestError
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xtendsrc.archive.remote import Host, RemoteFile

logger = logging.getLogger(__name__)

JOBS = 4


def plan_download(
    table: Any,
    into: str | Path,
    host: str = "auto",
    what: str | Sequence[str] = "xtend",
    *,
    jobs: int = JOBS,
    endpoints: Endpoints | None = None,
    policy: Policy | None = None,
) -> DownloadPlan:
    """List what `download` would fetch, with sizes; nothing is written. Parameters as for `download`."""
    order = _Order.of(table, into, host, what, jobs, endpoints, policy)
    with closing(order.source()) as source:
        return order.plan(source)


def download(
    table: Any,
    into: str | Path,
    host: str = "auto",
    what: str | Sequence[str] = "xtend",
    *,
    jobs: int = JOBS,
    endpoints: Endpoints | None = None,
    policy: Policy | None = None,
) -> DownloadReport:
    """Download observations.

    Files that are there with the right size are not fetched again; what an interrupted download left goes on where
    it stopped, after a kill as well. Every file is verified (size; MD5 where the host gives it; the checksum inside
    gzip files) before it gets its name, and noted in ``<into>/<ObsID>/manifest.json``.

    Parameters
    ----------
    table : ObservationTable, astropy Table, ObsID or list of ObsIDs
        The observations.
    into : str or Path
        Archive directory; files go to ``<into>/<ObsID>/...``.
    host : {"auto", "aws", "heasarc", "sciserver"}
        Where from: HEASARC's public bucket (needs boto3), its web server, or its copy mounted on SciServer. ``auto``
        is the bucket where boto3 is installed, else the web server.
    what : {"xtend", "events", "all"} or sequence of str
        ``xtend``: the folders auxil and xtend; ``events``: of these only what products need (cleaned events, bad and
        flickering pixels, housekeeping); ``all``: Resolve as well; or patterns such as ``"auxil/*"``.
    jobs : int
        Files at once.
    endpoints : Endpoints, optional
        Where the archive is, if not at HEASARC.
    policy : Policy, optional
        How patient to be with a host.

    Returns
    -------
    DownloadReport
        One row a file.

    Raises
    ------
    NoObservationsError
        If the table is empty.
    ArchiveError
        If the host cannot be used, or the disk has too little space; nothing was fetched.
    ProprietaryDataError
        If observations are still encrypted, with the date from which they are public; the others were fetched.
    DownloadError
        If files could not be fetched; all others were. Call again to go on. ``error.report`` is the report.
    """
    order = _Order.of(table, into, host, what, jobs, endpoints, policy)
    with closing(order.source()) as source:
        first = order.plan(source)
        logger.info("%r", first)
        _check_space(first)
        with _locked(order.top, first.obs_ids):
            todo = _compare(source.name, order.top, (*first.missing, *first.present))
            outcomes = [*first.problems, *(_present(f) for f in todo.present)]
            outcomes += _fetch_all(source, todo, order)
    report = DownloadReport(order.top, outcomes)
    logger.info("%r", report)
    _raise_for(report)
    return report


# --- the plan -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Order:
    """What to bring, from where, where to and how: the arguments of `download`, checked."""

    table: Any
    top: Path
    host: str
    patterns: tuple[str, ...]
    jobs: int
    endpoints: Endpoints
    policy: Policy

    @classmethod
    def of(
        cls,
        table: Any,
        into: str | Path,
        host: str,
        what: str | Sequence[str],
        jobs: int,
        endpoints: Endpoints | None,
        policy: Policy | None,
    ) -> _Order:
        if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
            raise RequestError(f"jobs={jobs!r} is not a positive whole number.", "give for example 4.")
        where = endpoints or Endpoints.default()
        return cls(table, Path(into).absolute(), host, patterns_of(what), jobs, where, policy or Policy())

    def source(self) -> Host:
        return host_for(self.host, self.endpoints, self.policy, self.jobs)

    def plan(self, source: Host) -> DownloadPlan:
        listed: list[RemoteFile] = []
        problems: list[FileOutcome] = []
        for obs_id, location in locations(self.table, self.endpoints).items():
            try:
                files = source.files(obs_id, location, self.patterns)
            except ArchiveError as error:
                problems.append(FileOutcome(obs_id=obs_id, path="", result="failed", reason=str(error)))
                continue
            if secret := [f for f in files if f.encrypted]:
                reason = _secret(self.table, obs_id, len(secret))
                problems.append(FileOutcome(obs_id=obs_id, path="", result="refused", reason=reason))
            elif files:
                listed += files
            else:
                reason = f"the archive has no file of this observation that fits {', '.join(self.patterns)}"
                problems.append(FileOutcome(obs_id=obs_id, path="", result="failed", reason=reason))
        return replace(_compare(source.name, self.top, listed), problems=tuple(problems))


def _secret(table: Any, obs_id: str, number: int) -> str:
    date = "not known"
    if isinstance(table, ObservationTable):
        date = table.public_date(obs_id)
    return f"proprietary: {number} files are encrypted (*{ENCRYPTED[0]}); public date: {date}"


def _compare(host: str, top: Path, files: Sequence[RemoteFile]) -> DownloadPlan:
    """Sort files into those that are there and those that are not."""
    missing, present, started = [], [], 0
    manifests: dict[str, Manifest] = {}
    for file in files:
        manifest = manifests.setdefault(file.obs_id, Manifest(top / file.obs_id))
        target = _target(top, file)
        if target.is_file() and target.stat().st_size == file.size and not manifest.changed(host, file):
            present.append(file)
        else:
            missing.append(file)
            started += arrived(target, file)
    return DownloadPlan(into=top, host=host, missing=tuple(missing), present=tuple(present), started=started)


def _target(top: Path, file: RemoteFile) -> Path:
    return top / file.obs_id / file.path


def _check_space(plan: DownloadPlan) -> None:
    folder = next(p for p in (plan.into, *plan.into.parents) if p.exists())
    if not folder.is_dir():
        raise ArchiveError(f"{folder} is not a directory.", "choose another place for the archive.")
    free = shutil.disk_usage(folder).free
    if plan.to_fetch > free:
        raise ArchiveError(
            f"{plan.into} has {human(free)} free, and {human(plan.to_fetch)} are to come.",
            'make room, choose another disk, or what="events".',
        )


# --- fetching -------------------------------------------------------------------------------------------------------


@contextmanager
def _locked(top: Path, obs_ids: Sequence[str]) -> Iterator[None]:
    """Keep other downloads of the same observations waiting; in the order of ObsIDs, so that none waits for ever."""
    from filelock import FileLock, SoftFileLock

    kind = SoftFileLock if settings.lock == "soft" else FileLock
    with ExitStack() as stack:
        for obs_id in sorted(obs_ids):
            (top / obs_id).mkdir(parents=True, exist_ok=True)
            lock = kind(top / obs_id / ".download.lock")
            if not lock.is_locked:
                logger.debug("locking %s", lock.lock_file)
            stack.enter_context(lock)
        yield


def _fetch_all(source: Host, plan: DownloadPlan, order: _Order) -> list[FileOutcome]:
    manifests = {f.obs_id: Manifest(plan.into / f.obs_id) for f in plan.missing}
    outcomes = []
    pool = ThreadPoolExecutor(order.jobs, thread_name_prefix="download")
    stopped = threading.Event()
    try:
        with _progress(plan) as tell:

            def count(size: int) -> None:
                if stopped.is_set():
                    raise DownloadError("The download was stopped.", "call again to go on where it stopped.")
                tell(size)

            running = [
                pool.submit(_fetch_one, source, f, plan.into, manifests[f.obs_id], order.policy, count)
                for f in plan.missing
            ]
            outcomes = [future.result() for future in as_completed(running)]
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
    return sorted(outcomes, key=lambda o: (o.obs_id, o.path))


def _fetch_one(
    source: Host, file: RemoteFile, top: Path, manifest: Manifest, policy: Policy, tell: Callable[[int], None]
) -> FileOutcome:
    target = _target(top, file)
    try:
        arrival = fetch(source, file, target, policy, tell)
        manifest.note(source.name, file, arrival)
    except (ArchiveError, OSError) as error:  # kept in the report; the other files go on
        logger.warning("%s: %s", target, error)
        return FileOutcome(obs_id=file.obs_id, path=file.path, result="failed", size=file.size, reason=str(error))
    return FileOutcome(
        obs_id=file.obs_id,
        path=file.path,
        result="fetched",
        size=file.size,
        resumed=arrival.resumed,
        sha256=arrival.sha256,
        checks=arrival.checks,
    )


def _present(file: RemoteFile) -> FileOutcome:
    return FileOutcome(obs_id=file.obs_id, path=file.path, result="present", size=file.size)


@contextmanager
def _progress(plan: DownloadPlan) -> Iterator[Callable[[int], None]]:
    """Yield a function that counts bytes, and show them where progress is wanted."""
    if not settings.progress or not plan.missing:
        yield lambda _: None
        return
    from tqdm import tqdm

    lock = threading.Lock()
    total = sum(f.size for f in plan.missing)
    with tqdm(total=total, initial=plan.started, unit="B", unit_scale=True, desc="download", dynamic_ncols=True) as bar:

        def tell(count: int) -> None:
            with lock:
                bar.update(count)

        yield tell


def _raise_for(report: DownloadReport) -> None:
    failed = report.failed
    if not failed:
        return
    shown = "\n".join(f"  {sentence(o)}" for o in failed[:20])
    more = f"\n  and {len(failed) - 20} more" if len(failed) > 20 else ""
    got = len(report.fetched) + len(report.present)
    if all(o.result == "refused" for o in failed):
        raise ProprietaryDataError(
            f"{len(failed)} observations are not public yet ({got} other files are complete):\n{shown}{more}\n",
            "wait for the public date, or decrypt the files with the key sent to the investigator.",
            report,
        )
    raise DownloadError(
        f"{len(failed)} items could not be downloaded ({got} files are complete):\n{shown}{more}\n",
        "call download again: complete files are kept, and broken ones go on where they stopped.",
        report,
    )
