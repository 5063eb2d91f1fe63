"""The energy scale: 4096 PI channels of 6 eV, and which channels a band means."""

from __future__ import annotations

import math
from typing import Any

import astropy.units as u
import numpy as np

from xtendsrc.errors import RequestError, UnitsError

PI_CHANNELS = 4096
"""Number of PI channels, 0 to 4095 (defaults of ``xtdrmf``: nchanout=4096; XRISM ABC guide)."""

EV_PER_CHANNEL = 6.0
"""Width of a channel in eV; channel k covers 6k to 6(k+1) eV (defaults of ``xtdrmf``: eminout=0, deout=6)."""


def _energy_ev(value: Any) -> float:
    """One end of a band in eV."""
    if not isinstance(value, u.Quantity):
        raise UnitsError(f"The energy {value!r} has no unit.", "write it as a Quantity, e.g. (0.5, 10) * u.keV.")
    if not value.isscalar:
        raise RequestError(f"{value} is not one energy.", "give one band here, or several to the plural method.")
    try:
        return float(value.to_value(u.eV))
    except u.UnitConversionError as error:
        raise UnitsError(f"{value} is not an energy.", "give energies in eV or keV.") from error


def _edge(ev: float) -> int:
    """Nearest channel boundary; halves go up, whatever the last bit of a decimal fraction says."""
    return math.floor(round(ev / EV_PER_CHANNEL, 9) + 0.5)


def band_to_channels(energy: Any) -> tuple[int, int]:
    """First and last channel of an energy band, both inclusive.

    A band is half-open on the 6 eV grid: an edge is ``floor(E / 6 eV + 1/2)`` and the channels are ``lo`` to
    ``hi - 1``, so that bands with a common edge share no channel and leave none out.

    Parameters
    ----------
    energy : Quantity of shape (2,), or pair of Quantity
        Lower and upper energy.

    Returns
    -------
    lo, hi : int
        Inclusive channels; ``(0.5, 10) * u.keV`` is (83, 1666).

    Raises
    ------
    UnitsError
        If an energy has no unit, or one that is no energy.
    RequestError
        If the band is not two finite rising energies within 0 to 24.576 keV, or is narrower than the grid.
    """
    try:
        low, high = energy
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"{energy!r} is not an energy band.", "give two energies, e.g. (0.5, 10) * u.keV."
        ) from error
    low_ev, high_ev = _energy_ev(low), _energy_ev(high)
    top = PI_CHANNELS * EV_PER_CHANNEL
    if not 0 <= low_ev < high_ev <= top:
        raise RequestError(
            f"The energy band {low} to {high} is not two rising energies.", f"stay within 0 to {top / 1000} keV."
        )
    lo, hi = _edge(low_ev), _edge(high_ev)
    if lo == hi:
        raise RequestError(f"No channel lies between {low} and {high}.", f"channels are {EV_PER_CHANNEL} eV wide.")
    return lo, hi - 1


def channels_to_band(lo: int, hi: int) -> u.Quantity:
    """Energies between which the inclusive channels ``lo`` to ``hi`` lie, in keV, shape (2,).

    Raises
    ------
    RequestError
        If the channels are not ``0 <= lo <= hi <= 4095``.
    """
    if not 0 <= lo <= hi < PI_CHANNELS:
        raise RequestError(f"Channels {lo} to {hi} do not exist.", f"stay within 0 to {PI_CHANNELS - 1}.")
    return u.Quantity([lo * EV_PER_CHANNEL / 1000, (hi + 1) * EV_PER_CHANNEL / 1000], u.keV)


def channel_edges() -> np.ndarray:
    """The 4097 boundaries of the channels in keV."""
    return np.arange(PI_CHANNELS + 1) * (EV_PER_CHANNEL / 1000)
