"""Tables of products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.registry.index import SEVERAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.table import Table


def as_table(array: np.ndarray, wanted: Mapping[str, str]) -> Table:
    """Return the rows of the index that have the wanted values, as a table of text and numbers.

    Of a product whose last remake failed only the failure is given. A product that several sources asked for belongs
    to each of them.
    """
    from astropy.table import Table

    keep = np.ones(len(array), dtype=bool)
    failed = array["key"][array["status"] == b"failed"]
    if len(failed):
        keep &= (array["status"] == b"failed") | ~np.isin(array["key"], failed)
    for name, value in wanted.items():
        keep &= _asked_by(array, value) if name == "source" else array[name] == value.encode("utf-8")
    rows = array[keep]
    columns = {name: _readable(rows[name]) for name in array.dtype.names or ()}
    if len(rows):
        columns["source"] = np.char.replace(columns["source"], SEVERAL, ", ")
    table = Table(columns, copy=False)
    table.sort(["obs_id", "dataclass", "kind", "path", "key"])
    return table


def _asked_by(array: np.ndarray, source: str) -> np.ndarray:
    """Which rows belong to a source."""
    between = SEVERAL.encode()
    padded = np.char.add(np.char.add(between, array["source"]), between)
    found: np.ndarray = np.char.find(padded, between + source.encode("utf-8") + between) >= 0
    return found


def _readable(column: np.ndarray) -> np.ndarray:
    return np.char.decode(column, "utf-8") if column.dtype.kind == "S" else column
