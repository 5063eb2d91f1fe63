"""Exposure maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

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
        from astropy.io import fits

        with fits.open(self.path) as hdus:
            return float(hdus["OFFAXISHIST" if "OFFAXISHIST" in hdus else 0].header["EXPOSURE"]) * u.s

    @property
    def attitude_bins(self) -> Table:
        """The attitude histogram the map was made with (the OFFAXISHIST extension)."""
        from astropy.table import Table

        return Table.read(self.path, hdu="OFFAXISHIST")
