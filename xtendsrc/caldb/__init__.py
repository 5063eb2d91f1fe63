"""The calibration database (CALDB): read natively, and fetched file by file where it is not installed.

`files` says which calibration files a product would use, `fetch` brings them, `check` compares what is there with what
was recorded, `require` gives their paths or says what is missing. Names are loaded on first use.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
