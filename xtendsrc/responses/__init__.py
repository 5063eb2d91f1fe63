"""Calibrated responses from calibration files: redistribution matrices, effective areas and traced rays.

The functions of this package take files and write files, and know nothing of sources or products; the products call
them. Names are loaded on first use.
"""

from __future__ import annotations

from xtendsrc.lazy import attach

_WHERE = {
    "ARFResult": "xtendsrc.responses.effectivearea",
    "BetaShape": "xtendsrc.responses.shapes",
    "DiscShape": "xtendsrc.responses.shapes",
    "ImageShape": "xtendsrc.responses.shapes",
    "PointShape": "xtendsrc.responses.shapes",
    "RMFResult": "xtendsrc.responses.redistribution",
    "Trace": "xtendsrc.responses.tracing",
    "TelescopeFiles": "xtendsrc.responses.sourcerays",
    "arf": "xtendsrc.responses.effectivearea",
    "rmf": "xtendsrc.responses.redistribution",
    "write_rays": "xtendsrc.responses.rayfile",
    "source_rays": "xtendsrc.responses.sourcerays",
    "trace": "xtendsrc.responses.tracing",
}

__all__ = sorted(_WHERE)
__getattr__ = attach(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
