"""How each product is drawn. Every function draws into the axes it is given, or into new ones, and returns them.

Nothing here closes or shows a figure, changes matplotlib's settings, or is imported before something is drawn.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "view_image": "image",
    "view_expmap": "image",
    "view_ratemap": "image",
    "view_source_regions": "image",
    "view_lightcurve": "lightcurve",
    "view_netcurve": "lightcurve",
    "view_spectrum": "spectrum",
    "view_rmf": "responses",
    "view_arf": "responses",
    "gallery": "figure",
    "save": "figure",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'xtendsrc.view' has no attribute {name!r}")
    return getattr(importlib.import_module(f"xtendsrc.view.{_WHERE[name]}"), name)
