"""Write a HEADAS tree that holds the stand-in tasks."""

from __future__ import annotations

import stat
import sys
from importlib import resources
from pathlib import Path

from .runtime import COMMANDS, TASKS

VERSION = "6.36"
PLATFORM = "stand-in"
CALIBRATION_SOURCES = "physical\n-circle(920.0,1530.0,92.0)\n-circle(919.0,271.0,91.0)\n"


def install(directory: str | Path) -> Path:
    """Make a HEADAS tree of stand-in tasks.

    Parameters
    ----------
    directory
        Where the tree is made; created if need be, and files of an earlier tree are overwritten.

    Returns
    -------
    pathlib.Path
        The value for HEADAS: the absolute path of the tree.
    """
    headas = Path(directory).resolve()
    for name in ("bin", "syspfiles", "refdata", "lib/python/heasoftpy", "caldb"):
        (headas / name).mkdir(parents=True, exist_ok=True)
    for task in [*TASKS, *COMMANDS]:
        _write_executable(headas / "bin" / task, task)
    here = resources.files(__package__)
    for entry in (here / "syspfiles").iterdir():
        (headas / "syspfiles" / entry.name).write_bytes(entry.read_bytes())
    for entry in (here / "heasoftpy_template").iterdir():
        if entry.name.endswith(".py.txt"):
            (headas / "lib/python/heasoftpy" / entry.name.removesuffix(".txt")).write_bytes(entry.read_bytes())
    (headas / "refdata" / "calsrc_XTD_det.reg").write_text(CALIBRATION_SOURCES)
    (headas / "headas-init.sh").write_text(_init_script(headas))
    _write_caldb(headas / "caldb")
    return headas


def environment(headas: str | Path, pfiles: str | Path | None = None) -> dict[str, str]:
    """Return the environment variables that a HEASoft initialisation would set.

    Nothing is changed in this process: pass the mapping, merged over ``os.environ``, to the child.

    Parameters
    ----------
    headas
        The tree that `install` made.
    pfiles
        Directory of the user's parameter files; by default ``pfiles`` in the tree.

    Returns
    -------
    dict
        HEADAS, PATH, PFILES, PYTHONPATH, CALDB and their relatives.
    """
    tree = Path(headas).resolve()
    user = Path(pfiles).resolve() if pfiles is not None else tree / "pfiles"
    return {
        "HEADAS": str(tree),
        "PATH": f"{tree / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "PFILES": f"{user};{tree / 'syspfiles'}",
        "PYTHONPATH": str(tree / "lib/python"),
        "LHEAPERL": "/usr/bin/perl",
        "FTOOLS": str(tree),
        "CALDB": str(tree / "caldb"),
        "CALDBCONFIG": str(tree / "caldb/software/tools/caldb.config"),
        "CALDBALIAS": str(tree / "caldb/software/tools/alias_config.fits"),
    }


def _write_executable(path: Path, task: str) -> None:
    """Write a script for this very interpreter; a trampoline where a #! line would be too long."""
    root = Path(__file__).resolve().parents[3]
    line = f"#!{sys.executable} -s\n"
    if len(line) > 120 or " " in sys.executable:
        line = f"#!/bin/sh\n'''exec' \"{sys.executable}\" -s \"$0\" \"$@\"\n' '''\n"
    body = (
        "import sys\n"
        f"sys.path[0] = {str(root)!r}\n"
        "from xtendsrc.testing.heasoft.runtime import main\n"
        f"sys.exit(main({task!r}, sys.argv[1:]))\n"
    )
    path.write_text(line + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _init_script(headas: Path) -> str:
    lines = [f'export {name}="{value}"' for name, value in environment(headas).items() if name != "PATH"]
    return "\n".join([*lines, f'export PATH="{headas}/bin:$PATH"', ""])


def _write_caldb(caldb: Path) -> None:
    from . import fitsfile

    tools = caldb / "software/tools"
    index = caldb / "data/xrism/xtend"
    for directory in (tools, index / "index"):
        directory.mkdir(parents=True, exist_ok=True)
    (tools / "caldb.config").write_text("XRISM XTEND CALDB data/xrism/xtend caldb.indx CALDB data/xrism/xtend\n")
    entries = ["standin_teldef.fits", "standin_instmap.fits", "standin_rmfparam.fits"]
    table = fitsfile.table(
        "CIF",
        [
            ("TELESCOP", "10A", "", [b"XRISM"] * 3),
            ("INSTRUME", "10A", "", [b"XTEND"] * 3),
            ("CAL_DIR", "70A", "", [b"data/xrism/xtend/bcf"] * 3),
            ("CAL_FILE", "40A", "", [name.encode() for name in entries]),
            ("CAL_CNAM", "20A", "", [b"TELDEF", b"INSTMAP", b"RMFPARAM"]),
            ("CAL_QUAL", "1I", "", [0, 0, 0]),
        ],
    )
    table.header.set("CIFVERSN", "1992a")
    table.header.set("CALDBVER", "xtd20000101", "stand-in: no calibration")
    dated = index / "index/caldb.indx20000101"
    fitsfile.write(dated, [fitsfile.image(None), table])
    (index / "caldb.indx").unlink(missing_ok=True)
    (index / "caldb.indx").symlink_to(dated.relative_to(index))  # as in CALDB, whose newest index is a link
    fitsfile.write(tools / "alias_config.fits", [fitsfile.image(None), table])
