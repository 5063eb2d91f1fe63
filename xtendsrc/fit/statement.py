"""A fit in words: everything that decides its result apart from the data, as plain, comparable values."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from xtendsrc.fit import engines, native, xspec
from xtendsrc.fit.background import BackgroundModel, with_backgrounds
from xtendsrc.fit.data import FIT_GROUPING
from xtendsrc.fit.model import parse
from xtendsrc.fit.options import FitOptions
from xtendsrc.fit.parameters import Choices, Term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    factor_bands : tuple of (float, float)
        Bands in keV that have factors of their own in each spectrum after the first; empty for one at all energies.
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
    factor_bands: tuple[tuple[float, float], ...] = ()
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
        source = Term(models[0], vary=self.vary, bands=self.factor_bands)
        if not self.background:
            return list(datasets), [source], False
        own = spectra or {}
        backgrounds = {
            label: BackgroundModel(model, response, own.get(label), free)
            for (label, _, response, free), model in zip(self.background, models[1:], strict=True)
        }
        return *with_backgrounds(datasets, source, backgrounds), True


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
