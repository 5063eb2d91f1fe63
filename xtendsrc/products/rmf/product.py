"""Redistribution matrices (OGIP CAL/GEN/92-002, 92-002a)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import GridMismatchError
from xtendsrc.fit.response import check_grids
from xtendsrc.products.response import Response
from xtendsrc.responses.file import read_rmf

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.units import Quantity
    from scipy.sparse import csr_array

    from xtendsrc.products.arf.product import ARF


class RMF(Response):
    """A redistribution matrix: the probability of each channel for each model energy."""

    kind: str = "rmf"

    @property
    def matrix(self) -> csr_array:
        """The matrix, (model energies, channels), sparse."""
        matrix: csr_array = self.content["matrix"]
        return matrix

    @property
    def channels(self) -> np.ndarray:
        """Channel numbers, as the EBOUNDS extension has them."""
        channels: np.ndarray = self.content["channels"]
        return channels

    @property
    def channel_energies(self) -> Quantity:
        """Nominal energy edges of the channels, (n, 2), keV."""
        import astropy.units as u

        content = self.content
        return np.column_stack([content["e_min"], content["e_max"]]) * u.keV

    @property
    def first_channel(self) -> int:
        """The number of the first channel: TLMIN of F_CHAN, or EBOUNDS' own where the file does not say."""
        return int(self.content["first_channel"])

    def fold(self, spectrum: Any, arf: ARF | None = None) -> np.ndarray:
        """Fold photons in each model energy bin into channels.

        Parameters
        ----------
        spectrum : array_like, (model energies,)
            Photons (per cm2 and second, if an area follows) in each bin, not per keV.
        arf : ARF, optional
            Area that multiplies the photons first, cm2.

        Returns
        -------
        ndarray, (channels,)
            Counts (per second) in each channel.

        Raises
        ------
        GridMismatchError
            If spectrum or area are on other energies than the matrix.
        """
        photons = np.asarray(spectrum, float)
        if photons.shape != (self.matrix.shape[0],):
            raise GridMismatchError(
                f"{self!r} has {self.matrix.shape[0]} model energies and the spectrum {photons.shape}.",
                "evaluate the model on rmf.energies.",
            )
        if arf is not None:
            self.check_grid(arf)
            photons = photons * arf.area_cm2
        folded: np.ndarray = self.matrix.T @ photons
        return folded

    def check_grid(self, arf: ARF) -> None:
        """Make sure that an ARF is on the energies of this matrix.

        Raises
        ------
        GridMismatchError
            If it has another number of bins, or edges that differ by more than a thousandth of a bin. The lower edge
            of the first bin may differ, with a warning: some makers of matrices extend it.
        """
        check_grids(self.content, arf.content, repr(self), repr(arf))

    def fwhm(self) -> Quantity:
        """Full width at half maximum of the response at each model energy, from the matrix itself, keV."""
        import astropy.units as u

        matrix, content = self.matrix, self.content
        width = content["e_max"] - content["e_min"]
        dense_peak = matrix.max(axis=1).toarray().ravel()
        above = matrix.copy()
        above.data = (matrix.data >= np.repeat(dense_peak / 2, np.diff(matrix.indptr))).astype(float)
        return (above @ width) * u.keV

    def _load(self, path: Path) -> dict[str, Any]:
        return read_rmf(path)
