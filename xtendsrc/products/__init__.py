"""Products: data with units and coordinates, where they come from, and whether they are up to date."""

from __future__ import annotations

from xtendsrc.lazy import attach

_WHERE = {
    "Product": "xtendsrc.products.base",
    "Target": "xtendsrc.products.base",
    "Products": "xtendsrc.products.collection",
    "Image": "xtendsrc.products.image",
    "ExpMap": "xtendsrc.products.expmap",
    "RateMap": "xtendsrc.products.ratemap",
    "LightCurve": "xtendsrc.products.lightcurve",
    "NetCurve": "xtendsrc.products.lightcurve",
    "Spectrum": "xtendsrc.products.spectrum",
    "RMF": "xtendsrc.products.responses",
    "ARF": "xtendsrc.products.responses",
}

__all__ = sorted(_WHERE)
__getattr__ = attach(__name__, _WHERE)
