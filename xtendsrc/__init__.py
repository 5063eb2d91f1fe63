"""Source-centred analysis of XRISM-Xtend observations.

Names are loaded on first use, so that ``import xtendsrc`` costs nothing and has no side effects.
"""

import lazy_loader as lazy

from xtendsrc.settings import settings as settings

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
__all__ += ["__version__"]
