"""One call of one task: every parameter given, nothing shared, and trusted only when its outputs are there.

HEASoft tasks return 0 after ignoring a region, a filter or a parameter, and write nothing at all for a misspelt one
(measured with extractor 5.31). So the names and values are checked against the installed parameter file before, and
code, text and outputs after. What the outputs must hold is the caller's to check (see `recipes`).
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.engines.heasoft import messages
from xtendsrc.engines.heasoft.parfile import ParFile
from xtendsrc.engines.heasoft.runners import runner_for
from xtendsrc.engines.heasoft.tasklog import read_log
from xtendsrc.engines.heasoft.workspace import LONGEST_NAME
from xtendsrc.errors import TaskError, TaskParameterError
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xtendsrc.engines.heasoft.discovery import Installation
    from xtendsrc.engines.heasoft.runners import Execution, Runner
    from xtendsrc.engines.heasoft.workspace import Workspace

log = logging.getLogger("xtendsrc.heasoft")

XPI_TASKS = frozenset({"extractor", "fimgbin", "grppha", "lcmath", "mathpha", "addspec", "addarf", "addrmf"})
"""Tasks whose parameter reader copies the command line into a buffer of 1000 characters without looking."""

XPI_LINE = 900
"""Longest command line for them: 963 characters were right, 990 crashed (measured); the reader adds quotes."""

LONGEST_LINE = 30_000
"""Longest command line for any other task."""

FALLBACK = {"mode": "hl", "logfile": "NONE", "clobber": "yes"}
"""Values given where the caller is silent: no questions but output parameters written back, no log file of the task's
own, a fresh directory."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """Call of a task: what to run, and with which files.

    Parameters
    ----------
    task : str
        Name of the task.
    parameters : mapping
        Values by name; those left out take the value of the installed parameter file. Names of files are relative.
    links : mapping of str to path
        Input files by the name they get in the task's directory.
    copies : mapping of str to path
        Files the task edits in place, given to it as copies.
    texts : mapping of str to str
        Small text files to write there, such as lists.
    outputs : tuple of str
        Names that must be there afterwards; they are moved to the destination.
    optional : tuple of str
        Names, or patterns such as ``root*``, that are moved when they are there.
    """

    task: str
    parameters: Mapping[str, Any]
    links: Mapping[str, str | os.PathLike[str]] = field(default_factory=dict)
    copies: Mapping[str, str | os.PathLike[str]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """Result of a task.

    Attributes
    ----------
    task, runner : str
        Its name, and how it was called.
    returncode : int
        0, else an error was raised.
    output : str
        Everything it printed.
    log : Path
        The same, in a file beside the outputs; None when there were none to put it beside.
    command : str
        The command line, with every parameter and the files' own paths, ready to paste.
    heasoftpy_call : str
        The same call for heasoftpy.
    parameters : mapping of str to str
        All parameters as the task left them in its parameter file: output parameters such as ``numerrs`` are here.
    outputs : mapping of str to Path
        Where its files are now, by the name it gave them.
    seconds : float
        Wall time of the task.
    """

    task: str
    runner: str
    returncode: int
    output: str
    log: Path | None
    command: str
    heasoftpy_call: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, Path]
    seconds: float

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines of the output worth a look: warnings and the like."""
        return messages.remarks(self.output)


def run(
    call: Call,
    destination: str | os.PathLike[str],
    installed: Installation,
    runner: Runner | None = None,
    timeout: float | None = None,
) -> TaskResult:
    """Run one task in a private directory and move its outputs to `destination`.

    Parameters
    ----------
    call : Call
        The task, its parameters and its files.
    destination : path
        An existing directory for the outputs and the log.
    installed : Installation
        The HEASoft to use.
    runner : Runner, optional
        How to call it; by default as ``settings.runner`` says.
    timeout : float, optional
        Seconds; by default ``settings.task_timeout``.

    Raises
    ------
    TaskParameterError
        A name is not in the task's parameter file, or a value does not fit; nothing was run.
    TaskError
        The task failed, said so, or left no output; ``error.log`` holds what it printed.
    TaskTimeoutError, TaskCancelledError
        It was stopped.
    """
    parfile = installed.parfile(call.task)
    arguments = parfile.arguments(call.parameters, FALLBACK)
    given = _shortened(parfile, arguments)
    used = runner if runner is not None else runner_for(installed)
    target = Path(destination)
    with used.workspace() as place:
        _fill(place, call, parfile, arguments)
        started = time.monotonic()
        try:
            execution = used.execute(place, call.task, given, timeout or settings.values.task_timeout)
            seconds = time.monotonic() - started
            check_execution(call.task, execution)
            outputs = _collect(place, call, target)
        except TaskError as problem:
            problem.log = read_log(place.log)
            _keep_log(place, call.task, target)
            raise
        after = {p.name: p.default for p in ParFile.read(place.pfiles / f"{call.task}.par")}
        kept = _keep_log(place, call.task, target)
    log.debug("%s took %.3f s through %s", call.task, seconds, used.name)
    shown = {name: with_paths(value, {**call.links, **call.copies}) for name, value in arguments.items()}
    return TaskResult(
        task=call.task,
        runner=used.name,
        returncode=execution.returncode,
        output=execution.output,
        log=kept,
        command=command_line(call.task, shown),
        heasoftpy_call=heasoftpy_call(call.task, shown),
        parameters=after,
        outputs=outputs,
        seconds=seconds,
    )


def with_paths(value: str, files: Mapping[str, str | os.PathLike[str]]) -> str:
    """Return a parameter's value with the short names of a private directory replaced by the files they stand for."""
    known = {name: os.fspath(path) for name, path in files.items()}
    if not known:
        return value
    names = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    return re.sub(rf"(?<![\w./+-])({names})(?![\w./-])", lambda found: known[found[1]], value)


def command_line(task: str, arguments: Mapping[str, str]) -> str:
    """The call as one would type it in a shell."""
    return shlex.join([task, *(f"{k}={v}" for k, v in arguments.items())])


def heasoftpy_call(task: str, arguments: Mapping[str, str]) -> str:
    """The call as one would write it with heasoftpy."""
    words = {k: v for k, v in arguments.items() if k.isidentifier()}
    control = "py_noprompt" if "noprompt" in words else "noprompt"
    return f"heasoftpy.HSPTask({task!r})({dict(words)!r}, {control}=True)"


def _shortened(parfile: ParFile, arguments: Mapping[str, str]) -> dict[str, str]:
    """The parameters for the command line: all, or, when that is too long, without those left at their defaults.

    Hidden parameters go first: for the others a task might ask. Empty values never go there: some readers take
    ``name=`` for a question. The private parameter file has them all.
    """
    limit = XPI_LINE if parfile.task in XPI_TASKS else LONGEST_LINE
    given = {k: v for k, v in arguments.items() if v}
    for asked_too in (False, True):
        if _length(parfile.task, given) > limit:
            given = {
                k: v for k, v in given.items() if v != parfile[k].default or (parfile[k].queried and not asked_too)
            }
    if (length := _length(parfile.task, given)) > limit:
        raise TaskParameterError(
            f"The command line of {parfile.task} would have {length} characters; it crashes beyond {limit}.",
            "shorten the expressions, or put lists into a file and pass @file.",
        )
    return given


def _length(task: str, arguments: Mapping[str, str]) -> int:
    return len(task) + sum(len(k) + len(v.encode()) + 2 for k, v in arguments.items())


def _fill(place: Workspace, call: Call, parfile: ParFile, arguments: Mapping[str, str]) -> None:
    """Put everything the task needs into its directory, the parameter file among it."""
    for name in (*call.links, *call.copies, *call.texts, *call.outputs, *call.optional):
        if len(name) > LONGEST_NAME or os.sep in name:
            raise TaskError(f"{call.task}: {name!r} is not a short name without directories.", "shorten it.")
    for name, path in call.links.items():
        place.link(name, path)
    for name, path in call.copies.items():
        place.copy(name, path)
    for name, text in call.texts.items():
        (place.work / name).write_text(text, encoding="utf-8")
    (place.pfiles / f"{call.task}.par").write_text(parfile.with_values(arguments), encoding="utf-8")


def check_execution(task: str, execution: Execution) -> None:
    """Refuse a task that crashed, returned an error, or printed one.

    A signal is a negative code. Codes above 128 are the tasks' own: CFITSIO's 202, 219 and others.

    Raises
    ------
    TaskError
        It did.
    """
    lines = messages.errors(execution.output)
    said = f" It said: {lines[0][:200]!r}." if lines else _last_line(execution.output)
    if execution.returncode < 0:
        number = -execution.returncode
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        raise TaskError(f"{task} crashed with signal {name}.{said}", "look at its log; report it to HEASoft.")
    if execution.returncode:
        raise TaskError(f"{task} failed with code {execution.returncode}.{said}", "look at its log.")
    if lines:
        raise TaskError(f"{task} returned 0 but did not do what was asked.{said}", "look at its log.")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f" Its last line: {lines[-1][:200]!r}." if lines else " It printed nothing."


def _collect(place: Workspace, call: Call, destination: Path) -> dict[str, Path]:
    """Move the outputs to their place; a link is an input, not an output."""
    lost = [n for n in call.outputs if not _made(place.work / n)]
    if lost:
        raise TaskError(
            f"{call.task} returned 0 but did not write {', '.join(lost)}.{_last_line(read_log(place.log))}",
            "look at its log.",
        )
    extra = {p.name: p for pattern in call.optional for p in place.work.glob(pattern) if _made(p)}
    found = dict.fromkeys([*call.outputs, *(n for n in extra if n not in call.links)])
    return {name: move(place.work / name, destination / name) for name in found}


def _made(path: Path) -> bool:
    return not path.is_symlink() and (path.is_dir() or (path.is_file() and path.stat().st_size > 0))


def move(source: Path, target: Path) -> Path:
    """Move a file or a directory, in one step where both are on one file system."""
    if source.is_dir():
        return Path(shutil.move(source, target))
    part = target.with_name(f"{target.name}.part")
    try:
        os.replace(source, target)  # noqa: PTH105  - Path.replace cannot tell another file system from a failure
    except OSError:
        shutil.copyfile(source, part)
        part.replace(target)
    return target


def _keep_log(place: Workspace, task: str, destination: Path) -> Path:
    """Move the log beside the outputs, under a name that is free there."""
    number = 1
    while (target := destination / f"{task}{'' if number == 1 else f'-{number}'}.log").exists():
        number += 1
    if place.log.exists():
        return move(place.log, target)
    target.touch()
    return target
