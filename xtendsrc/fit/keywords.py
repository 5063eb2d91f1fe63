"""What users write of a fit - quantities, mappings, names - turned into a statement of plain values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.fit.data import FIT_GROUPING
from xtendsrc.fit.derived import band_kev
from xtendsrc.fit.model import parse
from xtendsrc.fit.options import check_choice
from xtendsrc.fit.statement import FitStatement, Pairs
from xtendsrc.fit.ties import full_name


class FitKeywords(TypedDict, total=False):
    """Options of a fit; `statement` describes them."""

    energy: Any
    start: Mapping[str, Any] | None
    freeze: Mapping[str, Any] | Iterable[str] | str | None
    thaw: Iterable[str] | str | None
    tie: Mapping[str, str] | None
    limits: Mapping[str, tuple[float, float]] | None
    vary: Iterable[str] | str | None
    factor_bands: Any
    stat: str
    group: str | None
    engine: str
    errors: str
    background: Mapping[str, Any] | None
    abund: str
    xsect: str
    cosmology: Any


def statement(model: str, **options: Unpack[FitKeywords]) -> FitStatement:
    """Return the statement of what a user asks for; models are parsed and words checked, no data are touched.

    Parameters
    ----------
    model : str
        In XSPEC's syntax.
    energy : Quantity of two energies, optional
        The band; 0.5-10 keV for Xtend and all good channels for others by default.
    start : mapping of str to float or Quantity, optional
        Starting values; norms that are not given are set from the data. A Quantity is converted to the parameter's
        unit.
    freeze, thaw : str or iterable of str, optional
        Parameters that are held (at a value, where a mapping gives one), and those fitted though XSPEC freezes them by
        default.
    tie : mapping of str to str, optional
        Parameters that follow an expression of others.
    limits : mapping of str to (float, float), optional
        Limits in place of XSPEC's hard ones.
    vary : str or iterable of str, optional
        Parameters with a value of their own in each spectrum of a joint fit.
    factor_bands : sequence of pairs of energies, optional
        Bands, each with a factor of its own in each spectrum after the first, instead of one for all energies.
    stat : str
        ``auto``, ``cstat``, ``wstat``, ``chi2``, ``chi2-gehrels``, ``chi2-churazov`` or ``chi2-model``.
    group : str or None
        Grouping of channels, by default ``fwhm/3``; ``"file"`` takes the file's own.
    engine : str
        ``auto``, ``native``, ``xspec-library`` or ``xspec``.
    errors : str
        ``covariance`` (the default) or ``profile``.
    background : mapping of str to (str, tuple), optional
        Background models by label: ``{"nxb": "powerlaw"}``, or ``{"nxb": ("powerlaw", "diagonal", True)}`` with the
        response (diagonal, rmf, source) and whether its level in the source spectrum is free.
    abund, xsect, cosmology
        As for `xtendsrc.fit.model.parse`; a cosmology may be one of astropy's.

    Raises
    ------
    RequestError
        If something is not understood; an unknown option is named with the nearest that exists.
    ModelError
        If a model is not understood.
    """
    for name in options:
        check_option(name)
    if not isinstance(model, str):
        raise RequestError(f"{model!r} is no model.", 'give text in XSPEC\'s syntax, such as "tbabs*powerlaw".')
    start, freeze = dict(_mapping(options.get("start"))), options.get("freeze")
    if isinstance(freeze, Mapping):
        start, freeze = {**freeze, **start}, tuple(freeze)
    backgrounds = tuple(_background(label, given) for label, given in (options.get("background") or {}).items())
    words = {name: options[name] for name in ("stat", "errors", "engine", "abund", "xsect") if name in options}
    units = _units(model, backgrounds)
    made = FitStatement(
        model=str(parse(model)),
        band=None if options.get("energy") is None else _band(options["energy"]),
        group=None if options.get("group", FIT_GROUPING) in (None, "file") else options.get("group", FIT_GROUPING),
        start=_pairs(start, lambda name, value: _number(name, value, units)),
        tie=_pairs(options.get("tie"), lambda _, value: value),
        limits=_pairs(options.get("limits"), lambda name, value: _limits(name, value, units)),
        freeze=_names(freeze),
        thaw=_names(options.get("thaw")),
        vary=_names(options.get("vary")),
        factor_bands=tuple(_band(band) for band in _several(options.get("factor_bands"))),
        background=backgrounds,
        cosmology=_cosmology(options.get("cosmology", (70.0, 0.0, 0.73))),
        **words,
    )
    _ = made.options
    for one in made.models():
        if one.kind != "add":
            raise RequestError(f"The model {one} gives no photons, only factors.", "multiply it with a component.")
    return made


def check_option(name: str) -> None:
    """Refuse an option that a fit does not have, with the nearest that it has.

    Raises
    ------
    RequestError
        If there is none of that name.
    """
    known = list(FitKeywords.__annotations__)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.4)
        hint = f"did you mean {near[0]}=? " if near else ""
        raise RequestError(f"A fit has no option {name}=.", f"{hint}It has {', '.join(known)}.")


def _units(model: str, backgrounds: tuple[tuple[str, str, str, bool], ...]) -> dict[str, str]:
    """Return the unit of every parameter that the models of a fit have."""
    units = {p.name: p.unit for p in parse(model).parameters}
    for label, text, _, _ in backgrounds:
        units.update({f"{label}:{p.name}": p.unit for p in parse(text).parameters})
    return units


def _several(bands: Any) -> list[Any]:
    if bands is None:
        return []
    try:
        return list(bands)
    except TypeError as error:
        raise RequestError(f"{bands!r} are no energy bands.", "give pairs: [(0.5, 2), (2, 10)] * u.keV.") from error


def _band(energy: Any) -> tuple[float, float]:
    try:
        low, high = energy
    except (TypeError, ValueError) as error:
        raise RequestError(f"{energy!r} is not an energy band.", "give two, e.g. (0.5, 10) * u.keV.") from error
    return band_kev(low, high)


def _pairs(given: Mapping[str, Any] | None, convert: Any) -> Pairs:
    return tuple((str(name), convert(str(name), value)) for name, value in sorted(_mapping(given).items()))


def _mapping(given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise RequestError(f"{given!r} does not say which parameter has which value.", "give {name: value}.")
    return given or {}


def _number(name: str, value: Any, units: Mapping[str, str]) -> float:
    """Return a number in the unit of the parameter that it is for; names that are none are refused later, with data."""
    if hasattr(value, "to_value"):
        return _in_unit(name, value, units)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise RequestError(f"{name} cannot start at {value!r}.", "give a number.") from error


def _in_unit(name: str, value: Any, units: Mapping[str, str]) -> float:
    bare = name.split("[")[0]
    unit = units.get(full_name(bare, list(units)), "") if "." in bare or bare in _last_parts(units) else ""
    try:
        return float(value.to_value(unit))
    except (ValueError, TypeError) as error:
        raise UnitsError(
            f"{name} is in {unit or 'no unit'} and cannot be {value}.", "give a number, or a Quantity of that unit."
        ) from error


def _last_parts(names: Iterable[str]) -> set[str]:
    return {name.split(".")[-1] for name in names}


def _limits(name: str, value: Any, units: Mapping[str, str]) -> tuple[float, float]:
    try:
        low, high = value
    except (TypeError, ValueError) as error:
        raise RequestError(f"The limits of {name} are {value!r}.", "give (lowest, highest).") from error
    return _number(name, low, units), _number(name, high, units)


def _names(given: Iterable[str] | str | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(sorted(given or ()))


def _background(label: str, given: Any) -> tuple[str, str, str, bool]:
    parts = [given] if isinstance(given, str) else list(given) if isinstance(given, tuple | list) else []
    if not 1 <= len(parts) <= 3:
        raise RequestError(f"The background model {label} is {given!r}.", "give its text, or (text, response, free).")
    response = str(parts[1]) if len(parts) > 1 else "diagonal"
    check_choice("response", response, ("diagonal", "rmf", "source"))
    return str(label), str(parse(parts[0])), response, len(parts) > 2 and bool(parts[2])


def _cosmology(given: Any) -> tuple[float, ...]:
    """Return Hubble constant, deceleration parameter and dark energy, also from a cosmology of astropy."""
    if hasattr(given, "H0"):
        dark, matter = float(given.Ode0), float(given.Om0)
        return float(given.H0.value), 0.5 * matter - dark, dark
    try:
        hubble, deceleration, dark_energy = (float(number) for number in given)
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"cosmology={given!r} is none.", "give (H0, q0, dark energy), or a cosmology of astropy."
        ) from error
    return hubble, deceleration, dark_energy
