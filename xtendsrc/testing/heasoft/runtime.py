"""What every executable of the stand-in does: limits, injected faults, parameters, the task itself."""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .parfile import ParameterError, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

FAULT_VARIABLE = "XTENDSRC_STANDIN_FAULT"
COMMAND_LIMIT = 990

# task -> (module, function, library is the Fortran one, parameters that name its outputs)
TASKS: dict[str, tuple[str, str, bool, tuple[str, ...]]] = {
    "extractor": ("extractor", "extractor", True, ("eventsout", "imgfile", "phafile", "fitsbinlc")),
    "fimgbin": ("imagebin", "fimgbin", True, ("outfile",)),
    "lcmath": ("curves", "lcmath", True, ("outfile",)),
    "grppha": ("grouping", "grppha", True, ("outfile",)),
    "ftgrouppha": ("grouping", "ftgrouppha", False, ("outfile",)),
    "xaexpmap": ("expmap", "xaexpmap", False, ("outfile",)),
    "ahbackscal": ("backscal", "ahbackscal", False, ("infile",)),
    "coordpnt": ("coordpnt", "coordpnt", False, ("outfile",)),
    "xtdrmf": ("response", "xtdrmf", False, ("outfile",)),
    "xaarfgen": ("arf", "xaarfgen", False, ("outfile", "xrtevtfile")),
    "xtdpipeline": ("pipeline", "xtdpipeline", False, ()),
    "xtdmodegti": ("pipeline", "xtdmodegti", False, ("outfile", "mergefile")),
    "searchflickpix": ("flicker", "searchflickpix", False, ("outfile",)),
    "xtdnxbgen": ("background", "xtdnxbgen", False, ("outpifile", "outnxbfile")),
    "barycen": ("timing", "barycen", False, ("outfile",)),
    "ftselect": ("tables", "ftselect", False, ("outfile",)),
    "ftcopy": ("tables", "ftcopy", False, ("outfile",)),
    "fthedit": ("tables", "fthedit", False, ()),
    "ftkeypar": ("tables", "ftkeypar", False, ()),
    "ftstat": ("tables", "ftstat", False, ("outfile",)),
    "fversion": ("parcommands", "fversion", False, ()),
}
COMMANDS = ("punlearn", "plist", "pget", "pset")


_said: list[str] = []


def say(text: str) -> None:
    """Write a line to standard output, where the tasks write theirs."""
    _said.append(text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _write_log(parameters: Parameters) -> None:
    """Write the log file into the working directory: by default ``<task>.log``, whoever else runs there."""
    name = parameters.file("logfile") if "logfile" in parameters else None
    if name is not None:
        bare = name.lstrip("!")
        path = Path(f"{parameters.task}.log" if bare == "DEFAULT" else bare)
        path.write_text("\n".join([f"{parameters.task}: log", *_said, ""]), encoding="utf-8")


def main(task: str, arguments: list[str]) -> int:
    """Run a task with its command-line arguments and give its exit status."""
    if task in COMMANDS:
        run_command = getattr(import_module(".parcommands", __package__), task)
        return int(run_command(arguments))
    module, name, fortran, outputs = TASKS[task]
    if fortran and len(" ".join([task, *arguments])) >= COMMAND_LIMIT:
        os.kill(os.getpid(), signal.SIGSEGV)
    fault = fault_of(task)
    if fault and not fault.startswith("slow"):
        status = _before(fault)
        if status is not None:
            return status
    try:
        parameters = Parameters(task, arguments, fortran)
    except ParameterError as error:
        say(str(error))
        return error.status
    if "CALDB" not in os.environ and any(p.value.upper() == "CALDB" for p in parameters.table.values()):
        say(f"{task}: CALDB environment variable is not set")
        return 1
    if fault.startswith("slow"):
        time.sleep(float(fault.partition(":")[2] or 1))
    status = _run(getattr(import_module(f".{module}", __package__), name), parameters)
    _write_log(parameters)
    _after(fault, [parameters.file(output) for output in outputs])
    return 1 if fault == "exit-1" else status


def _run(function: Callable[[Parameters], int], parameters: Parameters) -> int:
    from .fitsfile import FitsError

    try:
        return function(parameters)
    except ParameterError as error:
        say(f"{parameters.task}: {error}")
        return error.status
    except FitsError as error:
        say(f"{parameters.task}: error: {error}")
        say(f" Task {parameters.task} terminating with status {error.status}")
        silent = parameters.fortran and parameters.task != "extractor"
        return 0 if silent else error.status % 256


def fault_of(task: str) -> str:
    """Return the fault injected for a task by the environment, e.g. ``extractor:hang,*:slow:2``."""
    for item in os.environ.get(FAULT_VARIABLE, "").split(","):
        name, _, fault = item.strip().partition(":")
        if name in (task, "*"):
            return fault
    return ""


def _before(fault: str) -> int | None:
    if fault == "hang":
        _hang()
    if fault == "hang-deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _hang()
    if fault == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "no-output":
        return 0
    if fault == "ask-stdin":
        say("Enter a value for parameter[]: ")
        return 0 if sys.stdin is not None and sys.stdin.readline() else 1
    return None


def _hang() -> None:
    """Wait for ever, with a child that waits too: only ending the whole process group ends both."""
    if os.fork() == 0:
        say(f"child {os.getpid()} waits")
    while True:
        time.sleep(3600)


def _after(fault: str, outputs: list[str | None]) -> None:
    """Spoil what a task has made."""
    for output in outputs:
        if output is None or not Path(output.lstrip("!")).is_file():
            continue
        path = Path(output.lstrip("!"))
        if fault == "garbage-output":
            path.write_bytes(b"this is not a FITS file\n" * 200)
        elif fault == "truncated-output":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif fault == "crash-after":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            os.kill(os.getpid(), signal.SIGSEGV)
