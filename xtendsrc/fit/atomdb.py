"""AtomDB's tables of a plasma in collisional equilibrium: found, condensed once, and put on a grid of energies.

The tables are the user's: they are not part of the package. For each of some 50 temperatures they list lines, and for
each element a continuum and a pseudo-continuum of lines too weak to be listed. Condensed to what a spectrum needs
between 0.07 and 100 keV they are kept in the cache directory.

References
----------
Smith et al. 2001, ApJ 556, L91; Foster et al. 2012, ApJ 756, 128 (AtomDB).
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, TablesMissingError
from xtendsrc.settings import cache_directory, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astropy.io import fits
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

KEV_ANGSTROM = 12.39841974
"""Energy in keV times wavelength in Angstrom, as XSPEC has it."""
ENERGIES = 0.07, 100.0
"""Lines outside these energies in keV are left out."""
NUMBER = 30
"""Elements from hydrogen to zinc."""
SCHEME = 1
"""Raised when condensed tables change."""


@dataclass(frozen=True)
class Tables:
    """The two files of one version of AtomDB."""

    root: Path

    @property
    def lines(self) -> Path:
        """File of the lines."""
        return self.root.with_name(f"{self.root.name}_line.fits")

    @property
    def continua(self) -> Path:
        """File of the continua."""
        return self.root.with_name(f"{self.root.name}_coco.fits")

    @property
    def version(self) -> str:
        """Version of AtomDB, from the name; the name itself if it says none."""
        found = re.search(r"v(\d+(?:\.\d+)*)", self.root.name)
        return found[1] if found else self.root.name

    @property
    def complete(self) -> bool:
        """Whether both files are there."""
        return self.lines.is_file() and self.continua.is_file()

    def order(self) -> tuple[int, ...]:
        """Return what sorts versions."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version))


def find() -> Tables:
    """Return the tables to use: those of the settings, else HEASoft's, else those brought by ``xtendsrc models fetch``.

    In a directory with several versions it is the newest.

    Raises
    ------
    TablesMissingError
        If there are none; it names the places.
    """
    places = list(_places())
    for place in places:
        if place.is_dir():
            roots = {p.with_name(p.name.removesuffix("_line.fits")) for p in place.glob("apec_v*_line.fits")}
            versions = [tables for tables in map(Tables, roots) if tables.complete]
            if versions:
                return max(versions, key=Tables.order)
        elif (tables := Tables(place)).complete:
            return tables
    looked = ", ".join(str(place) for place in places)
    raise TablesMissingError(
        f"AtomDB's tables, which apec and its kin need, were not found (looked in {looked}).",
        "run 'xtendsrc models fetch', or set xs.settings.atomdb to their directory.",
    )


def version() -> str:
    """Return the version of the tables that `find` finds, empty if it finds none."""
    try:
        return find().version
    except TablesMissingError:
        return ""


def root() -> str:
    """Return the beginning of the paths of the tables that `find` finds, empty if it finds none."""
    try:
        return str(find().root)
    except TablesMissingError:
        return ""


def _places() -> Iterator[Path]:
    if settings.atomdb is not None:
        yield Path(settings.atomdb)
        return
    if heasoft := os.environ.get("HEADAS"):
        yield Path(heasoft).parent / "spectral" / "modelData"
    yield cache_directory() / "atomdb"


def load() -> Emissivities:
    """Return the condensed tables of `find`, condensing them the first time.

    Tables are looked for once as long as the settings name the same places.

    Raises
    ------
    TablesMissingError
        If there are none.
    InputFileError
        If a file is not one of AtomDB's.
    """
    return _found_in(tuple(_places()))


@lru_cache(maxsize=4)
def _found_in(places: tuple[Path, ...]) -> Emissivities:
    tables = find()
    marks = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in (tables.lines, tables.continua))
    return _load(tables, marks)


@lru_cache(maxsize=2)
def _load(tables: Tables, marks: tuple[tuple[Path, int, int], ...]) -> Emissivities:
    key = hashlib.sha256(repr((SCHEME, marks)).encode()).hexdigest()[:12]
    store = cache_directory() / f"{tables.root.name}-{key}.npz"
    if store.is_file():
        try:
            return Emissivities.read(store)
        except (OSError, ValueError, KeyError, EOFError) as problem:
            logger.warning("%s is damaged and made again: %s", store, problem)
    condensed = condense(tables)
    condensed.write(store)
    return condensed


def condense(tables: Tables) -> Emissivities:
    """Return what a spectrum needs of two files of AtomDB.

    Raises
    ------
    InputFileError
        If they are not files of lines and continua at the same temperatures.
    """
    from astropy.io import fits

    with fits.open(tables.lines) as lines, fits.open(tables.continua) as continua:
        try:
            temperatures = np.array(lines["PARAMETERS"].data["kT"], dtype=float)
            others = np.array(continua["PARAMETERS"].data["kT"], dtype=float)
            if len(lines) - 2 != temperatures.size or not np.array_equal(temperatures, others):
                raise InputFileError(
                    f"{tables.lines} and {tables.continua} list different temperatures.", "take both from one version."
                )
            found = [_lines(hdu) for hdu in lines[2:]]
            curves = [_curves(hdu, *names) for names in (_CONTINUUM, _PSEUDO) for hdu in continua[2:]]
        except KeyError as missing:
            raise InputFileError(
                f"{tables.root} has not the tables of AtomDB: {missing}.", "see 'xtendsrc models fetch'."
            ) from missing
    arrays = {name: np.concatenate(parts) for name, parts in zip(_LINE_ARRAYS, zip(*found, strict=True), strict=True)}
    arrays["line_count"] = np.array([part[0].size for part in found])
    for place, name in enumerate(_CURVE_ARRAYS):
        arrays[name] = np.concatenate([curve[place] for curve in curves])
    return Emissivities(temperatures, arrays)


_LINE_ARRAYS = ("line_wavelength", "line_emissivity", "line_element")
_CURVE_ARRAYS = ("curve_energy", "curve_emissivity", "curve_count")
_CONTINUUM = ("N_Cont", "E_Cont", "Continuum")
_PSEUDO = ("N_Pseudo", "E_Pseudo", "Pseudo")


def _lines(hdu: fits.BinTableHDU) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Return wavelength, emissivity and atomic number of the lines at one temperature, from high wavelengths down."""
    low, high = KEV_ANGSTROM / ENERGIES[1], KEV_ANGSTROM / ENERGIES[0]
    wavelength, element = hdu.data["Lambda"], hdu.data["Element"]
    kept = np.flatnonzero((wavelength > low) & (wavelength < high) & (element >= 1) & (element <= NUMBER))
    kept = kept[np.argsort(-wavelength[kept], kind="stable")]
    return (
        wavelength[kept].astype(np.float32),
        hdu.data["Epsilon"][kept].astype(np.float32),
        element[kept].astype(np.uint8),
    )


def _curves(
    hdu: fits.BinTableHDU, number: str, energy: str, emissivity: str
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Return the points of a continuum of every element at one temperature, and how many each has."""
    counts = np.zeros(NUMBER, dtype=np.int32)
    points: list[list[NDArray[np.float32]]] = [[np.zeros(0, np.float32)] * NUMBER for _ in range(2)]
    for row in hdu.data[hdu.data["rmJ"] == 0]:
        place, count = int(row["Z"]) - 1, int(row[number])
        if 0 <= place < NUMBER:
            counts[place] = count
            for axis, name in enumerate((energy, emissivity)):
                points[axis][place] = np.array(row[name][:count], dtype=np.float32)
    return np.concatenate(points[0]), np.concatenate(points[1]), counts


class Emissivities:
    """Lines and continua of every element at every tabulated temperature.

    Parameters
    ----------
    temperatures : array of float
        kT in keV, increasing.
    arrays : dict of array
        As `condense` makes them: lines of all temperatures one after the other, then points of curves by kind
        (continuum, pseudo-continuum), temperature and element.
    """

    def __init__(self, temperatures: NDArray[np.float64], arrays: dict[str, Any]) -> None:
        self.temperatures = temperatures
        self._arrays = arrays
        self._line_starts = np.concatenate([[0], np.cumsum(arrays["line_count"])])
        self._curve_starts = np.concatenate([[0], np.cumsum(arrays["curve_count"])])

    @classmethod
    def read(cls, path: Path) -> Emissivities:
        """Return what `write` wrote."""
        with np.load(path) as held:
            arrays = {name: held[name] for name in held.files}
        return cls(arrays.pop("temperatures"), arrays)

    def write(self, path: Path) -> None:
        """Write an ``.npz`` file in one step; a cache that cannot be written costs time, not the answer."""
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as stream:
                np.savez_compressed(stream, temperatures=self.temperatures, **self._arrays)
            part.replace(path)
        except OSError as problem:
            logger.warning("%s cannot be written: %s", path, problem)

    def bracket(self, kt: float) -> tuple[tuple[int, float], ...]:
        """Return the tabulated temperatures around one, and their weights: linear in kT, the end ones beyond them."""
        high = int(np.searchsorted(self.temperatures, kt, side="right"))
        if high == 0:
            return ((0, 1.0),)
        if high == self.temperatures.size or kt == self.temperatures[high - 1]:
            return ((high - 1, 1.0),)
        low, above = self.temperatures[high - 1 : high + 1]
        part = (kt - low) / (above - low)
        return ((high - 1, 1.0 - part), (high, part))

    def lines(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
        """Return energy in keV, emissivity in photons cm3/s and place of the element of the lines."""
        here = slice(*self._line_starts[index : index + 2])
        wavelength, emissivity, element = (self._arrays[name][here] for name in _LINE_ARRAYS)
        return (
            KEV_ANGSTROM / wavelength.astype(float),
            emissivity.astype(float),
            element.astype(np.intp) - 1,
        )

    def continuum(self, index: int, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return continuum and pseudo-continuum of each element in each bin at one temperature, in photons cm3/s."""
        result = np.zeros((NUMBER, edges.size - 1))
        for kind in range(2):
            first = (kind * self.temperatures.size + index) * NUMBER
            for element in range(NUMBER):
                here = slice(*self._curve_starts[first + element : first + element + 2])
                energy, emissivity = (self._arrays[name][here].astype(float) for name in _CURVE_ARRAYS[:2])
                if energy.size > 1:
                    result[element] += _integral(energy, emissivity, edges)
        return result


def _integral(
    energy: NDArray[np.float64], value: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the integral over each bin of straight lines between points, and nothing outside them.

    It is summed from high energies down, as a spectrum falls and digits would be lost otherwise.
    """
    pieces = 0.5 * (value[1:] + value[:-1]) * np.diff(energy)
    above = np.concatenate([np.cumsum(pieces[::-1])[::-1], [0.0]])
    inside = np.clip(edges, energy[0], energy[-1])
    # how many points are below each edge: there are fewer points than edges, so points are looked up among edges
    below = np.bincount(np.searchsorted(inside, energy, side="right"), minlength=inside.size)[: inside.size]
    right = np.clip(np.cumsum(below), 1, energy.size - 1)
    span = energy[right] - energy[right - 1]
    part = np.divide(energy[right] - inside, span, out=np.zeros_like(inside), where=span > 0)
    at = value[right] + part * (value[right - 1] - value[right])
    beyond = above[right] + 0.5 * (at + value[right]) * (energy[right] - inside)
    return beyond[:-1] - beyond[1:]
