"""Models of surface brightness, fitted to radial profiles with the PSF folded in, and maps of hardness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.measure.profile import mixing_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xtendsrc.measure.profile import Picture, RadialProfile
    from xtendsrc.measure.psf import RadialPSF

MODELS: dict[str, tuple[str, ...]] = {
    "beta": ("brightness", "core", "beta"),
    "double_beta": ("brightness", "core", "beta", "brightness2", "core2"),
}
"""Parameters of the models: central brightness in counts/s/arcmin2, core radius in arcmin, slope; the second component
of ``double_beta`` has the same slope (Mohr, Mathiesen & Evrard 1999, ApJ 517, 627)."""

RINGS = 160
"""Rings of even brightness of which a model is put together before the PSF blurs it."""

LOWEST_BETA, HIGHEST_BETA = 0.34, 5.0


def brightness(model: str, radius: np.ndarray, values: Sequence[float]) -> np.ndarray:
    """Surface brightness of a model before the PSF: ``S0 (1 + (r / rc)^2)^(1/2 - 3 beta)``, or two of these.

    Parameters
    ----------
    model : str
        ``beta`` or ``double_beta``.
    radius : ndarray
        arcmin.
    values : sequence of float
        In the order of `MODELS`.
    """
    first = values[0] * (1 + (radius / values[1]) ** 2) ** (0.5 - 3 * values[2])
    if model == "beta":
        return np.asarray(first)
    return np.asarray(first + values[3] * (1 + (radius / values[4]) ** 2) ** (0.5 - 3 * values[2]))


@dataclass(frozen=True)
class ProfileFit:
    """A model fitted to a profile.

    Attributes
    ----------
    model : str
        Its name.
    values, errors : dict of str to float
        Parameters and standard deviations: brightness in counts/s/arcmin2, core radii in arcmin; ``constant`` is the
        even brightness on top of the background, where it was fitted.
    covariance : ndarray
        In the order of the values.
    statistic : float
        Cash statistic: minus twice the ln L, less that of a perfect model.
    dof : int
        Annuli less parameters.
    expected : ndarray
        Counts of each annulus.
    """

    model: str
    values: dict[str, float]
    errors: dict[str, float]
    covariance: np.ndarray
    statistic: float
    dof: int
    expected: np.ndarray = field(repr=False)

    def brightness(self, radius: np.ndarray) -> np.ndarray:
        """Surface brightness of the model before the PSF, without the constant, counts/s/arcmin2."""
        return brightness(self.model, np.asarray(radius, dtype=np.float64), list(self.values.values()))


class _Folded:
    """Expected counts of annuli for a model: rings, blurred, times exposure."""

    def __init__(self, profile: RadialProfile, model: str, psf: RadialPSF | None) -> None:
        self.profile, self.model = profile, model
        outer = float(profile.edges[-1])
        reach = outer + (0.0 if psf is None else min(psf.radius_of(0.95 * float(psf.enclosed[-1])), outer))
        fine = reach * np.linspace(0.0, 1.0, RINGS + 1) ** 1.5
        self.middle = np.sqrt(0.5 * (fine[1:] ** 2 + fine[:-1] ** 2))
        self.areas = np.pi * np.diff(fine**2)
        self.matrix = _shares(fine, profile.edges) if psf is None else mixing_matrix(psf, fine, profile.edges)

    def counts(self, values: np.ndarray) -> np.ndarray:
        number = len(MODELS[self.model])
        light = brightness(self.model, self.middle, values.tolist()) * self.areas
        constant = values[number] if len(values) > number else 0.0
        mean = (light @ self.matrix) / self.profile.full_area + constant
        expected: np.ndarray = mean * self.profile.seconds_area + self.profile.background
        found: np.ndarray = np.maximum(expected, 1e-9)
        return found


def _shares(fine: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Fraction of each fine ring's area that lies in each annulus."""
    inner, outer = fine[:-1, None] ** 2, fine[1:, None] ** 2
    low, high = np.maximum(inner, edges[:-1] ** 2), np.minimum(outer, edges[1:] ** 2)
    return np.asarray(np.maximum(high - low, 0.0) / (outer - inner))


def fit_profile(profile: RadialProfile, model: str, psf: RadialPSF | None, constant: bool = True) -> ProfileFit:
    """Fit a model to the counts of a profile by Poisson likelihood.

    Parameters
    ----------
    profile : RadialProfile
        Counts, background and exposure of annuli.
    model : {"beta", "double_beta"}
        What to fit.
    psf : RadialPSF or None
        In arcmin; None fits the model as it is seen.
    constant : bool
        Whether an even brightness is fitted too, as what is left of the background.

    Raises
    ------
    RequestError
        If the model is unknown, there are not more annuli with exposure than parameters, or nothing is seen.
    """
    from scipy.optimize import least_squares

    names = (*_parameters(model), *(("constant",) if constant else ()))
    seen = profile.seconds_area > 0
    if seen.sum() <= len(names) or not profile.counts[seen].any():
        raise RequestError(
            f"A profile of {seen.sum()} annuli with {profile.counts[seen].sum():.0f} counts cannot determine "
            f"{len(names)} parameters.",
            "make more annuli.",
        )
    folded = _Folded(profile, model, psf)

    def residuals(p: np.ndarray) -> np.ndarray:
        return _deviance(profile.counts[seen], folded.counts(_natural(names, p))[seen])

    low, high = _bounds(names, profile)
    starts = [np.clip(s, low + 1e-9, high - 1e-9) for s in _starts(names, profile, seen)]
    fits = [least_squares(residuals, start, bounds=(low, high), x_scale="jac") for start in starts]
    best = min(fits, key=lambda fit: float(fit.cost))
    return _result(folded, names, _natural(names, best.x), seen)


def _parameters(model: str) -> tuple[str, ...]:
    if model not in MODELS:
        raise RequestError(f"There is no model {model!r} of surface brightness.", f"choose among {', '.join(MODELS)}.")
    return MODELS[model]


def _natural(names: tuple[str, ...], p: np.ndarray) -> np.ndarray:
    """Parameters as they are reported; what is positive is fitted as its logarithm."""
    return np.array([v if n in ("beta", "constant") else np.exp(v) for n, v in zip(names, p, strict=True)])


def _deviance(counts: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Signed roots of the contributions to the Cash statistic."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = mean - counts + np.where(counts > 0, counts * np.log(counts / mean), 0.0)
    found: np.ndarray = np.sign(counts - mean) * np.sqrt(2 * np.maximum(terms, 0.0))
    return found


def _bounds(names: tuple[str, ...], profile: RadialProfile) -> tuple[np.ndarray, np.ndarray]:
    outer, most = float(profile.edges[-1]), _brightest(profile)
    ranges = {
        "brightness": (np.log(most) - 16, np.log(most) + 10),
        "core": (np.log(outer) - 7, np.log(outer) + 1.5),
        "beta": (LOWEST_BETA, HIGHEST_BETA),
        "constant": (-most, most),
    }
    pairs = np.array([ranges[n.rstrip("2")] for n in names])
    return pairs[:, 0], pairs[:, 1]


def _brightest(profile: RadialProfile) -> float:
    seen = profile.seconds_area > 0
    return float(((profile.counts + 1)[seen] / profile.seconds_area[seen]).max())


def _starts(names: tuple[str, ...], profile: RadialProfile, seen: np.ndarray) -> list[np.ndarray]:
    """Where fits begin: several core radii, of which the best fit is taken."""
    outer, most = float(profile.edges[-1]), _brightest(profile)
    rest = float(np.clip(profile.brightness[seen][-1], -0.5 * most, 0.5 * most))
    starts = []
    for part in (0.03, 0.1, 0.3):
        guess = {
            "brightness": np.log(most),
            "core": np.log(part * outer),
            "beta": 0.67,
            "brightness2": np.log(0.2 * most),
            "core2": np.log(min(5 * part, 0.8) * outer),
            "constant": rest,
        }
        starts.append(np.array([guess[n] for n in names]))
    return starts


def _result(folded: _Folded, names: tuple[str, ...], values: np.ndarray, seen: np.ndarray) -> ProfileFit:
    """The fit with its errors, from the Fisher information."""
    profile = folded.profile
    expected = folded.counts(values)
    slopes = []
    for number, value in enumerate(values):
        step = np.zeros(len(values))
        step[number] = 1e-4 * max(abs(value), 1e-3 * _brightest(profile) if names[number] == "constant" else 1e-6)
        slopes.append((folded.counts(values + step) - folded.counts(values - step))[seen] / (2 * step[number]))
    scale = np.abs(values) + 1e-12
    jacobian = np.array(slopes) * scale[:, None]
    covariance = np.linalg.pinv((jacobian / expected[seen]) @ jacobian.T, hermitian=True) * np.outer(scale, scale)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return ProfileFit(
        model=folded.model,
        values=dict(zip(names, values.tolist(), strict=True)),
        errors=dict(zip(names, errors.tolist(), strict=True)),
        covariance=covariance,
        statistic=float((_deviance(profile.counts[seen], expected[seen]) ** 2).sum()),
        dof=int(seen.sum()) - len(names),
        expected=expected,
    )


# --- colour --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HardnessMap:
    """Hardness ratios over a field, smoothed as far as the counts require.

    Attributes
    ----------
    ratio : ndarray, shape (ny, nx)
        (H - S) / (H + S) of net counts; NaN where the largest circle holds too few.
    error : ndarray
        One standard deviation.
    radius : ndarray
        Of the circle that was summed, pixels.
    """

    ratio: np.ndarray
    error: np.ndarray
    radius: np.ndarray


def hardness_map(soft: Picture, hard: Picture, least: float = 50.0, largest: float = 30.0) -> HardnessMap:
    """Map the hardness ratio in circles that grow until they hold enough net counts.

    Parameters
    ----------
    soft, hard : Picture
        The two bands on one grid.
    least : float
        Net counts of both bands together that a circle must hold.
    largest : float
        Radius at which growing ends, pixels.

    Raises
    ------
    RequestError
        If the grids differ.
    """
    from scipy.signal import fftconvolve

    if soft.counts.shape != hard.counts.shape:
        raise RequestError("The two bands of a hardness map differ in shape.", "use one grid.")
    shape = soft.counts.shape
    made = HardnessMap(*(np.full(shape, np.nan) for _ in range(3)))
    for radius in np.unique(np.rint(np.geomspace(1.0, largest, 12))):
        reach = int(radius)
        dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = (dx**2 + dy**2 <= radius**2).astype(np.float64)
        images = (soft.counts, soft.dark, hard.counts, hard.dark)
        s, bs, h, bh = (np.maximum(fftconvolve(i, disc, mode="same"), 0.0) for i in images)
        net_s, net_h = s - bs, h - bh
        total = net_s + net_h
        new = np.isnan(made.radius) & (total >= least) & (soft.exposure > 0)
        made.ratio[new] = ((net_h - net_s) / np.where(total > 0, total, 1.0))[new]
        spread = 2 * np.sqrt(net_h**2 * s + net_s**2 * h) / np.where(total > 0, total, 1.0) ** 2
        made.error[new] = spread[new]
        made.radius[new] = radius
    return made
