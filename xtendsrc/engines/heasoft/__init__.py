"""The HEASoft engine: real tasks, run apart from this process and trusted only when their outputs are right.

`task` gives any installed task as a checked call; `make` makes one product.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xtendsrc.engines.heasoft.discovery import Installation, find_installation, installation
from xtendsrc.engines.heasoft.engine import HEASOFT
from xtendsrc.engines.heasoft.processes import cancel_running
from xtendsrc.engines.heasoft.task import Call, TaskResult, run
from xtendsrc.engines.heasoft.usercall import UserTask
from xtendsrc.engines.scratch import sweep

if TYPE_CHECKING:
    import os

    from xtendsrc.settings import RunnerName

__all__ = [
    "Call",
    "Installation",
    "TaskResult",
    "UserTask",
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
    """Return a task of the installed HEASoft as a checked call.

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


make = HEASOFT.make_one
caldb_version = HEASOFT.calibration
