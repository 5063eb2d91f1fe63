"""The options of products: what may be given, shown in every signature, and anything else refused by name."""

from __future__ import annotations

import functools
import inspect
from itertools import product as every_combination
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from xtendsrc.errors import RequestError, did_you_mean
from xtendsrc.events.quantities import bands, several

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from astropy.units import Quantity

M = TypeVar("M", bound="Callable[..., Any]")


class ImageOptions(TypedDict, total=False):
    """Options of images besides ``energy``; plural methods take several of it (or ``channels``) and ``binning``."""

    channels: tuple[int, int] | list[tuple[int, int]] | None
    binning: int | list[int] | tuple[int, ...]
    frame: str
    gti: Any
    grades: Any
    engine: str


class RateMapOptions(ImageOptions, total=False):
    """Options of rate maps: those of the image, and of the exposure map on its grid."""

    delta: float | Quantity | None
    numphi: int | None
    mask_calibration: bool


class ExpMapOptions(TypedDict, total=False):
    """Options of exposure maps besides ``delta``; plural methods take several of ``binning``."""

    numphi: int | None
    frame: str
    binning: int | list[int] | tuple[int, ...]
    mask_calibration: bool
    engine: str
    gti: Any


class CurveOptions(TypedDict, total=False):
    """Options of net light curves; plural methods take several of ``energy`` (or ``channels``) and ``bin``."""

    energy: Quantity | list[Any] | tuple[Any, ...] | None
    channels: tuple[int, int] | list[tuple[int, int]] | None
    bin: Quantity | list[Any] | None
    min_fraction: float
    start: Any
    gti: Any
    grades: Any
    engine: str
    background: Any


class RegionCurveOptions(TypedDict, total=False):
    """Options of light curves of a region as it is, besides ``region``."""

    energy: Quantity | list[Any] | tuple[Any, ...] | None
    channels: tuple[int, int] | list[tuple[int, int]] | None
    bin: Quantity | list[Any] | None
    min_fraction: float
    start: Any
    gti: Any
    grades: Any
    exclude_calibration: bool
    engine: str


class SpectrumOptions(TypedDict, total=False):
    """Options of source spectra."""

    background: Any
    response: str | None
    grouping: str | None
    gti: Any
    grades: Any
    engine: str


class RegionSpectrumOptions(TypedDict, total=False):
    """Options of spectra of a region as it is, besides ``region``."""

    exclude_calibration: bool
    gti: Any
    grades: Any
    engine: str


DEFAULTS: Mapping[str, Any] = {
    "binning": 1,
    "frame": "SKY",
    "engine": "auto",
    "mask_calibration": True,
    "exclude_calibration": False,
    "background": "auto",
    "response": "auto",
    "min_fraction": 0.0,
}
"""What an option is if it is not given; None for those that are not here."""


def takes(*options: type, **defaults: Any) -> Callable[[M], M]:
    """Decorate a method: its signature shows the options of typed dictionaries, and other names are refused.

    Parameters
    ----------
    *options : TypedDict
        What ``**options`` of the method may hold.
    **defaults
        Defaults that differ from `DEFAULTS`.

    Returns
    -------
    callable
        The decorator; a call with an unknown name raises `RequestError` with the nearest right one.
    """

    def decorate(method: M) -> M:
        signature = inspect.signature(method)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        shown = [_parameter(name, option, defaults) for option in options for name in option.__annotations__]
        known = {p.name for p in (*own, *shown)}

        @functools.wraps(method)
        def checked(self: Any, *args: Any, **given: Any) -> Any:
            if not known.issuperset(given):
                raise unknown_option(method.__name__, next(iter(given.keys() - known)), known - {"self"})
            return method(self, *args, **given)

        checked.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]  # read by inspect
        return checked  # type: ignore[return-value]  # the same call, checked

    return decorate


def _parameter(name: str, option: type, defaults: Mapping[str, Any]) -> inspect.Parameter:
    default = defaults.get(name, DEFAULTS.get(name))
    annotation = option.__annotations__.get(name, inspect.Parameter.empty)
    text = getattr(annotation, "__forward_arg__", annotation)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=text)


def unknown_option(method: str, name: str, known: set[str]) -> RequestError:
    """Return the error for an option that does not exist, with the nearest one that does."""
    return RequestError(
        f"{method} has no option {name!r}{did_you_mean(name, known)}.", f"it takes {', '.join(sorted(known))}."
    )


def combinations(axes: tuple[str, ...], options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the options of each single product of a plural call; bands vary slowest.

    Parameters
    ----------
    axes : tuple of str
        Options of which several values may be given.
    options : mapping
        As given.
    """
    single = {name: value for name, value in options.items() if name not in axes}
    ranges: list[list[dict[str, Any]]] = []
    if "energy" in axes:
        ranges.append(bands(options.get("energy"), options.get("channels")))
    for axis in axes:
        if axis not in ("energy", "channels") and options.get(axis) is not None:
            ranges.append([{axis: value} for value in several(options[axis])])
    for parts in every_combination(*ranges):
        yield {**single, **{name: value for part in parts for name, value in part.items()}}
