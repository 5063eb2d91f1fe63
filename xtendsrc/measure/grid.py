"""Counts on a grid of pixels, by the rules of HEASoft's ``extractor``.

The pixel of a column value ``v`` is ``floor((nint(v) - TLMIN) / binning)``; an image has
``floor((TLMAX - TLMIN + 1) / binning)`` pixels a side, so that columns and rows that do not fill a last pixel are
left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = {"SKY": ("X", "Y"), "DET": ("DETX", "DETY")}

NOWHERE = -(2**30)
"""Integer that stands for column values that are no number or too large for a grid; outside every range."""


@dataclass(frozen=True)
class Grid:
    """The pixels of an image of one pair of integer columns.

    Parameters
    ----------
    x, y : (int, int)
        First and last legal column value (TLMIN, TLMAX), both inclusive.
    binning : int
        Column values per pixel side.
    """

    x: tuple[int, int]
    y: tuple[int, int]
    binning: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pixels (ny, nx)."""
        nx, ny = ((hi - lo + 1) // self.binning for lo, hi in (self.x, self.y))
        return ny, nx


def nint(values: np.ndarray) -> np.ndarray:
    """Column values as integers that fit 32 bits; those that do not become `NOWHERE`.

    Values that are no integers are rounded to the nearest, halves away from zero (Fortran's NINT).
    """
    if np.can_cast(values.dtype, np.int32):
        return values
    rounded = values if values.dtype.kind in "iu" else np.trunc(values + np.copysign(0.5, values))
    return np.where((rounded > NOWHERE) & (rounded < -NOWHERE), rounded, NOWHERE).astype(np.int32)


def flat_index(x: np.ndarray, y: np.ndarray, grid: Grid) -> np.ndarray:
    """Index of each event in the flattened image, or -1 for events outside it.

    Parameters
    ----------
    x, y : ndarray
        Column values in pixels, integer or float.
    grid : Grid
        Pixels of the image.

    Returns
    -------
    ndarray of int32, or of int64 for a grid of 2^31 pixels or more
        ``row * nx + column``.
    """
    ny, nx = grid.shape
    column = np.subtract(nint(x), grid.x[0], dtype=np.int32)
    row = np.subtract(nint(y), grid.y[0], dtype=np.int32)
    if grid.binning > 1:
        column //= grid.binning
        row //= grid.binning
    outside = (column < 0) | (column >= nx) | (row < 0) | (row >= ny)
    index: np.ndarray = np.multiply(row, nx, dtype=np.int32 if ny * nx < 2**31 else np.int64)
    index += column
    if outside.any():
        index[outside] = -1
    return index


def count_blocks(blocks: Iterable[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Counts image of flat indices (-1: nowhere) that come block by block.

    Returns
    -------
    ndarray of int32, shape (ny, nx)
        Counts a pixel.
    """
    flat = np.zeros(shape[0] * shape[1], dtype=np.int32)
    for index in blocks:
        placed = index[index >= 0] if index.size and index.min() < 0 else index
        # as fast as bincount if the 1 has the type of the image and the index that of the machine, in half the memory
        np.add.at(flat, placed.astype(np.intp, copy=False), np.int32(1))
    return flat.reshape(shape)


def count(index: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Counts image of flat indices (-1: nowhere).

    Returns
    -------
    ndarray of int32, shape (ny, nx)
        Counts a pixel.
    """
    return count_blocks([index], shape)


def rebin(image: np.ndarray, binning: int) -> np.ndarray:
    """Sum blocks of ``binning`` x ``binning`` pixels; what does not fill a last block is left out.

    Returns
    -------
    ndarray
        Of shape ``(ny // binning, nx // binning)`` and of the type of ``image``.
    """
    if binning == 1:
        return image
    ny, nx = (n // binning for n in image.shape)
    rows = image[: ny * binning, : nx * binning].reshape(ny, binning, nx * binning).sum(axis=1, dtype=image.dtype)
    total: np.ndarray = rows[:, 0::binning].copy()
    for offset in range(1, binning):
        total += rows[:, offset::binning]
    return total
