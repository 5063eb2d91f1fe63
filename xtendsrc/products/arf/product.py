"""Effective areas (OGIP CAL/GEN/92-002, 92-002a)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.products.response import Response
from xtendsrc.responses.file import read_arf

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from astropy.units import Quantity


class ARF(Response):
    """An effective area against energy."""

    kind: str = "arf"

    @property
    def area_cm2(self) -> np.ndarray:
        """The area in cm2, (model energies,)."""
        area: np.ndarray = self.content["area"]
        return area

    @property
    def area(self) -> Quantity:
        """The area in each model energy bin."""
        import astropy.units as u

        return self.area_cm2 * u.cm**2

    def _load(self, path: Path) -> dict[str, Any]:
        return read_arf(path)
