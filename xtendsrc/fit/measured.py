"""Numbers with their errors: fitted parameters, and quantities that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import astropy.units as u
import numpy as np


@dataclass(frozen=True)
class FittedParameter:
    """One parameter after a fit.

    Attributes
    ----------
    name, unit : str
        Its name and unit.
    value : float
        Its best value.
    error : float
        One standard deviation: from the covariance, or half the interval of a profile; NaN if the data do not
        constrain it or it is at a limit, zero if it was not fitted.
    low, high : float
        Ends of its 68.3 % interval: of the profile likelihood where that was asked for, else one error away.
    frozen : bool
        Whether it was held.
    tied : str
        The expression that it follows; empty for none.
    at_limit : bool
        Whether it is at one of its limits.
    profiled : bool
        Whether the interval comes from the profile likelihood.
    minimum, maximum : float
        The limits it was fitted within.
    """

    name: str
    unit: str
    value: float
    error: float
    low: float
    high: float
    frozen: bool = False
    tied: str = ""
    at_limit: bool = False
    profiled: bool = False
    minimum: float = -np.inf
    maximum: float = np.inf

    @property
    def free(self) -> bool:
        """Whether it was fitted."""
        return not self.frozen and not self.tied

    @property
    def errors(self) -> tuple[float, float]:
        """Distances from the value down and up to the ends of the interval."""
        return self.value - self.low, self.high - self.value

    @property
    def state(self) -> str:
        """State in tables: ``frozen``, ``= expression``, ``at limit``, ``unconstrained`` or empty."""
        if self.tied:
            return f"= {self.tied}"
        if self.frozen:
            return "frozen"
        if self.at_limit:
            return "at limit"
        return "" if np.isfinite(self.error) else "unconstrained"

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if not self.free:
            return f"{self.name} = {self.value:.6g}{unit} ({self.state})"
        down, up = self.errors
        error = f"-{down:.3g} +{up:.3g}" if self.profiled else f"+- {self.error:.3g}"
        return f"{self.name} = {self.value:.6g} {error}{unit}" + (f" ({self.state})" if self.state else "")


class Measured(u.Quantity):  # type: ignore[misc]  # astropy has no types
    """A quantity with an error: a flux, a luminosity, an equivalent width.

    It is an astropy Quantity in every respect; ``error`` is one standard deviation as a Quantity of the same unit, or
    None for what is calculated from it further.
    """

    error: u.Quantity | None = None

    def __new__(cls, value: float, unit: str, error: float = np.nan) -> Self:
        """Return the quantity with its error."""
        measured: Self = u.Quantity(value, unit).view(cls)
        measured.error = u.Quantity(error, unit)
        return measured

    def __array_finalize__(self, obj: Any) -> None:
        super().__array_finalize__(obj)
        if "error" not in self.__dict__:
            self.error = None

    def __repr__(self) -> str:
        if self.error is None:
            found: str = super().__repr__()
            return found
        return f"<Measured {self.value:.5g} +- {self.error.value:.2g} {self.unit}>"
