"""The engines that make products, in the order in which ``engine="auto"`` prefers them.

An engine of another package joins by an entry point of the group ``xtendsrc.engines`` that names an object with the
attributes of `xtendsrc.engines.protocol.Engine`, or by `register`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from xtendsrc.engines.protocol import Engine

__all__ = ["engine", "engine_name", "engines", "register"]

BUILT_IN = {"heasoft": "xtendsrc.engines.heasoft.engine:HEASOFT", "native": "xtendsrc.engines.native.engine:NATIVE"}
GROUP = "xtendsrc.engines"


def __getattr__(name: str) -> Any:
    """Import a built-in engine's package when it is asked for."""
    if name in BUILT_IN:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_registered: dict[str, Engine] = {}


def register(new: Engine) -> None:
    """Add an engine for this session; it is preferred to those before it of the same name, and comes last otherwise."""
    _registered[new.name] = new


@cache
def _installed() -> dict[str, str]:
    return {**BUILT_IN, **{point.name: point.value for point in entry_points(group=GROUP)}}


def engines() -> tuple[str, ...]:
    """Return the names of all engines, in the order of preference."""
    return tuple(dict.fromkeys([*_installed(), *_registered]))


def engine(name: str) -> Engine:
    """Return the engine of a name.

    Raises
    ------
    RequestError
        If there is none.
    """
    if name in _registered:
        return _registered[name]
    if name not in _installed():
        raise unknown(name)
    found: Engine = resolve_name(_installed()[name])
    return found


def engine_name(name: str) -> str:
    """Return the name of an engine, or ``auto``, unchanged.

    Raises
    ------
    RequestError
        If it is neither.
    """
    if name != "auto" and name not in engines():
        raise unknown(name)
    return name


def unknown(name: object) -> RequestError:
    """Return the error for an engine that does not exist, with the nearest name."""
    names = ["auto", *engines()]
    return RequestError(f"engine={name!r} is unknown{did_you_mean(name, names)}.", f"choose one of {', '.join(names)}.")
