"""A fit as XSPEC understands it: files, models, numbered parameters.

Every spectrum is a data group of its own. A model beside the source's is a further source with its own responses. With
several spectra each model is multiplied by a constant: one for the first spectrum it is in, the factor for others, zero
where it does not apply. The files are written with GROUPING and QUALITY of the bins that are fitted, so that XSPEC has
the same bins as the native engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.fit.ogipfile import write_area, write_matrix, write_spectrum
from xtendsrc.fit.problem import response_of
from xtendsrc.fit.ties import NAME, full_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xtendsrc.fit.data import Counts, Selection
    from xtendsrc.fit.options import FitOptions
    from xtendsrc.fit.parameters import ParameterSet, Term

BAD = 5
"""QUALITY of channels that are not fitted."""
WEIGHTS = {"chi2": "standard", "chi2-gehrels": "gehrels", "chi2-churazov": "churazov", "chi2-model": "model"}
NO_LIMIT = 1e24
CARDS = {"TELESCOP": "NONE", "INSTRUME": "NONE", "FILTER": "NONE"}


@dataclass(frozen=True)
class Place:
    """Where a parameter of the fit is in XSPEC.

    Attributes
    ----------
    name : str
        Its name in the fit; empty for constants that only scale.
    label : str
        The model's name in XSPEC; empty for the source's.
    group : int
        Data group.
    index : int
        Number within the model and data group, from 1.
    number : int
        Number within the model over all data groups.
    value, step, low, high : float
        Where it starts, its step, and its limits.
    frozen : bool
        Whether it is held.
    link : str
        The expression that it follows, in XSPEC's syntax.
    """

    name: str
    label: str
    group: int
    index: int
    number: int
    value: float
    step: float
    low: float
    high: float
    frozen: bool
    link: str = ""

    @property
    def reference(self) -> str:
        """Name by which expressions refer to it."""
        return f"{self.label}:p{self.number}" if self.label else f"p{self.number}"

    @property
    def spoken(self) -> str:
        """Name by which commands refer to it."""
        return f"{self.label}:{self.number}" if self.label else str(self.number)

    @property
    def values(self) -> list[float]:
        """Value, step, and the four limits."""
        return [self.value, self.step, self.low, self.low, self.high, self.high]


@dataclass(frozen=True)
class XspecModel:
    """One model: its expression, name, source number, and how many parameters it has in a data group."""

    expression: str
    label: str
    source: int
    size: int


@dataclass(frozen=True)
class XspecJob:
    """Everything that XSPEC is told.

    Attributes
    ----------
    spectra : tuple of str
        Names of the spectra, one a data group, which link to their background and response.
    responses : tuple of (group, source, name)
        Responses of further sources.
    models : tuple of XspecModel
        The models.
    places : tuple of Place
        The parameters, in order.
    statistic, weight : str
        XSPEC's names of statistic and weighting.
    abund, xsect, cosmology : str
        Global settings.
    profile : bool
        Whether errors of the profile likelihood are asked for.
    background : bool
        Whether the spectra have their backgrounds; XSPEC uses the W statistic as soon as there is one.
    """

    spectra: tuple[str, ...]
    responses: tuple[tuple[int, int, str], ...]
    models: tuple[XspecModel, ...]
    places: tuple[Place, ...]
    statistic: str
    weight: str
    abund: str = "wilm"
    xsect: str = "vern"
    cosmology: str = "70 0 0.73"
    profile: bool = False
    background: bool = True

    @property
    def named(self) -> tuple[Place, ...]:
        """The places of the fit's own parameters."""
        return tuple(place for place in self.places if place.name)


def make_job(
    selections: Sequence[Selection],
    terms: Sequence[Term],
    parameters: ParameterSet,
    statistics: Sequence[str],
    options: FitOptions,
) -> XspecJob:
    """Return what XSPEC is told of a fit; nothing is written.

    Parameters
    ----------
    selections, terms, parameters, statistics
        As for `xtendsrc.fit.problem.Problem`.
    options : FitOptions
        Errors asked for.

    Raises
    ------
    RequestError
        If XSPEC cannot be told of the fit.
    """
    size = len(selections)
    models, places = [], []
    if any(term.bands for term in terms):
        raise RequestError("XSPEC has one factor for all energies of a spectrum.", 'use engine="native" for several.')
    for source, term in enumerate(terms, 1):
        expression = f"constant*({term.model})" if size > 1 else str(term.model)
        count = len(term.model.parameters) + (size > 1)
        models.append(XspecModel(expression, term.label, source, count))
        places += _places(term, size, parameters)
    if len({name in WEIGHTS for name in statistics}) > 1:
        raise RequestError("XSPEC has one statistic for all spectra.", "choose one with stat=.")
    settings = terms[0].model.settings
    cosmology = " ".join(f"{float(settings.get(n, d)):g}" for n, d in _COSMOLOGY.items())
    name = statistics[0]
    return XspecJob(
        spectra=tuple(f"spectrum{n}.pi" for n in range(1, size + 1)),
        responses=tuple((n, s, f"response{n}_{s}.rmf") for s, t in enumerate(terms[1:], 2) for n in range(1, size + 1)),
        models=tuple(models),
        places=tuple(_linked(places, parameters)),
        statistic="chi" if name in WEIGHTS else "cstat",
        weight=WEIGHTS.get(name, "standard"),
        abund=str(settings.get("abund", "wilm")),
        xsect=str(settings.get("xsect", "vern")),
        cosmology=cosmology,
        profile=options.errors == "profile",
        background=name != "cstat",
    )


_COSMOLOGY = {"hubble": 70.0, "deceleration": 0.0, "dark_energy": 0.73}


def _places(term: Term, size: int, parameters: ParameterSet) -> list[Place]:
    """Return the parameters of one model, those of later data groups only where they are its own."""
    slots = {slot.name: slot for slot in parameters.slots}
    numbers = term.numbers(size)
    own, seen, found = [p.name for p in term.model.parameters], set(), []
    count = len(own) + (size > 1)
    for group in range(1, size + 1):
        applies = group in numbers
        if size > 1:
            name = term.name_of("factor", group, numbers[0]) if applies and group != numbers[0] else ""
            name = name if name in slots else ""
            value = 1.0 if applies else 0.0
            found.append(_place(name, term.label, group, 1, count, slots.get(name), value))
        for offset, parameter in enumerate(own):
            name = term.name_of(parameter, group if applies else numbers[0], numbers[0])
            if name not in seen:
                seen.add(name)
                found.append(_place(name, term.label, group, 1 + (size > 1) + offset, count, slots[name], 0.0))
    return found


def _place(name: str, label: str, group: int, index: int, count: int, slot: Any, value: float) -> Place:
    number = (group - 1) * count + index
    if slot is None:
        return Place("", label, group, index, number, value, 0.01, 0.0, 1e10, True)
    low, high = max(slot.low, -NO_LIMIT), min(slot.high, NO_LIMIT)
    return Place(name, label, group, index, number, slot.start, slot.step or 0.01, low, high, slot.frozen)


def _linked(places: list[Place], parameters: ParameterSet) -> list[Place]:
    """Return the places with expressions of ties in XSPEC's syntax."""
    at = {place.name: place for place in places if place.name}

    def reference(match: re.Match[str]) -> str:
        return at[full_name(match.group(), parameters.names)].reference

    out = []
    for place in places:
        text = parameters.tied.get(place.name, "") if place.name else ""
        if text:
            link = NAME.sub(reference, text).replace("**", "^")
            link = re.sub(r"\blog\(", "ln(", link)
            place = replace(place, link=re.sub(r"\blog10\(", "log(", link))
        out.append(place)
    return out


def write_files(job: XspecJob, selections: Sequence[Selection], terms: Sequence[Term], folder: Path) -> None:
    """Write the spectra, backgrounds and responses of a job into a folder."""
    for number, (selection, name) in enumerate(zip(selections, job.spectra, strict=True), 1):
        data = selection.dataset
        links = {"RESPFILE": f"response{number}.rmf", "ANCRFILE": "none"}
        write_matrix(data.response, folder / links["RESPFILE"], CARDS)
        if data.response.area is not None:
            links["ANCRFILE"] = f"response{number}.arf"
            write_area(data.response, folder / links["ANCRFILE"], CARDS)
        if data.background is not None and job.background:
            links["BACKFILE"] = f"background{number}.pi"
            write_spectrum(data.background, data.response.channels, folder / links["BACKFILE"], CARDS)
        grouped = _with_flags(selection)
        write_spectrum(grouped, data.response.channels, folder / name, CARDS | links, grouping=True)
        for group, source, response in job.responses:
            if group == number:
                write_matrix(response_of(terms[source - 1], data), folder / response, CARDS)


def _with_flags(selection: Selection) -> Counts:
    """Return the source spectrum with GROUPING and QUALITY of the bins of a selection."""
    counts, bins = selection.dataset.source, selection.bins
    quality = np.full(counts.counts.size, BAD)
    grouping = np.ones(counts.counts.size, int)
    quality[bins.kept] = 0
    grouping[bins.kept] = -1
    grouping[bins.first] = 1
    return replace(counts, quality=quality, grouping=grouping)
