"""The expected counts of a fit and their derivatives, from the parameters of all its models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import FitError, RequestError
from xtendsrc.fit.response import Response
from xtendsrc.fit.statistic import make_statistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_array

    from xtendsrc.fit.data import Dataset, Selection
    from xtendsrc.fit.parameters import ParameterSet, SpectralModel, Term
    from xtendsrc.fit.statistic import Statistic

RELATIVE_STEP = 1e-4
"""Step of finite differences, of a parameter's value."""


@dataclass(frozen=True, eq=False)
class Use:
    """One model in one data set.

    Attributes
    ----------
    term, number : int
        Which model, and which data set (from 0).
    places : ndarray of int
        Where the model's parameters are among those of the fit.
    factors : tuple of (int, (float, float) or None)
        Where the factors are among the parameters, and the band in keV that each is for; None for all energies.
    edges : ndarray
        Energy edges that the model is evaluated on, keV; the same object for the same energies.
    folder : csr_array, (bins, energies)
        To counts in the bins.
    """

    term: int
    number: int
    places: np.ndarray
    factors: tuple[tuple[int, tuple[float, float] | None], ...]
    edges: np.ndarray
    folder: csr_array

    @property
    def touched(self) -> np.ndarray:
        """Where everything is that its counts depend on."""
        return np.append(self.places, [place for place, _ in self.factors]).astype(int)

    def scale(self, values: np.ndarray, energy: np.ndarray) -> np.ndarray | float:
        """Return what its counts at some energies are multiplied with."""
        if not self.factors:
            return 1.0
        (place, band), *_ = self.factors
        if band is None:
            return float(values[place])
        scale = np.ones(energy.size)
        for place, band in self.factors:
            low, high = band or (0.0, np.inf)
            scale[(energy > low) & (energy <= high)] = values[place]
        return scale


class Problem:
    """Data, models and parameters, ready to be minimised.

    Parameters
    ----------
    selections : sequence of Selection
        The data.
    terms : sequence of Term
        The models.
    parameters : ParameterSet
        The parameters, as `xtendsrc.fit.parameters.collect` gives them for these terms.
    statistics : sequence of str
        The statistic of each data set, as `xtendsrc.fit.statistic.resolve` gives it.
    modelled : bool
        Whether models take the place of the background spectra.
    """

    def __init__(
        self,
        selections: Sequence[Selection],
        terms: Sequence[Term],
        parameters: ParameterSet,
        statistics: Sequence[str],
        modelled: bool = False,
    ) -> None:
        self.selections = tuple(selections)
        self.terms = tuple(terms)
        self.parameters = parameters
        self.names = tuple(statistics)
        self.modelled = modelled
        self.statistics: tuple[Statistic, ...] = tuple(
            make_statistic(name, s, modelled) for name, s in zip(statistics, selections, strict=True)
        )
        self.uses = tuple(_uses(self.selections, self.terms, parameters.names))
        self.energies = tuple((s.energy_lo + s.energy_hi) / 2 for s in self.selections)
        lonely = set(range(len(selections))) - {use.number for use in self.uses}
        if lonely:
            raise RequestError(f"No model is for data set {min(lonely) + 1}.", "give one with data=None, or name it.")
        self._base = parameters.start
        self._last: tuple[bytes, list[np.ndarray]] = (b"", [])

    @property
    def bins(self) -> int:
        """Number of bins of all data sets."""
        return sum(map(len, self.selections))

    def replaced(self, parameters: ParameterSet) -> Problem:
        """Return the problem with other starts or freezes of the same parameters; what was folded stays."""
        other = object.__new__(Problem)
        other.__dict__.update(self.__dict__)
        other.parameters, other._base = parameters, parameters.start
        return other

    def values(self, free: np.ndarray) -> np.ndarray:
        """Return the values of all parameters from the free ones."""
        return self.parameters.expand(free, self._base)

    def expected(self, values: np.ndarray) -> list[np.ndarray]:
        """Return the expected counts of each data set from the values of all parameters.

        Those of the last values are remembered: residuals and their derivatives are asked for one after the other.
        """
        key = values.tobytes()
        known, counts = self._last
        if known != key:
            counts = self._expected(values)
            self._last = key, counts
        return counts

    def _expected(self, values: np.ndarray) -> list[np.ndarray]:
        out = [np.zeros(len(s)) for s in self.selections]
        spectra: dict[tuple[int, int, bytes], np.ndarray] = {}
        for use in self.uses:
            scale = use.scale(values, self.energies[use.number])
            out[use.number] += scale * (use.folder @ self._photons(use, values, spectra))
        return out

    def contributions(self, values: np.ndarray) -> list[dict[str, np.ndarray]]:
        """Return the expected counts of each additive component in each data set."""
        out: list[dict[str, np.ndarray]] = [{} for _ in self.selections]
        for use in self.uses:
            term, scale = self.terms[use.term], use.scale(values, self.energies[use.number])
            prefix = f"{term.label}:" if term.label else ""
            for name, photons in term.model.components(values[use.places], use.edges).items():
                out[use.number][prefix + name] = scale * (use.folder @ photons)
        return out

    def residuals(self, free: np.ndarray) -> np.ndarray:
        """Return the signed residuals of all data sets, whose squares add up to the statistic."""
        expected = self.expected(self.values(free))
        parts = [s.residuals(e) for s, e in zip(self.statistics, expected, strict=True)]
        found: np.ndarray = np.nan_to_num(np.concatenate(parts), nan=1e10, posinf=1e10, neginf=-1e10)
        return found

    def statistic(self, free: np.ndarray) -> float:
        """Return the statistic."""
        return float(np.sum(self.residuals(free) ** 2))

    def jacobian(self, free: np.ndarray) -> np.ndarray:
        """Return the derivatives of the residuals, (bins, free parameters)."""
        expected = self.expected(self.values(free))
        slope = np.concatenate([s.slope(e) for s, e in zip(self.statistics, expected, strict=True)])
        found: np.ndarray = np.nan_to_num(slope[:, None] * self.gradients(free))
        return found

    def information(self, free: np.ndarray) -> np.ndarray:
        """Return Fisher's information about the free parameters; its inverse is their covariance."""
        expected = self.expected(self.values(free))
        weight = np.concatenate([s.information(e) for s, e in zip(self.statistics, expected, strict=True)])
        gradients = self.gradients(free)
        found: np.ndarray = (gradients * weight[:, None]).T @ gradients
        return found

    def gradients(self, free: np.ndarray) -> np.ndarray:
        """Return the derivatives of the expected counts, (bins, free parameters), by differences of the spectra."""
        offsets = np.concatenate([[0], np.cumsum([len(s) for s in self.selections])])
        out = np.zeros((offsets[-1], free.size))
        ends = [self._both_ends(free, column) for column in range(free.size)]
        spectra: dict[tuple[int, int, bytes], np.ndarray] = {}
        for use in self.uses:
            rows = slice(offsets[use.number], offsets[use.number + 1])
            touched = use.touched
            for column, (below, above, width) in enumerate(ends):
                if not np.array_equal(below[touched], above[touched]):
                    out[rows, column] += self._difference(use, below, above, spectra) / width
        return out

    def _difference(
        self, use: Use, below: np.ndarray, above: np.ndarray, spectra: dict[tuple[int, int, bytes], np.ndarray]
    ) -> np.ndarray:
        """Return how much the counts of one model change between two sets of parameters."""
        energy = self.energies[use.number]
        scales = [use.scale(values, energy) for values in (below, above)]
        photons = [self._photons(use, values, spectra) for values in (below, above)]
        if isinstance(scales[0], float) and isinstance(scales[1], float):
            return np.asarray(use.folder @ (scales[1] * photons[1] - scales[0] * photons[0]))
        return np.asarray(scales[1] * (use.folder @ photons[1]) - scales[0] * (use.folder @ photons[0]))

    def _both_ends(self, free: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Return all values a step below and above one free parameter, inside its limits, and the width between."""
        slot = self.parameters.slots[self.parameters.free[column]]
        step = RELATIVE_STEP * (max(abs(free[column]), 0.01 * slot.scale) or max(slot.step, 1e-8))
        below, above = free.copy(), free.copy()
        below[column] = max(free[column] - step, min(slot.low, free[column]))
        above[column] = min(free[column] + step, max(slot.high, free[column]))
        return self.values(below), self.values(above), float(above[column] - below[column])

    def _photons(self, use: Use, values: np.ndarray, spectra: dict[tuple[int, int, bytes], np.ndarray]) -> np.ndarray:
        """Return photons in the energy bins of one model, evaluated once for the same values and energies."""
        own = values[use.places]
        key = (use.term, id(use.edges), own.tobytes())
        if key not in spectra:
            spectra[key] = np.asarray(self.terms[use.term].model.evaluate(own, use.edges), float)
        return spectra[key]


def check_model(problem: Problem) -> None:
    """Refuse a model that has no finite value where the fit starts.

    Raises
    ------
    FitError
        If the expected counts are not finite, or none are expected at all.
    """
    for selection, expected in zip(problem.selections, problem.expected(problem.parameters.start), strict=True):
        if not np.isfinite(expected).all():
            raise FitError(
                f"The model has no finite value for {selection.dataset.name} at the starting parameters.",
                "start elsewhere: start={name: value}.",
            )


def _uses(selections: Sequence[Selection], terms: Sequence[Term], names: tuple[str, ...]) -> list[Use]:
    place = {name: i for i, name in enumerate(names)}
    grids: list[np.ndarray] = []
    folders: dict[tuple[int, int | str, bool], tuple[np.ndarray, csr_array]] = {}
    uses = []
    for index, term in enumerate(terms):
        numbers = term.numbers(len(selections))
        for number in numbers:
            selection = selections[number - 1]
            response = response_of(term, selection.dataset)
            which = term.response if isinstance(term.response, str) else id(term.response)
            key = (number, which, _redistributes(term.model))
            if key not in folders:
                folders[key] = _trimmed(term.model, response, selection, grids)
            own = [p.name for p in term.model.parameters]
            places = np.array([place[term.name_of(name, number, numbers[0])] for name in own], int)
            factors = _factors(term, number, numbers[0], place)
            uses.append(Use(index, number - 1, places, factors, *folders[key]))
    return uses


def _factors(
    term: Term, number: int, first: int, place: dict[str, int]
) -> tuple[tuple[int, tuple[float, float] | None], ...]:
    """Return where the factors of a model in one data set are, with the band of each."""
    if number == first:
        return ()
    names = [term.name_of(name, number, first) for name in term.factor_names]
    bands = term.bands or (None,)
    return tuple((place[name], band) for name, band in zip(names, bands, strict=True) if name in place)


def response_of(term: Term, dataset: Dataset) -> Response:
    """Return the response that a model is folded through in a data set.

    Raises
    ------
    RequestError
        If the term names a response that does not exist.
    """
    if isinstance(term.response, Response):
        return term.response
    if term.response == "source":
        return dataset.response
    if term.response == "rmf":
        return dataset.response.without_area()
    if term.response == "diagonal":
        return dataset.response.diagonal()
    raise RequestError(f"There is no response {term.response!r}.", 'choose "source", "rmf", "diagonal" or a Response.')


def _redistributes(model: SpectralModel) -> bool:
    """Return whether a component of a model is a convolution, which needs energies beyond those that reach a bin."""
    return any(leaf.kind not in ("add", "mul") for leaf in getattr(model, "leaves", ()))


def _trimmed(
    model: SpectralModel, response: Response, selection: Selection, grids: list[np.ndarray]
) -> tuple[np.ndarray, csr_array]:
    """Return energies and folding matrix without energies that reach no bin; equal energies become one array.

    A model that redistributes photons in energy needs all energies of the response.
    """
    folder = selection.folder(response)
    edges = response.edges
    if not _redistributes(model):
        reached = np.flatnonzero(np.bincount(folder.indices, minlength=folder.shape[1]))
        if reached.size == 0:
            raise FitError(f"No energy of {response.name} reaches the channels fitted.", "check RMF, ARF and band.")
        first, last = int(reached[0]), int(reached[-1])
        folder, edges = folder[:, first : last + 1].tocsr(), edges[first : last + 2]
    for grid in grids:
        if np.array_equal(grid, edges):
            return grid, folder
    grids.append(edges)
    return edges, folder
