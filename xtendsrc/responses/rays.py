"""Rays that were traced through the telescope, as the assembly of an effective area needs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError
from xtendsrc.responses.calfile import CalibrationTable, open_calibration, read_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import Mode

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_PRIMARY, _SECONDARY, _FOCAL_PLANE = (b"2062", b"3062"), (b"2072", b"3072"), b"1011"
"""Codes of PATHCODE: reflection on the front of a primary or secondary mirror, without and with scattering, and the
arrival in the focal plane."""

_HISTORY = ("ENERGY", "PATHCODE", "FINALXPOS", "FINALYPOS", "ROWINDEX")
_INPUT = ("INITIALTHETA", "INITIALAZIMDIR", "ENERGY", "NUMPHOTONS")
_AGAIN = "trace the rays again with the exposure map of this observation."


@dataclass(frozen=True, eq=False)
class Rays:
    """Doubly reflected rays where they cross the focal plane.

    Attributes
    ----------
    x, y : ndarray, (rays,)
        Where, mm from the optical axis in the axes of the telescope.
    pointing : ndarray of int, (rays,)
        Number of the attitude bin that each belongs to.
    weight : ndarray, (rays, energies) or ndarray of int, (rays,)
        Probability of each ray at each energy; or the number of the one energy it was traced for.
    energy : ndarray, (energies,)
        Photon energies, keV, rising.
    injected : ndarray, (energies, pointings)
        How many photons were sent into the aperture.
    off_axis : ndarray, (pointings,)
        Angle of the source to the optical axis in each attitude bin, arcmin.
    area : float
        Area of the aperture that was lit, cm2.
    telescope, instrument : str
        TELESCOP and INSTRUME.
    name : str
        The file, for provenance.
    replicate : ndarray of int, (rays,), or None
        Which of several independent samples each ray is of: their scatter is the statistical error. None for photons
        that are independent one by one.
    """

    x: Floats
    y: Floats
    pointing: Integers
    weight: Floats | Integers
    energy: Floats
    injected: Floats
    off_axis: Floats
    area: float
    telescope: str
    instrument: str
    name: str
    replicate: Integers | None = None

    def summed(self, chosen: NDArray[np.bool_], factor: Floats) -> Floats:
        """Sum the weights of chosen rays times a factor each, (energies, pointings)."""
        number = len(self.energy), self.injected.shape[1]
        if self.weight.ndim == 1:
            cell = np.asarray(self.weight, np.int64)[chosen] * number[1] + self.pointing[chosen]
            return np.asarray(np.bincount(cell, factor[chosen], number[0] * number[1]).reshape(number), float)
        result = np.zeros(number)
        for pointing in range(number[1]):
            here = chosen & (self.pointing == pointing)
            result[:, pointing] = self.weight[here].T @ factor[here]
        return result

    @property
    def total(self) -> Floats:
        """Weight of each ray summed over all energies, (rays,)."""
        if self.weight.ndim == 1:
            return np.ones(len(self.x))
        return np.asarray(self.weight.sum(axis=1))


def read_rays(path: str | Path, coarse: Floats, repeats: Integers, mode: Mode) -> Rays:
    """Read the photon history that ``xrtraytrace`` writes.

    Parameters
    ----------
    path : path
        File with PHOTONHISTORY and INPUTPHOTONS.
    coarse : ndarray
        Energies of the coarse on-axis area, keV: the rays must have been traced at these.
    repeats : ndarray of int, (pointings,)
        How often each attitude bin was traced, one after another.
    mode : {"task", "right"}
        ``task`` tells attitude bins apart by a change of the angles, which are rounded to 0.01; ``right`` counts.

    Raises
    ------
    CalibrationError
        If the file does not fit to the attitude bins or to the energies, or holds no doubly reflected photon.
    """
    with open_calibration(path) as hdus:
        history = read_table(hdus, 1, _HISTORY, path)
        injected = read_table(hdus, 2, _INPUT, path)
    energy, numbers = _injected_energies(injected, int(repeats.sum()), coarse)
    pointing_of = _pointings(injected, len(energy), repeats, mode)
    counts = np.zeros((len(energy), len(repeats)))
    for pointing, photons in zip(pointing_of, numbers, strict=True):
        counts[:, pointing] += photons
    if (counts == 0).any():
        raise CalibrationError(
            f"{path}: no photon was traced for some attitude bin and energy (angles equal to 0.01 count as one bin).",
            _AGAIN if mode == "right" else 'use mode="right", which counts the bins.',
        )
    row = np.repeat(np.repeat(pointing_of, len(energy)), numbers.ravel())
    double = _double_reflections(history.columns["PATHCODE"])
    if not double.any():
        raise CalibrationError(f"{path} holds no photon that was reflected by both mirrors.", "trace more photons.")
    index = np.asarray(history.columns["ROWINDEX"], np.int64)[double] - 1
    if index.min() < 0 or index.max() >= len(row):
        raise CalibrationError(f"{path}: ROWINDEX goes beyond the photons of INPUTPHOTONS.", _AGAIN)
    return Rays(
        x=history.floats("FINALXPOS")[double],
        y=history.floats("FINALYPOS")[double],
        pointing=row[index],
        weight=_energy_numbers(history, double, energy),
        energy=energy,
        injected=counts,
        off_axis=injected.floats("INITIALTHETA")[:: len(energy)][_first_of(pointing_of, len(repeats))],
        area=float(history.keyword("GEOMAREA")),
        telescope=str(history.keyword("TELESCOP")).strip(),
        instrument=str(history.keyword("INSTRUME")).strip(),
        name=Path(path).name,
    )


def _injected_energies(table: CalibrationTable, traces: int, coarse: Floats) -> tuple[Floats, Integers]:
    """Energies of the coarse grid that were traced, and the photons of each trace, (traces, energies)."""
    number = int(table.keyword("NUMENRG"))
    if int(table.keyword("NOFFAXIS")) != traces or len(table) < traces * number:
        raise CalibrationError(
            f"{table.path} was traced for {table.header['NOFFAXIS']} off-axis angles; the exposure map has {traces}.",
            _AGAIN,
        )
    scale = 1e-3 if table.unit("ENERGY").upper() == "EV" else 1.0
    asked = table.floats("ENERGY")[:number] * scale
    first = int(np.abs(coarse - asked[0]).argmin())
    energy = coarse[first : first + number]
    if len(energy) != number or not np.allclose(energy, asked, rtol=1e-6):
        raise CalibrationError(
            f"The energies of {table.path} are not among those of the coarse on-axis area.",
            "trace the rays at the energies of that file.",
        )
    photons = np.asarray(table.columns["NUMPHOTONS"], np.int64)[: traces * number]
    return energy, photons.reshape(traces, number)


def _pointings(table: CalibrationTable, energies: int, repeats: Integers, mode: Mode) -> Integers:
    """Number of the attitude bin of each trace."""
    if mode == "right":
        return np.repeat(np.arange(len(repeats)), repeats)
    angles = np.column_stack([table.floats("INITIALTHETA"), table.floats("INITIALAZIMDIR")])[::energies]
    angles = angles[: int(repeats.sum())]
    return np.concatenate([[0], np.cumsum((np.diff(angles, axis=0) != 0).any(axis=1))]).astype(np.int64)


def _first_of(pointing: Integers, number: int) -> Integers:
    """First trace of each attitude bin; the last one for a bin that has none."""
    return np.minimum(np.searchsorted(pointing, np.arange(number)), len(pointing) - 1)


def _double_reflections(codes: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Whether each path has one reflection on a primary and one on a secondary mirror and reaches the focal plane."""
    text = np.char.rstrip(np.asarray(codes).astype("S"))
    width = max(text.dtype.itemsize // 4, 1)
    parts = text.astype(f"S{4 * width}").view("S4").reshape(len(text), width)
    primary, secondary = np.isin(parts, _PRIMARY).sum(axis=1), np.isin(parts, _SECONDARY).sum(axis=1)
    return np.asarray((primary == 1) & (secondary == 1) & (parts == _FOCAL_PLANE).any(axis=1))


def _energy_numbers(history: CalibrationTable, chosen: NDArray[np.bool_], energy: Floats) -> Integers:
    scale = 1e-3 if history.unit("ENERGY").upper() == "EV" else 1.0
    values = history.floats("ENERGY")[chosen] * scale
    number = np.abs(values[:, None] - energy).argmin(axis=1) if len(energy) < 2 else _nearest(values, energy)
    if not np.allclose(energy[number], values, rtol=1e-6):
        raise CalibrationError(f"{history.path} holds photons of energies that INPUTPHOTONS does not name.", _AGAIN)
    return number


def _nearest(values: Floats, grid: Floats) -> Integers:
    middle = (grid[1:] + grid[:-1]) / 2
    return np.searchsorted(middle, values).astype(np.int64)
