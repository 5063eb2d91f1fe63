"""How the counts of a spectrum are spread over the parts of the detector that have a line shape of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RegionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import Mode
    from xtendsrc.responses.rmfparameters import SpectrumMap

    Floats = NDArray[np.float64]


def part_weights(spectrum: SpectrumMap, corners: Floats, mode: Mode) -> Floats:
    """Return the counts in each part of the detector.

    Parameters
    ----------
    spectrum : SpectrumMap
        The weighted map.
    corners : ndarray, (parts, 4, 2)
        DETX, DETY of the corners of each part, in order around it.
    mode : {"task", "right"}
        ``task`` reads the map in the order of its columns and takes a pixel on the infinite line through an edge as
        inside; ``right`` does neither, and gives a pixel that lies on the edge of two parts to the first.

    Returns
    -------
    ndarray, (parts,)
        Counts, not normalised; a map pixel is where its lower left DET pixel is.

    Raises
    ------
    RegionError
        If no count lies in any part.
    """
    weights = _task_weights(spectrum, corners) if mode == "task" else _right_weights(spectrum, corners)
    if not weights.sum() > 0:
        raise RegionError(
            f"No count of the weighted map of {spectrum.path} lies in a part of the detector with line parameters.",
            "check X-OFFSET, Y-OFFSET and WMREBIN of the map, and that the region holds counts.",
        )
    return weights


def _task_weights(spectrum: SpectrumMap, corners: Floats) -> Floats:
    ny, nx = spectrum.counts.shape
    counts = np.trunc(spectrum.counts).ravel().reshape(nx, ny)
    x, y = spectrum.detx[:, None], spectrum.dety[None, :]
    x_last = (nx + int(spectrum.header["X-OFFSET"]) - 1) * int(spectrum.header["WMREBIN"])
    y_last = (ny + int(spectrum.header["Y-OFFSET"]) - 1) * int(spectrum.header["WMREBIN"])
    weights = np.zeros(len(corners))
    for part, quad in enumerate(corners):
        (x_min, y_min), (x_max, y_max) = quad.min(axis=0), quad.max(axis=0)
        starts_before_end = x_min <= x_last and y_min <= y_last
        ends_after_start = x_max >= spectrum.detx[0] and y_max >= spectrum.dety[0]
        if not (starts_before_end or ends_after_start):
            continue
        products = _cross_products(x, y, quad)
        negative = products < 0
        inside = (negative == negative[0]).all(axis=0) | (products == 0).any(axis=0)
        weights[part] = counts[inside & (counts > 0)].sum()
    return weights


def _right_weights(spectrum: SpectrumMap, corners: Floats) -> Floats:
    counts = np.where(spectrum.counts > 0, spectrum.counts, 0.0)
    x, y = spectrum.detx[None, :], spectrum.dety[:, None]
    free = np.ones(counts.shape, bool)
    weights = np.zeros(len(corners))
    for part, quad in enumerate(corners):
        products = _cross_products(x, y, quad)
        (x_min, y_min), (x_max, y_max) = quad.min(axis=0), quad.max(axis=0)
        near = (x >= x_min) & (x <= x_max) & (y >= y_min) & (y <= y_max)
        inside = free & near & ((products >= 0).all(axis=0) | (products <= 0).all(axis=0))
        weights[part] = counts[inside].sum()
        free &= ~inside
    return weights


def _cross_products(x: NDArray[np.int64], y: NDArray[np.int64], quad: Floats) -> Floats:
    """On which side of each edge of a quadrilateral the points lie, (4, *points)."""
    following = np.roll(quad, -1, axis=0)
    return np.stack(
        [(x - a[0]) * (b[1] - a[1]) - (y - a[1]) * (b[0] - a[0]) for a, b in zip(quad, following, strict=True)]
    )
