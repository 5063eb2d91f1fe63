"""What plural methods return: a sequence of products that can be selected, tabulated, made and viewed together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeVar, overload

from xtendsrc.errors import RequestError
from xtendsrc.events.quantities import seconds
from xtendsrc.instrument import band_to_channels
from xtendsrc.products.kinds import kind

if TYPE_CHECKING:
    from astropy.table import Table

    from xtendsrc.generate import Report
    from xtendsrc.products.base import Product

P = TypeVar("P", bound="Product", covariant=True)


class Products(Sequence[P]):
    """A frozen sequence of products; indexing by a slice or `select` gives another one.

    Parameters
    ----------
    products : iterable of Product
        The products, in the order they are kept.
    """

    def __init__(self, products: Iterable[P]) -> None:
        self._products = tuple(products)

    @overload
    def __getitem__(self, index: int) -> P: ...
    @overload
    def __getitem__(self, index: slice) -> Products[P]: ...
    def __getitem__(self, index: int | slice) -> P | Products[P]:
        if isinstance(index, slice):
            return Products(self._products[index])
        return self._products[index]

    def __len__(self) -> int:
        return len(self._products)

    def __eq__(self, other: object) -> bool:
        """Collections are equal if they hold equal products in the same order."""
        return self._products == other._products if isinstance(other, Products) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._products)

    def __add__(self, other: Iterable[Any]) -> Products[Any]:
        return Products((*self._products, *other))

    def select(self, **wanted: Any) -> Products[P]:
        """Keep the products whose attributes, or request fields, have the values given.

        Parameters
        ----------
        **wanted
            For example ``obs_id="900001010"``, ``dataclass="300000a0"``, ``kind="image"``, ``status="failed"``,
            ``energy=(0.5, 10) * u.keV`` or ``channels=(83, 1666)``, ``bin=200 * u.s``, ``binning=4``.

        Raises
        ------
        RequestError
            If no product here has such an attribute.
        """
        if "kind" in wanted:
            kind(wanted["kind"])  # a kind that does not exist is an error, not an empty collection
        wanted = dict(_as_requested(name, value) for name, value in wanted.items())
        for name in wanted:
            if self._products and all(_field(p, name) is _ABSENT for p in self._products):
                raise RequestError(f"No product here has a field {name!r}.", "see .table for what can be selected.")
        return Products(p for p in self._products if all(_field(p, n) == v for n, v in wanted.items()))

    @property
    def table(self) -> Table:
        """Table with one row for each product: source, ObsID, data class, what it is, status and why, key."""
        from astropy.table import Table

        rows = [(p.source, p.obs_id, p.dataclass, p.kind, p.request.label, *p._status(), p.key) for p in self._products]
        names = ("source", "obs_id", "dataclass", "kind", "product", "status", "reason", "key")
        return Table(rows=rows or None, names=names, dtype=("U64",) * len(names) if not rows else None)

    def compute(self, **options: Any) -> Report:
        """Make everything missing in one batch; see `xtendsrc.compute`."""
        from xtendsrc.generate import compute

        return compute([p for p in self._products if p._request is not None], **options)  # not those read from files

    def view(self, **options: Any) -> Any:
        """Draw all products side by side and return the array of axes."""
        self.compute()
        return resolve_name("xtendsrc.view.figure:gallery")(self._products, **options)

    def __repr__(self) -> str:
        lines = [f"  {i}: {p!r}" for i, p in enumerate(self._products[:20])]
        more = [f"  ... and {len(self) - 20} more"] if len(self) > 20 else []
        return "\n".join([f"<{len(self)} products>", *lines, *more])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{i}</td><td>{escape(p.obs_id)}</td><td>{escape(p.dataclass)}</td>"
            f"<td>{escape(p.request.label)}</td><td>{escape(p.status)}</td></tr>"
            for i, p in enumerate(self._products)
        )
        head = "".join(f"<th>{name}</th>" for name in ("", "ObsID", "data class", "product", "status"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


_ABSENT = object()


_IDENTITY = ("source", "obs_id", "dataclass", "kind", "key", "engine", "status", "status_reason")


def _as_requested(name: str, value: Any) -> tuple[str, Any]:
    """Return a condition as requests have it: bands as channels, times in seconds."""
    if name == "energy":
        return "channels", band_to_channels(value)
    return name, seconds(value) if name == "bin" else value


def _field(product: Product, name: str) -> Any:
    """Return a field of a product without making it: what it is and its state first, then what was asked for."""
    request = product._request
    if name in _IDENTITY:
        return getattr(product, name)
    requests = (request, getattr(request, "source", None))  # that of a net curve's source
    selections = [getattr(r, "selection", None) for r in requests]
    for holder in (*requests, *selections, None if request else product):
        if hasattr(holder, name):
            return getattr(holder, name)
    return _ABSENT
