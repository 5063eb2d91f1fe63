"""Requests: frozen, hashable statements of one product each.

A request holds every parameter that changes the bytes of its product, and nothing else: not the source's name, not
the engine. Its ``key`` is a hash of that statement; making one does no I/O. Requests nest: a request that needs
another product holds that product's request in a field.

What may be changed here: a new kind of product is a new subclass; a new parameter is a new field; an algorithm whose
results change gets its ``schema`` number raised, which makes earlier products stale.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from xtendsrc.errors import RequestError, did_you_mean
from xtendsrc.events.selection import Selection, gti_statement
from xtendsrc.products import kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xtendsrc.engines.protocol import Recipe

LONGEST_LINK = 68
"""Characters of a string in one FITS card."""
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_known_names: dict[type[Any], tuple[str, ...]] = {}
UNSAFE = re.compile(r"[^A-Za-z0-9+.-]+")

Frame = Literal["SKY", "DET"]
Response = Literal["calibrated", "nominal"]
FractionOf = Literal["bin", "reachable"]
Content = Literal["source", "background"]
SourceType = Literal["POINT", "FLATCIRCLE", "BETAMODEL", "IMAGE"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One product of one data class of one observation.

    Parameters
    ----------
    obs_id : str
        The nine-digit ObsID.
    dataclass : str
        The eight-character data class.
    """

    kind: ClassVar[str] = ""
    schema: ClassVar[int] = 1
    roles: ClassVar[tuple[str, ...]] = ("events",)
    optional_roles: ClassVar[tuple[str, ...]] = ()
    uses_caldb: ClassVar[bool] = False

    obs_id: str
    dataclass: str

    @cached_property
    def key(self) -> str:
        """Thirty-two hexadecimal digits that identify the product."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """The statement as plain lists, numbers and strings."""
        body = {name: _plain(getattr(self, name)) for name in _names(type(self))}
        return {"kind": self.kind, **body}

    def to_json(self) -> str:
        """Canonical JSON: sorted names, no blanks."""
        return _canonical.encode(self.to_dict())

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Request:
        """Rebuild a request from `to_dict`.

        Raises
        ------
        RequestError
            If the kind is unknown.
        """
        cls = kinds.kind(data.get("kind", "")).request_class
        made: Request = cls(**{name: _rich(name, value) for name, value in data.items() if name != "kind"})
        return made

    @property
    def calibrated(self) -> bool:
        """Whether the calibration database enters the product."""
        return self.uses_caldb

    def recipe(self, engine: str) -> Recipe | None:
        """Return how an engine makes this kind of product; None if it makes none."""
        return kinds.recipe(self.kind, engine)

    def needs(self) -> dict[str, Request]:
        """The products this one is made from, by the name of the field that holds them."""
        names = _names(type(self))
        return {name: value for name in names if isinstance(value := getattr(self, name), Request)}

    def optional_needs(self) -> frozenset[str]:
        """Return the fields of `needs` that are left out where no engine here can make them."""
        return frozenset()

    def walk(self) -> Iterator[Request]:
        """Yield everything this request may need, then itself, each once."""
        seen: set[str] = set()

        def visit(request: Request) -> Iterator[Request]:
            for need in request.needs().values():
                yield from visit(need)
            if request.key not in seen:
                seen.add(request.key)
                yield request

        yield from visit(self)

    @property
    def label(self) -> str:
        """A few words for file names and tables."""
        return self.kind

    @property
    def words(self) -> str:
        """Description of the product for a heading: ``net light curve, 0.5-10 keV, bins of 200 s``."""
        asked = (self, *self.needs().values())

        def stated(name: str) -> Any:
            return next((value for request in asked if (value := getattr(request, name, None)) is not None), None)

        selection, width, binning = stated("selection"), stated("bin"), stated("binning") or 1
        parts = [kinds.kind(self.kind).title]
        if selection is not None and selection.channels is not None:
            low, high = selection.edges_kev
            parts.append(f"{round(low, 2):g}-{round(high, 2):g} keV")
        if width is not None:
            parts.append(f"bins of {width:g} s")
        if binning > 1:
            parts.append(f"{binning} x {binning} pixels")
        return ", ".join(parts)

    @property
    def file_label(self) -> str:
        """The label in file names, where it is another than `label`."""
        return self.label

    def file_name(self, source: str = "", role: str = "") -> str:
        """Return the readable name of the FITS file; never parsed for meaning.

        Parameters
        ----------
        source : str
            Name of the source that asks; it is left out of the names of what is not of one region.
        role : str
            ``bkg`` for what belongs to a background.

        Returns
        -------
        str
            Of at most 68 characters, which a link in a FITS header can hold, as long as the label is.
        """
        end = f"_{self.file_label}_{self.key[:8]}.fits"
        start = f"xa{self.obs_id}xtd_{self.dataclass}"
        if source and any(getattr(request, "region", None) is not None for request in self.walk()):
            end = f"_{role}{end}" if role else end
            room = LONGEST_LINK - len(start) - len(end) - 1
            start = "_".join(part for part in (start, UNSAFE.sub("_", source).strip("_.-")[: max(room, 6)]) if part)
        return start + end


def check_grid(binning: int, frame: str) -> None:
    """Refuse a grid that no image can have.

    Raises
    ------
    RequestError
        If the binning is not within 1 to 1810 pixels, or the frame is neither SKY nor DET.
    """
    if not 1 <= binning <= 1810:
        raise RequestError(f"binning={binning!r} is not a whole number of pixels.", "give 1, 2, 4, ...")
    if frame not in ("SKY", "DET"):
        raise RequestError(
            f"frame={frame!r} is unknown{did_you_mean(frame, ('SKY', 'DET'))}.", 'choose "SKY" or "DET".'
        )


def _names(cls: type[Any]) -> tuple[str, ...]:
    """Return the names of a dataclass's fields; asked for every product of a batch."""
    if cls not in _known_names:
        _known_names[cls] = tuple(field.name for field in fields(cls))
    return _known_names[cls]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Request):
        return value.to_dict()
    if isinstance(value, Selection):
        return {name: _plain(getattr(value, name)) for name in _names(Selection)}
    if hasattr(value, "canonical"):
        return value.canonical()
    if hasattr(value, "digest"):
        return gti_statement(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def _rich(name: str, value: Any) -> Any:
    if name == "selection":
        return Selection(**{k: _rich(k, v) for k, v in value.items()})
    if name == "region" and value is not None:
        from xtendsrc.regions import RegionSet

        return RegionSet.from_canonical(value)
    if isinstance(value, dict) and name == "gti":
        raise RequestError(
            f"The statement holds only the digest of its {value.get('intervals')} good time intervals.",
            "read them from the GTI extension of the product.",
        )
    if isinstance(value, dict):
        return Request.from_dict(value)
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
