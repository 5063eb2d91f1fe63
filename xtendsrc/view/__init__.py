"""What pictures share: style, axes, saving, galleries.

How a kind of product is drawn stands in ``products/<kind>/view.py``. Every drawing function draws into the axes it is
given, or into new ones, and returns them. Nothing closes or shows a figure, changes matplotlib's settings, or is
imported before something is drawn.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, submod_attrs={"figure": ["gallery", "save"]})
