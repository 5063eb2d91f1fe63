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
import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from xtendsrc.errors import RequestError
from xtendsrc.events.selection import Selection, as_gti, gti_statement, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xtendsrc.events.gti import GTI
    from xtendsrc.regions import RegionSet

Frame = Literal["SKY", "DET"]
Response = Literal["calibrated", "nominal"]
FractionOf = Literal["bin", "reachable"]
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
    registered: ClassVar[dict[str, type[Request]]] = {}

    obs_id: str
    dataclass: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Request.registered[cls.kind] = cls

    @cached_property
    def key(self) -> str:
        """Thirty-two hexadecimal digits that identify the product."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """The statement as plain lists, numbers and strings."""
        body = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {"kind": self.kind, **body}

    def to_json(self) -> str:
        """Canonical JSON: sorted names, no blanks."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Request:
        """Rebuild a request from `to_dict`.

        Raises
        ------
        RequestError
            If the kind is unknown.
        """
        cls = Request.registered.get(data.get("kind", ""))
        if cls is None:
            raise RequestError(f"Products of kind {data.get('kind')!r} are unknown.", "update xtendsrc.")
        return cls(**{name: _rich(name, value) for name, value in data.items() if name != "kind"})

    def needs(self) -> dict[str, Request]:
        """The products this one is made from, by the name of the field that holds them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Request)}

    def walk(self) -> Iterator[Request]:
        """This request after everything it needs, each once."""
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
    def file_name(self) -> str:
        """The readable name of the FITS file; never parsed for meaning."""
        return f"xa{self.obs_id}xtd_{self.dataclass}_{self.label}_{self.key[:8]}.fits"


@dataclass(frozen=True, kw_only=True)
class ImageRequest(Request):
    """A counts image. ``binning`` is in SKY (or DET) pixels."""

    kind: ClassVar[str] = "image"
    selection: Selection
    binning: int = 1
    frame: Frame = "SKY"

    def __post_init__(self) -> None:
        object.__setattr__(self, "binning", whole("binning", self.binning))
        _check_grid(self.binning, self.frame)

    @property
    def label(self) -> str:
        """``image_0.50-10.00keV_sky_b4``."""
        return f"image_{self.selection.band}_{self.frame.lower()}_b{self.binning}"


@dataclass(frozen=True, kw_only=True)
class ExpMapRequest(Request):
    """An exposure map in seconds.

    ``delta`` (arcmin) and ``numphi`` are the attitude bins; None chooses them from the measured wander.
    """

    kind: ClassVar[str] = "expmap"
    roles: ClassVar[tuple[str, ...]] = ("events", "ehk", "bimg")
    optional_roles: ClassVar[tuple[str, ...]] = ("fpix",)
    gti: GTI | None = None
    delta: float | None = None
    numphi: int | None = None
    frame: Frame = "SKY"
    binning: int = 1
    mask_calibration: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "binning", whole("binning", self.binning))
        _check_grid(self.binning, self.frame)
        if self.gti is not None:
            object.__setattr__(self, "gti", as_gti(self.gti))
        if self.delta is not None and not 0 < self.delta < math.inf:
            raise RequestError(f"The attitude bin delta={self.delta} arcmin is not positive.", "give arcmin, or None.")
        if self.numphi is not None:
            object.__setattr__(self, "numphi", whole("numphi", self.numphi))
        if self.numphi is not None and self.numphi < 1:
            raise RequestError(f"numphi={self.numphi} is not a number of azimuth bins.", "give 1 or more, or None.")

    @property
    def label(self) -> str:
        """``expmap_sky_b1``."""
        return f"expmap_{self.frame.lower()}_b{self.binning}"


@dataclass(frozen=True, kw_only=True)
class LightCurveRequest(Request):
    """A light curve of one region: ``bin`` in seconds, ``start`` in mission seconds.

    ``min_fraction`` is the least exposed part of the bin, or, where ``fraction_of`` is ``"reachable"``, of the live
    time that the read-out mode could have had in the bin.
    """

    kind: ClassVar[str] = "lightcurve"
    selection: Selection
    region: RegionSet | None = None
    exclude_calibration: bool = False
    bin: float
    min_fraction: float = 0.0
    fraction_of: FractionOf = "bin"
    start: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "bin", float(self.bin))
        if not 0 < self.bin < math.inf:
            raise RequestError(f"A light-curve bin of {self.bin} s is not positive.", "give a time such as 200 * u.s.")
        if not 0 <= self.min_fraction <= 1:
            raise RequestError(f"min_fraction={self.min_fraction} is not within 0..1.", "give a fraction of a bin.")
        if self.fraction_of not in ("bin", "reachable"):
            raise RequestError(f"fraction_of={self.fraction_of!r} is unknown.", 'choose "bin" or "reachable".')
        if self.start is not None and not math.isfinite(self.start):
            raise RequestError(f"A light curve cannot start at {self.start} s.", "give mission seconds or a Time.")

    @property
    def label(self) -> str:
        """``lightcurve_0.60-10.00keV_200s``."""
        return f"lightcurve_{self.selection.band}_{self.bin:g}s"


@dataclass(frozen=True, kw_only=True)
class SpectrumRequest(Request):
    """A counts spectrum of one region, on all 4096 channels."""

    kind: ClassVar[str] = "spectrum"
    selection: Selection
    region: RegionSet | None = None
    exclude_calibration: bool = False

    def __post_init__(self) -> None:
        if self.selection.channels is not None:
            raise RequestError(
                "A spectrum takes no energy cut: its 4096 channels must match those of the response.",
                "leave energy and channels out here and notice channels when fitting.",
            )


@dataclass(frozen=True, kw_only=True)
class NetCurveRequest(Request):
    """Source minus background, scaled by area and exposure from one exposure map."""

    kind: ClassVar[str] = "netcurve"
    source: LightCurveRequest
    background: LightCurveRequest | None
    expmap: ExpMapRequest

    @property
    def label(self) -> str:
        """``net_0.60-10.00keV_200s``."""
        return f"net_{self.source.selection.band}_{self.source.bin:g}s"


@dataclass(frozen=True, kw_only=True)
class RMFRequest(Request):
    """The redistribution matrix of one spectrum."""

    kind: ClassVar[str] = "rmf"
    uses_caldb: ClassVar[bool] = True
    spectrum: SpectrumRequest
    response: Response = "calibrated"

    @property
    def label(self) -> str:
        """``rmf``, or ``rmf-NOMINAL``."""
        return "rmf-NOMINAL" if self.response == "nominal" else "rmf"


@dataclass(frozen=True, kw_only=True)
class RaytraceRequest(Request):
    """The ray-trace event file of one source position and shape, shared between ARFs.

    ``position`` is (RA, Dec) in degrees; ``shape`` holds the parameters of an extended source type: the radius in
    arcmin (FLATCIRCLE), core radius, beta and outer radius (BETAMODEL).
    """

    kind: ClassVar[str] = "raytrace"
    uses_caldb: ClassVar[bool] = True
    position: tuple[float, float]
    expmap: ExpMapRequest
    rmf: RMFRequest
    source_type: SourceType = "POINT"
    shape: tuple[float, ...] = ()
    image: str | None = None
    numphoton: int = 300_000
    erange: tuple[float, ...] = (0.3, 15.0, 0.0, 0.0)
    seed: int = 7


@dataclass(frozen=True, kw_only=True)
class ARFRequest(Request):
    """The effective area of one region for one source position and shape."""

    kind: ClassVar[str] = "arf"
    uses_caldb: ClassVar[bool] = True
    region: RegionSet
    exclude_calibration: bool = False
    raytrace: RaytraceRequest | None
    position: tuple[float, float]
    source_type: SourceType = "POINT"
    shape: tuple[float, ...] = ()
    expmap: ExpMapRequest
    rmf: RMFRequest
    response: Response = "calibrated"

    @property
    def label(self) -> str:
        """``arf``, or ``arf-NOMINAL``."""
        return "arf-NOMINAL" if self.response == "nominal" else "arf"


@dataclass(frozen=True, kw_only=True)
class SourceSpectrumRequest(Request):
    """A spectrum with exposure-weighted BACKSCAL, its background, its responses and its grouping.

    The background is a request of this kind itself, without background and responses of its own, so that both are
    scaled with one exposure map and one norm.
    """

    kind: ClassVar[str] = "sourcespectrum"
    spectrum: SpectrumRequest
    expmap: ExpMapRequest
    background: SourceSpectrumRequest | None = None
    rmf: RMFRequest | None = None
    arf: ARFRequest | None = None
    grouping: str | None = None

    @property
    def label(self) -> str:
        """``spectrum-scaled``."""
        return "spectrum-scaled"


def _check_grid(binning: int, frame: str) -> None:
    if not 1 <= binning <= 1810:
        raise RequestError(f"binning={binning!r} is not a whole number of pixels.", "give 1, 2, 4, ...")
    if frame not in ("SKY", "DET"):
        raise RequestError(f"frame={frame!r} is unknown.", 'choose "SKY" or "DET".')


def _plain(value: Any) -> Any:
    if isinstance(value, Request):
        return value.to_dict()
    if isinstance(value, Selection):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
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
