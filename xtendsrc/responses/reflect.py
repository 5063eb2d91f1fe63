"""What reflection at the foils and passage through films leave of a ray, at every energy.

A ray is traced once; what it met is kept as pairs of a code and a value, and the fraction that survives is the product
of one factor for each: the reflectivity of a surface at a grazing angle, or the transmission of a film along a path.
Reflectivities are interpolated linearly in energy, then in angle, as HEASoft's ``xrtraytrace`` does.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
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
    from xtendsrc.responses.structure import Film

NOTHING = -1
"""Code of a surface that reflects nothing, and of an empty place in the record of a ray."""

_GET_CALDB = "take the reflectivity file from the calibration database again (`xtendsrc caldb fetch`)."


@dataclass(frozen=True, eq=False)
class Surface:
    """Reflectivity of one kind of surface: energies (keV), angles (radian), values (energies, angles)."""

    name: str
    energy: NDArray[np.float64]
    angle: NDArray[np.float64]
    value: NDArray[np.float64]

    def at(self, energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the reflectivity at energies in keV, interpolated linearly, (energies, angles)."""
        i = np.clip(np.searchsorted(self.energy, energy, side="right") - 1, 0, len(self.energy) - 2)
        rest = ((energy - self.energy[i]) / (self.energy[i + 1] - self.energy[i]))[:, None]
        return np.asarray((1 - rest) * self.value[i] + rest * self.value[i + 1])


@dataclass(frozen=True, eq=False)
class Optics:
    """Surfaces and films of a telescope, by code: first the surfaces, then the films.

    Attributes
    ----------
    surfaces : tuple of Surface
        Kinds of reflecting surface.
    film_energy, film_depth : ndarray
        Energies (keV) and optical depth a mm of every film, (films, energies).
    codes : ndarray of int, shape (2, foils)
        Code of the back and the front of every foil; -1 for what reflects nothing.
    """

    surfaces: tuple[Surface, ...]
    film_energy: NDArray[np.float64]
    film_depth: NDArray[np.float64]
    codes: NDArray[np.int64]

    def film_code(self, film: int) -> int:
        """Return the code of a film of the telescope."""
        return len(self.surfaces) + film

    def survival(
        self, code: NDArray[np.int16], value: NDArray[np.float64], energy: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the fraction of each ray that survives.

        Parameters
        ----------
        code, value : ndarray, shape (steps, rays)
            What each ray met: a surface and the grazing angle (radian), or a film and the path in it (mm).
        energy : ndarray, shape (energies,)
            Energies in keV.

        Returns
        -------
        ndarray, shape (rays, energies)
            Fractions from 0 to 1.
        """
        fraction = np.ones((code.shape[1], len(energy)))
        for number, surface in enumerate(self.surfaces):
            table = surface.at(energy).T
            for step in range(len(code)):
                rays = np.flatnonzero(code[step] == number)
                fraction[rays] *= _at_angle(surface.angle, table, value[step, rays])
        for number, depth in enumerate(self.film_depth):
            for step in range(len(code)):
                rays = np.flatnonzero(code[step] == self.film_code(number))
                fraction[rays] *= np.exp(-np.outer(value[step, rays], np.interp(energy, self.film_energy, depth)))
        return fraction

    def check_range(self, energy: NDArray[np.float64]) -> None:
        """Refuse energies (keV) at which the reflectivity is not known.

        Raises
        ------
        CalibrationError
            If an energy is outside the range of the calibration.
        """
        low = max(surface.energy[0] for surface in self.surfaces)
        high = min(surface.energy[-1] for surface in self.surfaces)
        outside = (energy < low) | (energy > high)
        if outside.any():
            raise CalibrationError(
                f"The reflectivity is known from {low:g} to {high:g} keV, and {energy[outside][0]:g} keV is asked for.",
                "ask for energies inside that range.",
            )


def _at_angle(grid: NDArray[np.float64], table: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of a table (angles, energies) at grazing angles, 0 where an angle is outside the grid."""
    i = np.clip(np.searchsorted(grid, angle, side="right") - 1, 0, len(grid) - 2)
    rest = ((angle - grid[i]) / (grid[i + 1] - grid[i]))[:, None]
    value = (1 - rest) * table[i] + rest * table[i + 1]
    value[(angle < grid[0]) | (angle > grid[-1])] = 0.0
    return np.asarray(value)


def read_optics(path: str | Path, mirror: Mirror) -> Optics:
    """Read the reflectivity file and find the surface of every foil in it.

    Parameters
    ----------
    path : str or Path
        The calibration file: REFPROBFRONT, MASS_ABSORPTION, REFPROBBACK and, for a pre-collimator, a fourth extension.
    mirror : Mirror
        The telescope, whose foils name their surfaces.

    Raises
    ------
    InputNotFoundError
        If there is no such file.
    CalibrationError
        If an extension is missing, or its numbers are not probabilities on a rising grid.
    MissingColumnError
        If the file has no column for a surface the telescope names.
    """
    foils = mirror.foils
    with open_calibration(path) as hdus:
        kinds = {
            0: {s.name: s for s in _rough(hdus, "REFPROBBACK", path)},
            1: {s.name: s for s in _fronts(hdus, np.unique(foils.surfaces[1][foils.layer != COLLIMATOR]), path)},
            2: {s.name: s for s in _rough(hdus, "REFPROBPCOL", path)} if (foils.layer == COLLIMATOR).any() else {},
        }
        energy, depth = _film_depths(hdus, mirror.films, path)
    surfaces: list[Surface] = []
    codes = np.full(foils.surfaces.shape, NOTHING)
    for face in (0, 1):
        for collimator in (False, True):
            table = kinds[2 if collimator else face]
            mask = (foils.layer == COLLIMATOR) == collimator
            for name in np.unique(foils.surfaces[face][mask]):
                rows = mask & (foils.surfaces[face] == name)
                codes[face, rows] = _code(_named(table, str(name), path), surfaces)
    return Optics(tuple(surfaces), energy, depth, codes)


def _code(surface: Surface, surfaces: list[Surface]) -> int:
    """Code of a surface, added to the list if it reflects anything and is not there yet."""
    if not surface.value.any():
        return NOTHING
    if surface not in surfaces:
        surfaces.append(surface)
    return surfaces.index(surface)


def _named(table: dict[str, Surface], name: str, path: str | Path) -> Surface:
    if name not in table:
        close = difflib.get_close_matches(name, table, n=1)
        hint = f" (the nearest is {close[0]})" if close else ""
        raise MissingColumnError(f"{path} has no column {name}, which the telescope names{hint}.", _GET_CALDB)
    return table[name]


def _fronts(hdus: fits.HDUList, names: NDArray[np.str_], path: str | Path) -> list[Surface]:
    table = read_table(hdus, "REFPROBFRONT", ("ENERGY", "ANGLE", *names.tolist()), path, least_rows=2)
    angle = table.floats("ANGLE")
    if (unit := table.unit("ANGLE")) and unit.lower() not in ("rad", "radian", "radians"):
        raise CalibrationError(f"{path}: ANGLE of REFPROBFRONT is in {unit}, not in radian.", _GET_CALDB)
    if angle.ndim != 2 or (angle != angle[0]).any() or (np.diff(angle[0]) <= 0).any():
        raise CalibrationError(f"{path}: ANGLE of REFPROBFRONT is not one rising grid for all energies.", _GET_CALDB)
    return [_surface(table, str(name), angle[0]) for name in names]


def _rough(hdus: fits.HDUList, extension: str, path: str | Path) -> list[Surface]:
    """Surfaces of the backs of the foils or of the pre-collimator; the grid of angles is in the keywords."""
    if extension == "REFPROBPCOL" and extension not in hdus:
        extension = "REFPROBBACK" if len(hdus) < 5 else hdus[4].name
    known = [n.upper() for n in hdus[extension].columns.names] if extension in hdus else []
    table = read_table(hdus, extension, ("ENERGY", *(n for n in known if n != "ENERGY")), path, least_rows=2)
    found = []
    for number, name in enumerate(table.columns, start=1):
        if name != "ENERGY":
            first, step = (float(table.keyword(f"1{key}{number}")) for key in ("CRVL", "CDLT"))
            if step <= 0:
                raise CalibrationError(f"{path}: 1CDLT{number} of {extension} is not a positive step.", _GET_CALDB)
            found.append(_surface(table, name, first + step * np.arange(table.columns[name].shape[-1])))
    return found


def _surface(table: CalibrationTable, name: str, angle: NDArray[np.floating]) -> Surface:
    value = table.floats(name)
    if value.shape != (len(table), len(angle)) or (value < 0).any() or (value > 1).any():
        raise CalibrationError(
            f"{table.path}: column {name} of {table.name} does not hold probabilities on the grid of angles.",
            _GET_CALDB,
        )
    return Surface(name, table.kev(), angle.astype(np.float64), value)


def _film_depths(
    hdus: fits.HDUList, films: tuple[Film, ...], path: str | Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energies and optical depth a mm of films: mass absorption coefficient (cm2/g) times density (g/cm3)."""
    if not films:
        return np.zeros(0), np.zeros((0, 0))
    names = {film.material: f"MABSCOEF{film.material:02d}" for film in films if film.material > 0}
    table = read_table(hdus, "MASS_ABSORPTION", ("ENERGY", *names.values()), path, least_rows=2)
    depth = np.full((len(films), len(table)), np.inf)
    for i, film in enumerate(films):
        if film.material > 0:
            depth[i] = table.floats(names[film.material]) * film.density * 0.1
    return table.kev(), depth
