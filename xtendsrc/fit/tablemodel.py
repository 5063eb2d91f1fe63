"""Table models in OGIP's format: spectra on a grid of parameters, in a FITS file that the user names.

References
----------
OGIP memo 92-009, "The file format for XSPEC table models".
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, InputNotFoundError, ModelError
from xtendsrc.fit.catalogue import TABLE_ENGINES, TABLE_MODELS, Component, ParameterDefinition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xtendsrc.fit.components.base import Array
    from xtendsrc.fit.grid import Grid

NORM = ParameterDefinition(
    name="norm", unit="", default=1, hard_min=0, soft_min=0, soft_max=1e20, hard_max=1e24, step=0.01, frozen=False
)
REDSHIFT = ParameterDefinition(
    name="z", unit="", default=0, hard_min=-0.999, soft_min=-0.999, soft_max=10, hard_max=10, step=0.01, frozen=True
)
FUZZY = 1e-6
"""Relative difference of energies that are taken for equal."""


def component(kind: str, path: str) -> Component:
    """Return the component of a table model.

    Parameters
    ----------
    kind : {"atable", "mtable", "etable"}
        Additive, multiplicative, or the exponent of a multiplicative one: exp(-table).
    path : str
        The file; ``~`` is the home directory.

    Raises
    ------
    InputNotFoundError
        If it is not there.
    InputFileError
        If it is not a table model, or one of another kind.
    """
    file = Path(path).expanduser().resolve()
    table = load(file)
    if table.additive != (TABLE_MODELS[kind] == "add"):
        right = "atable" if table.additive else "mtable or etable"
        raise InputFileError(f"{file} is no {kind}, as its keyword ADDMODEL says.", f"write {right}{{{path}}}.")
    parameters = (*table.parameters, *((REDSHIFT,) if table.redshift else ()), *((NORM,) if table.additive else ()))
    return Component(
        name=kind, spelling=kind, kind=TABLE_MODELS[kind], parameters=parameters, engines=TABLE_ENGINES, table=str(file)
    )


def identity(path: str) -> dict[str, str]:
    """Return what tells a table model apart: its path, and the SHA-256 of its content."""
    return {"path": path, "sha256": _digest(path, Path(path).stat().st_mtime_ns)}


@lru_cache(maxsize=64)
def _digest(path: str, modified: int) -> str:  # the time is part of the key
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def evaluate(of: Component, values: Array, grid: Grid) -> Array:
    """Return a table model in each bin, an additive one with a norm of one.

    Photons are spread evenly over the bins of the table; of factors a bin gets the mean (etable: of the exponents). A
    bin that begins outside the table gets the value of LOELIMIT or HIELIMIT. All this is as in XSPEC.

    Raises
    ------
    ModelError
        If a parameter is outside the table.
    """
    table = load(Path(of.table))
    there, dilution = grid, 1.0
    if table.redshift:
        there, dilution = grid.shifted(values[-1]), 1.0 / (1.0 + values[-1])
    found = table.spectrum(values[: len(table.parameters)])
    if of.name == "atable":
        return table.photons(found, there) * dilution
    return table.factors(found, there, exponential=of.name == "etable")


@dataclass(frozen=True)
class Axis:
    """One interpolated parameter."""

    name: str
    values: Array
    logarithmic: bool

    def bracket(self, value: float) -> tuple[tuple[int, float], ...]:
        """Return the tabulated values around one, and their weights.

        Raises
        ------
        ModelError
            If it is outside them.
        """
        low, high = self.values[0], self.values[-1]
        slack = 1e-6 * (high - low)
        if not low - slack <= value <= high + slack:
            raise ModelError(
                f"{self.name} = {value:g} is outside the table, which has {low:g} to {high:g}.", "set its limits."
            )
        value = float(np.clip(value, low, high))
        place = int(np.clip(np.searchsorted(self.values, value, side="right"), 1, max(self.values.size - 1, 1)))
        if self.values.size == 1 or value == self.values[place - 1]:
            return ((place - 1, 1.0),)
        below, above, here = (
            np.log(v) if self.logarithmic else v for v in (*self.values[place - 1 : place + 1], value)
        )
        part = float((here - below) / (above - below))
        return ((place - 1, 1.0 - part), (place, part))


@dataclass(frozen=True)
class TableModel:
    """The content of a file.

    Attributes
    ----------
    additive, redshift : bool
        Whether it gives photons, and whether redshift is a parameter.
    parameters : tuple of ParameterDefinition
        Those interpolated, then those added.
    axes : tuple of Axis
        The grid of the parameters interpolated.
    edges : array, shape (m + 1,)
        Energies in keV.
    limits : tuple of float
        Value below and above these energies.
    spectra : tuple of array, shape (rows, m)
        The spectra, and one more array for each parameter added. Rows follow the grid, the last axis fastest.
    """

    additive: bool
    redshift: bool
    parameters: tuple[ParameterDefinition, ...]
    axes: tuple[Axis, ...]
    edges: Array
    limits: tuple[float, float]
    spectra: tuple[NDArray[np.floating[Any]], ...]

    @cached_property
    def _shape(self) -> tuple[int, ...]:
        return tuple(axis.values.size for axis in self.axes)

    def spectrum(self, values: Array) -> Array:
        """Return the spectrum of these parameters, interpolated between the nearest of the grid along each axis."""
        brackets = [axis.bracket(value) for axis, value in zip(self.axes, values, strict=False)]
        result = np.zeros(self.edges.size - 1)
        for corner in itertools.product(*brackets):
            row = int(np.ravel_multi_index([place for place, _ in corner], self._shape)) if corner else 0
            weight = float(np.prod([part for _, part in corner]))
            for spectra, factor in zip(self.spectra, (1.0, *values[len(self.axes) :]), strict=True):
                result += weight * factor * spectra[row]
        return result

    def photons(self, spectrum: Array, grid: Grid) -> Array:
        """Return photons of the table's bins in those of a grid."""
        total = np.concatenate([[0.0], np.cumsum(spectrum)])
        return self._limited(np.diff(np.interp(grid.edges, self.edges, total)), grid)

    def factors(self, spectrum: Array, grid: Grid, exponential: bool) -> Array:
        """Return the mean over the bins of a grid; a bin of the table weighs with the part of it that is inside."""
        bins = np.arange(self.edges.size, dtype=float)
        total = np.concatenate([[0.0], np.cumsum(spectrum)])
        parts = np.diff(np.interp(grid.edges, self.edges, bins))
        sums = np.diff(np.interp(grid.edges, self.edges, total))
        mean = np.divide(sums, parts, out=np.zeros_like(sums), where=parts > 0)
        return self._limited(np.exp(-mean) if exponential else mean, grid)

    def _limited(self, values: Array, grid: Grid) -> Array:
        """Return values with the limits in bins that begin below or above the table."""
        values = np.where(grid.low < self.edges[0] * (1 - FUZZY), self.limits[0], values)
        return np.where(grid.low >= self.edges[-1] * (1 - FUZZY), self.limits[1], values)


def load(path: Path) -> TableModel:
    """Return the content of a table model.

    Raises
    ------
    InputNotFoundError
        If the file is not there.
    InputFileError
        If it does not follow the memo.
    """
    if not path.is_file():
        raise InputNotFoundError(f"There is no table model {path}.", "check the path in the braces.")
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _load(path: Path, modified: int) -> TableModel:  # the time is part of the key
    from astropy.io import fits

    try:
        with fits.open(path) as file:
            return _read(path, file)
    except (KeyError, OSError) as problem:
        raise InputFileError(
            f"{path} is no table model of OGIP memo 92-009: {problem}.", "give a file that XSPEC's atable reads."
        ) from problem


def _read(path: Path, file: Any) -> TableModel:
    header, parameters, energies = file[0].header, file["PARAMETERS"], file["ENERGIES"].data
    if header.get("ESCALE", False) or header.get("NXFLTEXP", 1) > 1:
        raise InputFileError(f"{path} has ESCALE or several spectra a row (NXFLTEXP).", "evaluate it with XSPEC.")
    low, high = (np.array(energies[name], dtype=float) for name in ("ENERG_LO", "ENERG_HI"))
    if not np.allclose(low[1:], high[:-1], rtol=1e-5) or not (np.diff(low) > 0).all():
        raise InputFileError(f"The energies of {path} have gaps or do not increase.", "make it again.")
    number = int(parameters.header.get("NINTPARM", len(parameters.data)))
    axes = tuple(_axis(row) for row in parameters.data[:number])
    spectra = [_rows(path, file["SPECTRA"].data, "INTPSPEC", axes)]
    for place in range(number, len(parameters.data)):
        spectra.append(_rows(path, file["SPECTRA"].data, f"ADDSP{place - number + 1:03d}", axes))
    return TableModel(
        additive=bool(header["ADDMODEL"]),
        redshift=bool(header.get("REDSHIFT", False)),
        parameters=tuple(_definition(row, axes[n] if n < number else None) for n, row in enumerate(parameters.data)),
        axes=axes,
        edges=np.append(low, high[-1]),
        limits=(float(header.get("LOELIMIT", 0.0)), float(header.get("HIELIMIT", 0.0))),
        spectra=tuple(spectra),
    )


def _axis(row: Any) -> Axis:
    values = np.array(np.atleast_1d(row["VALUE"])[: int(row["NUMBVALS"])], dtype=float)
    return Axis(str(row["NAME"]).strip(), values, bool(row["METHOD"] == 1))


def _definition(row: Any, axis: Axis | None) -> ParameterDefinition:
    """Return a parameter; its hard limits are within what is tabulated."""
    low, high = float(row["MINIMUM"]), float(row["MAXIMUM"])
    if axis is not None:
        low, high = max(low, axis.values[0]), min(high, axis.values[-1])
    return ParameterDefinition(
        name=str(row["NAME"]).strip(),
        unit="",
        default=float(row["INITIAL"]),
        hard_min=low,
        soft_min=max(float(row["BOTTOM"]), low),
        soft_max=min(float(row["TOP"]), high),
        hard_max=high,
        step=abs(float(row["DELTA"])),
        frozen=float(row["DELTA"]) < 0,
    )


def _rows(path: Path, data: Any, column: str, axes: tuple[Axis, ...]) -> NDArray[np.floating[Any]]:
    """Return spectra in the order of the grid, the last axis fastest.

    Raises
    ------
    InputFileError
        If the grid is not complete.
    """
    spectra = np.array(data[column])
    if not axes:
        return np.atleast_2d(spectra)
    given = np.asarray(data["PARAMVAL"], dtype=float).reshape(len(spectra), -1)
    places = [np.abs(axis.values[:, None] - given[:, n]).argmin(axis=0) for n, axis in enumerate(axes)]
    order = np.ravel_multi_index(places, [axis.values.size for axis in axes])
    wanted = int(np.prod([axis.values.size for axis in axes]))
    if not np.array_equal(np.sort(order), np.arange(wanted)):
        raise InputFileError(
            f"{path} has {len(spectra)} spectra, and not one for each of {wanted} sets of parameters.", "make it again."
        )
    return spectra if (np.diff(order) == 1).all() else spectra[np.argsort(order)]
