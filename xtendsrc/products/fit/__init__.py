"""Products of kind ``fit``: the fit of a model to a spectrum."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="fit",
    title="fit",
    request="xtendsrc.products.fit.request:FitRequest",
    product="xtendsrc.products.fit.product:Fit",
    makers=MappingProxyType({"native": Recipe(maker="xtendsrc.products.fit.native:make_fit")}),
    drawer="xtendsrc.products.fit.view:view_fit",
    weight=3.0,
    derived=True,
)
