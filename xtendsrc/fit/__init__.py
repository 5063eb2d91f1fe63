"""Spectral fitting: models, statistics and the minimiser.

The package itself can be called: ``xtendsrc.fit(spectra, model, ...)`` declares a joint fit, as
`xtendsrc.products.fit.product.fit_spectra` does.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that is a function, too, so that ``xs.fit(...)`` and ``xs.fit.model`` both work."""

    def __call__(self, spectra: Any, model: str, **options: Any) -> Any:
        """Declare a joint fit of spectra; see `xtendsrc.products.fit.product.fit_spectra`."""
        declare = importlib.import_module("xtendsrc.products.fit.product").fit_spectra
        return declare(spectra, model, **options)


sys.modules[__name__].__class__ = _Callable
