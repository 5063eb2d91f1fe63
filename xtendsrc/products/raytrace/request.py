"""The statement of a ray-trace event file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.products.request import Request, SourceType

if TYPE_CHECKING:
    from xtendsrc.products.expmap.request import ExpMapRequest
    from xtendsrc.products.rmf.request import RMFRequest


@dataclass(frozen=True, kw_only=True)
class RaytraceRequest(Request):
    """The ray-trace event file of one source position and shape, shared between ARFs.

    ``position`` is (RA, Dec) in degrees; ``shape`` holds the parameters of an extended source type: the radius in
    arcmin (FLATCIRCLE), core radius, beta and outer radius (BETAMODEL).
    """

    kind: ClassVar[str] = "raytrace"
    uses_caldb: ClassVar[bool] = True
    position: tuple[float, float]
    expmap: ExpMapRequest
    rmf: RMFRequest
    source_type: SourceType = "POINT"
    shape: tuple[float, ...] = ()
    image: str | None = None
    numphoton: int = 300_000
    erange: tuple[float, ...] = (0.3, 15.0, 0.0, 0.0)
    seed: int = 7
