"""The parameters of a fit: those of every model, a factor for each further data set, what is frozen, tied or free."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.fit.ties import Tie, full_name, in_order, parse_tie

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xtendsrc.fit.response import Response

UNBOUNDED = 1e10
"""Limits beyond this are none: XSPEC writes 1e20 or 1e24 for them."""


class Parameter(Protocol):
    """What a fit asks of a model's parameter."""

    name: str
    unit: str
    default: float
    hard_min: float
    hard_max: float
    frozen: bool
    step: float


class SpectralModel(Protocol):
    """What a fit asks of a model; `xtendsrc.fit.model.Model` is one."""

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The parameters, in order."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Abundances, cross-sections, cosmology."""
        ...

    def evaluate(self, values: Any, edges: np.ndarray) -> np.ndarray:
        """Return photons/cm2/s in each bin of keV edges."""
        ...

    def components(self, values: Any, edges: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the same of each additive component."""
        ...


@dataclass(frozen=True)
class Term:
    """A model and the data sets that it contributes to.

    Attributes
    ----------
    model : SpectralModel
        The model.
    label : str
        Precedes the parameters' names, as in ``nxb:powerlaw.norm``; empty for the source's model.
    data : tuple of int or None
        Numbers (from 1) of the data sets; None for all.
    response : str or Response
        ``source`` (RMF and ARF of each data set), ``rmf`` (without ARF), ``diagonal`` (channel by channel, without
        ARF), or a response of its own.
    vary : tuple of str
        Parameters with a value of their own in each data set.
    factor : bool
        Whether each data set after the first has a free factor.
    factors : mapping of int to float
        Factors of data sets by number: where free ones start, and the values of those that are not free.
    bands : tuple of (float, float)
        Bands in keV with a factor each, ``factor_1``, ``factor_2`` and so on; empty for one factor at all energies.
    """

    model: SpectralModel
    label: str = ""
    data: tuple[int, ...] | None = None
    response: str | Response = "source"
    vary: tuple[str, ...] = ()
    factor: bool = True
    factors: Mapping[int, float] = field(default_factory=dict)
    bands: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.model.parameters]
        object.__setattr__(self, "vary", tuple(full_name(name, names) for name in self.vary))

    @property
    def factor_names(self) -> tuple[str, ...]:
        """What its factors are called, without the number of the data set."""
        return tuple(f"factor_{n}" for n in range(1, len(self.bands) + 1)) or ("factor",)

    def numbers(self, size: int) -> tuple[int, ...]:
        """Return the numbers of its data sets among ``size``.

        Raises
        ------
        RequestError
            If it names a data set that is not there.
        """
        numbers = tuple(range(1, size + 1)) if self.data is None else tuple(self.data)
        if not numbers or not set(numbers) <= set(range(1, size + 1)):
            which = self.label or "of the source"
            raise RequestError(f"The model {which} is for data {numbers} of {size}.", "1 is the first.")
        return numbers

    def name_of(self, parameter: str, number: int, first: int) -> str:
        """Return the name of a parameter in a data set: it has the number where it is not the first's."""
        prefix = f"{self.label}:" if self.label else ""
        own = number != first and (parameter in self.vary or parameter in self.factor_names)
        return f"{prefix}{parameter}[{number}]" if own else f"{prefix}{parameter}"


@dataclass(frozen=True)
class Slot:
    """One parameter of a fit: where it starts, its limits, whether it is frozen or its start given, and its size.

    ``scale`` is the size of the value that the fit first started from: steps of differences follow it where the value
    itself goes to zero.
    """

    name: str
    unit: str
    start: float
    low: float
    high: float
    frozen: bool = False
    step: float = 0.01
    given: bool = False
    scale: float = 0.0


@dataclass(frozen=True)
class Choices:
    """Choices of a user about the parameters.

    Attributes
    ----------
    start : mapping of str to float
        Starting values.
    freeze, thaw : tuple of str
        Parameters that are not fitted; and those fitted though the model freezes them by default.
    tie : mapping of str to str
        Parameters that follow an expression of others.
    limits : mapping of str to (float, float)
        Limits that take the place of the model's hard ones.
    """

    start: Mapping[str, float] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    thaw: tuple[str, ...] = ()
    tie: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def named(self, names: Sequence[str]) -> Choices:
        """Return the choices with full names.

        Raises
        ------
        RequestError
            If a name is no parameter.
        """
        return Choices(
            start={full_name(name, names): value for name, value in self.start.items()},
            freeze=tuple(full_name(name, names) for name in self.freeze),
            thaw=tuple(full_name(name, names) for name in self.thaw),
            tie={full_name(name, names): text for name, text in self.tie.items()},
            limits={full_name(name, names): pair for name, pair in self.limits.items()},
        )


@dataclass(frozen=True, eq=False)
class ParameterSet:
    """Every parameter of a fit, in order, and how the free ones determine all.

    Attributes
    ----------
    slots : tuple of Slot
        The parameters.
    ties : tuple of Tie
        In the order in which they can be evaluated.
    """

    slots: tuple[Slot, ...]
    ties: tuple[Tie, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(slot.name for slot in self.slots)

    @property
    def tied(self) -> dict[str, str]:
        """Expressions of the tied parameters."""
        return {tie.target: tie.expression for tie in self.ties}

    @property
    def free(self) -> np.ndarray:
        """Indices of the parameters that are fitted."""
        tied = self.tied
        return np.array([i for i, s in enumerate(self.slots) if not s.frozen and s.name not in tied], int)

    @property
    def start(self) -> np.ndarray:
        """Starting values of all."""
        return self.complete(np.array([slot.start for slot in self.slots]))

    def complete(self, values: np.ndarray) -> np.ndarray:
        """Return all values with the tied ones set from the others."""
        if not self.ties:
            return values
        by_name = dict(zip(self.names, values.tolist(), strict=True))
        for tie in self.ties:
            by_name[tie.target] = tie.value(by_name)
        return np.array([by_name[name] for name in self.names])

    def expand(self, free: np.ndarray, base: np.ndarray) -> np.ndarray:
        """Return all values from the free ones; the frozen ones are those of ``base``."""
        values = np.array(base, float)
        values[self.free] = free
        return self.complete(values)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper limits of the free parameters, infinite where there is none."""
        low, high = (np.array([getattr(self.slots[i], n) for i in self.free]) for n in ("low", "high"))
        return np.where(low <= -UNBOUNDED, -np.inf, low), np.where(high >= UNBOUNDED, np.inf, high)

    def freezing(self, values: Mapping[str, float]) -> ParameterSet:
        """Return the set with some parameters frozen at a value."""
        slots = [replace(s, start=values[s.name], frozen=True) if s.name in values else s for s in self.slots]
        return ParameterSet(tuple(slots), self.ties)

    def starting(self, values: np.ndarray) -> ParameterSet:
        """Return the set with other starting values of all parameters."""
        pairs = zip(self.slots, values.tolist(), strict=True)
        slots = tuple(replace(slot, start=v, scale=slot.scale or abs(v)) for slot, v in pairs)
        return ParameterSet(slots, self.ties)


def collect(terms: Sequence[Term], size: int, choices: Choices) -> ParameterSet:
    """Return the parameters of several models over ``size`` data sets.

    Raises
    ------
    RequestError
        For names that are no parameter, starts outside limits, limits that do not rise, circular ties.
    """
    slots = [slot for term in terms for slot in _slots_of(term, size)]
    names = [slot.name for slot in slots]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise RequestError(f"Two models have the parameter {twice}.", "give each model a label of its own.")
    choices = choices.named(names)
    ties = in_order(parse_tie(target, text, names) for target, text in choices.tie.items())
    return ParameterSet(tuple(_chosen(slot, choices) for slot in slots), tuple(ties))


def _slots_of(term: Term, size: int) -> list[Slot]:
    numbers = term.numbers(size)
    slots = []
    for number in numbers:
        for p in term.model.parameters:
            if number == numbers[0] or p.name in term.vary:
                name = term.name_of(p.name, number, numbers[0])
                slots.append(Slot(name, str(p.unit or ""), p.default, p.hard_min, p.hard_max, p.frozen, abs(p.step)))
        if number != numbers[0] and (term.factor or number in term.factors):
            for factor in term.factor_names:
                name = term.name_of(factor, number, numbers[0])
                slots.append(Slot(name, "", term.factors.get(number, 1.0), 0.0, np.inf, not term.factor))
    return slots


def _chosen(slot: Slot, choices: Choices) -> Slot:
    low, high = choices.limits.get(slot.name, (slot.low, slot.high))
    if not low < high:
        raise RequestError(f"The limits of {slot.name} are {low:g} and {high:g}.", "give a lower and a higher one.")
    given = slot.name in choices.start
    start = float(choices.start.get(slot.name, min(max(slot.start, low), high)))
    if not low <= start <= high:
        raise RequestError(
            f"{slot.name} starts at {start:g}, outside its limits {low:g} to {high:g}.",
            "start inside, or give limits={name: (low, high)}.",
        )
    frozen = (slot.frozen and slot.name not in choices.thaw) or slot.name in choices.freeze
    return replace(slot, start=start, low=float(low), high=float(high), frozen=frozen, given=given)
