"""Names of a package that are imported when they are first used (the idea of SPEC 1)."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def attach(package: str, where: Mapping[str, str]) -> Callable[[str], Any]:
    """Give a package's ``__getattr__``.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    where : mapping of str to str
        The module each public name is in; a name of which the module is the last part stands for the module itself.
    """

    def getattr_(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(where[name])
        value = module if where[name].rpartition(".")[2] == name else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return getattr_
