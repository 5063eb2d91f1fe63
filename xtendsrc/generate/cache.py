"""Which arrays of a product the registry keeps a copy of, so that small products open without FITS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

MEGAPIXEL = 1_000_000


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a product's FITS file that are worth keeping.

    Parameters
    ----------
    path : Path
        The FITS file.

    Returns
    -------
    dict of str to ndarray
        Images up to a megapixel as ``<extension>.data``, the columns of light curves and spectra as
        ``<extension>.<column>``, and each of these extensions' headers as text in ``<extension>.header``.
    """
    from astropy.io import fits

    arrays: dict[str, np.ndarray] = {}
    with fits.open(path, memmap=True, lazy_load_hdus=True) as hdus:
        for number, hdu in enumerate(hdus):
            name = hdu.name or f"HDU{number}"
            if isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU)) and 0 < hdu.size <= 8 * MEGAPIXEL:
                if int(np.prod(hdu.shape)) <= MEGAPIXEL:
                    arrays[f"{name}.data"] = _native(hdu.data)
                    arrays[f"{name}.header"] = _text(hdu.header)
            elif name in ("RATE", "SPECTRUM"):
                arrays.update({f"{name}.{column}": _native(hdu.data[column]) for column in hdu.columns.names})
                arrays[f"{name}.header"] = _text(hdu.header)
    return arrays


def _native(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=True)


def _text(header: object) -> np.ndarray:
    return np.frombuffer(header.tostring().encode("ascii"), dtype=np.uint8)  # type: ignore[attr-defined]
