"""What RMFs and ARFs have in common: model energies, and whether they are calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.products.base import Product

if TYPE_CHECKING:
    from astropy.units import Quantity


class Response(Product):
    """Base of RMF and ARF: model energies, and whether they are calibrated."""

    @property
    def energies(self) -> Quantity:
        """Edges of the model energy bins, (n, 2), keV."""
        import astropy.units as u

        content = self.content
        return np.column_stack([content["energy_lo"], content["energy_hi"]]) * u.keV

    @property
    def calibrated(self) -> bool:
        """False for a nominal response, as declared or as CALSTAT in its header says; True where nothing is said."""
        if self._request is not None:
            return getattr(self._request, "response", "calibrated") != "nominal"
        return str(self.header.get("CALSTAT", "")).strip().upper() != "NOMINAL"
