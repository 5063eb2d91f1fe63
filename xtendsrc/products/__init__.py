"""Products: data with units and coordinates, where they come from, and whether they are up to date."""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "Product": "base",
    "Target": "base",
    "Products": "collection",
    "Image": "image",
    "ExpMap": "expmap",
    "RateMap": "ratemap",
    "LightCurve": "lightcurve",
    "NetCurve": "lightcurve",
    "Spectrum": "spectrum",
    "RMF": "responses",
    "ARF": "responses",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'xtendsrc.products' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"xtendsrc.products.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
