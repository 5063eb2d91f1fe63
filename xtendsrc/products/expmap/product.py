"""Exposure maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from xtendsrc.events.fitsfile import open_fits
from xtendsrc.events.fitstable import finite
from xtendsrc.products.image.product import ImageLike

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.units import Quantity


class ExpMap(ImageLike):
    """Seconds that each SKY or DET pixel was exposed, without dead time (``.data`` float32, seconds)."""

    kind: str = "expmap"
    unit: ClassVar[str] = "s"

    @property
    def exposure(self) -> Quantity:
        """Good time the map was made from, without dead time: EXPOSURE of its attitude histogram, seconds."""
        import astropy.units as u

        file = open_fits(self.path)
        header = (file.find("OFFAXISHIST") or file.hdus[0]).header
        return finite(header, "EXPOSURE", file.path, float("nan")) * u.s

    @property
    def attitude_bins(self) -> Table:
        """The attitude histogram the map was made with (the OFFAXISHIST extension)."""
        from astropy.table import Table

        return Table.read(self.path, hdu="OFFAXISHIST")
