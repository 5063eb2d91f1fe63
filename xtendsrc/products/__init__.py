"""Products: data with units and coordinates, where they come from, and whether they are up to date."""

from __future__ import annotations

from xtendsrc.lazy import attach

_WHERE = {
    "Product": "xtendsrc.products.base",
    "Target": "xtendsrc.products.base",
    "Fit": "xtendsrc.products.fit.product",
    "Products": "xtendsrc.products.collection",
    "Image": "xtendsrc.products.image.product",
    "ExpMap": "xtendsrc.products.expmap.product",
    "RateMap": "xtendsrc.products.ratemap.product",
    "LightCurve": "xtendsrc.products.lightcurve.product",
    "NetCurve": "xtendsrc.products.lightcurve.product",
    "Spectrum": "xtendsrc.products.spectrum.product",
    "RMF": "xtendsrc.products.rmf.product",
    "ARF": "xtendsrc.products.rmf.product",
}

__all__ = sorted(_WHERE)
__getattr__ = attach(__name__, _WHERE)
