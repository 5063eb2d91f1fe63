"""Tables of products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.table import Table


def as_table(array: np.ndarray, wanted: Mapping[str, str]) -> Table:
    """Give the rows of the index that have the wanted values, as a table of text and numbers.

    Of a product whose last remake failed only the failure is given.
    """
    from astropy.table import Table

    keep = np.ones(len(array), dtype=bool)
    failed = array["key"][array["status"] == b"failed"]
    if len(failed):
        keep &= (array["status"] == b"failed") | ~np.isin(array["key"], failed)
    for name, value in wanted.items():
        keep &= array[name] == value.encode("utf-8")
    rows = array[keep]
    columns = {name: _readable(rows[name]) for name in array.dtype.names or ()}
    table = Table(columns, copy=False)
    table.sort(["obs_id", "dataclass", "kind", "path", "key"])
    return table


def _readable(column: np.ndarray) -> np.ndarray:
    return np.char.decode(column, "utf-8") if column.dtype.kind == "S" else column
