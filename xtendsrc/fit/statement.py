"""A fit in words: everything that decides its result apart from the data, as plain, comparable values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from xtendsrc.errors import RequestError
from xtendsrc.fit import engines, native, xspec
from xtendsrc.fit.background import BackgroundModel, with_backgrounds
from xtendsrc.fit.data import FIT_GROUPING
from xtendsrc.fit.derived import band_kev
from xtendsrc.fit.model import parse
from xtendsrc.fit.options import FitOptions, check_choice
from xtendsrc.fit.parameters import Choices, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xtendsrc.fit.data import Dataset
    from xtendsrc.fit.model import Model
    from xtendsrc.fit.problem import Problem
    from xtendsrc.fit.result import FitResult

Pairs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class FitStatement:
    """A fit without its data.

    Attributes
    ----------
    model : str
        In XSPEC's syntax.
    band : (float, float) or None
        Energies in keV; None for the usual band of each spectrum.
    group : str or None
        Grouping of channels; None for the file's own.
    stat, errors, engine : str
        See `xtendsrc.fit.options.FitOptions`.
    start, tie, limits : tuple of (name, value)
        Choices for parameters.
    freeze, thaw, vary : tuple of str
        Parameters that are held, freed, or have a value of their own in each spectrum.
    background : tuple of (label, model, response, free)
        Background models.
    abund, xsect : str
        Abundances and cross sections.
    cosmology : tuple of float
        Hubble constant, deceleration, dark energy.
    """

    model: str
    band: tuple[float, float] | None = None
    group: str | None = FIT_GROUPING
    stat: str = "auto"
    errors: str = "covariance"
    engine: str = "auto"
    start: Pairs = ()
    tie: Pairs = ()
    limits: Pairs = ()
    freeze: tuple[str, ...] = ()
    thaw: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    background: tuple[tuple[str, str, str, bool], ...] = ()
    abund: str = "wilm"
    xsect: str = "vern"
    cosmology: tuple[float, ...] = (70.0, 0.0, 0.73)

    def parse(self, text: str) -> Model:
        """Return a model with the settings of the fit."""
        hubble, deceleration, dark_energy = self.cosmology
        return parse(text, abund=self.abund, xsect=self.xsect, cosmology=(hubble, deceleration, dark_energy))

    @property
    def options(self) -> FitOptions:
        """Band, grouping, statistic and parameters."""
        choices = Choices(dict(self.start), self.freeze, self.thaw, dict(self.tie), dict(self.limits))
        return FitOptions(self.band, self.group, self.stat, self.errors, choices, self.engine)

    def to_json(self) -> str:
        """Return the statement as canonical JSON text, which `from_json` reads back."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a statement back."""
        return cls(**{name: _tuples(value) for name, value in json.loads(text).items()})

    def models(self) -> list[Model]:
        """Return every model of the fit, the source's first."""
        return [self.parse(self.model), *(self.parse(text) for _, text, _, _ in self.background)]

    def run(self, datasets: Sequence[Dataset], spectra: Mapping[str, Dataset] | None = None) -> FitResult:
        """Fit data.

        Parameters
        ----------
        datasets : sequence of Dataset
            The spectra.
        spectra : mapping of str to Dataset, optional
            Spectra of single backgrounds, by the label of the model.

        Returns
        -------
        FitResult
            The fit.
        """
        engine = engines.choose(self.models(), self.engine)
        data, terms, modelled = self._assembled(datasets, spectra, engine)
        if engine == "xspec":
            return xspec.fit(data, terms, self.options, modelled)
        return native.fit(data, terms, self.options, modelled, engine)

    def problem(self, datasets: Sequence[Dataset], spectra: Mapping[str, Dataset] | None = None) -> Problem:
        """Return data, models and parameters put together, to go on from a result; nothing is fitted."""
        engine = engines.choose(self.models(), "auto" if self.engine == "xspec" else self.engine)
        data, terms, modelled = self._assembled(datasets, spectra, engine)
        return native.make_problem(data, terms, self.options, modelled)

    def plan(self, datasets: Sequence[Dataset], spectra: Mapping[str, Dataset] | None = None) -> xspec.XspecPlan:
        """Return what XSPEC would be told of the fit; parameters are those of `run`, and nothing is run."""
        data, terms, modelled = self._assembled(datasets, spectra, "xspec")
        return xspec.plan(data, terms, self.options, modelled)

    def _assembled(
        self, datasets: Sequence[Dataset], spectra: Mapping[str, Dataset] | None, engine: str
    ) -> tuple[list[Dataset], list[Term], bool]:
        """Return data sets and models, and whether models take the place of background spectra."""
        models = [engines.prepared(model, engine) for model in self.models()]
        source = Term(models[0], vary=self.vary)
        if not self.background:
            return list(datasets), [source], False
        own = spectra or {}
        backgrounds = {
            label: BackgroundModel(model, response, own.get(label), free)
            for (label, _, response, free), model in zip(self.background, models[1:], strict=True)
        }
        return *with_backgrounds(datasets, source, backgrounds), True


def statement(
    model: str,
    *,
    energy: Any = None,
    start: Mapping[str, Any] | None = None,
    freeze: Mapping[str, float] | Iterable[str] | str | None = None,
    thaw: Iterable[str] | str | None = None,
    tie: Mapping[str, str] | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
    vary: Iterable[str] | str | None = None,
    stat: str = "auto",
    group: str | None = FIT_GROUPING,
    engine: str = "auto",
    errors: str = "covariance",
    background: Mapping[str, Any] | None = None,
    abund: str = "wilm",
    xsect: str = "vern",
    cosmology: Any = (70.0, 0.0, 0.73),
) -> FitStatement:
    """Return the statement of what a user asks for; models are parsed and words checked, no data are touched.

    Parameters
    ----------
    model : str
        In XSPEC's syntax.
    energy : Quantity of two energies, optional
        The band; 0.5-10 keV for Xtend and all good channels for others by default.
    start : mapping of str to float, optional
        Starting values; norms that are not given are set from the data. A Quantity must have the parameter's unit.
    freeze, thaw : str or iterable of str, optional
        Parameters that are held (at a value, where a mapping gives one), and those fitted though XSPEC freezes them by
        default.
    tie : mapping of str to str, optional
        Parameters that follow an expression of others.
    limits : mapping of str to (float, float), optional
        Limits in place of XSPEC's hard ones.
    vary : str or iterable of str, optional
        Parameters with a value of their own in each spectrum of a joint fit.
    stat, group, engine, errors : str
        See `xtendsrc.fit.options.FitOptions`; ``group="file"`` takes the file's own grouping.
    background : mapping of str to (str, tuple), optional
        Background models by label: ``{"nxb": "powerlaw"}``, or ``{"nxb": ("powerlaw", "diagonal", True)}`` with the
        response (diagonal, rmf, source) and whether its level in the source spectrum is free.
    abund, xsect, cosmology
        As for `xtendsrc.fit.model.parse`; a cosmology may be one of astropy's.

    Raises
    ------
    RequestError
        If something is not understood.
    ModelError
        If a model is not.
    """
    if isinstance(freeze, Mapping):
        start, freeze = {**freeze, **(start or {})}, tuple(freeze)
    made = FitStatement(
        model=str(parse(model)) if isinstance(model, str) else _no_text(model),
        band=None if energy is None else _band(energy),
        group=None if group in (None, "file") else group,
        stat=stat,
        errors=errors,
        engine=engine,
        start=_pairs(start, _number),
        tie=_pairs(tie, lambda name, value: value),
        limits=_pairs(limits, _limits),
        freeze=_names(freeze),
        thaw=_names(thaw),
        vary=_names(vary),
        background=tuple(_background(label, given) for label, given in (background or {}).items()),
        abund=abund,
        xsect=xsect,
        cosmology=_cosmology(cosmology),
    )
    _ = made.options, made.models()
    return made


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _no_text(model: Any) -> str:
    raise RequestError(f"{model!r} is no model.", 'give text in XSPEC\'s syntax, such as "tbabs*powerlaw".')


def _band(energy: Any) -> tuple[float, float]:
    try:
        low, high = energy
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"{energy!r} is not an energy band.", "give two energies, e.g. (0.5, 10) * u.keV."
        ) from error
    return band_kev(low, high)


def _pairs(given: Mapping[str, Any] | None, convert: Any) -> Pairs:
    if given is not None and not isinstance(given, Mapping):
        raise RequestError(f"{given!r} does not say which parameter has which value.", "give {name: value}.")
    return tuple((str(name), convert(str(name), value)) for name, value in sorted((given or {}).items()))


def _number(name: str, value: Any) -> float:
    try:
        return float(getattr(value, "value", value))
    except (TypeError, ValueError) as error:
        raise RequestError(f"{name} cannot start at {value!r}.", "give a number.") from error


def _limits(name: str, value: Any) -> tuple[float, float]:
    try:
        low, high = value
    except (TypeError, ValueError) as error:
        raise RequestError(f"The limits of {name} are {value!r}.", "give (lowest, highest).") from error
    return _number(name, low), _number(name, high)


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
    return tuple(float(number) for number in given)
