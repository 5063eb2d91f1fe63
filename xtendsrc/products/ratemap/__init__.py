"""Products of kind ``ratemap``: count-rate map."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="ratemap",
    title="count-rate map",
    request="xtendsrc.products.ratemap.request:RateMapRequest",
    product="xtendsrc.products.ratemap.product:RateMap",
    makers=MappingProxyType(
        {
            "native": Recipe(maker="xtendsrc.products.ratemap.native:make_ratemap"),
        }
    ),
    drawer="xtendsrc.products.image.view:view_ratemap",
    cached_image=True,
    axes=("energy", "channels", "binning"),
    derived=True,
    command="ratemaps",
)
