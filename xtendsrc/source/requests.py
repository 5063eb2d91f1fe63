"""The requests of one data class: exactly what is asked for, nothing added, excluded or subtracted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import astropy.units as u

from xtendsrc.engines import engine_name
from xtendsrc.errors import AmbiguousProductError, RequestError
from xtendsrc.events.quantities import (
    CURVE_BAND_KEV,
    IMAGE_BAND_KEV,
    arcminutes,
    good_time,
    number,
    seconds,
    selection,
    start_second,
)
from xtendsrc.products.base import Product, Target
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.kinds import kind
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.ratemap.request import RateMapRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet
from xtendsrc.source.options import combinations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from xtendsrc.products.collection import Products
    from xtendsrc.products.request import Request
    from xtendsrc.source.dataclass import DataClass
    from xtendsrc.source.source import Source

P = TypeVar("P", bound=Product)

BIN = 200 * u.s
"""Width of the bins of light curves where none is given."""


class Statement(NamedTuple):
    """A request, and what the user should know of the choices made in stating it."""

    request: Request
    remarks: tuple[str, ...] = ()


def products(
    cls: type[P],
    dc: DataClass,
    state: Callable[..., Statement],
    options: Mapping[str, Any],
    source: Source | None = None,
) -> Iterator[P]:
    """Yield the products of one class in one data class, one for each combination of the values given.

    Parameters
    ----------
    cls : type
        Class of the products.
    dc : DataClass
        Where the events are.
    state : callable
        What states one product: ``state(dc, source, **options)``.
    options : mapping
        As given to the plural method.
    source : Source, optional
        Who asks.
    """
    engine = engine_name(options.get("engine", "auto"))
    rest = {name: value for name, value in options.items() if name != "engine"}
    for single in combinations(kind(cls.kind).axes, rest):
        request, remarks = state(dc, source, **single)
        yield cls(request, target_of(dc, source, engine, remarks))


def only(made: Products[P], options: Mapping[str, Any]) -> P:
    """Return the one product of a singular call.

    Raises
    ------
    RequestError
        If several values of an option were given.
    AmbiguousProductError
        If there are several data classes.
    """
    held = dict.fromkeys(f"{one.obs_id} {one.dataclass}" for one in made)
    if len(held) > 1:
        raise AmbiguousProductError(
            f"{made[0].source or made[0].obs_id} is held by {len(held)} data classes: {', '.join(held)}.",
            "choose one with obs_id= and dataclass=, or use the plural method.",
        )
    if len(made) != 1:
        several = ", ".join(f"{n}={v!r}" for n, v in options.items() if isinstance(v, (list, tuple, u.Quantity)))
        raise RequestError(f"{several or 'The options'} ask for {len(made)} products.", "use the plural method.")
    return made[0]


def target_of(
    dc: DataClass, source: Source | None = None, engine: str = "auto", remarks: tuple[str, ...] = ()
) -> Target:
    """Return the files and the registry of a data class as a product's target, in a source's name if one asks."""
    if source is None:
        return Target(dc.roles, dc.registry, engine=engine)
    return Target(dc.roles, dc.registry, source.name, engine, source.region, remarks)


def image_request(
    dc: DataClass,
    source: Source | None = None,
    *,
    energy: Any = None,
    channels: Any = None,
    binning: Any = 1,
    frame: str = "SKY",
    gti: Any = None,
    grades: Any = None,
) -> Statement:
    """State a counts image of the whole field."""
    request = ImageRequest(
        obs_id=dc.obs_id,
        dataclass=str(dc.code),
        selection=selection(energy, channels, gti, grades, IMAGE_BAND_KEV),
        binning=binning,
        frame=frame,  # type: ignore[arg-type]  # checked by the request
    )
    return Statement(request)


def expmap_request(
    dc: DataClass,
    source: Source | None = None,
    *,
    delta: Any = None,
    numphi: int | None = None,
    frame: str = "SKY",
    binning: Any = 1,
    mask_calibration: bool = True,
    gti: Any = None,
) -> Statement:
    """State an exposure map."""
    if hasattr(delta, "unit"):
        delta = arcminutes(delta)
    request = ExpMapRequest(
        obs_id=dc.obs_id,
        dataclass=str(dc.code),
        gti=None if gti is None else good_time(gti),
        delta=None if delta is None else number("delta", delta, "give arcmin, or None."),
        numphi=numphi,
        frame=frame,  # type: ignore[arg-type]  # checked by the request
        binning=binning,
        mask_calibration=mask_calibration,
    )
    return Statement(request)


def ratemap_request(dc: DataClass, source: Source | None = None, **options: Any) -> Statement:
    """State the image over the exposure map on its grid; options as for both."""
    of_map = {n: options[n] for n in ("binning", "frame", "gti", "delta", "numphi", "mask_calibration") if n in options}
    of_image = {n: v for n, v in options.items() if n not in ("delta", "numphi", "mask_calibration")}
    image, expmap = image_request(dc, source, **of_image).request, expmap_request(dc, source, **of_map).request
    assert isinstance(image, ImageRequest)
    assert isinstance(expmap, ExpMapRequest)
    return Statement(RateMapRequest(obs_id=image.obs_id, dataclass=image.dataclass, image=image, expmap=expmap))


def lightcurve_request(
    dc: DataClass,
    source: Source | None = None,
    *,
    region: Any = None,
    energy: Any = None,
    channels: Any = None,
    bin: Any = None,
    min_fraction: float = 0.0,
    start: Any = None,
    gti: Any = None,
    grades: Any = None,
    exclude_calibration: bool = False,
) -> Statement:
    """State the light curve of one region, or of the whole field."""
    request = LightCurveRequest(
        obs_id=dc.obs_id,
        dataclass=str(dc.code),
        selection=selection(energy, channels, gti, grades, CURVE_BAND_KEV),
        region=None if region is None else RegionSet.of(region),
        exclude_calibration=exclude_calibration,
        bin=seconds(BIN if bin is None else bin),
        min_fraction=number("min_fraction", min_fraction, "give a fraction of a bin."),
        start=start_second(start),
    )
    return Statement(request)


def spectrum_request(
    dc: DataClass,
    source: Source | None = None,
    *,
    region: Any = None,
    exclude_calibration: bool = False,
    gti: Any = None,
    grades: Any = None,
) -> Statement:
    """State the spectrum of one region, or of the whole field."""
    request = SpectrumRequest(
        obs_id=dc.obs_id,
        dataclass=str(dc.code),
        selection=selection(None, None, gti, grades),
        region=None if region is None else RegionSet.of(region),
        exclude_calibration=exclude_calibration,
    )
    return Statement(request)
