"""Which arrays of a product the registry keeps a copy of, so that small products open without FITS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.products.kinds import kind

if TYPE_CHECKING:
    from pathlib import Path

MEGAPIXEL = 1_000_000
TEXT_STEP = 2048


def arrays_of(name: str, path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a product's FITS file that are worth keeping.

    Parameters
    ----------
    name : str
        The kind of its request.
    path : Path
        The FITS file.

    Returns
    -------
    dict of str to ndarray
        An image of up to a megapixel as ``image``, or the columns of a table as ``<extension>.<column>``; and
        ``header``, that of their extension as text, a card a line.
    """
    from astropy.io import fits

    what = kind(name)
    if not (what.cached_image or what.cached_table):
        return {}
    if what.cached_image and path.stat().st_size > 8 * MEGAPIXEL:
        return {}
    with fits.open(path, memmap=False, lazy_load_hdus=True) as hdus:
        if what.cached_image and int(np.prod(hdus[0].shape)) <= MEGAPIXEL:
            return {"image": _native(hdus[0].data), "header": _text(hdus[0].header)}
        if what.cached_table:
            table = hdus[what.cached_table]
            rows = table.data.view(np.ndarray)
            names = rows.dtype.names or ()
            columns = {f"{what.cached_table}.{column}": _native(rows[column]) for column in names}
            return {**columns, "header": _text(table.header)}
    return {}


def _native(array: Any) -> np.ndarray:
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=True)


def _text(header: Any) -> np.ndarray:
    """Return a header as text, with some room after it, so that headers of about one length have one layout."""
    text = header.tostring(sep="\n", padding=False, endcard=False).encode("ascii")
    return np.array(text, dtype=f"S{-(-len(text) // TEXT_STEP) * TEXT_STEP}")
