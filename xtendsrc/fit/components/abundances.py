"""Solar abundances of the elements from hydrogen to zinc, by number relative to hydrogen."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import numpy as np

from xtendsrc.fit.components.base import ABUNDANCES, Array

ELEMENTS = (
    *("H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P"),
    *("S", "Cl", "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn"),
)
"""In the order of their atomic numbers."""


@cache
def _tables() -> dict[str, Array]:
    source = resources.files("xtendsrc") / "data" / "fit" / "abundances.csv"
    _, *rows = csv.reader(source.read_text(encoding="utf-8").splitlines())
    return {name: np.array(numbers, dtype=float) for name, *numbers in rows}


def abundances(table: str) -> Array:
    """Return the abundances of `ELEMENTS` in one of `ABUNDANCES`, as XSPEC has them.

    The tables: angr Anders & Grevesse 1989; aspl Asplund et al. 2009; feld Feldman 1992; aneb Anders & Ebihara 1982;
    grsa Grevesse & Sauval 1998; wilm Wilms, Allen & McCray 2000; lodd Lodders 2003; lpgp and lpgs Lodders, Palme & Gail
    2009 (photospheric and proto-solar); felc Feldman et al. 1992 (coronal).
    """
    return _tables()[table]


def relative_to_angr(table: str) -> Array:
    """Return the abundances of a table over those of Anders & Grevesse 1989, which AtomDB's emissivities are for."""
    return abundances(table) / abundances("angr")


__all__ = ["ABUNDANCES", "ELEMENTS", "abundances", "relative_to_angr"]
