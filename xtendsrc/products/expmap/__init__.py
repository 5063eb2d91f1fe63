"""Products of kind ``expmap``: exposure map."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="expmap",
    title="exposure map",
    request="xtendsrc.products.expmap.request:ExpMapRequest",
    product="xtendsrc.products.expmap.product:ExpMap",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(
                maker="xtendsrc.products.expmap.heasoft:make_expmap", tasks=("xaexpmap",), calibration=True
            ),
            "native": Recipe(maker="xtendsrc.products.expmap.native:make_expmap"),
        }
    ),
    drawer="xtendsrc.products.image.view:view_expmap",
    weight=30.0,
    cached_image=True,
    axes=("binning",),
    command="expmaps",
)
