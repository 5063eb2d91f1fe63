"""Exposure maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from xtendsrc.products.image import ImageLike

if TYPE_CHECKING:
    from astropy.table import Table


class ExpMap(ImageLike):
    """Seconds that each SKY or DET pixel was exposed, without dead time (``.data`` float32, seconds)."""

    kind: ClassVar[str] = "expmap"
    unit: ClassVar[str] = "s"

    @property
    def attitude_bins(self) -> Table:
        """The attitude histogram the map was made with (the OFFAXISHIST extension)."""
        from astropy.table import Table

        return Table.read(self.path, hdu="OFFAXISHIST")
