"""How each product is drawn. Every function draws into the axes it is given, or into new ones, and returns them.

Nothing here closes or shows a figure, changes matplotlib's settings, or is imported before something is drawn.
"""

from __future__ import annotations

from xtendsrc.lazy import attach

_WHERE = {
    "view_image": "xtendsrc.products.image.view",
    "view_expmap": "xtendsrc.products.image.view",
    "view_ratemap": "xtendsrc.products.image.view",
    "view_source_regions": "xtendsrc.products.image.view",
    "view_lightcurve": "xtendsrc.products.lightcurve.view",
    "view_netcurve": "xtendsrc.products.lightcurve.view",
    "view_spectrum": "xtendsrc.products.spectrum.view",
    "view_rmf": "xtendsrc.products.rmf.view",
    "view_arf": "xtendsrc.products.rmf.view",
    "gallery": "xtendsrc.view.figure",
    "save": "xtendsrc.view.figure",
}

__all__ = sorted(_WHERE)
__getattr__ = attach(__name__, _WHERE)
