"""Products of kind ``spectrum``: spectrum."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="spectrum",
    title="spectrum",
    request="xtendsrc.products.spectrum.request:SpectrumRequest",
    product="xtendsrc.products.spectrum.product:Spectrum",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(maker="xtendsrc.products.spectrum.heasoft:make_spectrum", tasks=("extractor",)),
            "native": Recipe(maker="xtendsrc.products.spectrum.native:make_spectrum"),
        }
    ),
    drawer="xtendsrc.products.spectrum.view:view_spectrum",
    cached_table="SPECTRUM",
)
