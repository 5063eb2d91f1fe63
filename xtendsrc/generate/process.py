"""Cleaned events by xtdpipeline where the archive's are absent or old, in parallel; never into the archive's tree."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
import warnings
from concurrent.futures import as_completed
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.archive.layout import EVENT_NAME, discover
from xtendsrc.archive.raw import RawFiles, find_raw
from xtendsrc.errors import EngineUnavailableError, RequestError, XtendsrcError, XtendsrcWarning
from xtendsrc.generate.executors import available_cores
from xtendsrc.generate.report import Outcome, Report
from xtendsrc.generate.stopping import WorkerThreads
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from xtendsrc.archive.layout import ObservationFiles

logger = logging.getLogger(__name__)

STAGING = ".processing"
LOG = "xtdpipeline.log"
DATE = re.compile(r"(\d{8})")
XTEND_CALDB = re.compile(r"xtd(\d{8})")
"""Xtend's part of ``CALDBVER``, for example ``gen20230815_xtd20230815_rsl20230815``."""


@dataclass(frozen=True, kw_only=True)
class Processing:
    """Options of the processing of observations.

    Attributes
    ----------
    output : Path or None
        Output directory for observations given as paths.
    caldb : str
        Date of the oldest calibration that events may have; empty for any.
    again : bool
        Whether to process whatever is there.
    seed : int
        Of the pipeline's random numbers.
    calc_modegti : bool
        Whether dead-time intervals are computed anew.
    parameters : mapping
        Further parameters of xtdpipeline.
    """

    output: Path | None = None
    caldb: str = ""
    again: bool = False
    seed: int = 7
    calc_modegti: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)


def process(
    *observations: Any,
    output: str | Path | None = None,
    jobs: int | None = None,
    caldb: str | None = None,
    again: bool = False,
    seed: int = 7,
    calc_modegti: bool = True,
    parameters: Mapping[str, Any] | None = None,
) -> Report:
    """Make cleaned events with xtdpipeline (stages 1 and 2) where they are absent or old.

    Results go to ``<output>/<ObsID>/``, where `xtendsrc.Observation` prefers them to the archive's; make new
    observations (and sources) afterwards to use them. ``observation.files.dataclasses[code].own`` tells which are in
    use, and every product names its input files.

    Parameters
    ----------
    *observations : Observation or path
        Observations, or directories of ObsIDs, which may lack cleaned events.
    output : str or Path, optional
        Output directory for observations given as paths; an `Observation` has its own.
    jobs : int, optional
        Observations at once; None follows `xtendsrc.settings`, then the cores.
    caldb : str, optional
        Process also where ``CALDBVER`` of the events names an older calibration of Xtend than this: a date such as
        ``"20240815"``, or ``"installed"`` for the release found here.
    again : bool
        Process whatever is there.
    seed : int
        Of the pipeline's random numbers; 0, its own default, is the time of day and gives other PI in every run.
    calc_modegti : bool
        Whether dead-time intervals are computed anew (slow, and right for science).
    parameters : mapping, optional
        Further parameters of xtdpipeline.

    Returns
    -------
    Report
        One row an observation: ``made``, ``ready`` (the events that are there are used; the reason says whose), or
        ``failed`` with the reason and the path of the log.

    Raises
    ------
    EngineUnavailableError
        If something must be processed and HEASoft, or xtdpipeline, is not installed.
    RequestError
        If nothing is given, the calibration is not a date, or a path has no output directory.
    """
    if not observations:
        raise RequestError("No observation is given to process.", "give observations, or directories of ObsIDs.")
    if jobs is not None and jobs < 1:
        raise RequestError(f"jobs={jobs} is not a positive number.", "give for example 4.")
    how = Processing(
        output=None if output is None else Path(output),
        caldb=_date(caldb),
        again=again,
        seed=seed,
        calc_modegti=calc_modegti,
        parameters=dict(parameters or {}),
    )
    tasks = [_Task.of(observation, how) for observation in observations]
    todo = [t for t in tasks if t.needed]
    if todo:
        _require_pipeline(todo)
    done = [t.outcome("ready" if t.found else "failed", t.reason) for t in tasks if not t.needed]
    report = Report([*done, *_run(todo, how, jobs or settings.jobs or available_cores())])
    logger.info("%r", report)
    if report.failed:
        warnings.warn(repr(report), XtendsrcWarning, stacklevel=2)
    return report


# --- what must be done ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One observation, and whether and why it must be processed."""

    path: Path
    output: Path
    found: ObservationFiles | None
    needed: bool
    reason: str

    @classmethod
    def of(cls, observation: Any, how: Processing) -> _Task:
        if hasattr(observation, "files"):
            path, output = observation.path, how.output or observation.output
        elif how.output is None:
            raise RequestError(f"{observation}: no output directory is given.", "give output=.")
        else:
            path, output = Path(observation).absolute(), how.output
        if (Path(output) / path.name).resolve().is_relative_to(path.resolve()):
            raise RequestError(
                f"The output directory {output} would put results into the archive's tree {path}.",
                "choose another one: duplicates there break later runs of the pipeline.",
            )
        try:
            found = discover(path, output)
        except XtendsrcError as error:
            return cls._without_events(path, output, error)
        needed, reason = _judge(found, how)
        return cls(path=found.path, output=Path(output).absolute(), found=found, needed=needed, reason=reason)

    @classmethod
    def _without_events(cls, path: Path, output: Path, error: XtendsrcError) -> _Task:
        """Process if there is something to process; else the first error stands."""
        try:
            find_raw(path)
        except XtendsrcError:
            return cls(path=path, output=Path(output).absolute(), found=None, needed=False, reason=str(error))
        return cls(path=path, output=Path(output).absolute(), found=None, needed=True, reason="no cleaned events")

    @property
    def obs_id(self) -> str:
        return self.found.obs_id if self.found else self.path.name

    def outcome(
        self, result: str, reason: str, seconds: float = 0.0, log: str = "", codes: Iterable[str] = ()
    ) -> Outcome:
        classes = ", ".join(codes or (self.found.dataclasses if self.found else ()))
        return Outcome(
            root=str(self.output),
            key="",
            source="",
            obs_id=self.obs_id,
            dataclass=classes,
            product="cleaned events",
            result=result,
            engine="heasoft" if result == "made" else "",
            seconds=seconds,
            reason=reason,
            log=log,
        )


def _judge(found: ObservationFiles, how: Processing) -> tuple[bool, str]:
    """Whether an observation with cleaned events is processed again, and why or why not."""
    if how.again:
        return True, "asked for again"
    lost = _not_cleaned(found)
    if lost:
        return True, f"no cleaned events of {', '.join(lost)}"
    if how.caldb:
        for code in found.dataclasses:
            release = _release(found, code)
            if release < how.caldb:
                return True, f"events of {code} have calibration {release or 'unknown'}, older than {how.caldb}"
    own = [code for code, files in found.dataclasses.items() if files.own]
    whose = "own processing" if len(own) == len(found.dataclasses) else "the archive's event_cl"
    return False, f"{whose} is used ({found.path if not own else 'below the output directory'})"


def _not_cleaned(found: ObservationFiles) -> list[str]:
    try:
        raw = find_raw(found.path)
    except XtendsrcError:
        return []  # nothing to process: what is cleaned is all there is
    return [code for code in raw.dataclasses if code not in found.dataclasses]


def _release(found: ObservationFiles, code: str) -> str:
    """Date of Xtend's calibration that the events name; empty if they name none, which counts as old."""
    from xtendsrc.events.eventlist import read_header

    header = read_header(found.roles(code)["events"][0])
    match = XTEND_CALDB.search(str(header.get("CALDBVER", "")))
    return match[1] if match else ""


def _date(caldb: str | None) -> str:
    if caldb is None:
        return ""
    text = caldb
    if caldb == "installed":
        from xtendsrc.engines import heasoft

        text = heasoft.caldb_version() or "no HEASoft with CALDB"
    match = DATE.search(text)
    if match is None:
        raise RequestError(
            f"caldb={caldb!r} gives no date{f' (found {text!r})' if text != caldb else ''}.",
            'give the date of the release, such as "20240815".',
        )
    return match[1]


def _require_pipeline(todo: list[_Task]) -> None:
    from xtendsrc.engines import heasoft

    installed = heasoft.find_installation()
    why = "HEASoft was not found (HEADAS)" if installed is None else ""
    if installed is not None and installed.missing("xtdpipeline"):
        why = "the HEASoft found here lacks it"
    elif installed is not None and not installed.caldb.usable:
        why = f"the calibration database cannot be used: {installed.caldb.problem}"
    if why:
        listed = "; ".join(f"{t.obs_id}: {t.reason}" for t in todo[:5])
        raise EngineUnavailableError(
            f"{len(todo)} observations need xtdpipeline ({listed}), and {why}.",
            "install HEASoft and CALDB (see `xtendsrc doctor`), or use the archive's cleaned events.",
        )


# --- doing it -------------------------------------------------------------------------------------------------------


def _run(tasks: list[_Task], how: Processing, jobs: int) -> list[Outcome]:
    if not tasks:
        return []
    threads = WorkerThreads(min(jobs, len(tasks)))
    cancelled = True
    try:
        # each thread sees the settings in force here
        futures = {threads.submit(partial(copy_context().run, partial(_process_one, how=how)), task) for task in tasks}
        outcomes = [future.result() for future in _followed(futures)]
        cancelled = False
    finally:
        threads.close(cancel=cancelled)
    return outcomes


def _followed(futures: Collection[Any]) -> Iterable[Any]:
    if not settings.progress:
        return as_completed(futures)
    from tqdm import tqdm

    bar: Iterable[Any] = tqdm(
        as_completed(futures), total=len(futures), unit="observation", desc="process", dynamic_ncols=True
    )
    return bar


def _process_one(task: _Task, how: Processing) -> Outcome:
    from filelock import FileLock, SoftFileLock

    started = time.perf_counter()
    home = task.output / task.obs_id
    home.mkdir(parents=True, exist_ok=True)
    kind = SoftFileLock if settings.lock == "soft" else FileLock
    staging = task.output / STAGING / task.obs_id
    with kind(home / ".processing.lock"):
        try:
            raw = find_raw(task.path)
            _pipeline(raw, staging, how)
            _install(staging, home)
        except (XtendsrcError, OSError) as error:  # kept in the report; the other observations go on
            log = _keep_log(home, str(getattr(error, "log", "")) or _read(staging / LOG))
            return task.outcome("failed", str(error), time.perf_counter() - started, log)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return task.outcome("made", task.reason, time.perf_counter() - started, str(home / LOG), raw.dataclasses)


def _pipeline(raw: RawFiles, staging: Path, how: Processing) -> None:
    """Run the recipe into a directory on the output's file system."""
    from xtendsrc.engines.heasoft.pipeline import process as recipe

    shutil.rmtree(staging, ignore_errors=True)
    recipe(
        raw.events,
        raw.auxiliary,
        staging,
        calc_modegti=how.calc_modegti,
        seed=how.seed,
        parameters=how.parameters,
    )


def _install(staging: Path, home: Path) -> None:
    """Move results to their place, each in one step: cleaned events last, the later pieces of split files first.

    A kill in between leaves a data class without new cleaned events, or with a piece missing, which `discover` sees;
    cleaned events of an earlier run go first, so that old events never stand beside a new bad-pixel image.
    """
    files = [p for p in staging.rglob("*") if p.is_file()]
    new = {p.name for p in files}
    for old in sorted(home.glob("xa*_cl.evt*")):
        if old.name.removesuffix(".gz") in new or old.name in new:
            old.unlink()
    for path in sorted(files, key=_rank):
        os.replace(path, home / path.name)  # noqa: PTH105  - one step, also over an existing file


def _rank(path: Path) -> tuple[bool, int, str]:
    match = EVENT_NAME.match(path.name)
    cleaned = bool(match and match["level"] == "_cl")
    return cleaned, -int(match["split"]) if match and cleaned else 0, path.name


def _keep_log(home: Path, text: str) -> str:
    if not text:
        return ""
    path = home / f"failed-{LOG}"
    path.write_text(text)
    return str(path)


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
