"""Two ways to run a task, one behaviour: the program itself, or heasoftpy in a child interpreter.

`DirectRunner` starts the program. `HeasoftpyRunner` keeps one child interpreter a slot, each with its own working
directory and environment for its whole life, so that heasoftpy's process-wide state (PFILES, cwd) is nobody else's.
What is checked before and after a call is the same for both and lives in `task`.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from xtendsrc.engines.heasoft.processes import Child, child, deadline
from xtendsrc.engines.heasoft.tasklog import LARGEST, bounded, read_log, shortened
from xtendsrc.engines.heasoft.workspace import Workspace, make_root, private_workspace, task_base
from xtendsrc.engines.scratch import clear
from xtendsrc.errors import EngineUnavailableError, TaskCancelledError, TaskError, TaskTimeoutError, XtendsrcError
from xtendsrc.settings import RunnerName, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from xtendsrc.engines.heasoft.discovery import Installation

log = logging.getLogger("xtendsrc.heasoft")

_WORKER = Path(__file__).with_name("heasoftpy_worker.py")
_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Execution:
    """End of a task: its code (negative: the signal that killed it) and everything it printed."""

    returncode: int
    output: str


class Runner(Protocol):
    """Protocol of both runners."""

    name: str

    def workspace(self, base: Path | None = None) -> AbstractContextManager[Workspace]:
        """Return an empty private workspace, removed or emptied afterwards."""
        ...

    def execute(self, place: Workspace, task: str, arguments: Mapping[str, str], timeout: float | None) -> Execution:
        """Run a task in a workspace of this runner."""
        ...


class DirectRunner:
    """Run the task's program as a child process."""

    name = "direct"

    def __init__(self, installed: Installation) -> None:
        self._installed = installed

    def workspace(self, base: Path | None = None) -> AbstractContextManager[Workspace]:
        """Return an empty private workspace."""
        return private_workspace(base)

    def execute(self, place: Workspace, task: str, arguments: Mapping[str, str], timeout: float | None) -> Execution:
        """Run the program; its output goes to the workspace's log.

        Raises
        ------
        TaskError
            It could not be started.
        TaskTimeoutError, TaskCancelledError
            It was stopped.
        """
        argv = [str(self._installed.executable(task)), *(f"{k}={v}" for k, v in arguments.items())]
        env = self._installed.environment(str(place.pfiles), str(place.work))
        with place.log.open("wb") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            try:
                with (
                    child(argv, cwd=place.work, env=env, **streams) as running,
                    deadline(running, timeout),
                    bounded(running, place.log),
                ):
                    code = running.wait()
            except OSError as problem:
                raise TaskError(f"{task} could not be started: {problem}.", "check the HEASoft installation.") from None
        _raise_if_stopped(running, task, timeout)
        return Execution(code, read_log(place.log))


def _raise_if_stopped(running: Child, task: str, timeout: float | None) -> None:
    if running.flooded:
        raise TaskError(
            f"{task} printed more than {LARGEST >> 20} MB and was stopped, with everything it had started.",
            "look at its log; something in its parameters makes it repeat itself.",
        )
    if running.timed_out:
        raise TaskTimeoutError(
            f"{task} ran longer than {timeout:g} s and was stopped, with everything it had started.",
            "look at its log, or raise xtendsrc.settings.task_timeout.",
        )
    if running.cancelled:
        raise TaskCancelledError(f"{task} was stopped because the batch was cancelled.", "call again to go on.")


class _Interpreter:
    """One child interpreter with heasoftpy, standing in its own workspace for life."""

    def __init__(self, installed: Installation, base: Path | None) -> None:
        self.place = Workspace(make_root(base))
        env = installed.environment(str(self.place.pfiles), str(self.place.work))
        env["PYTHONPATH"] = f"{installed.heasoftpy}:{env['PYTHONPATH']}"
        self._errors = (self.place.root / "worker").open("wb")
        self._open = child(
            [sys.executable, "-B", "-P", str(_WORKER), str(self.place.root)],
            cwd=self.place.work,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.running = self._open.__enter__()
        self.version = str(self.ask({"hello": 1}, _READY_SECONDS).get("version", ""))

    def ask(self, message: Mapping[str, Any], timeout: float | None) -> dict[str, Any]:
        """Send one request and wait for its answer; empty when the interpreter died or was stopped."""
        process = self.running.process
        if process.stdin is None or process.stdout is None:
            return {}
        with deadline(self.running, timeout), suppress(BrokenPipeError):
            process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if line.endswith(b"\n"):  # an interpreter that was killed may leave half a line
                return dict(json.loads(line))
        self.end()
        return {}

    def end(self) -> None:
        """Stop the interpreter and its group."""
        self.running.stop()
        self.running.process.wait()

    @property
    def complaint(self) -> str:
        """What the interpreter itself printed, in short."""
        path = self.place.root / "worker"
        text = path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""
        return text.splitlines()[-1] if text else "it said nothing"

    def close(self) -> None:
        """End the interpreter, its group and its directory."""
        process = self.running.process
        self.end()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._open.__exit__(None, None, None)
        self._errors.close()
        clear(self.place.root)


class HeasoftpyRunner:
    """Run tasks through heasoftpy, in long-lived child interpreters: one for each call at a time."""

    name = "heasoftpy"

    def __init__(self, installed: Installation) -> None:
        self._installed = installed
        self._idle: list[_Interpreter] = []
        self._busy: dict[Path, _Interpreter] = {}
        self._lock = threading.Lock()
        self._owner = os.getpid()
        atexit.register(self.close)

    @contextmanager
    def workspace(self, base: Path | None = None) -> Iterator[Workspace]:
        """Yield the workspace of an idle interpreter, or of a new one; empty at the start."""
        interpreter = self._take(base)
        place = interpreter.place
        place.empty()
        with self._lock:
            self._busy[place.root] = interpreter
        try:
            yield place
        except XtendsrcError:
            raise
        except BaseException:
            interpreter.end()
            raise
        finally:
            with self._lock:
                self._busy.pop(place.root, None)
                alive = interpreter.running.process.poll() is None
                if alive:
                    self._idle.append(interpreter)
            if not alive:
                interpreter.close()

    def start(self) -> None:
        """Start one interpreter, to see that heasoftpy can be used.

        Raises
        ------
        EngineUnavailableError
            It cannot.
        """
        with self.workspace():
            pass

    def _take(self, base: Path | None) -> _Interpreter:
        self._forget_inherited()
        wanted = base if base is not None else task_base()
        with self._lock:
            for interpreter in tuple(self._idle):
                if interpreter.running.process.poll() is not None:
                    self._idle.remove(interpreter)
                    interpreter.close()
                elif interpreter.place.root.parent == wanted:  # one that stands elsewhere is of another setting
                    self._idle.remove(interpreter)
                    return interpreter
        interpreter = _Interpreter(self._installed, wanted)
        if not interpreter.version:
            reason = interpreter.complaint
            interpreter.close()
            raise EngineUnavailableError(
                f"heasoftpy in {self._installed.heasoftpy or 'this environment'} cannot be used: {reason}.",
                'choose xtendsrc.settings.runner = "direct".',
            )
        return interpreter

    def _forget_inherited(self) -> None:
        """In a forked copy of this process, leave the interpreters to the parent."""
        if os.getpid() != self._owner:
            self._owner, self._idle, self._lock = os.getpid(), [], threading.Lock()

    def execute(self, place: Workspace, task: str, arguments: Mapping[str, str], timeout: float | None) -> Execution:
        """Run the task through heasoftpy; its output goes to the workspace's log.

        Raises
        ------
        TaskTimeoutError, TaskCancelledError
            It was stopped.
        TaskError
            The interpreter died, or heasoftpy raised.
        """
        interpreter = self._busy[place.root]
        answer = interpreter.ask({"task": task, "arguments": dict(arguments)}, timeout)
        _raise_if_stopped(interpreter.running, task, timeout)
        if "returncode" not in answer:
            reason = answer.get("error") or f"its interpreter died ({interpreter.complaint})"
            raise TaskError(f"{task} did not run through heasoftpy: {reason}.", 'try runner="direct".')
        output = shortened(str(answer["output"]))
        place.log.write_text(output, encoding="utf-8")
        return Execution(int(answer["returncode"]), output)

    def close(self) -> None:
        """End every idle interpreter."""
        self._forget_inherited()
        with self._lock:
            idle, self._idle = self._idle, []
        for interpreter in idle:
            interpreter.close()


@lru_cache(maxsize=16)
def _runner(kind: str, installed: Installation) -> Runner:
    return HeasoftpyRunner(installed) if kind == "heasoftpy" else DirectRunner(installed)


def runner_for(installed: Installation, name: RunnerName | None = None) -> Runner:
    """Return the runner named, or the one of ``settings.runner``; ``auto`` is heasoftpy where it is found.

    Raises
    ------
    EngineUnavailableError
        heasoftpy was asked for and is not there.
    """
    wanted = name or settings.values.runner
    if wanted == "heasoftpy" and not installed.heasoftpy:
        raise EngineUnavailableError("heasoftpy is not installed here.", 'choose runner="direct" or "auto".')
    if wanted == "heasoftpy" or (wanted == "auto" and installed.heasoftpy and _heasoftpy_works(installed)):
        return _runner("heasoftpy", installed)
    return _runner("direct", installed)


@lru_cache(maxsize=16)
def _heasoftpy_works(installed: Installation) -> bool:
    """Whether heasoftpy can be imported by a child interpreter; said once if not."""
    runner = _runner("heasoftpy", installed)
    try:
        if isinstance(runner, HeasoftpyRunner):
            runner.start()
    except EngineUnavailableError as problem:
        log.warning("%s Tasks are called directly.", problem.what)
        return False
    return True


def ask_version(installed: Installation) -> str:
    """What the task ``fversion`` prints; empty when it does not answer."""
    runner = DirectRunner(installed)
    with runner.workspace() as place:
        try:
            return runner.execute(place, "fversion", {}, 30.0).output
        except TaskError:
            return ""
