"""The kinds of products: one descriptor each, the only place besides its own folder that a kind is named in.

A kind of another package joins by an entry point of the group ``xtendsrc.kinds`` that names its `Kind`, or by
`register`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from xtendsrc.engines import engine, engines
from xtendsrc.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xtendsrc.engines.protocol import Recipe

BUILT_IN = (
    "image",
    "expmap",
    "ratemap",
    "lightcurve",
    "netcurve",
    "spectrum",
    "sourcespectrum",
    "rmf",
    "raytrace",
    "arf",
    "fit",
)
GROUP = "xtendsrc.kinds"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Descriptor of one kind of product. Import paths are ``package.module:name``.

    Parameters
    ----------
    name : str
        As it stands in requests, the registry and ``select(kind=...)``.
    title : str
        In words, for headings.
    request : str
        Import path of the request's class.
    product : str
        Import path of the product's class.
    makers : mapping of str to Recipe
        How each engine makes it, by the engine's name.
    drawer : str
        Import path of the function that draws it; empty for kinds that have no picture.
    weight : float
        Rough cost of making one, an image being 1; heavy ones are started first.
    cached_table : str
        Extension whose columns the registry keeps a copy of; empty for none.
    cached_image : bool
        Whether the registry keeps a copy of the primary image, up to a megapixel.
    axes : tuple of str
        Options of which the plural methods take several values.
    derived : bool
        Whether it is arithmetic on other products, the same whatever engine is asked for.
    command : str
        What the command line calls it; empty where it is not offered.
    """

    name: str
    title: str
    request: str
    product: str
    makers: Mapping[str, Recipe] = field(default_factory=lambda: MappingProxyType({}))
    drawer: str = ""
    weight: float = 1.0
    cached_table: str = ""
    cached_image: bool = False
    axes: tuple[str, ...] = ()
    derived: bool = False
    command: str = ""

    @property
    def request_class(self) -> Any:
        """The class of its requests."""
        return resolve_name(self.request)

    @property
    def product_class(self) -> Any:
        """The class of its products."""
        return resolve_name(self.product)


_registered: dict[str, Kind] = {}


def register(new: Kind) -> None:
    """Add a kind for this session."""
    _registered[new.name] = new


@cache
def _places() -> dict[str, str]:
    own = {name: f"xtendsrc.products.{name}:KIND" for name in BUILT_IN}
    return {**own, **{point.name: point.value for point in entry_points(group=GROUP)}}


@cache
def _installed(name: str) -> Kind:
    found: Kind = resolve_name(_places()[name])
    return found


def kind(name: str) -> Kind:
    """Return the descriptor of a kind.

    Raises
    ------
    RequestError
        If there is no such kind.
    """
    if name in _registered:
        return _registered[name]
    if name not in _places():
        meant = did_you_mean(name, names())
        raise RequestError(f"Products of kind {name!r} are unknown{meant}.", f"kinds are {', '.join(names())}.")
    return _installed(name)


def names() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return tuple(dict.fromkeys([*_places(), *_registered]))


def kinds() -> Iterator[Kind]:
    """Yield the descriptor of every kind."""
    return (kind(name) for name in names())


def recipe(name: str, by: str) -> Recipe | None:
    """Return how an engine makes a kind, as its descriptor or the engine itself says; None if it does not."""
    own = kind(name).makers.get(by)
    return own if own is not None else engine(by).recipes.get(name)


def available(name: str, by: str) -> tuple[bool, str]:
    """Return whether an engine could make products of a kind here, and if not, why.

    Parameters
    ----------
    name : str
        The kind.
    by : str
        The engine.

    Returns
    -------
    able : bool
    reason : str
        Empty if it is able.
    """
    how = recipe(name, by)
    if how is None:
        makers = ", ".join(e for e in engines() if recipe(name, e)) or "no engine"
        return False, f"the {by} engine makes no products of kind {name!r}; {makers} does"
    reason = engine(by).refusal(how)
    return not reason, reason
