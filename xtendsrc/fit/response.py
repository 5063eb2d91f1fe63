"""A response as the fit uses it: photons in model energy bins to counts in channels."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from xtendsrc.errors import GridMismatchError, InputFileError
from xtendsrc.responses.file import read_arf, read_rmf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scipy.sparse import csr_array

logger = logging.getLogger(__name__)

GRID_TOLERANCE = 1e-3
"""Energies of an ARF and an RMF may differ by this fraction of a bin; they are 4-byte numbers in many files."""

LOWEST_ENERGY_RATIO = 1e-3
"""A first energy bin that starts at zero starts at this part of its upper edge instead: models diverge at zero."""


@dataclass(frozen=True, eq=False)
class Response:
    """Model energies, channels, the matrix between them, and the effective area.

    Attributes
    ----------
    edges : ndarray, (energies + 1,)
        Edges of the model energy bins, keV.
    matrix : csr_array, (energies, channels)
        Probability of each channel.
    channels : ndarray of int, (channels,)
        Channel numbers.
    e_min, e_max : ndarray, (channels,)
        Nominal energies of the channels, keV.
    area : ndarray, (energies,), or None
        Effective area, cm2; None for a response without one, such as that of a particle background.
    kind : str
        ``calibrated`` or ``nominal``.
    name : str
        What errors call it.
    """

    edges: np.ndarray
    matrix: csr_array
    channels: np.ndarray
    e_min: np.ndarray
    e_max: np.ndarray
    area: np.ndarray | None = None
    kind: str = "calibrated"
    name: str = "response"

    def __post_init__(self) -> None:
        energies, channels = self.matrix.shape
        if self.edges.size != energies + 1 or not self.channels.size == self.e_min.size == self.e_max.size == channels:
            raise GridMismatchError(
                f"{self.name}: a matrix of {energies} energies and {channels} channels has {self.edges.size} energy "
                f"edges and {self.channels.size} channels.",
                "give one edge more than energies, and one number a channel.",
            )
        if self.area is not None and self.area.size != energies:
            raise GridMismatchError(
                f"{self.name}: the matrix has {energies} energies and the area {self.area.size}.",
                "use an ARF made for this RMF.",
            )
        for what, values in (("energies", self.edges), ("matrix", self.matrix.data), ("area", self.area)):
            if values is not None and not np.isfinite(values).all():
                raise InputFileError(f"{self.name}: its {what} hold numbers that are not finite.", "make it again.")

    @classmethod
    def read(cls, rmf: str | Path, arf: str | Path | None = None) -> Self:
        """Read an RMF and, where there is one, its ARF.

        Raises
        ------
        GridMismatchError
            If they are on different energies.
        InputFileError
            If one of them cannot be used.
        """
        return cls.of(read_rmf(rmf), None if arf is None else read_arf(arf), Path(rmf).name)

    @classmethod
    def of(cls, rmf: Mapping[str, Any], arf: Mapping[str, Any] | None = None, name: str = "response") -> Self:
        """Return the response of what `xtendsrc.responses.file.read_rmf` and ``read_arf`` give."""
        low, high = rmf["energy_lo"], rmf["energy_hi"]
        if np.any(np.abs(low[1:] - high[:-1]) > GRID_TOLERANCE * (high - low)[1:] + 2e-7 * high[1:]):
            raise InputFileError(f"{name}: its energy bins do not touch each other.", "rebin the response.")
        edges = np.append(low, high[-1])
        edges[0] = edges[0] if edges[0] > 0 else LOWEST_ENERGY_RATIO * edges[1]
        if arf is not None:
            check_grids(rmf, arf, name)
        nominal = "NOMINAL" in {str(f["header"].get("CALSTAT", "")).strip().upper() for f in (rmf, arf) if f}
        return cls(
            edges,
            rmf["matrix"],
            rmf["channels"],
            rmf["e_min"],
            rmf["e_max"],
            None if arf is None else arf["area"],
            "nominal" if nominal else "calibrated",
            name,
        )

    def without_area(self) -> Response:
        """Return the same matrix without an area: for what reaches the detector otherwise than through the mirror."""
        return Response(
            self.edges, self.matrix, self.channels, self.e_min, self.e_max, None, self.kind, f"{self.name} without area"
        )

    def diagonal(self) -> Response:
        """Return the response that puts everything into the channel of its energy, without an area.

        A model folded through it is in counts/s for each keV of the channels: the customary form of a particle
        background.
        """
        from scipy.sparse import eye_array

        edges = np.append(self.e_min, self.e_max[-1])
        if np.any(np.diff(edges) <= 0):
            raise InputFileError(f"{self.name}: its channel energies do not rise.", "use the matrix without area.")
        edges[0] = edges[0] if edges[0] > 0 else LOWEST_ENERGY_RATIO * edges[1]
        unit = eye_array(self.channels.size, format="csr")
        return Response(edges, unit, self.channels, self.e_min, self.e_max, None, self.kind, f"{self.name}, diagonal")

    def fold(self, photons: np.ndarray) -> np.ndarray:
        """Return counts/s in each channel from photons/cm2/s in each energy bin (photons/s without an area)."""
        folded: np.ndarray = self.matrix.T @ (photons if self.area is None else photons * self.area)
        return folded

    @cached_property
    def fwhm(self) -> np.ndarray:
        """Full width at half maximum at the energy of each channel, in channels, from the matrix itself."""
        matrix, width = self.matrix, np.abs(self.e_max - self.e_min)
        peak = matrix.max(axis=1).toarray().ravel()
        above = matrix.copy()
        above.data = (matrix.data >= np.repeat(peak / 2, np.diff(matrix.indptr))).astype(float)
        middle = (self.edges[1:] + self.edges[:-1]) / 2
        return np.asarray(np.interp((self.e_min + self.e_max) / 2, middle, above @ width) / width)


def check_grids(rmf: Mapping[str, Any], arf: Mapping[str, Any], name: str, area: str = "its ARF") -> None:
    """Make sure that an ARF is on the energies of an RMF.

    Raises
    ------
    GridMismatchError
        If it has another number of bins, or edges that differ by more than a thousandth of a bin. The lower edge of
        the first bin may differ, with a warning: some makers of matrices extend it.
    """
    if rmf["energy_hi"].shape != arf["energy_hi"].shape:
        raise GridMismatchError(
            f"{name} has {rmf['energy_hi'].size} energies and {area} {arf['energy_hi'].size}.",
            "use responses made for each other.",
        )
    width = np.maximum(rmf["energy_hi"] - rmf["energy_lo"], 1e-6 * rmf["energy_hi"])
    allowed = GRID_TOLERANCE * width + 2e-7 * rmf["energy_hi"]
    upper, lower = np.abs(rmf["energy_hi"] - arf["energy_hi"]), np.abs(rmf["energy_lo"] - arf["energy_lo"])
    if (upper > allowed).any() or (lower[1:] > allowed[1:]).any():
        raise GridMismatchError(f"The energies of {name} and of {area} differ.", "use responses made together.")
    if lower[0] > allowed[0]:
        logger.warning(
            "The first energy bin starts at %g keV in %s and at %g keV in %s; the matrix's is used.",
            *(rmf["energy_lo"][0], name, arf["energy_lo"][0], area),
        )
    if str(rmf["header"].get("HDUCLAS3", "")).strip().upper() == "FULL":
        logger.warning("%s says (HDUCLAS3) that it holds the area already; %s multiplies it again.", name, area)
