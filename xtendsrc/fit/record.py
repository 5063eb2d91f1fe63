"""The parts of a fit result that are plain records, and how they become JSON and come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class TermRecord:
    """A model of a fit in words: enough to build it again."""

    expression: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    data: tuple[int, ...] | None = None
    vary: tuple[str, ...] = ()

    @property
    def parse_arguments(self) -> dict[str, Any]:
        """What `xtendsrc.fit.model.parse` takes besides the expression."""
        arguments = {name: self.settings[name] for name in ("abund", "xsect") if name in self.settings}
        names = ("hubble", "deceleration", "dark_energy")
        cosmology = tuple(self.settings[name] for name in names if name in self.settings)
        return arguments | ({"cosmology": cosmology} if len(cosmology) == len(names) else {})

    @classmethod
    def from_plain(cls, content: dict[str, Any]) -> Self:
        """Return a record from what JSON holds of it."""
        data = content["data"]
        return cls(**{**content, "data": None if data is None else tuple(data), "vary": tuple(content["vary"])})


@dataclass(frozen=True, eq=False)
class Folded:
    """One data set of a fit beside its model; every array has one value a bin.

    Attributes
    ----------
    name : str
        The data set.
    energy_lo, energy_hi : ndarray
        Energies of the bins, keV.
    counts, background : ndarray
        Counts of the source region, and what of them the scaled background spectrum accounts for.
    error : ndarray
        One standard deviation of their difference.
    model : ndarray
        Expected counts of all models.
    residuals : ndarray
        Signed residuals, whose squares add up to the statistic.
    components : mapping of str to ndarray
        Expected counts of each additive component.
    exposure : float
        Seconds.
    statistic : str
        Name of the statistic of this data set.
    """

    name: str
    energy_lo: np.ndarray
    energy_hi: np.ndarray
    counts: np.ndarray
    background: np.ndarray
    error: np.ndarray
    model: np.ndarray
    residuals: np.ndarray
    components: Mapping[str, np.ndarray]
    exposure: float
    statistic: str

    @property
    def net(self) -> np.ndarray:
        """Counts less the scaled background."""
        found: np.ndarray = self.counts - self.background
        return found

    def to_lists(self) -> dict[str, Any]:
        """Return everything with lists in place of arrays."""
        lists = {name: getattr(self, name).tolist() for name in _ARRAYS}
        components = {name: values.tolist() for name, values in self.components.items()}
        plain = {name: getattr(self, name) for name in ("name", "exposure", "statistic")}
        return lists | plain | {"components": components}

    @classmethod
    def from_lists(cls, content: dict[str, Any]) -> Self:
        """Return a record from what `to_lists` gives."""
        arrays = {name: np.array(content[name], float) for name in _ARRAYS}
        components = {name: np.array(values, float) for name, values in content["components"].items()}
        return cls(**(content | arrays | {"components": components}))


_ARRAYS = ("energy_lo", "energy_hi", "counts", "background", "error", "model", "residuals")
_MARK = "number "


def to_plain(value: Any) -> Any:
    """Return a value with text in place of what JSON has no form for: infinities and NaN."""
    if isinstance(value, dict):
        return {key: to_plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return f"{_MARK}{value}"
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def from_plain(value: Any) -> Any:
    """Return what `to_plain` was given."""
    if isinstance(value, dict):
        return {key: from_plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [from_plain(v) for v in value]
    if isinstance(value, str) and value in (f"{_MARK}nan", f"{_MARK}inf", f"{_MARK}-inf"):
        return float(value.removeprefix(_MARK))
    return value
