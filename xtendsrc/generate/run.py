"""Run a batch: submit its units as they become possible, follow them, and report what became of each product."""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xtendsrc.engines import engine as engine_of
from xtendsrc.errors import ProductError, XtendsrcWarning
from xtendsrc.generate.executors import Submitter, submitter
from xtendsrc.generate.plan import Plan, Step, build, flatten, recent_states, status
from xtendsrc.generate.progress import Reporter, reporter
from xtendsrc.generate.report import Outcome, Report
from xtendsrc.generate.stopping import new_batch, stop, stop_tasks
from xtendsrc.generate.work import Unit, outcome_of, run_unit, weight_of
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astropy.table import Table

    from xtendsrc.products.base import Product

logger = logging.getLogger(__name__)

WEIGHT_OF_A_UNIT = 50.0
"""Products of one data class are made in units of about this weight (an image weighs 1).

Small ones read the events more often; large ones hold more in memory, leave cores idle and the progress bar still.
"""


def compute(
    *products: Any,
    jobs: int | None = None,
    executor: Any = None,
    engine: str = "auto",
    progress: bool = True,
    force: bool = False,
    quiet: bool = False,
) -> Report:
    """Make everything that is missing or stale, with whatever it needs, in one parallel batch.

    Parameters
    ----------
    *products : Product, Products or iterables of them
        What is wanted. The same product asked for twice is made once.
    jobs : int, optional
        How many units of work run at once on this machine; None follows `xtendsrc.settings`, then the cores.
    executor : optional
        None for this machine, ``"serial"`` for debugging, any ``concurrent.futures.Executor``, or a
        ``dask.distributed.Client``.
    engine : {"auto", "heasoft", "native"}
        ``auto`` follows each product's own choice, then `xtendsrc.settings`.
    progress : bool
        Whether to show a progress bar.
    force : bool
        Whether to make again what is ready.
    quiet : bool
        Whether to give no warning about failures, which are in the report either way.

    Returns
    -------
    Report
        What became of each product; failures are in ``report.failed`` and stop only what depends on them.
    """
    batch = build(flatten(products), engine, force)
    report = Report([outcome_of(s, "ready") for s in batch.steps.values() if not s.engine and not s.problem])
    todo = batch.todo
    if todo:
        report.outcomes.extend(
            _run(batch, settings.jobs if jobs is None else jobs, executor, progress and settings.progress, force)
        )
    there = {outcome.key for outcome in report.outcomes if outcome.result != "failed"}
    for registry, asked in batch.asked.items():
        registry.ask({key: asked[key] for key in there & asked.keys()})
    logger.info("%s", report)
    if report.failed and not quiet:
        warnings.warn(repr(report), XtendsrcWarning, stacklevel=2)
    return report


def plan(*products: Any, engine: str = "auto", force: bool = False) -> Table:
    """Return what `compute` would do, and why, without doing it.

    Returns
    -------
    astropy.table.Table
        One row a product that would be made: source, ObsID, data class, product, status, reason, engine, key.
        Empty when everything is ready.
    """
    return build(flatten(products), engine, force).table()


def ensure(product: Product) -> None:
    """Make a product if it is missing or stale.

    Input files that another product was checked against within the last second are not looked at again.

    Raises
    ------
    ProductError
        If it cannot be made, or has failed before and nothing it depends on has changed since.
    """
    found, reason = status(product.request, product.target, recent_states())
    if found == "failed":
        raise ProductError(
            f"{product!r} failed before and nothing it depends on has changed: {reason}",
            "mend the cause and call its compute(), which tries again.",
        )
    if found != "ready":
        product.compute()


def _run(batch: Plan, jobs: int | None, executor: Any, progress: bool, force: bool) -> list[Outcome]:
    """Run the steps that have to, and fold the registries' journals when done."""
    steps = batch.todo
    outcomes = [outcome_of(s, "failed", reason=str(s.problem)) for s in steps if s.problem]
    runnable = [s for s in steps if not s.problem]
    name = new_batch()
    units = _units(runnable, force, name)
    workers = submitter(executor, jobs, [u.weight for u in units if not engine_of(u.engine).in_threads])
    batch_reporter = reporter(len(runnable), progress)
    cancelled = True
    try:
        for outcome in _Schedule(units, {o.key for o in outcomes}, workers, batch_reporter).run():
            outcomes.append(outcome)
        cancelled = False
    finally:
        if cancelled:
            stop(name)
            stop_tasks()
        workers.close(cancel=cancelled)
        batch_reporter.close()
        for line in Report(outcomes).remarks:
            logger.warning("%s", line)
        if not cancelled:  # what is committed stands in the journals, and the next batch folds them
            for registry in {str(s.target.registry.root): s.target.registry for s in runnable}.values():
                registry.fold()
    return outcomes


def _units(steps: list[Step], force: bool, batch: str) -> list[Unit]:
    """Group steps of one data class and stage into units where their engine shares reading; others stand alone.

    Steps keep their order, so that a unit needs only earlier ones.
    """
    groups: dict[tuple[Any, ...], list[Step]] = {}
    for step in steps:
        request = step.request
        alone = () if engine_of(step.engine).shares_reading else (request.key,)
        group = (step.ident[0], request.obs_id, request.dataclass, step.engine, step.stage, *alone)
        groups.setdefault(group, []).append(step)
    return [Unit(tuple(part), settings.values, force, batch) for members in groups.values() for part in _parts(members)]


def _parts(steps: list[Step]) -> Iterator[list[Step]]:
    """Cut a list of steps where `WEIGHT_OF_A_UNIT` is reached."""
    part: list[Step] = []
    weight = 0.0
    for step in steps:
        part.append(step)
        weight += weight_of(step)
        if weight >= WEIGHT_OF_A_UNIT:
            yield part
            part, weight = [], 0.0
    if part:
        yield part


class _Schedule:
    """Units in the order their needs allow, heaviest first."""

    def __init__(self, units: list[Unit], bad: set[str], workers: Submitter, progress: Reporter) -> None:
        self._waiting = sorted(units, key=lambda u: -u.weight)
        self._pending_keys = {s.ident for u in units for s in u.steps}
        self._bad = bad
        self._workers = workers
        self._progress = progress
        self._running: dict[Future[list[Outcome]], Unit] = {}
        self._retried: set[int] = set()

    def run(self) -> Iterator[Outcome]:
        """Yield the outcome of every step as it becomes known."""
        while self._waiting or self._running:
            yield from self._start()
            if not self._running:
                continue
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                unit = self._running.pop(future)
                for outcome in self._collect(future, unit):
                    self._finish(unit, outcome)
                    yield outcome

    def _start(self) -> Iterator[Outcome]:
        """Submit the units whose needs are there; fail the steps whose needs failed."""
        for unit in list(self._waiting):
            own = {s.ident for s in unit.steps}
            needs = {(s.ident[0], n.key) for s in unit.steps for n in s.needs.values()} - own
            if needs & self._pending_keys:
                continue
            self._waiting.remove(unit)
            doomed = [s for s in unit.steps if any(n.key in self._bad for n in s.needs.values())]
            for step in doomed:
                role = next(r for r, n in step.needs.items() if n.key in self._bad)
                outcome = outcome_of(step, "failed", reason=f"the {role} it needs could not be made")
                self._finish(unit, outcome)
                yield outcome
            rest = tuple(s for s in unit.steps if s not in doomed)
            if rest:
                self._submit(replace(unit, steps=rest))

    def _submit(self, unit: Unit) -> None:
        self._running[self._workers.submit(unit, run_unit)] = unit

    def _collect(self, future: Future[list[Outcome]], unit: Unit) -> list[Outcome]:
        """Return a unit's outcomes; a unit whose worker died is tried once more."""
        error = CancelledError("it was cancelled") if future.cancelled() else future.exception()
        if error is None:
            return future.result()
        lost = isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"
        if lost and id(unit.steps) not in self._retried and self._workers.retries:
            self._retried.add(id(unit.steps))
            logger.warning("A worker died; its %d products are tried once more.", len(unit.steps))
            self._submit(unit)
            return []
        reason = f"its worker died: {error}" if lost else f"{type(error).__name__}: {error}"
        return [outcome_of(s, "failed", reason=reason) for s in unit.steps]

    def _finish(self, unit: Unit, outcome: Outcome) -> None:
        self._pending_keys.discard((outcome.root, outcome.key))
        if outcome.result == "failed":
            self._bad.add(outcome.key)
        self._progress.done(outcome)
