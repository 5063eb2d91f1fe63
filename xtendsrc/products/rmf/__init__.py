"""Products of kind ``rmf``: redistribution matrix."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="rmf",
    title="redistribution matrix",
    request="xtendsrc.products.rmf.request:RMFRequest",
    product="xtendsrc.products.rmf.product:RMF",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(
                maker="xtendsrc.products.rmf.heasoft:make_rmf",
                tasks=("xtdrmf",),
                calibration=True,
                refusal="xtendsrc.products.rmf.request:only_calibrated",
            ),
            "native": Recipe(
                maker="xtendsrc.products.rmf.native:make_rmf", refusal="xtendsrc.products.rmf.calibrated:missing"
            ),
        }
    ),
    drawer="xtendsrc.products.rmf.view:view_rmf",
    weight=10.0,
)
