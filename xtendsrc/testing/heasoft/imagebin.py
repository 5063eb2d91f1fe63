"""fimgbin: rebin an image by summing (the default) or averaging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import fitsfile
from .fitsfile import FitsError

if TYPE_CHECKING:
    from .fitsfile import Header
    from .parfile import Parameters

NAME_LIMIT = 160


def fimgbin(pars: Parameters) -> int:
    """Run the task."""
    name, out = pars.text("infile"), pars.text("outfile")
    if max(len(name), len(out)) > NAME_LIMIT:
        raise FitsError(104, "file name too long")
    path, parts = fitsfile.split_name(name)
    hdus = fitsfile.read(path)
    source = fitsfile.extension(hdus, parts[0]) if parts else hdus[0]
    if source is None or source.data is None or source.data.ndim != 2:
        raise FitsError(213, f"{name} is not a two-dimensional image")
    bx = pars.integer("xbinsize")
    by = pars.integer("ybinsize") or bx
    binned = _bin(source.data, bx, by)
    if pars.flag("average"):
        binned = binned / (bx * by)
    header = source.header.copy()
    header.drop("CHECKSUM", "DATASUM", "EXTNAME", "BSCALE", "BZERO")
    _rescale(header, bx, by)
    header.note("HISTORY", f"TASK: FIMGBIN on FILENAME: {name}")
    if source.data.dtype.kind in "iu":
        binned = np.trunc(binned)  # whole-number images stay so
    fitsfile.write(out, [fitsfile.image(binned.astype(source.data.dtype), header)], pars.flag("clobber"))
    return 0


def _bin(data: np.ndarray, bx: int, by: int) -> np.ndarray:
    ny, nx = data.shape[0] // by, data.shape[1] // bx
    total = np.zeros((ny, nx))
    for j in range(by):
        for i in range(bx):
            total += data[j : ny * by : by, i : nx * bx : bx]
    return total


def _rescale(header: Header, bx: int, by: int) -> None:
    for axis, size in ((1, bx), (2, by)):
        if f"CRPIX{axis}" in header:
            header.set(f"CRPIX{axis}", (float(header.get(f"CRPIX{axis}")) - 0.5) / size + 0.5)
            header.set(f"CDELT{axis}", float(header.get(f"CDELT{axis}")) * size)
