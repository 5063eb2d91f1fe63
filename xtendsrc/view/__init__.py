"""How each product is drawn. Every function draws into the axes it is given, or into new ones, and returns them.

Nothing here closes or shows a figure, changes matplotlib's settings, or is imported before something is drawn.
"""

from __future__ import annotations

from xtendsrc.lazy import attach

_WHERE = {
    "view_image": "xtendsrc.view.image",
    "view_expmap": "xtendsrc.view.image",
    "view_ratemap": "xtendsrc.view.image",
    "view_source_regions": "xtendsrc.view.image",
    "view_lightcurve": "xtendsrc.view.lightcurve",
    "view_netcurve": "xtendsrc.view.lightcurve",
    "view_spectrum": "xtendsrc.view.spectrum",
    "view_rmf": "xtendsrc.view.responses",
    "view_arf": "xtendsrc.view.responses",
    "gallery": "xtendsrc.view.figure",
    "save": "xtendsrc.view.figure",
}

__all__ = sorted(_WHERE)
__getattr__ = attach(__name__, _WHERE)
