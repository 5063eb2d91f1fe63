"""What a trace is asked for, checked: energies, places of the source, number or precision of the rays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.responses.sampling import REPLICATES, Source
from xtendsrc.responses.shapes import Shape, radians

if TYPE_CHECKING:
    from astropy.units import Quantity
    from numpy.typing import NDArray

PHOTONS = 20_000
"""Rays for each energy and position if neither a number nor a precision is asked for."""

FIRST_RAYS = 256 * REPLICATES
"""Rays of one position to begin with if a precision is asked for."""

MOST_RAYS = 2**22
"""Rays of one position beyond which a precision is given up, and more are drawn only for a single energy."""


def energies_kev(energies: Quantity) -> NDArray[np.float64]:
    """Return energies in keV, (energies,).

    Raises
    ------
    UnitsError
        If they are not energies.
    RequestError
        If one is not positive.
    """
    try:
        kev = np.atleast_1d(u.Quantity(energies).to_value(u.keV))
    except (u.UnitConversionError, TypeError) as error:
        raise UnitsError(f"energies = {energies!r} are no energies.", "give them as [1, 4] * u.keV.") from error
    if kev.ndim != 1 or not kev.size or not np.isfinite(kev).all() or (kev <= 0).any():
        raise RequestError(f"energies = {energies} are not a list of positive energies.", "give [1, 4] * u.keV.")
    return kev


def sources_at(off_axis: Quantity, roll: Quantity, shape: Shape, seed: int) -> tuple[Source, ...]:
    """Return the source at each pair of angles.

    Raises
    ------
    UnitsError
        If an angle has no unit.
    RequestError
        If the pairs do not match, an angle is no angle in front of the telescope, or the seed is negative.
    """
    angles = np.atleast_1d(radians(off_axis, "off_axis"))
    rolls = np.atleast_1d(radians(roll, "roll"))
    if len(rolls) == 1:
        rolls = np.repeat(rolls, len(angles))
    if angles.ndim != 1 or angles.shape != rolls.shape or not angles.size:
        raise RequestError(
            f"There are {angles.size} off-axis angles and {rolls.size} rolls.", "give one roll, or one for each angle."
        )
    if not (np.isfinite(angles).all() and np.isfinite(rolls).all()) or (np.abs(angles) >= np.pi / 2).any():
        raise RequestError("The angles must be finite and the source in front of the telescope.", "check off_axis.")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise RequestError(f"seed = {seed!r} is not a number from 0.", "give an integer that is not negative.")
    return tuple(Source(float(a), float(r), shape, int(seed)) for a, r in zip(angles, rolls, strict=True))


def relative_goal(precision: float | Quantity | None) -> float | None:
    """Return the relative standard error to reach, None if none is asked for.

    Raises
    ------
    UnitsError
        If it is not a fraction.
    RequestError
        If it is not between 0 and 1.
    """
    if precision is None:
        return None
    try:
        goal = float(u.Quantity(precision).to_value(u.one))
    except (u.UnitConversionError, TypeError) as error:
        raise UnitsError(f"precision = {precision!r} is not a fraction.", "give 0.005 or 0.5 * u.percent.") from error
    if not 0 < goal < 1:
        raise RequestError(f"precision = {precision} is not between 0 and 1.", "give 0.005 or 0.5 * u.percent.")
    return goal


def rays_to_draw(photons: int | None, goal: float | None, energies: int) -> int:
    """Return how many rays to draw at once for a position.

    Raises
    ------
    RequestError
        If both a number and a precision are given, or the number is no number or too small for an error.
    """
    if photons is not None and goal is not None:
        raise RequestError("Both photons= and precision= are given.", "give one of them.")
    if photons is None:
        photons = PHOTONS
        if goal is not None:
            return FIRST_RAYS
    if isinstance(photons, bool) or not isinstance(photons, int | np.integer) or photons < REPLICATES:
        raise RequestError(
            f"photons = {photons!r} is not a number of at least {REPLICATES}.",
            "give more; each of the samples from which the error follows needs rays.",
        )
    return max(int(photons), min(int(photons) * energies, MOST_RAYS))
