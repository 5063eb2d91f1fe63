"""XSPEC as an engine: PyXspec in an interpreter of its own, or the program where PyXspec cannot be imported.

Nothing here imports PyXspec. What is run can be looked at and exported: see `XspecPlan`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import EngineUnavailableError, FitError
from xtendsrc.fit.measured import FittedParameter
from xtendsrc.fit.minimise import NEAR_LIMIT
from xtendsrc.fit.native import fold, records
from xtendsrc.fit.parameters import collect
from xtendsrc.fit.problem import Problem
from xtendsrc.fit.record import Folded
from xtendsrc.fit.result import FitResult
from xtendsrc.fit.statistic import resolve
from xtendsrc.fit.xspecjob import XspecJob, make_job, write_files
from xtendsrc.fit.xspecscript import parse_result_text, pyxspec_script, xcm_script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xtendsrc.fit.data import Dataset
    from xtendsrc.fit.options import FitOptions
    from xtendsrc.fit.parameters import Term

TIMEOUT = 3600.0
TAIL = 100_000
"""Bytes of XSPEC's output that an error keeps."""
SCRIPT, COMMANDS = "fit.py", "fit.xcm"
GUARD = Path(__file__).with_name("xspec_guard.py")
SIGNALLED = 128
"""Codes above this are the number of a signal on top of it."""
ERROR_MARKS = ("***Error", "Error:", "Exception:", "XSPEC Error", "terminate called")


@dataclass(frozen=True)
class XspecRunner:
    """Command and time limit with which XSPEC is started.

    Attributes
    ----------
    interpreter : str
        A Python that can import PyXspec; empty for the program ``xspec``.
    program : str
        The program, where there is no interpreter.
    timeout : float
        Seconds after which it is stopped with everything it started.
    environment : mapping of str to str
        Variables on top of those of this process.
    """

    interpreter: str = sys.executable
    program: str = ""
    timeout: float = TIMEOUT
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def found(cls) -> XspecRunner:
        """Return the way that works here: PyXspec, else the program.

        Raises
        ------
        EngineUnavailableError
            If there is neither.
        """
        if importlib.util.find_spec("xspec") is not None:
            return cls()
        if program := shutil.which("xspec"):
            return cls("", program)
        raise EngineUnavailableError("Neither PyXspec nor the program xspec is found.", "install HEASoft.")

    @property
    def command(self) -> list[str]:
        """What is run in the folder of the files."""
        return [self.interpreter, "-P", SCRIPT] if self.interpreter else [self.program, "-", COMMANDS]


@dataclass(frozen=True, eq=False)
class XspecPlan:
    """Script of a fit for XSPEC: to be read, written to files, or run elsewhere.

    Attributes
    ----------
    job : XspecJob
        Files, models, parameters.
    problem : Problem
        The data and models.
    """

    job: XspecJob
    problem: Problem

    @property
    def pyxspec(self) -> str:
        """The PyXspec script."""
        return pyxspec_script(self.job)

    @property
    def xcm(self) -> str:
        """The same as commands of the program ``xspec``."""
        return xcm_script(self.job)

    def write(self, folder: str | Path) -> Path:
        """Write both scripts and every file they need into a folder, and return it."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        write_files(self.job, self.problem.selections, self.problem.terms, place)
        (place / SCRIPT).write_text(self.pyxspec)
        (place / COMMANDS).write_text(self.xcm)
        return place

    def __str__(self) -> str:
        return self.pyxspec


def plan(datasets: Sequence[Dataset], terms: Sequence[Term], options: FitOptions, modelled: bool = False) -> XspecPlan:
    """Return what XSPEC would be told; nothing is run."""
    selections = [data.select(options.band or data.band, options.group) for data in datasets]
    statistics = [resolve(options.stat, selection, modelled) for selection in selections]
    parameters = collect(terms, len(datasets), options.choices)
    problem = Problem(selections, terms, parameters, statistics, modelled)
    return XspecPlan(make_job(selections, terms, parameters, statistics, options), problem)


def fit(
    datasets: Sequence[Dataset],
    terms: Sequence[Term],
    options: FitOptions,
    modelled: bool = False,
    runner: XspecRunner | None = None,
) -> FitResult:
    """Fit models to data with XSPEC.

    Parameters
    ----------
    datasets, terms, options, modelled
        As for `xtendsrc.fit.native.fit`.
    runner : XspecRunner, optional
        How XSPEC is started; the way that works here by default.

    Returns
    -------
    FitResult
        With XSPEC's statistic, parameters, errors and covariance.

    Raises
    ------
    FitError
        If XSPEC reports an error, crashes, or takes too long; ``log`` has the end of what it printed.
    EngineUnavailableError
        If there is no XSPEC.
    """
    how = runner or XspecRunner.found()
    made = plan(datasets, terms, options, modelled)
    with tempfile.TemporaryDirectory(prefix="xtendsrc-xspec-") as scratch:
        folder = made.write(scratch)
        run(how, folder)
        answer = _answer(how, folder)
    return _result(made.problem, made.job, answer)


def run(runner: XspecRunner, folder: Path) -> None:
    """Run XSPEC in a folder; its output goes to a file there, and its process group ends with it.

    Raises
    ------
    FitError
        If it fails or takes longer than allowed.
    """
    log = folder / "log.txt"
    environment = {**os.environ, "HEADASNOQUERY": "", "HEADASPROMPT": "/dev/null", **runner.environment}
    system = environment.get("PFILES", "").partition(";")[2]
    environment["PFILES"] = f"{folder};{system}"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *runner.command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(runner.timeout)
        except subprocess.TimeoutExpired as error:
            raise _failed(f"XSPEC took longer than {runner.timeout:g} s and was stopped", log) from error
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code > SIGNALLED or code < 0:
        raise _failed(f"XSPEC was ended by signal {signal.Signals(abs(code) % SIGNALLED).name}", log)
    if code > 0:
        raise _failed(f"XSPEC ended with code {code}", log)


def _failed(what: str, log: Path) -> FitError:
    """Return the error of a run, with the line in which XSPEC says why."""
    text = _tail(log)
    lines = [line.strip() for line in text.splitlines() if any(mark in line for mark in ERROR_MARKS)]
    said = f": {lines[-1]}" if lines else "."
    error = FitError(f"{what}{said}", "see its log, or export the fit (fit.plan().write(folder)) and run it by hand.")
    error.log = text
    return error


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(log.stat().st_size - TAIL, 0))
        return stream.read().decode(errors="replace")


def _answer(runner: XspecRunner, folder: Path) -> Mapping[str, Any]:
    name = "result.json" if runner.interpreter else "result.txt"
    path = folder / name
    if not path.is_file():
        raise _failed("XSPEC ended without a result", folder / "log.txt")
    text = path.read_text()
    try:
        answer: Mapping[str, Any] = json.loads(text) if runner.interpreter else parse_result_text(text)
        _ = answer["statistic"], answer["parameters"], answer["converged"]
    except (ValueError, KeyError) as error:
        raise _failed(f"XSPEC's result cannot be read ({error})", folder / "log.txt") from error
    return answer


def _result(problem: Problem, job: XspecJob, answer: Mapping[str, Any]) -> FitResult:
    parameters, found = problem.parameters, answer["parameters"]
    values = parameters.start.copy()
    for place in job.named:
        values[parameters.names.index(place.name)] = float(found[place.name]["value"])
    free = list(parameters.free)
    covariance = _covariance(answer["covariance"], [found[parameters.names[i]]["sigma"] for i in free])
    fitted = {
        slot.name: _parameter(problem, index, float(values[index]), found[slot.name], job.profile)
        for index, slot in enumerate(parameters.slots)
    }
    kinds = {selection.dataset.response.kind for selection in problem.selections}
    return FitResult(
        terms=records(problem.terms),
        parameters=MappingProxyType(fitted),
        covariance=covariance,
        statistic=float(answer["statistic"]),
        statistic_name="+".join(dict.fromkeys(problem.names)),
        bins=problem.bins,
        engine="xspec",
        response_kind="nominal" if "nominal" in kinds else "calibrated",
        converged=bool(answer["converged"]),
        message="" if answer["converged"] else "the statistic still fell when XSPEC was asked again",
        folded=tuple(_folded(problem, values, answer)),
        start=MappingProxyType(dict(zip(parameters.names, parameters.start.tolist(), strict=True))),
        _problem=problem,
    )


def _covariance(lower: Sequence[float], sigma: Sequence[float]) -> np.ndarray:
    """Return the covariance from XSPEC's lower triangle; from its errors alone where it gives none."""
    size = len(sigma)
    if len(lower) != size * (size + 1) // 2:
        return np.diag([s**2 if s > 0 else np.nan for s in sigma])
    matrix = np.zeros((size, size))
    matrix[np.tril_indices(size)] = lower
    return matrix + np.tril(matrix, -1).T


def _parameter(problem: Problem, index: int, value: float, found: Mapping[str, Any], profile: bool) -> FittedParameter:
    slot = problem.parameters.slots[index]
    tied = problem.parameters.tied.get(slot.name, "")
    limits: dict[str, Any] = {"frozen": slot.frozen, "tied": tied, "minimum": slot.low, "maximum": slot.high}
    if slot.frozen or tied:
        return FittedParameter(slot.name, slot.unit, value, 0.0, value, value, **limits)
    sigma = float(found["sigma"])
    error = sigma if sigma > 0 else np.nan
    low, high = value - error, value + error
    ends = [float(end) for end in found["error"][:2]]
    profiled = profile and ends[1] > ends[0]
    if profiled:
        low, high = ends[0] or slot.low, ends[1] or slot.high
        error = (high - low) / 2
    near = NEAR_LIMIT * max(sigma, 1e-9 * abs(value))
    limits["at_limit"] = value - slot.low <= near or slot.high - value <= near
    return FittedParameter(slot.name, slot.unit, value, error, low, high, profiled=profiled, **limits)


def _folded(problem: Problem, values: np.ndarray, answer: Mapping[str, Any]) -> list[Folded]:
    """Return data beside the model: evaluated here where that can be, else as XSPEC folded it."""
    from xtendsrc.fit import engines

    if not any(engines.missing(term.model, "native") for term in problem.terms):
        return fold(problem, values)
    out = []
    for selection, statistic, name, rates in zip(
        problem.selections, problem.statistics, problem.names, answer["folded"], strict=False
    ):
        model = np.asarray(rates, float) * selection.dataset.source.exposure
        if model.size == len(selection):
            background = np.zeros(model.size) if problem.modelled else selection.ratio * selection.background_counts
            arrays = (selection.energy_lo, selection.energy_hi, selection.counts, background)
            error = np.sqrt(np.maximum(selection.variance, 1.0))
            residuals = statistic.residuals(model)
            exposure = selection.dataset.source.exposure
            out.append(Folded(selection.dataset.name, *arrays, error, model, residuals, {}, exposure, name))
    return out
