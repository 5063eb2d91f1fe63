"""The statement of a count-rate map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.products.request import Request

if TYPE_CHECKING:
    from xtendsrc.products.expmap.request import ExpMapRequest
    from xtendsrc.products.image.request import ImageRequest


@dataclass(frozen=True, kw_only=True)
class RateMapRequest(Request):
    """Counts over live exposure: an image and the exposure map on its grid."""

    kind: ClassVar[str] = "ratemap"
    image: ImageRequest
    expmap: ExpMapRequest

    @property
    def label(self) -> str:
        """``rate_0.50-10.00keV_sky_b4``."""
        return self.image.label.replace("image", "rate", 1)
