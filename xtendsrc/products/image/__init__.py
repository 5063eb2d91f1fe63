"""Products of kind ``image``: counts image."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="image",
    title="counts image",
    request="xtendsrc.products.image.request:ImageRequest",
    product="xtendsrc.products.image.product:Image",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(maker="xtendsrc.products.image.heasoft:make_image", tasks=("extractor",)),
            "native": Recipe(maker="xtendsrc.products.image.native:make_image"),
        }
    ),
    drawer="xtendsrc.products.image.view:view_image",
    cached_image=True,
    axes=("energy", "channels", "binning"),
    command="images",
)
