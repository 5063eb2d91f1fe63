"""Calibrated responses from calibration files: redistribution matrices, effective areas and traced rays.

The functions of this package take files and write files, and know nothing of sources or products; the products call
them. Names are loaded on first use.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
