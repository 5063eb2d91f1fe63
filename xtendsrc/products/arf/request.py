"""The statement of an effective area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.products.request import Request, Response, SourceType

if TYPE_CHECKING:
    from xtendsrc.products.expmap.request import ExpMapRequest
    from xtendsrc.products.raytrace.request import RaytraceRequest
    from xtendsrc.products.rmf.request import RMFRequest
    from xtendsrc.regions import RegionSet


@dataclass(frozen=True, kw_only=True)
class ARFRequest(Request):
    """The effective area of one region for one source position and shape."""

    kind: ClassVar[str] = "arf"
    uses_caldb: ClassVar[bool] = True
    region: RegionSet
    exclude_calibration: bool = False
    raytrace: RaytraceRequest | None
    position: tuple[float, float]
    source_type: SourceType = "POINT"
    shape: tuple[float, ...] = ()
    expmap: ExpMapRequest
    rmf: RMFRequest
    response: Response = "calibrated"

    @property
    def label(self) -> str:
        """``arf``, or ``arf-NOMINAL``."""
        return "arf-NOMINAL" if self.response == "nominal" else "arf"

    @property
    def calibrated(self) -> bool:
        """Whether the calibration database enters it: not for a nominal response."""
        return self.response == "calibrated"
