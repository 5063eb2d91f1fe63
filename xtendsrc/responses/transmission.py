"""Quantum efficiency, blocking filter and contamination: what share of the photons each detector pixel detects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError
from xtendsrc.responses.calfile import CalibrationTable, check_instrument, open_calibration, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import Mode

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_GIVE = "give the file of this instrument and time."


@dataclass(frozen=True, eq=False)
class Transmission:
    """Transmission of the parts of the detector.

    Attributes
    ----------
    curves : ndarray, (energies, parts)
        On the energies of the fine on-axis area; zero where the file has none.
    corners : ndarray, (shapes, 4, 2)
        DETX, DETY of the corners of quadrilaterals; of those that overlap, the last one holds.
    numbers : tuple of int
        The part that each of them belongs to.
    elsewhere : int
        The part of a pixel in none of them; negative where it has no transmission.
    first_pixel : int
        1 if the column and row of pixels at the lowest corner belong to a part, 2 if not.
    """

    curves: Floats
    corners: Floats
    numbers: tuple[int, ...]
    elsewhere: int
    first_pixel: int = 1

    def part(self, ix: Integers, iy: Integers) -> Integers:
        """Return the number of the part that holds the centre of each pixel (counted from 0)."""
        x, y = np.asarray(ix + 1, float), np.asarray(iy + 1, float)
        part = np.full(len(x), self.elsewhere)
        for number, corners in zip(self.numbers, self.corners, strict=True):
            low = corners.min(axis=0).astype(np.int64) + (self.first_pixel - 1)
            part[_inside(x, y, corners) & (x >= low[0]) & (y >= low[1])] = number
        return part

    def mean(self, ix: Integers, iy: Integers, weight: Floats) -> Floats:
        """Return the mean of the curves at pixels, with a weight each: (energies,)."""
        counts = np.bincount(self.part(ix, iy), weight, self.curves.shape[1])
        mean: Floats = self.curves @ counts / counts.sum()
        return mean


def quantum_efficiency(path: str | Path, energy: Floats, instrument: str, mode: Mode) -> Transmission:
    """Read the quantum efficiency of each part of the detector times the transmission of the blocking filter.

    Parameters
    ----------
    path : path
        File whose first table has ENERGY, QE and corners in DET pixels, and whose second has ENERGY and TRANSMISSION.
    energy : ndarray, (energies,)
        keV.
    instrument : str
        INSTRUME that the file must be for.
    mode : {"task", "right"}
        ``task`` leaves out the first column and row of pixels of a part whose corner is a whole pixel.

    Raises
    ------
    CalibrationError
        If the file is damaged or of another instrument.
    """
    with open_calibration(path) as hdus:
        table = read_table(hdus, 1, ("ENERGY", "QE", "CORNER_DETX", "CORNER_DETY"), path)
        window = read_table(hdus, 2, ("ENERGY", "TRANSMISSION"), path, least_rows=2)
    check_instrument(table.header, path, instrument)
    grid = table.kev("ENERGY")
    through = _interpolated(energy, window.kev("ENERGY"), window.floats("TRANSMISSION"))
    values = table.floats("QE")
    _check_fraction(values, table, "QE")
    _check_fraction(window.floats("TRANSMISSION"), window, "TRANSMISSION")
    rows = [0] * len(table) if mode == "task" else range(len(table))
    curves = np.stack(
        [_interpolated(energy, grid[row], qe) * through for row, qe in zip(rows, values, strict=True)], axis=1
    )
    return Transmission(curves, _corners(table), tuple(range(len(table))), -1, 2 if mode == "task" else 1)


def contamination(path: str | Path, energy: Floats, instrument: str, time: float, mode: Mode) -> Transmission:
    """Read the transmission of the contaminating layer at the time of the observation.

    Parameters
    ----------
    path : path
        File with a column density and a covering factor of each material (TIME, REGION_ID, COLUMN, FACTOR), their
        transmission at unit column (ENERGY, TRANSMISSION), and the corners of each region.
    energy : ndarray, (energies,)
        keV.
    instrument : str
        INSTRUME that the file must be for.
    time : float
        Mission time of the observation, s.
    mode : {"task", "right"}
        ``task`` gives the pixels of the last region to the first, and can read one epoch only; ``right`` takes the
        last epoch that has begun.

    Raises
    ------
    CalibrationError
        If the file is damaged, of another instrument, or begins after the observation.
    """
    with open_calibration(path) as hdus:
        table = read_table(hdus, 1, ("TIME", "REGION_ID", "COLUMN", "FACTOR"), path)
        unit = read_table(hdus, 2, ("ENERGY", "TRANSMISSION"), path, least_rows=2)
        regions = read_table(hdus, 3, ("REGION_ID", "CORNER_DETX", "CORNER_DETY"), path)
    check_instrument(table.header, path, instrument)
    rows = _epoch(table, time, mode)
    identity = np.asarray(table.columns["REGION_ID"], np.int64)[rows]
    column, factor = (table.floats(name)[rows].reshape(len(identity), -1) for name in ("COLUMN", "FACTOR"))
    layer = unit.floats("TRANSMISSION").reshape(len(unit), -1)
    if layer.shape[1] != column.shape[1]:
        raise CalibrationError(
            f"{path} has {column.shape[1]} materials in {table.name} and {layer.shape[1]} in {unit.name}.", _GIVE
        )
    net = (1.0 - factor + layer[:, None, :] ** column * factor).prod(axis=-1)
    curves = np.stack([_interpolated(energy, unit.kev("ENERGY"), curve) for curve in net.T], axis=1)
    wanted = np.asarray(regions.columns["REGION_ID"], np.int64)
    if set(identity.tolist()) != set(wanted.tolist()) or len(identity) != len(wanted):
        raise CalibrationError(
            f"{path}: {table.name} has values of regions {sorted(identity.tolist())}; {regions.name} has corners of "
            f"{sorted(wanted.tolist())}.",
            _GIVE,
        )
    order = [int(np.flatnonzero(identity == number)[0]) for number in wanted]
    corners = _corners(regions)
    if mode == "task":
        return Transmission(curves, corners[:-1], tuple(order[:-1]), 0, 2)
    return Transmission(curves, corners, tuple(order), -1)


def transparent(energy: Floats) -> Transmission:
    """Return a transmission of one everywhere."""
    return Transmission(np.ones((len(energy), 1)), np.empty((0, 4, 2)), (), 0)


def _epoch(table: CalibrationTable, time: float, mode: Mode) -> NDArray[np.bool_]:
    """Rows of the last epoch that is not after the observation."""
    times = table.floats("TIME")
    if mode == "task":
        if len(np.unique(times)) > 1:
            raise CalibrationError(
                f"{table.path} has {len(np.unique(times))} epochs; the task takes wrong numbers from such a file.",
                'use mode="right".',
            )
        return np.ones(len(times), bool)
    begun = times[times <= time]
    if len(begun) == 0:
        raise CalibrationError(
            f"{table.path} is valid from mission time {times.min():.0f} s; the observation is at {time:.0f} s.", _GIVE
        )
    return np.asarray(times == begun.max())


def _check_fraction(values: Floats, table: CalibrationTable, name: str) -> None:
    if values.min() < 0 or values.max() > 1:
        raise CalibrationError(f"{table.path}: {name} of {table.name} is not between 0 and 1.", _GIVE)


def _corners(table: CalibrationTable) -> Floats:
    """DETX, DETY of the corners of each part, (parts, 4, 2)."""
    corners = np.stack([table.floats("CORNER_DETX"), table.floats("CORNER_DETY")], axis=-1)
    if corners.shape[1:] != (4, 2):
        raise CalibrationError(f"{table.path}: parts of {table.name} do not have four corners.", _GIVE)
    return corners


def _interpolated(x: Floats, grid: Floats, values: Floats) -> Floats:
    """Linear interpolation; zero outside the grid."""
    return np.interp(x, grid, values, left=0.0, right=0.0)


def _inside(x: Floats, y: Floats, corners: Floats) -> NDArray[np.bool_]:
    """Whether places lie in a quadrilateral or on its edge."""
    inside, edge = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            at = a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1])
        inside ^= ((a[1] > y) != (b[1] > y)) & (x < at)
        on_line = (x - a[0]) * (b[1] - a[1]) == (y - a[1]) * (b[0] - a[0])
        between = (x >= min(a[0], b[0])) & (x <= max(a[0], b[0])) & (y >= min(a[1], b[1])) & (y <= max(a[1], b[1]))
        edge |= on_line & between
    return inside | edge
