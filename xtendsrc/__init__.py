"""Source-centred analysis of XRISM-Xtend observations.

Names are loaded on first use, so that ``import xtendsrc`` costs nothing and has no side effects.
"""

from __future__ import annotations

import importlib
from typing import Any

from xtendsrc.settings import settings as settings

__version__ = "0.1.0"

_OBJECTS = {
    "Observation": "xtendsrc.observation",
    "PointSource": "xtendsrc.source",
    "ExtendedSource": "xtendsrc.source",
    "Sample": "xtendsrc.sample",
    "Registry": "xtendsrc.registry",
    "Image": "xtendsrc.products",
    "ExpMap": "xtendsrc.products",
    "RateMap": "xtendsrc.products",
    "LightCurve": "xtendsrc.products",
    "Spectrum": "xtendsrc.products",
    "RMF": "xtendsrc.products",
    "ARF": "xtendsrc.products",
    "GTI": "xtendsrc.gti",
    "compute": "xtendsrc.generate",
    "plan": "xtendsrc.generate",
    "process": "xtendsrc.generate",
    "XtendsrcError": "xtendsrc.errors",
}
_MODULES = {
    "archive": "xtendsrc.archive",
    "errors": "xtendsrc.errors",
    "heasoft": "xtendsrc.engines.heasoft",
    "instrument": "xtendsrc.instrument",
    "regions": "xtendsrc.regions",
    "simulate": "xtendsrc.simulate",
}

__all__ = sorted([*_OBJECTS, *_MODULES, "__version__", "settings"])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = importlib.import_module(_MODULES[name])
    elif name in _OBJECTS:
        value = getattr(importlib.import_module(_OBJECTS[name]), name)
    else:
        raise AttributeError(f"module 'xtendsrc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
