"""Products: data with units and coordinates, where they come from, and whether they are up to date."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
