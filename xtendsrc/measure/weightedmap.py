"""Counts a channel, and the weighted map of a spectrum's events on the detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.measure.grid import nint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True)
class Rotation:
    """How DET positions lie on the SKY grid: a rotation about the middle of DET and a shift, in pixels.

    Parameters
    ----------
    sky, det : (float, float)
        The same point in both coordinates.
    angle : float
        Radians; ``x = x0 + u cos + v sin`` and ``y = y0 - u sin + v cos``, with (u, v) from the DET point.
    """

    sky: tuple[float, float]
    det: tuple[float, float]
    angle: float

    def to_sky(self, detx: np.ndarray, dety: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """SKY pixel coordinates of DET ones."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        u, v = detx - self.det[0], dety - self.det[1]
        return self.sky[0] + u * cos + v * sin, self.sky[1] - u * sin + v * cos


def fit_rotation(
    sky: tuple[np.ndarray, np.ndarray], det: tuple[np.ndarray, np.ndarray], centre: tuple[float, float]
) -> Rotation | None:
    """Least-squares rotation and shift that take DET to SKY positions (Kabsch 1976, in two dimensions).

    Parameters
    ----------
    sky, det : (ndarray, ndarray)
        Positions of the same events, pixels.
    centre : (float, float)
        The DET point to rotate about.

    Returns
    -------
    Rotation or None
        None if the events have fewer than two distinct positions.
    """
    return fit_rotation_blocks(lambda: [(*sky, *det)], centre)


def fit_rotation_blocks(
    positions: Callable[[], Iterable[Sequence[np.ndarray]]], centre: tuple[float, float]
) -> Rotation | None:
    """Return the rotation of `fit_rotation` for events that come block by block.

    Parameters
    ----------
    positions : callable
        Gives the blocks, each of four arrays: X, Y, DETX and DETY in pixels. It is called twice: for the means, and
        for the products of the deviations from them.
    centre : (float, float)
        The DET point to rotate about.
    """
    number, total = 0, np.zeros(4)
    for block in positions():
        number += block[0].size
        total += [a.sum(dtype=np.float64) for a in block]
    if not number:
        return None
    mean = total / number
    along = across = 0.0
    for block in positions():
        x, y, u, v = (a - m for a, m in zip(block, mean, strict=True))
        along += float((x * u + y * v).sum())
        across += float((x * v - y * u).sum())
    if along == 0 and across == 0:
        return None
    turned = Rotation((0.0, 0.0), centre, float(np.arctan2(across, along)))
    dx, dy = turned.to_sky(mean[2], mean[3])
    return Rotation((float(mean[0] - dx), float(mean[1] - dy)), centre, turned.angle)


def histogram(pi: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
    """Counts a channel; events outside the legal channels are left out.

    Parameters
    ----------
    pi : ndarray
        Channels of the events.
    limits : (int, int)
        First and last legal channel, inclusive.

    Returns
    -------
    ndarray of int32
        One value a channel.
    """
    low, high = limits
    pi = nint(pi)
    pi = pi[(pi >= low) & (pi <= high)]
    return np.bincount(pi - low, minlength=high - low + 1).astype(np.int32)


@dataclass(frozen=True)
class WeightedMap:
    """A weighted map and its place on the detector.

    Parameters
    ----------
    data : ndarray of float32, shape (ny, nx)
        Counts a bin; -1 outside the region.
    first : (int, int)
        1-based number of the first bin in x and y on the whole DET grid.
    """

    data: np.ndarray
    first: tuple[int, int]


def weighted_map(counts: np.ndarray, inside: np.ndarray) -> WeightedMap:
    """Mark what is outside the region and cut out what is inside.

    Parameters
    ----------
    counts : ndarray of int, shape (ny, nx)
        Counts on the whole binned DET grid.
    inside : ndarray of bool, shape (ny, nx)
        Which bins belong to the region; at least one.
    """
    return _cut(np.where(inside, counts, -1), inside)


def whole_map(counts: np.ndarray) -> WeightedMap:
    """Cut out what has counts; without any, the map is the whole grid."""
    return _cut(counts, counts > 0 if counts.any() else np.ones(counts.shape, dtype=bool))


def _cut(values: np.ndarray, inside: np.ndarray) -> WeightedMap:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    data = values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    return WeightedMap(data, (int(columns[0]) + 1, int(rows[0]) + 1))
