"""Products of kind ``lightcurve``: light curve."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="lightcurve",
    title="light curve",
    request="xtendsrc.products.lightcurve.request:LightCurveRequest",
    product="xtendsrc.products.lightcurve.product:LightCurve",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(maker="xtendsrc.products.lightcurve.heasoft:make_lightcurve", tasks=("extractor",)),
            "native": Recipe(maker="xtendsrc.products.lightcurve.native:make_lightcurve"),
        }
    ),
    drawer="xtendsrc.products.lightcurve.view:view_lightcurve",
    cached_table="RATE",
    axes=("energy", "channels", "bin"),
)
