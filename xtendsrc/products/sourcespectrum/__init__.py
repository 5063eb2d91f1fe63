"""Products of kind ``sourcespectrum``: source spectrum."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="sourcespectrum",
    title="spectrum",
    request="xtendsrc.products.sourcespectrum.request:SourceSpectrumRequest",
    product="xtendsrc.products.spectrum.product:Spectrum",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(
                maker="xtendsrc.products.sourcespectrum.heasoft:make_sourcespectrum", tasks=("ahbackscal",)
            ),
            "native": Recipe(maker="xtendsrc.products.sourcespectrum.native:make_sourcespectrum"),
        }
    ),
    drawer="xtendsrc.products.spectrum.view:view_spectrum",
    cached_table="SPECTRUM",
    command="spectra",
)
