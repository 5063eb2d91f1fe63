"""A stand-in for PyXspec: the part of its interface that fits use, on xtendsrc's own models and minimiser.

A child interpreter that finds this folder on its path gets it by ``import xspec``. It reads the files of a fit as XSPEC
does - GROUPING, QUALITY, BACKFILE, RESPFILE, ANCRFILE - numbers parameters as XSPEC does, and follows links. The
variable XSPEC_STANDIN makes it fail as the real one fails: ``crash``, ``hang``, ``chatty``, ``error``, ``silent``.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from dataclasses import replace
from typing import Any, Self

import numpy as np

from xtendsrc.fit.data import Dataset, read_dataset
from xtendsrc.fit.minimise import Minimum, minimise, renormalised
from xtendsrc.fit.model import Model as Parsed
from xtendsrc.fit.model import parse
from xtendsrc.fit.parameters import Choices, Term, collect
from xtendsrc.fit.problem import Problem
from xtendsrc.fit.profile import profile
from xtendsrc.fit.response import Response

FAULT = os.environ.get("XSPEC_STANDIN", "")


class _Parameter:
    """One parameter; later data groups follow the first until they are untied."""

    def __init__(self, definition: Any, master: _Parameter | None) -> None:
        self.unit = definition.unit
        self._values = [definition.default, definition.step, *[definition.hard_min] * 2, *[definition.hard_max] * 2]
        self.frozen = definition.frozen
        self.link = ""
        self.master = master
        self.sigma = -1.0
        self.error = (0.0, 0.0, "FFFFFFFFF")

    def untie(self) -> None:
        """Follow nothing any more."""
        self.master, self.link = None, ""

    @property
    def values(self) -> list[float]:
        """Value, step and limits."""
        return self.master.values if self.master else self._values

    @values.setter
    def values(self, given: Any) -> None:
        new = [float(v) for v in (given if isinstance(given, list | tuple) else [given])]
        self._values = new + self._values[len(new) :]


class _Group:
    """A model in one data group."""

    def __init__(self, parameters: list[_Parameter]) -> None:
        self.parameters = parameters

    def __call__(self, index: int) -> _Parameter:
        return self.parameters[index - 1]

    def folded(self, number: int) -> list[float]:
        """Counts/s of each bin of a spectrum."""
        return list(Fit.expected[number - 1] / AllData.sets[number - 1].source.exposure)


class _Models:
    """Every model, by name."""

    def __init__(self) -> None:
        self.parsed: dict[str, tuple[Parsed, int]] = {}
        self.groups: dict[str, list[_Group]] = {}

    def __iadd__(self, given: tuple[str, str, int]) -> Self:
        self.add(*given)
        return self

    def add(self, expression: str, name: str = "", source: int = 1) -> None:
        """Define a model in every data group."""
        try:
            parsed = parse(expression, abund=Xset.abund, xsect=Xset.xsect)
        except Exception as error:
            sys.stderr.write(f"***Error: {error}\n")
            raise Exception(f"Error: cannot define the model {expression}") from error
        first = [_Parameter(p, None) for p in parsed.parameters]
        later = [[_Parameter(p, m) for p, m in zip(parsed.parameters, first, strict=True)] for _ in AllData.sets[1:]]
        self.parsed[name] = parsed, source
        self.groups[name] = [_Group(parameters) for parameters in (first, *later)]

    def __call__(self, group: int, name: str = "") -> _Group:
        return self.groups[name][group - 1]

    def flat(self) -> dict[str, _Parameter]:
        """Parameters by the names that expressions know them by: ``p3``, ``nxb:p3``."""
        found = {}
        for name, groups in self.groups.items():
            several = [p for group in groups for p in group.parameters]
            found.update({f"{name}:p{n}" if name else f"p{n}": p for n, p in enumerate(several, 1)})
        return found


class _Data:
    """Every spectrum, each a data group."""

    def __init__(self) -> None:
        self.sets: list[Dataset] = []
        self.further: list[dict[int, str]] = []

    @property
    def nSpectra(self) -> int:  # noqa: N802  - PyXspec's name
        """How many there are."""
        return len(self.sets)

    def __call__(self, what: int | str) -> Any:
        if isinstance(what, str):
            for word in what.split()[1::2]:
                if not os.path.exists(word):  # noqa: PTH110  - a stand-in for C++
                    sys.stderr.write(f"***Error: cannot read {word}\n")
                    raise Exception(f"Error: cannot read {word}")
                self.sets.append(read_dataset(word))
                self.further.append({})
            return None
        return _Spectrum(self.further[what - 1])

    def ignore(self, what: str) -> None:
        """Nothing: bad channels are left out anyhow."""


class _Spectrum:
    def __init__(self, further: dict[int, str]) -> None:
        self.multiresponse = further


class _Fit:
    """The minimiser."""

    def __init__(self) -> None:
        self.query, self.nIterations, self.statMethod, self.weight = "yes", 10, "chi", "standard"
        self.statistic = 0.0
        self.covariance: tuple[float, ...] = ()
        self.expected: list[np.ndarray] = []
        self._problem: Problem | None = None
        self._minimum: Minimum | None = None
        self._free: list[str] = []

    def renorm(self) -> None:
        """Set norms from the data."""
        problem = self._make()
        for name, value in zip(problem.parameters.names, renormalised(problem), strict=True):
            self._parameter(name)._values[0] = float(value)

    def perform(self) -> None:
        """Minimise."""
        _misbehave()
        problem = self._make()
        minimum = minimise(problem)
        values = problem.values(minimum.free)
        for name, value in zip(problem.parameters.names, values, strict=True):
            self._parameter(name)._values[0] = float(value)
        self._free = [problem.parameters.names[i] for i in problem.parameters.free]
        for name, error in zip(self._free, minimum.errors, strict=True):
            self._parameter(name).sigma = float(error) if np.isfinite(error) else -1.0
        lower = minimum.covariance[np.tril_indices(len(self._free))]
        self.covariance = tuple(float(v) for v in np.nan_to_num(lower))
        self.statistic, self.expected = minimum.statistic, problem.expected(values)
        self._problem, self._minimum = problem, minimum

    def error(self, text: str) -> None:
        """Find the interval of one parameter: ``1.0 3`` or ``1.0 nxb:3``."""
        assert self._problem is not None
        assert self._minimum is not None
        rise, number = text.split()
        name = re.sub(r"(\d+)$", r"p\1", number)
        for own in self._free:
            if AllModels.flat()[name] is self._parameter(own):
                found = profile(self._problem, self._minimum, self._free.index(own), float(rise))
                self._parameter(own).error = (found.low, found.high, "FFFFFFFFF")

    def _parameter(self, name: str) -> _Parameter:
        return self._names[name]

    def _make(self) -> Problem:
        """Put data and models together, with every parameter of every data group one of its own."""
        terms: list[Term] = []
        choices: dict[str, float] = {}
        flat = AllModels.flat()
        self._names: dict[str, _Parameter] = {}
        freeze: list[str] = []
        thaw: list[str] = []
        tie: dict[str, str] = {}
        limits: dict[str, tuple[float, float]] = {}
        size = len(AllData.sets)
        for label, (parsed, source) in AllModels.parsed.items():
            term = Term(parsed, label, None, self._response(source), tuple(parsed.names), False)
            terms.append(term)
            for group, held in enumerate(AllModels.groups[label], 1):
                for definition, parameter in zip(parsed.parameters, held.parameters, strict=True):
                    name = term.name_of(definition.name, group, 1)
                    self._names[name] = parameter
        names_of = {id(p): n for n, p in self._names.items()}
        for name, parameter in self._names.items():
            value, _, low, _, _, high = parameter.values
            choices[name], limits[name] = value, (low, high)
            if parameter.master is not None:
                tie[name] = names_of[id(parameter.master)]
            elif parameter.link:
                text = re.sub(r"(?:\w+:)?p\d+", lambda m: names_of[id(flat[m.group()])], parameter.link)
                tie[name] = text.replace("^", "**")
            else:
                (freeze if parameter.frozen else thaw).append(name)
        given = Choices(choices, tuple(freeze), tuple(thaw), tie, limits)
        selections = [d.select(None, None) for d in AllData.sets]
        parameters = collect(terms, size, given)
        slots = tuple(replace(slot, given=False) for slot in parameters.slots)
        return Problem(selections, terms, replace(parameters, slots=slots), [self._statistic(d) for d in AllData.sets])

    def _response(self, source: int) -> str | Response:
        if source == 1:
            return "source"
        return Response.read(AllData.further[0][source - 1])

    def _statistic(self, data: Dataset) -> str:
        if self.statMethod == "cstat":
            return "cstat" if data.background is None else "wstat"
        return "chi2" if self.weight == "standard" else f"chi2-{self.weight}"


class _Xset:
    def __init__(self) -> None:
        self.abund, self.xsect, self.cosmo, self.allowPrompting = "angr", "vern", "", True
        self.version = ("stand-in", "0")


def _misbehave() -> None:
    """Do what is asked of a test: fail as XSPEC does."""
    if FAULT == "crash":
        sys.stdout.write("terminate called after throwing an instance of 'YellowAlert'\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
    if FAULT == "hang":
        time.sleep(600)
    if FAULT == "chatty":
        sys.stdout.writelines(f"tbabs Version {n}: Cosmic absorption with grains and H2\n" for n in range(100_000))
    if FAULT == "error":
        sys.stdout.write("***Error: No variable parameters for fit\n")
        raise Exception("Error: No variable parameters for fit")
    if FAULT == "silent":
        sys.exit(0)


def Model(expression: str) -> None:  # noqa: N802  - PyXspec's name
    """Define the model of the source."""
    AllModels.add(expression)


AllData, AllModels, Fit, Xset = _Data(), _Models(), _Fit(), _Xset()
