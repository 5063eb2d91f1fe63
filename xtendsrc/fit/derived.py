"""What follows from fitted parameters: fluxes, luminosities, equivalent widths, each with its error.

Errors are those that the covariance of the parameters implies to first order: sqrt(g C g) with the gradient g of the
quantity, by differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.fit.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from xtendsrc.fit.parameters import SpectralModel
    from xtendsrc.fit.result import FitResult

ERG_PER_KEV = 1.602176634e-9
SQUARE_CM_PER_MPC = 3.0856775814913673e24**2
POINTS_PER_DECADE = 1500
ABSORBERS = frozenset(
    [
        "tbabs",
        "ztbabs",
        "tbfeo",
        "tbgas",
        "tbgrain",
        "tbpcf",
        "tbrel",
        "tbvarabs",
        "phabs",
        "zphabs",
        "vphabs",
        "zvphabs",
        "wabs",
        "zwabs",
        "pcfabs",
        "zpcfabs",
        "varabs",
        "zvarabs",
    ]
)
"""Components that are taken out for what is unabsorbed, by setting their column densities to zero."""


def energy_kev(value: Any, what: str = "energy") -> float:
    """Return an energy in keV.

    Raises
    ------
    UnitsError
        If it has no unit, or one that is no energy.
    """
    try:
        return float(value.to_value("keV"))
    except AttributeError as error:
        raise UnitsError(f"The {what} {value!r} has no unit.", "write it as a Quantity, e.g. 2 * u.keV.") from error
    except (TypeError, ValueError) as error:
        raise UnitsError(f"{value!r} is not one {what}.", "give one energy, in eV or keV.") from error


def band_kev(low: Any, high: Any) -> tuple[float, float]:
    """Return two energies in keV, of which the second must be higher.

    Raises
    ------
    RequestError
        If they do not rise from above zero.
    """
    band = energy_kev(low), energy_kev(high)
    if not 0 < band[0] < band[1] < np.inf:
        raise RequestError(f"{low} to {high} is not an energy band.", "give two finite energies that rise.")
    return band


def flux(
    result: FitResult,
    low: Any,
    high: Any,
    *,
    absorbed: bool = True,
    photons: bool = False,
    data: int = 1,
    term: int = 0,
) -> Measured:
    """Return the flux of a model in a band.

    Parameters
    ----------
    result : FitResult
        The fit.
    low, high : Quantity
        Energies, as observed.
    absorbed : bool
        Whether the model's absorption is left in; otherwise its column densities are set to zero.
    photons : bool
        Photons instead of energy.
    data : int
        The data set whose parameters count, where they differ between data sets.
    term : int
        Which model; 0 is the source's.

    Returns
    -------
    Measured
        In erg/cm2/s, or photons/cm2/s, with its error.
    """
    band = band_kev(low, high)
    model = result.source_model(term)

    def calculate(values: np.ndarray) -> float:
        own = result.model_values(values, model, data, term)
        return model_flux(model, own if absorbed else without_absorption(model, own), band, photons)

    value, error = propagated(result, calculate)
    return Measured(value, "ph / (cm2 s)" if photons else "erg / (cm2 s)", error)


def luminosity(
    result: FitResult,
    low: Any,
    high: Any,
    *,
    redshift: float | None = None,
    distance: Any = None,
    absorbed: bool = False,
    data: int = 1,
) -> Measured:
    """Return the luminosity in a band of the source's own frame: 4 pi d^2 times the flux.

    Parameters
    ----------
    result : FitResult
        The fit.
    low, high : Quantity
        Energies in the frame of the source.
    redshift : float, optional
        Default is the model's Redshift, if it has one.
    distance : Quantity, optional
        Luminosity distance; by default that of the redshift in the model's cosmology.
    absorbed : bool
        Whether the model's absorption is left in.
    data : int
        The data set whose parameters count.

    Raises
    ------
    RequestError
        If neither redshift nor distance is known.
    """
    band = band_kev(low, high)
    z = _redshift(result) if redshift is None else float(redshift)
    if distance is None and not (z is not None and z > 0):
        raise RequestError(f"The model {result.model} has no redshift.", "give redshift=... or distance=... .")
    away = float(distance.to_value("Mpc")) if distance is not None else _distance(result, float(z or 0))
    shift = 1 + (z or 0)
    model = result.source_model()

    def calculate(values: np.ndarray) -> float:
        own = result.model_values(values, model, data)
        own = own if absorbed else without_absorption(model, own)
        return model_flux(model, own, (band[0] / shift, band[1] / shift))

    value, error = propagated(result, calculate)
    sphere = 4 * np.pi * away**2 * SQUARE_CM_PER_MPC
    return Measured(value * sphere, "erg / s", error * sphere)


def equivalent_width(result: FitResult, component: str, *, data: int = 1) -> Measured:
    """Return the equivalent width of an additive component: its photons over those a keV of all others, integrated.

    Raises
    ------
    RequestError
        If the model has no such component beside others.
    """
    model = result.source_model()

    def calculate(values: np.ndarray) -> float:
        own = result.model_values(values, model, data)
        edges = _line_grid(model, own, component)
        parts = model.components(own, edges)
        if component not in parts or len(parts) < 2:
            raise RequestError(
                f"{result.model} has no component {component!r} beside others.", f"it has {', '.join(parts)}."
            )
        line = parts[component]
        others = np.sum([v for name, v in parts.items() if name != component], axis=0)
        used = others > 0
        return float((line[used] / others[used] * np.diff(edges)[used]).sum())

    value, error = propagated(result, calculate)
    return Measured(value, "keV", error)


def propagated(result: FitResult, calculate: Callable[[np.ndarray], float]) -> tuple[float, float]:
    """Return a function of all parameters at their best values, and its error from their covariance."""
    parameters, best = result.parameter_set, result.values
    free, covariance = parameters.free, result.covariance
    value = calculate(best)
    gradient = np.zeros(free.size)
    for c, index in enumerate(free):
        sigma = np.sqrt(covariance[c, c])
        if not np.isfinite(sigma):
            return value, float("nan")
        if sigma == 0:
            continue
        slot, ends = parameters.slots[index], []
        for sign in (-1, 1):
            shifted = best[free].copy()
            shifted[c] = np.clip(shifted[c] + sign * 0.05 * sigma, slot.low, slot.high)
            ends.append((shifted[c], calculate(parameters.expand(shifted, best))))
        gradient[c] = (ends[1][1] - ends[0][1]) / (ends[1][0] - ends[0][0])
    return value, float(np.sqrt(max(gradient @ np.nan_to_num(covariance) @ gradient, 0.0)))


def model_flux(model: SpectralModel, values: np.ndarray, band: tuple[float, float], photons: bool = False) -> float:
    """Return the flux of a model in a band of keV: erg/cm2/s, or photons/cm2/s."""
    edges = _grid(*band)
    found = np.asarray(model.evaluate(values, edges))
    if photons:
        return float(found.sum())
    return float((found * (edges[1:] + edges[:-1]) / 2).sum() * ERG_PER_KEV)


def without_absorption(model: SpectralModel, values: np.ndarray) -> np.ndarray:
    """Return values with the column density of every absorber set to zero."""
    out = np.array(values, float)
    kinds = {leaf.label: leaf.component.name.lower() for leaf in getattr(model, "leaves", ())}
    for place, parameter in enumerate(model.parameters):
        kind = kinds.get(parameter.component, parameter.component.split("_")[0].lower())
        if kind in ABSORBERS and parameter.name.split(".")[-1].lower() == "nh":
            out[place] = 0.0
    return out


def _grid(low: float, high: float) -> np.ndarray:
    number = max(int(POINTS_PER_DECADE * np.log10(high / low)), 200)
    edges = np.geomspace(low, high, number + 1)
    edges[0], edges[-1] = low, high
    return edges


def _line_grid(model: SpectralModel, values: np.ndarray, component: str) -> np.ndarray:
    """Return energies that hold a whole line, or 0.1 to 20 keV for what is none."""
    pairs = zip(model.parameters, values, strict=True)
    own = {p.name.split(".")[-1].lower(): value for p, value in pairs if p.component == component}
    if "linee" not in own:
        return _grid(0.1, 20.0)
    centre = own["linee"] / (1 + own.get("redshift", 0.0))
    reach = max(10 * own.get("sigma", own.get("width", 0.0)), 0.05)
    return np.linspace(max(centre - reach, 0.01), centre + reach, 4001)


def _redshift(result: FitResult) -> float | None:
    found = {p.value for name, p in result.parameters.items() if name.split("[")[0].lower().endswith(".redshift")}
    if len(found) > 1:
        raise RequestError(f"The model {result.model} has several redshifts.", "give redshift=... .")
    return found.pop() if found else None


def _distance(result: FitResult, redshift: float) -> float:
    """Return the luminosity distance in Mpc in the model's cosmology."""
    from astropy.cosmology import LambdaCDM

    settings = result.terms[0].settings
    defaults = {"hubble": 70.0, "deceleration": 0.0, "dark_energy": 0.73}
    hubble, q0, dark = (float(settings.get(name, value)) for name, value in defaults.items())
    cosmology = LambdaCDM(hubble, 1 - dark, dark) if dark else LambdaCDM(hubble, 2 * q0, 0.0)
    return float(cosmology.luminosity_distance(redshift).to_value("Mpc"))
