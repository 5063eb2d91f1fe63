"""Products of kind ``arf``: effective area."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="arf",
    title="effective area",
    request="xtendsrc.products.arf.request:ARFRequest",
    product="xtendsrc.products.arf.product:ARF",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(
                maker="xtendsrc.products.arf.heasoft:make_arf",
                tasks=("xaarfgen",),
                calibration=True,
                refusal="xtendsrc.products.rmf.request:only_calibrated",
            ),
            "native": Recipe(
                maker="xtendsrc.products.arf.native:make_arf", refusal="xtendsrc.products.rmf.calibrated:missing"
            ),
        }
    ),
    drawer="xtendsrc.products.arf.view:view_arf",
    weight=300.0,
)
