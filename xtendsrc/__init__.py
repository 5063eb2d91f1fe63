"""Source-centred analysis of XRISM-Xtend observations.

Names are loaded on first use, so that ``import xtendsrc`` costs nothing and has no side effects.
"""

from __future__ import annotations

from xtendsrc.lazy import attach
from xtendsrc.settings import settings as settings

__version__ = "0.1.0"

_WHERE = {
    "Observation": "xtendsrc.source.observation",
    "PointSource": "xtendsrc.source.source",
    "ExtendedSource": "xtendsrc.source.source",
    "Sample": "xtendsrc.source.sample",
    "Registry": "xtendsrc.registry",
    "Image": "xtendsrc.products",
    "ExpMap": "xtendsrc.products",
    "RateMap": "xtendsrc.products",
    "LightCurve": "xtendsrc.products",
    "Spectrum": "xtendsrc.products",
    "RMF": "xtendsrc.products",
    "ARF": "xtendsrc.products",
    "GTI": "xtendsrc.events.gti",
    "Fit": "xtendsrc.products",
    "combine_spectra": "xtendsrc.products.spectrum.combine",
    "compute": "xtendsrc.generate",
    "fit": "xtendsrc.fit",
    "plan": "xtendsrc.generate",
    "process": "xtendsrc.generate",
    "XtendsrcError": "xtendsrc.errors",
    "archive": "xtendsrc.archive",
    "caldb": "xtendsrc.caldb",
    "errors": "xtendsrc.errors",
    "heasoft": "xtendsrc.engines.heasoft",
    "instrument": "xtendsrc.instrument",
    "regions": "xtendsrc.regions",
    "simulate": "xtendsrc.simulate",
}

__all__ = sorted([*_WHERE, "__version__", "settings"])
__getattr__ = attach(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
