"""Products of kind ``netcurve``: net light curve."""

from __future__ import annotations

from types import MappingProxyType

from xtendsrc.engines.protocol import Recipe
from xtendsrc.products.kinds import Kind

KIND = Kind(
    name="netcurve",
    title="net light curve",
    request="xtendsrc.products.netcurve.request:NetCurveRequest",
    product="xtendsrc.products.netcurve.product:NetCurve",
    makers=MappingProxyType(
        {
            "heasoft": Recipe(maker="xtendsrc.products.netcurve.heasoft:make_netcurve", tasks=("lcmath",)),
            "native": Recipe(maker="xtendsrc.products.netcurve.native:make_netcurve"),
        }
    ),
    drawer="xtendsrc.products.lightcurve.view:view_netcurve",
    cached_table="RATE",
    axes=("energy", "channels", "bin"),
    command="lightcurves",
)
