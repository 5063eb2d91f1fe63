"""The native engine: products from NumPy, equal to HEASoft's, for machines without it and for speed.

`make` makes any number of products of any number of event lists; each list is read once and filtered once for all
products that share a selection. How a kind of product is made stands in ``products/<kind>/native.py``.
"""

from __future__ import annotations

from xtendsrc.engines.native.engine import NATIVE

__all__ = ["make"]

make = NATIVE.make
