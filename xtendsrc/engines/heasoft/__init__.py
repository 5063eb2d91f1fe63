"""The HEASoft engine: real tasks, run apart from this process and trusted only when their outputs are right.

`task` gives any installed task as a checked call; `make` makes one product; `available` says whether it could.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xtendsrc.engines.heasoft.discovery import Installation, find_installation, installation
from xtendsrc.engines.heasoft.kinds import NEEDS_CALDB, SUPPORTED_KINDS, refusal
from xtendsrc.engines.heasoft.processes import cancel_running
from xtendsrc.engines.heasoft.task import Call, TaskResult, run
from xtendsrc.engines.heasoft.usercall import UserTask
from xtendsrc.engines.scratch import sweep
from xtendsrc.errors import CalibrationMissingError, EngineUnavailableError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.settings import RunnerName

__all__ = [
    "SUPPORTED_KINDS",
    "Call",
    "Installation",
    "TaskResult",
    "UserTask",
    "available",
    "caldb_version",
    "calibration_region",
    "cancel_running",
    "find_installation",
    "installation",
    "make",
    "nxb_spectrum",
    "process",
    "run",
    "sweep",
    "task",
]


_LATE = {"process": "pipeline", "calibration_region": "regions", "nxb_spectrum": "regions"}


def __getattr__(name: str) -> Any:
    """Load what needs NumPy and astropy only when it is asked for."""
    if name in _LATE:
        return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def task(
    name: str,
    *,
    headas: str | os.PathLike[str] | None = None,
    runner: RunnerName | None = None,
    timeout: float | None = None,
) -> UserTask:
    """Give one task of the installed HEASoft as a checked call.

    Parameters
    ----------
    name : str
        Name of the task.
    headas : path, optional
        The HEASoft to use; by default ``HEADAS`` of the environment.
    runner : {"auto", "heasoftpy", "direct"}, optional
        How to call it; by default ``settings.runner``.
    timeout : float, optional
        Seconds; by default ``settings.task_timeout``.

    Raises
    ------
    EngineUnavailableError
        HEASoft, or this task, is not installed.

    Examples
    --------
    >>> xs.heasoft.task("searchflickpix")(infile="cl.evt", outfile="flick.evt")   # doctest: +SKIP
    """
    return UserTask(name, headas=headas, runner=runner, timeout=timeout)


def available(kind: str) -> tuple[bool, str]:
    """Say whether products of a kind can be made here, and if not, why."""
    found = find_installation()
    if found is None:
        return False, "HEASoft was not found (HEADAS)"
    reason = refusal(kind, found)
    return not reason, reason


def caldb_version() -> str | None:
    """The release of the calibration database, for the state of calibrated products; None without one."""
    found = find_installation()
    return found.caldb.version or None if found is not None else None


def make(job: Job, scratch: Path) -> Made:
    """Make one product in `scratch` and check it.

    Parameters
    ----------
    job : Job
        The request, its input files and the products it is made from.
    scratch : Path
        An existing private directory for the product.

    Raises
    ------
    EngineUnavailableError, CalibrationMissingError
        This machine cannot make it.
    TaskError
        A task failed, or its output is not what was asked for.
    """
    from xtendsrc.engines.heasoft.bench import Bench

    kind = job.request.kind
    installed = installation()
    if reason := refusal(kind, installed):
        error = CalibrationMissingError if kind in NEEDS_CALDB else EngineUnavailableError
        raise error(f"HEASoft cannot make this {kind}: {reason}.", "see `xtendsrc doctor`.")
    recipe = import_module(f"xtendsrc.products.{'arf' if kind == 'raytrace' else kind}.heasoft")
    made: Made = getattr(recipe, f"make_{kind}")(job, Bench(installed, scratch))
    return made
