"""Look through a whole registry, put it right, and take it elsewhere."""

from __future__ import annotations

import logging
import shutil
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from xtendsrc.errors import InputNotFoundError, RegistryError
from xtendsrc.registry import adopt, files, fitsstamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from astropy.table import Table

    from xtendsrc.registry.holdings import Holdings
    from xtendsrc.registry.index import Row
    from xtendsrc.registry.registry import Registry

log = logging.getLogger("xtendsrc.registry")
_REMAKE = "ask for it again: it is made anew"
_TABLE = "products.ecsv"


class Problem(NamedTuple):
    """One thing that is wrong with a product; ``name`` is its first word."""

    key: str
    path: str
    name: str
    detail: str
    advice: str

    @property
    def text(self) -> str:
        """The problem in words."""
        return f"{self.name}: {self.detail}" if self.detail else self.name


def verify(registry: Registry, holdings: Holdings) -> Table:
    """Return a table with one row for each problem; see `Registry.verify`."""
    found = list(problems(registry, holdings))
    columns = {
        "key": [p.key for p in found],
        "path": [p.path for p in found],
        "problem": [p.text for p in found],
        "what to do": [p.advice for p in found],
    }
    return _table(columns)


def problems(registry: Registry, holdings: Holdings) -> Iterator[Problem]:
    """Adopt what is on disk and unknown, then look at every product."""
    holdings.session.refresh()
    holdings.adopt_abandoned()
    yield from _adopt_orphans(holdings)
    for row in holdings.rows():
        yield from _problems_of(registry, holdings, row)


def _problems_of(registry: Registry, holdings: Holdings, row: Row) -> Iterator[Problem]:
    problem = _file_problem(holdings, row)
    if problem is not None:
        yield problem
    elif (now := holdings.row(row.key)) is not None:
        yield from _input_problems(registry, holdings, now)


def _adopt_orphans(holdings: Holdings) -> Iterator[Problem]:
    root = holdings.layout.root
    for path in adopt.product_files(root):
        stamp = fitsstamp.read_stamp(path)
        if stamp is None:
            continue
        row = holdings.row(stamp.key)
        if row is not None and (root / row.path).exists():
            continue  # the product itself, or a copy of it
        if broken := holdings.adopt(path, stamp.key):
            name = path.relative_to(root).as_posix()
            yield Problem(stamp.key, name, "orphan", broken, "delete it; " + _REMAKE)


def _file_problem(holdings: Holdings, row: Row) -> Problem | None:
    current, broken = holdings.current(row.key)
    current = current or row
    path = holdings.layout.root / current.path
    if not path.exists():
        return Problem(row.key, current.path, "missing", "", f"restore it, or {_REMAKE}")
    if not broken:
        broken = holdings.content(current)
    if not broken:
        return None
    name = "truncated" if path.stat().st_size < current.size else "edited"
    return Problem(row.key, current.path, name, broken, _REMAKE)


def _input_problems(registry: Registry, holdings: Holdings, row: Row) -> Iterator[Problem]:
    entry = holdings.entry(row)
    if entry is None:
        return
    for name, place in entry.paths.items():
        try:
            same = registry.fingerprint(place).sha256 == entry.inputs.get(f"file {name}")
        except InputNotFoundError:
            yield Problem(row.key, row.path, "input gone", place, "restore it, if the product is to be made again")
            continue
        if not same:
            yield Problem(row.key, row.path, "stale", f"{place} changed since", _REMAKE)
    for role, key in entry.needs.items():
        needed = holdings.row(key)
        if needed is not None and needed.state != entry.inputs.get(f"product {role}"):
            yield Problem(row.key, row.path, "stale", f"the {role} it was made with was made anew since", _REMAKE)


def prune(registry: Registry, holdings: Holdings, *, dry_run: bool) -> Table:
    """Clear away; see `Registry.prune`."""
    columns: dict[str, list[str]] = {"key": [], "path": [], "problem": [], "done": []}
    for problem in list(problems(registry, holdings)):
        done = _would_do(problem) if dry_run else _clear(registry, holdings, problem)
        for name, value in zip(columns, (problem.key, problem.path, problem.text, done), strict=True):
            columns[name].append(value)
    for path in _debris(holdings.layout.root):
        if not dry_run:
            path.unlink(missing_ok=True)
        values = ("", path.relative_to(holdings.layout.root).as_posix(), "left over", "deleted")
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
    if not dry_run:
        registry.fold()
    return _table(columns)


def _would_do(problem: Problem) -> str:
    return {"missing": "entry deleted", "stale": "deleted", "input gone": "kept"}.get(problem.name, "set aside")


def _clear(registry: Registry, holdings: Holdings, problem: Problem) -> str:
    if problem.name == "input gone":
        return "kept"
    with registry.lock(problem.key):
        holdings.session.refresh()
        row = holdings.row(problem.key)
        if row is not None and row.path == problem.path:
            if problem.name not in {now.name for now in _problems_of(registry, holdings, row)}:
                return "kept: it was made again meanwhile"
            if problem.name == "stale":
                holdings.remove(row)
                return "deleted"
        path = holdings.layout.root / problem.path
        with files.os_errors(f"Setting {path} aside"):
            aside = files.set_aside(path).name if path.exists() else ""
        if row is not None and row.path == problem.path:
            holdings.forget(row.key)
    return f"set aside as {aside}" if aside else "entry deleted"


def _debris(root: Path) -> Iterator[Path]:
    yield from (path for path in sorted(root.rglob("*.part")) if files.is_debris(path))
    yield from sorted((root / ".registry").rglob("*.damaged-*.h5"))
    yield from sorted(root.glob("registry.damaged-*.h5"))
    yield from (path for path in sorted((root / ".registry" / "locks").glob("*")) if files.age(path) > files.DAY)


def export(registry: Registry, target: Path, table: Table) -> Path:
    """Write the table, or the products with it, to a new place; see `Registry.export`."""
    made = [str(path) for path, status in zip(table["path"], table["status"], strict=True) if status == "ready"]
    with files.os_errors(f"Exporting to {target}"):
        if target.suffix in (".ecsv", ".zip") and target.exists():
            raise RegistryError(f"{target} exists already.", "choose another name, or delete it first.")
        if target.suffix == ".ecsv":
            table.write(target, format="ascii.ecsv")
        elif target.suffix == ".zip":
            _zip(registry.root, target, made, table)
        else:
            for name in made:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(registry.root / name, target / name)
            table.write(target / _TABLE, format="ascii.ecsv", overwrite=True)
    return target


def _zip(root: Path, target: Path, names: list[str], table: Table) -> None:
    text = "\n".join(_ecsv_lines(table))
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_TABLE, text)
        for name in names:
            archive.write(root / name, name)


def _ecsv_lines(table: Table) -> list[str]:
    from io import StringIO

    out = StringIO()
    table.write(out, format="ascii.ecsv")
    return out.getvalue().splitlines()


def _table(columns: dict[str, list[str]]) -> Table:
    from astropy.table import Column, Table

    return Table([Column(values, name, dtype=str) for name, values in columns.items()])
