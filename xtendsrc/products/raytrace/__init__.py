"""Products of kind ``raytrace``: ray-trace event file."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="raytrace",
    title="ray-trace event file",
    request="xtendsrc.products.raytrace.request:RaytraceRequest",
    product="xtendsrc.products.base:Product",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(
                maker="xtendsrc.products.raytrace.heasoft:make_raytrace", tasks=("xaarfgen",), calibration=True
            ),
            "native": Recipe(
                maker="xtendsrc.products.raytrace.native:make_raytrace",
                refusal="xtendsrc.products.rmf.calibrated:missing",
            ),
        }
    ),
    weight=1000.0,
)
