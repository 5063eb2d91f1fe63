"""Which arrays of a product the registry keeps a copy of, so that small products open without FITS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.products.kinds import kind

if TYPE_CHECKING:
    from pathlib import Path

MEGAPIXEL = 1_000_000


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
        An image of up to a megapixel as ``PRIMARY.data``, its header as ``PRIMARY.text``; the columns of a light curve
        or a spectrum as ``<extension>.<column>``, their names (one line) and the header as ``<extension>.text``.
    """
    from astropy.io import fits

    what = kind(name)
    if not (what.cached_image or what.cached_table):
        return {}
    if what.cached_image and path.stat().st_size > 8 * MEGAPIXEL:
        return {}
    with fits.open(path, memmap=False, lazy_load_hdus=True) as hdus:
        if what.cached_image and int(np.prod(hdus[0].shape)) <= MEGAPIXEL:
            return {"PRIMARY.data": _native(hdus[0].data), "PRIMARY.text": _bytes(hdus[0].header.tostring())}
        if what.cached_table:
            table = hdus[what.cached_table]
            rows = table.data.view(np.ndarray)
            names = rows.dtype.names or ()
            columns = {f"{what.cached_table}.{column}": _native(rows[column]) for column in names}
            return {**columns, f"{what.cached_table}.text": _bytes(",".join(names) + "\n" + table.header.tostring())}
    return {}


def _native(array: Any) -> np.ndarray:
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=True)


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
