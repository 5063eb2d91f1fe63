"""A spectral model: components, their parameters, and the photons they predict."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xtendsrc.errors import ComponentUnavailableError, ModelError, UnknownParameterError
from xtendsrc.fit import atomdb, expression, tablemodel
from xtendsrc.fit.components import CONVOLUTIONS, NATIVE, PLASMA
from xtendsrc.fit.components.base import ModelSettings
from xtendsrc.fit.expression import Convolved, Leaf, Sum, leaves
from xtendsrc.fit.grid import Grid
from xtendsrc.fit.library import needing_tables

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from xtendsrc.fit.catalogue import Component, ParameterDefinition
    from xtendsrc.fit.components.base import Array
    from xtendsrc.fit.expression import Node


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a model.

    Attributes
    ----------
    name : str
        Full name, such as ``powerlaw.PhoIndex``, or ``powerlaw_2.PhoIndex`` for the second power law.
    component : str
        The component's name within the model, ``powerlaw_2``.
    unit : str
        Unit, empty if it has none.
    default : float
        Value a fit starts from.
    soft_min, soft_max, hard_min, hard_max : float
        XSPEC's limits; a fit moves within the hard ones.
    frozen : bool
        Whether it is fixed unless the user frees it.
    step : float
        First step of a fit.
    """

    name: str
    component: str
    unit: str
    default: float
    soft_min: float
    soft_max: float
    hard_min: float
    hard_max: float
    frozen: bool
    step: float

    @classmethod
    def of(cls, label: str, definition: ParameterDefinition) -> Parameter:
        """Return the parameter of a component named ``label``."""
        fields = asdict(definition)
        return cls(**{**fields, "name": f"{label}.{definition.name}"}, component=label)


class Library(Protocol):
    """What evaluates components that have no native code, such as XSPEC's model library in a process of its own."""

    def knows(self, component: Component) -> bool:
        """Whether it can evaluate a component."""

    def evaluate(
        self, component: Component, values: Array, edges: Array, settings: ModelSettings, photons: Array | None
    ) -> Array:
        """Return the component in each bin, additive ones with a norm of one; ``photons`` is what is convolved."""


@dataclass(frozen=True)
class Model:
    """A model read from its text by `parse`.

    Attributes
    ----------
    tree : Node
        Sums, products and convolutions of components.
    model_settings : ModelSettings
        Abundances, cross sections and cosmology.
    library : Library or None
        What evaluates the components without native code.
    """

    tree: Node
    model_settings: ModelSettings
    library: Library | None = None

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """The components in the order of the text."""
        return tuple(leaves(self.tree))

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter, component by component."""
        return tuple(Parameter.of(leaf.label, d) for leaf in self.leaves for d in leaf.component.parameters)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Full names of the parameters."""
        return tuple(p.name for p in self.parameters)

    @property
    def values(self) -> Array:
        """A new array of the default values."""
        return np.array([p.default for p in self.parameters])

    @property
    def kind(self) -> str:
        """``add`` if the model gives photons, ``mul`` if it gives factors."""
        return self.tree.kind

    @property
    def settings(self) -> dict[str, Any]:
        """Settings on which the numbers depend besides the parameters, as plain values to be recorded."""
        tables = {leaf.label: tablemodel.identity(leaf.component.table) for leaf in self.leaves if leaf.component.table}
        plasma = any(leaf.component.name in PLASMA | needing_tables() for leaf in self.leaves)
        return {
            **asdict(self.model_settings),
            **({"tables": tables} if tables else {}),
            **({"atomdb": atomdb.version()} if plasma else {}),
        }

    @property
    def engines(self) -> dict[str, tuple[str, ...]]:
        """Engines that know each component."""
        return {leaf.label: leaf.component.engines for leaf in self.leaves}

    def __str__(self) -> str:
        return str(self.tree)

    def index(self, name: str) -> int:
        """Return the place of a parameter, given its full name, or its own name where only one has it, in any case.

        Raises
        ------
        UnknownParameterError
            If there is none, or several.
        """
        known = {full.lower(): place for place, full in enumerate(self.names)}
        if (wanted := name.lower()) in known:
            return known[wanted]
        short = [place for full, place in known.items() if full.split(".", 1)[1] == wanted]
        if len(short) == 1:
            return short[0]
        if short:
            several = ", ".join(self.names[place] for place in short)
            raise UnknownParameterError(f"{name!r} of {self} could be {several}.", "give the full name.")
        near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.0)[0]
        raise UnknownParameterError(
            f"The model {self} has no parameter {name!r}.", f"the nearest is {self.names[known[near]]!r}."
        )

    def using(self, library: Library) -> Model:
        """Return the same model, with the components that have no native code evaluated by a library."""
        return replace(self, library=library)

    def evaluate(self, values: ArrayLike, edges: ArrayLike | Grid) -> Array:
        """Return the model in each energy bin.

        Parameters
        ----------
        values : array of float
            The parameters, in the order of `names`.
        edges : array of float
            Bin edges in keV. Equal edges are recognised, and what depends on them alone is kept.

        Returns
        -------
        array of float, shape (n,)
            Photons/cm2/s in each bin; the factor of each bin if no component is additive.

        Raises
        ------
        ComponentUnavailableError
            If a component has no native code and there is no library.
        ModelError
            If the number of values is wrong, or one is not finite.
        """
        return self._evaluation(values, edges).value(self.tree)

    def components(self, values: ArrayLike, edges: ArrayLike | Grid) -> dict[str, Array]:
        """Return every additive component, multiplied and convolved as in the whole model, by its name.

        They add up to the model.
        """
        return self._evaluation(values, edges).terms(self.tree)

    def _evaluation(self, values: ArrayLike, edges: ArrayLike | Grid) -> _Evaluation:
        array = np.asarray(values, dtype=float)
        if array.shape != (len(self.parameters),):
            raise ModelError(f"{self} has {len(self.parameters)} parameters, not {array.shape}.", "see model.names.")
        if not np.isfinite(array).all():
            bad = ", ".join(self.names[i] for i in np.flatnonzero(~np.isfinite(array)))
            raise ModelError(f"The value of {bad} is not a finite number.", "give a number.")
        parts, at = {}, 0
        for leaf in self.leaves:
            parts[leaf.label] = array[at : at + len(leaf.component.parameters)]
            at += len(leaf.component.parameters)
        return _Evaluation(self, parts, Grid.of(edges))


@dataclass(frozen=True)
class _Evaluation:
    """A walk through the tree of a model with values for its parameters."""

    model: Model
    values: dict[str, Array]
    grid: Grid

    def value(self, node: Node) -> Array:
        """Return a part of the model in each bin."""
        if isinstance(node, Leaf):
            return self.leaf(node)
        if isinstance(node, Convolved):
            return self.convolved(node.by, self.value(node.inner))
        parts = [self.value(part) for part in (node.terms if isinstance(node, Sum) else node.factors)]
        result = parts[0]
        for part in parts[1:]:
            result = result + part if isinstance(node, Sum) else result * part
        return result

    def leaf(self, leaf: Leaf) -> Array:
        """Return one component, with its norm."""
        values = self.values[leaf.label]
        if leaf.kind == "add":
            found: Array = values[-1] * self.unit(leaf, values[:-1])
            return found
        return self.unit(leaf, values)

    def unit(self, leaf: Leaf, values: Array) -> Array:
        if leaf.component.table:
            return tablemodel.evaluate(leaf.component, values, self.grid)
        if leaf.component.name in NATIVE:
            return NATIVE[leaf.component.name](values, self.grid, self.model.model_settings)
        return self.by_library(leaf, values, None)

    def convolved(self, leaf: Leaf, photons: Array) -> Array:
        values = self.values[leaf.label]
        if leaf.component.name in CONVOLUTIONS:
            return CONVOLUTIONS[leaf.component.name](values, self.grid, self.model.model_settings, photons)
        return self.by_library(leaf, values, photons)

    def by_library(self, leaf: Leaf, values: Array, photons: Array | None) -> Array:
        library = self.model.library
        if library is None or not library.knows(leaf.component):
            raise ComponentUnavailableError(
                f"{leaf.label} has no native code.",
                "install xtendsrc[xspec-library] or HEASoft's XSPEC; known to: " + ", ".join(leaf.component.engines),
            )
        return library.evaluate(leaf.component, values, self.grid.edges, self.model.model_settings, photons)

    def terms(self, node: Node) -> dict[str, Array]:
        """Return the additive components of a part of the model."""
        if isinstance(node, Leaf):
            return {node.label: self.leaf(node)} if node.kind == "add" else {}
        if isinstance(node, Convolved):
            return self.convolved_terms(node)
        if isinstance(node, Sum):
            return {label: array for term in node.terms for label, array in self.terms(term).items()}
        factor = np.ones(self.grid.size)
        found: dict[str, Array] = {}
        for part in node.factors:
            if part.kind == "add":
                found = self.terms(part)
            else:
                factor = factor * self.value(part)
        return {label: array * factor for label, array in found.items()}

    def convolved_terms(self, node: Convolved) -> dict[str, Array]:
        """Return the terms below a convolution; one that sets the flux scales all of them by the same number."""
        inner = self.terms(node.inner)
        if node.by.component.name not in RESCALING:
            return {label: self.convolved(node.by, array) for label, array in inner.items()}
        whole = self.value(node.inner)
        after = self.convolved(node.by, whole)
        scale = after.sum() / whole.sum() if whole.sum() else 0.0
        return {label: array * scale for label, array in inner.items()}


RESCALING = ("cflux", "clumin", "cglumin", "cpflux")
"""Convolutions that only multiply the model by a number, which depends on the whole of it."""


def parse(
    text: str, abund: str = "wilm", xsect: str = "vern", cosmology: tuple[float, float, float] = (70.0, 0.0, 0.73)
) -> Model:
    """Return the model of a string in XSPEC's syntax.

    Parameters
    ----------
    text : str
        Such as ``"tbabs*(powerlaw + gaussian)"``: sums, products and brackets of components; XSPEC's names in any case,
        abbreviated where that is unambiguous. ``line:gaussian`` names a component, and its parameters ``line.LineE``.
        Table models are written ``atable{file}``, ``mtable{file}``, ``etable{file}``.
    abund : str, optional
        Table of solar abundances, by XSPEC's name. Default is "wilm".
    xsect : {"vern", "bcmc", "obcm"}, optional
        Photoelectric cross sections. Default is "vern".
    cosmology : tuple of float, optional
        Hubble constant in km/s/Mpc, deceleration parameter, dark energy. Default is XSPEC's (70, 0, 0.73).

    Raises
    ------
    ModelError
        If the text does not follow the syntax, or a setting is not known.
    UnknownComponentError
        If a component does not exist; it names the nearest that does.
    """
    if len(cosmology) != 3:
        raise ModelError(f"cosmology={cosmology!r} is not (H0, q0, dark energy).", "give three numbers.")
    hubble, deceleration, dark_energy = (float(number) for number in cosmology)
    settings = ModelSettings(
        abund=abund, xsect=xsect, hubble=hubble, deceleration=deceleration, dark_energy=dark_energy
    )
    return Model(expression.read(text, tablemodel.component), settings)
