"""Every component there is: its parameters as XSPEC has them, and who can evaluate it."""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Literal, cast

from xtendsrc.errors import UnknownComponentError

if TYPE_CHECKING:
    from astropy.table import Table

Kind = Literal["add", "mul", "con"]

ALIASES = {
    "ap": "apec",
    "bb": "bbody",
    "bbrad": "bbodyrad",
    "br": "bremss",
    "brems": "bremss",
    "bkn": "bknpower",
    "bknpow": "bknpower",
    "const": "constant",
    "cut": "cutoffpl",
    "cutoff": "cutoffpl",
    "dbb": "diskbb",
    "ga": "gaussian",
    "gau": "gaussian",
    "gauss": "gaussian",
    "lor": "lorentz",
    "pha": "phabs",
    "po": "powerlaw",
    "pow": "powerlaw",
    "tb": "tbabs",
    "wa": "wabs",
    "zga": "zgauss",
    "zpo": "zpowerlw",
    "zpow": "zpowerlw",
    "zpowerlaw": "zpowerlw",
    "ztb": "ztbabs",
}
"""Abbreviations in use that begin the names of several components, and spellings that XSPEC cuts short."""

TABLE_MODELS: dict[str, Kind] = {"atable": "add", "mtable": "mul", "etable": "mul"}
"""Table models: their parameters are those of the file that follows in braces."""
TABLE_ENGINES = ("native", "xspec-library", "xspec")


@dataclass(frozen=True, kw_only=True)
class ParameterDefinition:
    """One parameter of a component, as XSPEC defines it.

    Attributes
    ----------
    name : str
        XSPEC's name.
    unit : str
        Unit, empty if it has none.
    default : float
        Value a fit starts from.
    hard_min, soft_min, soft_max, hard_max : float
        Limits; a fit moves within the hard ones.
    step : float
        First step of a fit.
    frozen : bool
        Whether it is fixed unless the user frees it.
    """

    name: str
    unit: str
    default: float
    hard_min: float
    soft_min: float
    soft_max: float
    hard_max: float
    step: float
    frozen: bool


@dataclass(frozen=True, kw_only=True)
class Component:
    """A kind of component.

    Attributes
    ----------
    name : str
        Its name in lower case, as parameters are named after it.
    spelling : str
        XSPEC's spelling.
    kind : {"add", "mul", "con"}
        Additive, multiplicative or convolution.
    parameters : tuple of ParameterDefinition
        In XSPEC's order; the last one of an additive component is ``norm``.
    engines : tuple of str
        Who can evaluate it: ``native``, ``xspec-library``, ``xspec``.
    table : str
        Path of the file of a table model, else empty.
    """

    name: str
    spelling: str
    kind: Kind
    parameters: tuple[ParameterDefinition, ...]
    engines: tuple[str, ...]
    table: str = ""


@cache
def components() -> dict[str, Component]:
    """Return every component of XSPEC's model library by its name in lower case."""
    from xtendsrc.fit.components import CONVOLUTIONS, NATIVE
    from xtendsrc.fit.library import symbols

    engines = {"native": NATIVE.keys() | CONVOLUTIONS.keys(), "xspec-library": symbols().keys()}
    source = resources.files("xtendsrc") / "data" / "fit" / "components.csv"
    rows = list(csv.DictReader(source.read_text(encoding="utf-8").splitlines()))
    found = {}
    for spelling, own in groupby(rows, key=lambda row: row["component"]):
        lines = list(own)
        name = spelling.lower()
        found[name] = Component(
            name=name,
            spelling=spelling,
            kind=cast("Kind", lines[0]["kind"]),
            parameters=tuple(_definition(line) for line in lines),
            engines=(*(engine for engine, known in engines.items() if name in known), "xspec"),
        )
    return found


def _definition(row: dict[str, str]) -> ParameterDefinition:
    return ParameterDefinition(
        name=row["parameter"],
        unit=row["unit"],
        default=float(row["default"]),
        hard_min=float(row["hard_min"]),
        soft_min=float(row["soft_min"]),
        soft_max=float(row["soft_max"]),
        hard_max=float(row["hard_max"]),
        step=float(row["step"]),
        frozen=row["frozen"] == "yes",
    )


def find(word: str) -> Component:
    """Return the component of this name, abbreviation or alias, in any case.

    An abbreviation must begin the name of one component only, or be one of `ALIASES`.

    Raises
    ------
    UnknownComponentError
        If there is none, or an abbreviation fits several.
    """
    known = components()
    name = word.lower()
    name = ALIASES.get(name, name)
    if name in known:
        return known[name]
    begun = [n for n in known if n.startswith(name)]
    if len(begun) == 1:
        return known[begun[0]]
    if begun:
        some = ", ".join(begun[:8]) + (", ..." if len(begun) > 8 else "")
        raise UnknownComponentError(f"The abbreviation {word!r} fits several components: {some}.", "write more of it.")
    near = difflib.get_close_matches(name, [*known, *ALIASES], n=1, cutoff=0.0)[0]
    raise UnknownComponentError(
        f"There is no component {word!r} in XSPEC's model library.",
        f"the nearest name is {ALIASES.get(near, near)!r}; xs.models() lists all.",
    )


def models() -> Table:
    """Return a table of every component.

    Returns
    -------
    astropy.table.Table
        A row per component, and per kind of table model: ``name``, ``kind`` (add, mul or con), ``parameters``,
        ``defaults`` and ``units`` (lists as text, in order) and ``engines`` that can evaluate it.
    """
    from astropy.table import Table

    rows = [
        {
            "name": c.name,
            "kind": c.kind,
            "parameters": ", ".join(p.name for p in c.parameters),
            "defaults": ", ".join(f"{p.default:g}" for p in c.parameters),
            "units": ", ".join(p.unit or "-" for p in c.parameters),
            "engines": ", ".join(c.engines),
        }
        for c in sorted(components().values(), key=lambda c: c.name)
    ]
    return Table(rows=rows + [_file_row(name, kind) for name, kind in TABLE_MODELS.items()])


def _file_row(name: str, kind: Kind) -> dict[str, str]:
    said = "of the file"
    engines = ", ".join(TABLE_ENGINES)
    return {"name": name, "kind": kind, "parameters": said, "defaults": said, "units": said, "engines": engines}
