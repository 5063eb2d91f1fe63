"""``xtendsrc doctor``: what is installed, what is missing, what that disables, and how to get it."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.errors import XtendsrcError
from xtendsrc.settings import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from xtendsrc.engines.heasoft.discovery import Installation

PACKAGES = ("numpy", "scipy", "astropy", "regions", "h5py", "matplotlib", "astroquery", "filelock", "tqdm", "httpx")
OPTIONAL = {
    "boto3": "download from AWS",
    "distributed": "Dask clusters",
    "xspectrampoline": "components of XSPEC that have no native code",
}
NOT_HERE = "-"


@dataclass(frozen=True)
class Finding:
    """One line of the table: what was looked for, whether it is there, what its absence disables, how to get it."""

    what: str
    found: str
    disables: str = ""
    how: str = ""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("doctor", help="what is installed, what is missing, and how to get it")
    parser.add_argument("--headas", help="a HEASoft directory; by default HEADAS of the environment")
    parser.add_argument("--output", default=".", help="directory whose file locks are looked at; by default this one")
    parser.add_argument(
        "--responses",
        nargs=3,
        metavar=("OBSERVATION", "RA", "DEC"),
        help="compare the calibrated responses of a source (degrees) by HEASoft with those made natively",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    if getattr(args, "responses", None):
        return _responses(*args.responses)
    rows = list(findings(args.headas, Path(args.output)))
    for line in table(rows):
        print(line)
    return 0


def _responses(observation: str, ra: str, dec: str) -> int:
    """Print how the responses of both engines differ."""
    from astropy.coordinates import SkyCoord

    from xtendsrc.cli import comparison
    from xtendsrc.errors import RequestError

    try:
        position = SkyCoord(float(ra), float(dec), unit="deg")
    except ValueError as err:
        raise RequestError(f"{ra} {dec} is no position in degrees.", "give RA and Dec as numbers.") from err
    for line in comparison.lines(comparison.compared(Path(observation).resolve(), position)):
        print(line)
    return 0


def table(rows: list[Finding]) -> Iterator[str]:
    """Lines of a table in aligned columns."""
    header = Finding("what", "found", "without it", "how to get it")
    cells = [(r.what, r.found, r.disables, r.how) for r in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(3)]
    for number, row in enumerate(cells):
        yield "  ".join([*(c.ljust(w) for c, w in zip(row[:3], widths, strict=True)), row[3]]).rstrip()
        if number == 0:
            yield "  ".join("-" * w for w in widths)


def findings(headas: str | None, output: Path) -> Iterator[Finding]:
    """Everything that is looked at, in the order of the table."""
    from xtendsrc.engines.heasoft.discovery import find_installation

    installed = find_installation(headas)
    yield Finding("Python", f"{platform.python_version()} ({sys.executable})")
    yield from _packages()
    yield from _heasoft(installed)
    yield from _calibration()
    yield _plasma()
    yield from _places(output)


def _packages() -> Iterator[Finding]:
    for name in ("xtendsrc", *PACKAGES, *OPTIONAL):
        try:
            yield Finding(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, NOT_HERE, OPTIONAL.get(name, "much"), f"pip install {name}")


def _heasoft(installed: Installation | None) -> Iterator[Finding]:
    from xtendsrc.engines.heasoft.discovery import HOW_TO_GET
    from xtendsrc.engines.heasoft.engine import OTHER_TASKS, refusal
    from xtendsrc.products.kinds import kinds

    if installed is None:
        disables = "calibrated responses; all else is made by the native engine"
        yield Finding("HEASoft", NOT_HERE, disables, HOW_TO_GET.partition(", or use")[0])
        return
    yield Finding("HEASoft", f"{installed.version or 'version unknown'} ({installed.headas})", installed.arf_problem())
    how = "part of HEASoft; initialise it before starting Python"
    yield Finding(
        "heasoftpy", installed.heasoftpy or NOT_HERE, "" if installed.heasoftpy else 'runner="heasoftpy"', how
    )
    caldb = installed.caldb
    how = "https://heasarc.gsfc.nasa.gov/docs/heasarc/caldb/install.html; set CALDB and CALDBCONFIG"
    if caldb.usable:
        yield Finding("CALDB", f"{caldb.version} ({caldb.location})")
        yield Finding("XRISM-Xtend index", caldb.index or "named by the remote database")
    else:
        yield Finding("CALDB", caldb.problem, "calibrated maps and responses", how)
    for kind in kinds():
        if (recipe := kind.makers.get("heasoft")) is not None:
            reason = refusal(recipe, installed)
            yield Finding(f"{kind.name} by HEASoft", NOT_HERE if reason else ", ".join(recipe.tasks), reason, "")
    for what, tasks in OTHER_TASKS.items():
        there = [t for t in tasks if installed.has(t)]
        yield Finding(what, ", ".join(there) or NOT_HERE, "" if there else f"{' and '.join(tasks)} not installed")


def _calibration() -> Iterator[Finding]:
    """The calibration files that each product would use today, without HEASoft."""
    from xtendsrc import caldb
    from xtendsrc.cli.caldb import PRODUCTS

    for product in PRODUCTS:
        what, how = f"calibration of {product}", f"xtendsrc caldb fetch {product}"
        try:
            files = caldb.files(product, offline=True)
        except XtendsrcError as problem:
            yield Finding(what, NOT_HERE, problem.what, how)
            continue
        missing = [file.entry.file for file in files if not file.present]
        disables = f"missing: {', '.join(missing)}" if missing else ""
        yield Finding(what, ", ".join(file.entry.file for file in files), disables, how if missing else "")


def _plasma() -> Finding:
    """AtomDB's tables."""
    from xtendsrc.fit import atomdb

    try:
        tables = atomdb.find()
    except XtendsrcError:
        return Finding("AtomDB", NOT_HERE, "apec and its kin in native fits", "xtendsrc models fetch")
    return Finding("AtomDB", f"{tables.version} ({tables.root.parent})")


def _places(output: Path) -> Iterator[Finding]:
    from xtendsrc.engines.heasoft.workspace import task_base
    from xtendsrc.registry import lock_kind_for

    try:
        yield Finding("scratch", str(task_base()))
    except XtendsrcError as problem:
        yield Finding("scratch", NOT_HERE, problem.what, problem.next_step)
    yield Finding("temporary directory", tempfile.gettempdir())
    yield Finding("file locks", lock_kind_for(output), "", f"xtendsrc.settings.lock = {settings.values.lock!r}")
