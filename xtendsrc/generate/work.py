"""What a worker does: make the products of one unit and commit each to the registry.

A unit is plain data, so that it can be carried to a thread, another process or another machine. It is idempotent: a
product that somebody else has finished meanwhile is left alone, so a lost unit costs one retry and nothing else.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xtendsrc.engines import engine, engines
from xtendsrc.engines.protocol import Job
from xtendsrc.engines.scratch import scratch_directory
from xtendsrc.errors import InputFileError, TaskCancelledError, UnfitTaskError, XtendsrcError
from xtendsrc.generate.plan import refusal
from xtendsrc.generate.report import Outcome
from xtendsrc.generate.stopping import is_stopped, stopped, watch_parent, working_for
from xtendsrc.products.kinds import kind
from xtendsrc.settings import SettingValues, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xtendsrc.engines.protocol import Made
    from xtendsrc.generate.plan import Step
    from xtendsrc.registry import Record
    from xtendsrc.registry.commits import Commits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unit:
    """Products that one worker makes in one go.

    Parameters
    ----------
    steps : tuple of Step
        In an order in which each comes after what it needs; all of one engine.
    values : SettingValues
        The settings in force where the batch was started.
    force : bool
        Whether products that are ready meanwhile are made all the same.
    batch : str
        The batch it belongs to; once that is stopped, no further product is made.
    """

    steps: tuple[Step, ...]
    values: SettingValues
    force: bool = False
    batch: str = ""

    @property
    def engine(self) -> str:
        """The engine of all its steps."""
        return self.steps[0].engine

    @property
    def weight(self) -> float:
        """A rough cost, to start the heaviest first."""
        return sum(map(weight_of, self.steps))


def weight_of(step: Step) -> float:
    """Return a rough cost of a step: 1 for an image."""
    return kind(step.request.kind).weight


def run_unit(unit: Unit) -> list[Outcome]:
    """Make the products of a unit; a failure is an outcome and stops only what depends on it."""
    watch_parent()
    working_for(unit.batch)
    if stopped(unit.batch):
        return []
    outcomes: list[Outcome] = []
    bad: set[str] = set()
    with settings(**asdict(unit.values)), scratch_directory() as scratch:
        for number, level in enumerate(_levels(unit.steps)):
            directory = scratch / str(number)
            directory.mkdir()
            for outcome in _run_level(level, bad, directory, unit.force):
                outcomes.append(outcome)
                if outcome.result == "failed":
                    bad.add(outcome.key)
                if stopped(unit.batch):
                    return outcomes
    return outcomes


def _levels(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Yield the steps in groups, none of which needs another of its own group."""
    depth: dict[str, int] = {}
    for step in steps:
        needs = [depth[n.key] for n in step.needs.values() if n.key in depth]
        depth[step.request.key] = max(needs, default=-1) + 1
    for level in sorted(set(depth.values())):
        yield [s for s in steps if depth[s.request.key] == level]


def _run_level(level: list[Step], bad: set[str], scratch: Path, force: bool) -> Iterator[Outcome]:
    with ExitStack() as locks:
        todo: list[tuple[Step, Job]] = []
        for step in sorted(level, key=lambda s: s.request.key):
            if broken := [role for role, need in step.needs.items() if need.key in bad]:
                yield outcome_of(step, "failed", reason=f"the {broken[0]} it needs could not be made")
                continue
            registry = step.target.registry
            locks.enter_context(registry.lock(step.request.key))
            if not force and _done_meanwhile(step):
                yield outcome_of(step, "ready")
                continue
            try:
                todo.append((step, _job(step)))
            except XtendsrcError as error:
                yield _failed(step, error, 0.0)
        yield from _make(todo, scratch)


def _done_meanwhile(step: Step) -> bool:
    """Tell whether another worker has made the product since the batch was planned."""
    if step.status == "ready" or step.other_engine:
        return False
    return step.target.registry.status(step.request.key, step.state, step.inputs).status == "ready"


def _job(step: Step) -> Job:
    needs = {}
    for role, need in step.needs.items():
        needs[role] = str(step.target.registry.path(need.key))
    return Job(request=step.request, files=step.target.files, needs=needs)


def _make(todo: list[tuple[Step, Job]], scratch: Path) -> Iterator[Outcome]:
    """Make products one after the other, and commit together what was made within about a second."""
    if not todo:
        return
    results = iter(engine(todo[0][0].engine).make([job for _, job in todo], scratch))
    waiting: list[_HandedOver] = []
    with todo[0][0].target.registry.commits() as commits:
        for step, job in todo:
            start = time.perf_counter()
            made = next(results)
            if isinstance(made, UnfitTaskError) and step.automatic:
                made = _instead(step, job, made, scratch)
            if isinstance(made, Exception):
                yield _failed(step, made, time.perf_counter() - start)
                continue
            try:
                waiting.append(_hand_over(commits, step, made, start))
            except (XtendsrcError, OSError) as error:
                yield _failed(step, error, time.perf_counter() - start)
            if commits.due:
                yield from _settled(commits, waiting)
        yield from _settled(commits, waiting)


def _instead(step: Step, job: Job, problem: UnfitTaskError, scratch: Path) -> Made | Exception:
    """Make a product by the next engine that can, where a task is known to be wrong for its input; and say so."""
    names = engines()
    for name in names[names.index(step.engine) + 1 :]:
        if not refusal(step.request, name):
            made = next(iter(engine(name).make([job], scratch)))
            if isinstance(made, Exception):
                return made
            return replace(made, warnings=(*made.warnings, f"made by the {name} engine: {problem.what}"))
    return problem


def _record(step: Step, **more: Any) -> Record:
    """State what the registry keeps of a product besides its file."""
    from xtendsrc.generate.plan import input_paths
    from xtendsrc.registry import Record

    request = step.request
    return Record(
        key=request.key,
        state=step.state,
        kind=request.kind,
        request=request.to_json(),
        source=step.target.source,
        obs_id=request.obs_id,
        dataclass=request.dataclass,
        inputs=dict(step.inputs),
        paths=input_paths(request, step.target),
        needs={role: need.key for role, need in step.needs.items()},
        **more,
    )


class _HandedOver(NamedTuple):
    """A product that is being written into the output directory."""

    step: Step
    made: Path
    seconds: float
    warnings: tuple[str, ...]


def _hand_over(commits: Commits, step: Step, made: Made, start: float) -> _HandedOver:
    """Begin to commit a product; `_settled` says what became of it."""
    from xtendsrc.generate.cache import arrays_of

    request, path = step.request, Path(made.path)
    seconds = time.perf_counter() - start
    warnings = (*(step.target.remarks if step.wanted else ()), *made.warnings)
    record = _record(
        step,
        engine=made.engine,
        versions=dict(made.versions),
        calls=tuple(made.calls),
        notes=warnings,
        log=made.log,
        wall_time=seconds,
    )
    _check_inputs(step, record)
    known = step.target.registry.entry(request.key)  # a product keeps the name it has, whoever has it made again
    name = f"{request.obs_id}/{request.file_name(step.target.source, step.role)}"
    commits.add(record, path, (known.path if known is not None else "") or name, lambda: arrays_of(request.kind, path))
    return _HandedOver(step, path, seconds, warnings)


def _settled(commits: Commits, waiting: list[_HandedOver]) -> Iterator[Outcome]:
    """Commit the products that wait, and empty their list."""
    products = tuple(waiting)
    waiting.clear()
    results: Sequence[object]
    try:
        results = commits.settle()
    except (XtendsrcError, OSError) as error:
        results = [error] * len(products)
    for product, result in zip(products, results, strict=True):
        product.made.unlink(missing_ok=True)
        if isinstance(result, Exception):
            yield _failed(product.step, result, product.seconds)
        else:
            yield outcome_of(product.step, "made", seconds=product.seconds, warnings=product.warnings)


def _check_inputs(step: Step, record: Record) -> None:
    """Refuse a product of which an input changed since it was planned: it would carry the digest of another file.

    Raises
    ------
    InputFileError
        Naming the input.
    """
    for name, path in record.paths.items():
        if step.target.registry.fingerprint(path).sha256 != step.inputs.get(f"file {name}"):
            raise InputFileError(
                f"{path} changed while the {step.request.label} was made from it.", "run the batch again."
            )


def _failed(step: Step, error: Exception, seconds: float) -> Outcome:
    """Remember a failure, unless what failed is the disk, the registry or the user's patience, and report it."""
    log = str(getattr(error, "log", ""))
    reason = str(error) if isinstance(error, XtendsrcError) else f"{type(error).__name__}: {error}"
    request = step.request
    if isinstance(error, TaskCancelledError) or is_stopped():
        return outcome_of(step, "failed", reason=reason, seconds=seconds, log=log)
    logger.info("%s %s %s: %s", request.obs_id, request.dataclass, request.label, reason)
    if not isinstance(error, OSError):
        step.target.registry.fail(_record(step, engine=step.engine, log=log, wall_time=seconds), reason)
    return outcome_of(step, "failed", reason=reason, seconds=seconds, log=log)


def outcome_of(
    step: Step,
    result: str,
    *,
    reason: str = "",
    seconds: float = 0.0,
    log: str = "",
    warnings: tuple[str, ...] = (),
) -> Outcome:
    """State what became of a step."""
    request = step.request
    return Outcome(
        root=str(step.target.registry.root),
        key=request.key,
        source=step.target.source,
        obs_id=request.obs_id,
        dataclass=request.dataclass,
        product=request.label,
        result=result,
        engine=step.engine,
        seconds=seconds,
        reason=reason,
        log=log,
        warnings=warnings,
    )
