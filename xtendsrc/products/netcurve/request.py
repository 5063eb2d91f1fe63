"""The statement of a light curve net of background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.products.request import Request

if TYPE_CHECKING:
    from xtendsrc.products.expmap.request import ExpMapRequest
    from xtendsrc.products.lightcurve.request import LightCurveRequest


@dataclass(frozen=True, kw_only=True)
class NetCurveRequest(Request):
    """Source minus background, scaled by area and exposure from one exposure map."""

    kind: ClassVar[str] = "netcurve"
    source: LightCurveRequest
    background: LightCurveRequest | None
    expmap: ExpMapRequest

    @property
    def label(self) -> str:
        """``net_0.60-10.00keV_200s``."""
        return f"net_{self.source.selection.band}_{self.source.bin:g}s"
