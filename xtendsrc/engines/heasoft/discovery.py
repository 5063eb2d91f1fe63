"""What of HEASoft is installed: its directory, tasks, version, heasoftpy and calibration database."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.engines.heasoft.caldb import Caldb, find_caldb
from xtendsrc.engines.heasoft.parfile import ParFile, read_parfile
from xtendsrc.errors import EngineUnavailableError
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

ARF_VERSION = (6, 36)
"""The first HEASoft release whose xaarfgen has the right energy range (XRISM "things to watch out for")."""

HOW_TO_GET = (
    "install HEASoft (https://heasarc.gsfc.nasa.gov/docs/software/heasoft/, or its conda channel) and set HEADAS, "
    'or use engine="native".'
)


@dataclass(frozen=True)
class Installation:
    """One HEASoft installation.

    Attributes
    ----------
    headas : Path
        The directory named by ``HEADAS``: it holds ``bin/`` and ``syspfiles/``.
    version : str
        As in ``6.36.1``; empty when it could not be read.
    caldb : Caldb
        The calibration database.
    heasoftpy : str
        Directory that holds the Python package heasoftpy; empty when there is none. It is never imported here.
    """

    headas: Path
    version: str
    caldb: Caldb = field(default_factory=lambda: Caldb("none", problem="CALDB is not set"))
    heasoftpy: str = ""

    def executable(self, task: str) -> Path:
        """Path of the program of a task, whether it is there or not."""
        return self.headas / "bin" / task

    def par_path(self, task: str) -> Path:
        """Path of the installed parameter file of a task, whether it is there or not."""
        return self.headas / "syspfiles" / f"{task}.par"

    def has(self, task: str) -> bool:
        """Whether the task can be called: its program and its parameter file are there."""
        return os.access(self.executable(task), os.X_OK) and self.par_path(task).is_file()

    def missing(self, *tasks: str) -> tuple[str, ...]:
        """Those of the tasks that cannot be called."""
        return tuple(t for t in tasks if not self.has(t))

    def parfile(self, task: str) -> ParFile:
        """The parameters of a task.

        Raises
        ------
        EngineUnavailableError
            The task is not installed.
        """
        if not self.has(task):
            raise EngineUnavailableError(
                f"The HEASoft task {task} is not installed under {self.headas}.",
                "install the HEASoft component that holds it; `xtendsrc doctor` shows what is there.",
            )
        return read_parfile(self.par_path(task))

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers; empty when it is unknown."""
        return tuple(int(n) for n in re.findall(r"\d+", self.version))

    def arf_problem(self) -> str:
        """Why this release must not make ARFs; empty when it may."""
        if not self.release:
            return "the version of HEASoft could not be read, and ARFs need 6.36 or later"
        if self.release < ARF_VERSION:
            return f"HEASoft {self.version} makes wrong ARFs (energy range); 6.36 or later is needed"
        return ""

    def environment(self, pfiles: str, scratch: str) -> dict[str, str]:
        """A complete environment for a child process.

        Parameters
        ----------
        pfiles : str
            The private directory of parameter files.
        scratch : str
            Where the child may put its own temporary files.
        """
        env = dict(os.environ)
        env |= _initialised(self.headas, env)
        env |= {
            "PFILES": f"{pfiles};{self.headas / 'syspfiles'}",
            "HEADASNOQUERY": "",
            "HEADASPROMPT": "/dev/null",
            "TMPDIR": scratch,
        }
        if self.caldb.kind != "none":
            env["CALDB"] = self.caldb.location
            env |= {"CALDBCONFIG": self.caldb.config} if self.caldb.config else {}
        if self.caldb.kind == "local":
            env.setdefault("CALDBALIAS", f"{self.caldb.location}/software/tools/alias_config.fits")
        return env


def _initialised(headas: Path, env: Mapping[str, str]) -> dict[str, str]:
    """What HEASoft's own start-up script would set, for a shell where it was not run."""
    library = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    perl = f"{headas}/lib/perl"
    return {
        "HEADAS": str(headas),
        "FTOOLS": str(headas),
        "LHEASOFT": str(headas),
        "LHEAPERL": env.get("LHEAPERL", "/usr/bin/perl"),
        "LHEA_DATA": f"{headas}/refdata",
        "LHEA_HELP": f"{headas}/help",
        "PATH": _in_front(f"{headas}/bin", env.get("PATH", os.defpath)),
        library: _in_front(f"{headas}/lib", env.get(library, "")),
        "PERL5LIB": _in_front(perl, env.get("PERL5LIB", "")),
        "PERLLIB": _in_front(perl, env.get("PERLLIB", "")),
        "PYTHONPATH": _in_front(f"{headas}/lib/python", env.get("PYTHONPATH", "")),
    }


def _in_front(directory: str, path: str) -> str:
    rest = [p for p in path.split(os.pathsep) if p and p != directory]
    return os.pathsep.join([directory, *rest])


def find_installation(headas: str | os.PathLike[str] | None = None) -> Installation | None:
    """The installation in `headas`, else in ``HEADAS`` of the environment; None when there is none."""
    named = os.fspath(headas) if headas is not None else os.environ.get("HEADAS", "")
    if not named:
        return None
    root = Path(named).expanduser().absolute()
    if not (root / "syspfiles").is_dir() or not (root / "bin").is_dir():
        return None
    return Installation(root, _version(root), find_caldb(_with_settings(os.environ)), _find_heasoftpy(root))


def _with_settings(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with the calibration database of the settings, which comes before that of the environment."""
    chosen = settings.values.caldb
    if chosen is None or "://" in str(chosen):
        return environment
    return {**environment, "CALDB": str(chosen), "CALDBCONFIG": ""}


def installation(headas: str | os.PathLike[str] | None = None) -> Installation:
    """The HEASoft installation in `headas`, else in ``HEADAS`` of the environment.

    Raises
    ------
    EngineUnavailableError
        There is none.
    """
    found = find_installation(headas)
    if found is None:
        named = headas if headas is not None else os.environ.get("HEADAS", "")
        what = f"HEADAS={named} holds no HEASoft (bin/ and syspfiles/)." if named else "HEADAS is not set."
        raise EngineUnavailableError(what, HOW_TO_GET)
    return found


def _find_heasoftpy(headas: Path) -> str:
    """Directory of the package heasoftpy, found without importing it."""
    spec = importlib.util.find_spec("heasoftpy")
    if spec is not None and spec.origin:
        return str(Path(spec.origin).parent.parent)
    listed = [Path(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    for place in [headas / "lib/python", *sorted(headas.glob("lib/python*/site-packages")), *listed]:
        if (place / "heasoftpy/__init__.py").is_file():
            return str(place)
    return ""


def _version(headas: Path) -> str:
    program = headas / "bin/fversion"
    stamp = program.stat().st_mtime_ns if program.is_file() else 0
    return _read_version(str(headas), stamp)


@lru_cache(maxsize=32)
def _read_version(headas: str, stamp: int) -> str:
    """What ``fversion`` says, such as ``..._V6.36``; else the number in the directory's name."""
    from xtendsrc.engines.heasoft.runners import ask_version

    text = ask_version(Installation(Path(headas), "")) if stamp else ""
    found = re.search(r"_?V(\d+\.\d+(?:\.\d+)?)", text) or re.search(r"heasoft-(\d+\.\d+(?:\.\d+)?)", headas)
    return found[1] if found else ""
