"""Scattering at the foils: by how much the angle of reflection differs from the angle of incidence.

The profiles of the calibration file give the probability a radian of the difference of the two angles, in bins; within
a bin the difference is uniform. A profile depends on the segment of the telescope, the kind of surface, the angle of
incidence (the bin it falls in) and the energy (the nearest one of the file), as in HEASoft's ``xrtraytrace``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError, MissingColumnError
from xtendsrc.responses.calfile import CalibrationTable, open_calibration, read_table
from xtendsrc.responses.mirror import COLLIMATOR

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits
    from numpy.typing import NDArray

    from xtendsrc.responses.mirror import Mirror

SPECULAR = -1
"""Number of the profile of a surface that does not scatter."""

MOST_ZEROS = 2
"""Zero bins a profile may have: one before its first and one after its last probability."""

_GET_CALDB = "take the scattering file from the calibration database again (`xtendsrc caldb fetch`)."


@dataclass(frozen=True, eq=False)
class Profile:
    """Distribution of the scattering angle of one surface.

    Attributes
    ----------
    name : str
        Extension and column.
    first, step : float
        First angle of incidence and the width of its bins, radian.
    edges : ndarray, shape (bins + 1,)
        Edges of the bins of the scattering angle, radian.
    cumulative : ndarray, shape (energies, incidence bins, bins + 1)
        Probability up to each edge, from 0 to 1.
    """

    name: str
    first: float
    step: float
    edges: NDArray[np.float64]
    cumulative: NDArray[np.float64]

    def draw(self, row: int, incidence: NDArray[np.float64], random: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scattering angles for angles of incidence (radian) and random numbers from 0 to 1."""
        count = self.cumulative.shape[1]
        bins = np.clip(((incidence - self.first) / self.step).astype(np.int64), 0, count - 1)
        angle = np.empty_like(incidence)
        for number in np.unique(bins):
            rays = bins == number
            known = self.cumulative[row, number]
            filled = np.flatnonzero(np.diff(known) > 0)
            points = np.append(filled[0], filled + 1)
            angle[rays] = np.interp(random[rays], known[points], self.edges[points])
        return angle


@dataclass(frozen=True, eq=False)
class Scattering:
    """Profiles of every surface of a telescope.

    Attributes
    ----------
    energy : ndarray
        Energies of the profiles, keV.
    profiles : tuple of Profile
        The profiles; empty if reflection is specular.
    numbers : ndarray of int, shape (2, foils)
        Profile of the back and the front of each foil; -1 where reflection is specular.
    """

    energy: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    profiles: tuple[Profile, ...] = ()
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 0), np.int64))

    def groups(self, energy: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return, for energies in keV, the row of the profiles that holds for each; equal rows count as one."""
        nearest = np.argmin(np.abs(energy[:, None] - self.energy), axis=1)
        same = np.arange(len(self.energy))
        for row in range(len(self.energy)):
            for before in range(row):
                if all(np.array_equal(p.cumulative[row], p.cumulative[before]) for p in self.profiles):
                    same[row] = before
                    break
        return np.asarray(same[nearest])

    def angle(
        self,
        row: int,
        number: NDArray[np.int64],
        incidence: NDArray[np.float64],
        random: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return scattering angles (radian) for the profiles, angles of incidence and random numbers of rays."""
        angle = np.zeros_like(incidence)
        for i, profile in enumerate(self.profiles):
            rays = number == i
            if rays.any():
                angle[rays] = profile.draw(row, incidence[rays], random[rays])
        return angle


def read_scattering(path: str | Path | None, mirror: Mirror) -> Scattering:
    """Read the scattering file and find the profile of every foil in it.

    Parameters
    ----------
    path : str, Path or None
        The calibration file, one extension SEGMENTn a segment; None for specular reflection.
    mirror : Mirror
        The telescope, whose foils name their columns.

    Raises
    ------
    InputNotFoundError
        If there is no such file.
    CalibrationError
        If an extension is missing or a profile is not one.
    MissingColumnError
        If the file has no column that a foil names.
    """
    if path is None:
        return Scattering()
    foils = mirror.foils
    profiles: list[Profile] = []
    numbers = np.full((2, len(foils.segment)), SPECULAR)
    energies: list[NDArray[np.float64]] = []
    with open_calibration(path) as hdus:
        for segment in np.unique(foils.segment):
            here = foils.segment == segment
            table = _segment_table(hdus, int(segment), path)
            energies.append(table.kev())
            back = next((n for n in table.columns if "BACK" in n), "")
            for name in np.unique(foils.scatter[here]):
                rows = here & (foils.scatter == name)
                numbers[1, rows] = _number(profiles, table, str(name))
                blades = foils.layer == COLLIMATOR
                numbers[0, rows & blades] = numbers[1, rows & blades]
                if back:
                    numbers[0, rows & ~blades] = _number(profiles, table, back)
    if any(not np.array_equal(e, energies[0]) for e in energies):
        raise CalibrationError(f"{path}: the segments have different energies.", _GET_CALDB)
    return Scattering(energies[0], tuple(profiles), numbers)


def _segment_table(hdus: fits.HDUList, segment: int, path: str | Path) -> CalibrationTable:
    name = f"SEGMENT{segment}"
    columns = [c.upper() for c in hdus[name].columns.names] if name in hdus else ["ENERGY"]
    return read_table(hdus, name, columns, path)


def _number(profiles: list[Profile], table: CalibrationTable, column: str) -> int:
    """Return the number of a profile, reading it if no equal one is there yet."""
    if column not in table.columns:
        raise MissingColumnError(
            f"{table.path}: {table.name} has no column {column}, which the telescope names; "
            f"it has {', '.join(table.columns)}.",
            _GET_CALDB,
        )
    profile = _profile(table, column)
    for number, known in enumerate(profiles):
        if np.array_equal(known.cumulative, profile.cumulative) and np.array_equal(known.edges, profile.edges):
            return number
    profiles.append(profile)
    return len(profiles) - 1


def _profile(table: CalibrationTable, column: str) -> Profile:
    number = list(table.columns).index(column) + 1
    keys = [f"{axis}{key}{number}" for axis in "12" for key in ("CRVL", "CDLT")]
    centre, width, first, step = (float(table.keyword(key)) for key in keys)
    where = f"{table.path}: {column} of {table.name}"
    if width <= 0 or step <= 0:
        raise CalibrationError(f"{where} has steps of angle that are not positive.", _GET_CALDB)
    density = _planes(table, column, number)
    positive = density > 0
    if not positive.any(axis=2).all():
        raise CalibrationError(f"{where} has an angle of incidence without any probability.", _GET_CALDB)
    zeros = (density == 0).sum(axis=2)
    if (zeros > MOST_ZEROS).any() or positive[..., 0].any() or positive[..., -1].any():
        raise CalibrationError(
            f"{where} is not padded as the format demands: -1, 0, the probabilities, 0, -1.", _GET_CALDB
        )
    cumulative = np.cumsum(np.where(positive, density, 0.0), axis=2)
    cumulative = np.concatenate([np.zeros((*cumulative.shape[:2], 1)), cumulative / cumulative[..., -1:]], axis=2)
    edges = centre + width * (np.arange(density.shape[2] + 1) - 0.5)
    return Profile(f"{table.name} {column}", first, step, edges, cumulative)


def _planes(table: CalibrationTable, column: str, number: int) -> NDArray[np.float64]:
    """Return the densities of a column as (energies, angles of incidence, scattering angles)."""
    values = table.floats(column)
    if values.ndim == 3:
        return values
    shape = re.findall(r"\d+", str(table.header.get(f"TDIM{number}", "")))
    if len(shape) != 2 or int(shape[0]) * int(shape[1]) != values[0].size:
        raise CalibrationError(
            f"{table.path}: {column} of {table.name} is not a table of two angles (TDIM{number}).", _GET_CALDB
        )
    return values.reshape(len(table), int(shape[1]), int(shape[0]))
