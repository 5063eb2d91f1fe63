"""What a fit found: parameters, statistic, and everything that follows from them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from xtendsrc.errors import FitError, InputFileError, RequestError
from xtendsrc.fit import bootstrap, derived, engines, profile
from xtendsrc.fit.measured import FittedParameter, Measured
from xtendsrc.fit.parameters import ParameterSet, Slot, Term
from xtendsrc.fit.record import Folded, TermRecord, from_plain, to_plain
from xtendsrc.fit.ties import full_name, in_order, parse_tie

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.table import Table

    from xtendsrc.fit.data import Dataset
    from xtendsrc.fit.parameters import SpectralModel
    from xtendsrc.fit.problem import Problem

FORMAT = 1
"""Version of the JSON form."""


@dataclass(frozen=True, eq=False)
class FitResult:
    """A fit: its parameters with errors, its statistic, and what it was made with.

    Attributes
    ----------
    terms : tuple of TermRecord
        The models; the first is the source's.
    parameters : mapping of str to FittedParameter
        Every parameter, in order.
    covariance : ndarray, (free, free)
        Covariance of the free parameters, in the order of `free_names`.
    statistic : float
        The fit statistic, summed over the data sets.
    statistic_name : str
        Its name; several are joined by ``+``.
    bins : int
        Number of bins fitted.
    engine : str
        What made the fit.
    response_kind : str
        ``calibrated``, or ``nominal`` if one of the responses is.
    converged : bool
        Whether the minimum was reached.
    message : str
        What went wrong, if something did.
    folded : tuple of Folded
        Each data set beside the model.
    start : mapping of str to float
        Where the parameters started.
    """

    terms: tuple[TermRecord, ...]
    parameters: Mapping[str, FittedParameter]
    covariance: np.ndarray
    statistic: float
    statistic_name: str
    bins: int
    engine: str
    response_kind: str
    converged: bool
    message: str = ""
    folded: tuple[Folded, ...] = ()
    start: Mapping[str, float] = field(default_factory=dict)
    _problem: Problem | None = None

    @property
    def free_names(self) -> tuple[str, ...]:
        """Names of the parameters that were fitted."""
        return tuple(name for name, p in self.parameters.items() if p.free)

    @property
    def dof(self) -> int:
        """Degrees of freedom: bins less free parameters."""
        return self.bins - len(self.free_names)

    @property
    def model(self) -> str:
        """The source's model, in XSPEC's syntax."""
        return self.terms[0].expression

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings to heed before using the numbers: no convergence, parameters at limits, nominal response."""
        said = [] if self.converged else [f"The fit did not converge: {self.message or 'reason unknown'}."]
        for parameter in self.parameters.values():
            if parameter.free and parameter.state:
                said.append(f"{parameter.name} is {parameter.state}.")
        if self.response_kind == "nominal":
            said.append("The response is nominal, not calibrated.")
        return tuple(said)

    @cached_property
    def parameter_set(self) -> ParameterSet:
        """The parameters as a fit has them, starting at their best values."""
        names = list(self.parameters)
        slots = tuple(
            Slot(p.name, p.unit, p.value, p.minimum, p.maximum, p.frozen, given=True) for p in self.parameters.values()
        )
        ties = in_order(parse_tie(p.name, p.tied, names) for p in self.parameters.values() if p.tied)
        return ParameterSet(slots, tuple(ties))

    @property
    def values(self) -> np.ndarray:
        """Best values of all parameters, in order."""
        return np.array([p.value for p in self.parameters.values()])

    @property
    def problem(self) -> Problem:
        """The data and models of the fit, to go on with.

        Raises
        ------
        FitError
            If the result was read back and its data are not attached.
        """
        if self._problem is None:
            raise FitError("This result was read back without its data.", "fit again to go on from it.")
        return self._problem

    @property
    def has_data(self) -> bool:
        """Whether the data are at hand, to go on from the result."""
        return self._problem is not None

    def attached(self, problem: Problem) -> FitResult:
        """Return the result with data and models to go on with."""
        return replace(self, _problem=problem)

    def source_model(self, term: int = 0) -> SpectralModel:
        """Return one of the models, built again from its expression and settings."""
        if self._problem is not None:
            return self._problem.terms[term].model
        from xtendsrc.fit.model import parse

        record = self.terms[term]
        model = parse(record.expression, **record.parse_arguments)
        return engines.prepared(model, "xspec-library" if engines.missing(model, "native") else "native")

    def model_values(self, values: np.ndarray, model: SpectralModel, data: int = 1, term: int = 0) -> np.ndarray:
        """Return the values of one model's parameters in one data set from those of all."""
        record = self.terms[term]
        first = (record.data or (1,))[0]
        namer = Term(model, record.label, record.data, vary=record.vary)
        place = {name: i for i, name in enumerate(self.parameters)}
        return np.array([values[place[namer.name_of(p.name, data, first)]] for p in model.parameters])

    # --- tables and files ----------------------------------------------------------------------------------------

    def table(self) -> Table:
        """Return a table with a row for each parameter: name, value, error, ends of the interval, unit, state.

        Its ``meta`` holds statistic, degrees of freedom, engine, response and warnings.
        """
        from astropy.table import Table

        rows = list(self.parameters.values())
        columns = {name: [getattr(p, name) for p in rows] for name in ("name", "value", "error", "low", "high")}
        table = Table({**columns, "unit": [p.unit for p in rows], "state": [p.state for p in rows]})
        table.meta.update(
            model=self.model,
            statistic=self.statistic,
            statistic_name=self.statistic_name,
            dof=self.dof,
            engine=self.engine,
            response_kind=self.response_kind,
            converged=self.converged,
            warnings=list(self.warnings),
        )
        return table

    def to_json(self, indent: int | None = None) -> str:
        """Return the result as JSON text, without the data; `from_json` reads it back."""
        content = {
            "format": FORMAT,
            "terms": [asdict(term) for term in self.terms],
            "parameters": [asdict(p) for p in self.parameters.values()],
            "covariance": self.covariance.tolist(),
            "folded": [f.to_lists() for f in self.folded],
            "start": dict(self.start),
        }
        plain = ("statistic", "statistic_name", "bins", "engine", "response_kind", "converged", "message")
        return json.dumps(to_plain(content | {name: getattr(self, name) for name in plain}), indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a result back.

        Raises
        ------
        InputFileError
            If the text is not the JSON form of a result.
        """
        try:
            content = from_plain(json.loads(text))
            if content.pop("format") != FORMAT:
                raise InputFileError("The fit was written by another version.", "fit again.")
            terms = tuple(TermRecord.from_plain(t) for t in content.pop("terms"))
            parameters = {p["name"]: FittedParameter(**p) for p in content.pop("parameters")}
            covariance = np.array(content.pop("covariance"), float).reshape(
                -1, sum(p.free for p in parameters.values())
            )
            folded = tuple(Folded.from_lists(f) for f in content.pop("folded"))
            return cls(terms, MappingProxyType(parameters), covariance, folded=folded, **content)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, InputFileError):
                raise
            raise InputFileError(f"This is no fit result: {error}.", "give text that to_json() made.") from error

    def __str__(self) -> str:
        lines = [f"{self.model}: {self.statistic_name} {self.statistic:.2f} for {self.dof} degrees of freedom"]
        lines[0] += f" ({self.engine}, {self.response_kind} response)"
        lines += [f"  {parameter}" for parameter in self.parameters.values()]
        return "\n".join([*lines, *(f"  Warning: {w}" for w in self.warnings)])

    # --- what follows from the parameters ------------------------------------------------------------------------

    def flux(
        self,
        low: Any,
        high: Any,
        *,
        absorbed: bool = True,
        photons: bool = False,
        data: int = 1,
        term: int = 0,
    ) -> Measured:
        """Return the flux in a band as observed; see `xtendsrc.fit.derived.flux`."""
        return derived.flux(self, low, high, absorbed=absorbed, photons=photons, data=data, term=term)

    def luminosity(
        self,
        low: Any,
        high: Any,
        *,
        redshift: float | None = None,
        distance: Any = None,
        absorbed: bool = False,
        data: int = 1,
    ) -> Measured:
        """Return the luminosity in a band of the source's frame; see `xtendsrc.fit.derived.luminosity`."""
        return derived.luminosity(self, low, high, redshift=redshift, distance=distance, absorbed=absorbed, data=data)

    def equivalent_width(self, component: str, *, data: int = 1) -> Measured:
        """Return the equivalent width of a component; see `xtendsrc.fit.derived.equivalent_width`."""
        return derived.equivalent_width(self, component, data=data)

    def interval(self, name: str, confidence: float = 0.9) -> tuple[float, float]:
        """Return the interval of one parameter, from the profile likelihood; see `xtendsrc.fit.profile.interval`."""
        problem = self.problem
        free = self.values[problem.parameters.free]
        found = profile.interval(problem, free, self.statistic, self.column(name), confidence)
        return found.low, found.high

    def goodness(self, number: int = 100, seed: int = 0) -> bootstrap.Goodness:
        """Return the parametric-bootstrap goodness; see `xtendsrc.fit.bootstrap.goodness`."""
        return bootstrap.goodness(self, number, seed)

    def simulate(self, seed: int = 0) -> list[Dataset]:
        """Return data sets drawn from the best model; see `xtendsrc.fit.bootstrap.simulate_fit`."""
        return bootstrap.simulate_fit(self, seed)

    def parameter(self, name: str) -> FittedParameter:
        """Return a parameter by its name, in any case, or without its component where that is clear."""
        return self.parameters[full_name(name, list(self.parameters))]

    def correlation(self, first: str, second: str) -> float:
        """Return the correlation coefficient of two free parameters.

        Raises
        ------
        RequestError
            If one of them was not fitted.
        """
        a, b = (self.column(name) for name in (first, second))
        c = self.covariance
        return float(c[a, b] / np.sqrt(c[a, a] * c[b, b]))

    def column(self, name: str) -> int:
        """Return the place of a fitted parameter in `covariance`.

        Raises
        ------
        RequestError
            If it was not fitted.
        """
        name = full_name(name, list(self.parameters))
        if name not in self.free_names:
            raise RequestError(f"{name} was not fitted.", f"choose one of {', '.join(self.free_names)}.")
        return self.free_names.index(name)
