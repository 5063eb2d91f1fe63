"""What users write - quantities, times, tables, tuples - turned once into the plain values of a request."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.request import Selection

if TYPE_CHECKING:
    from xtendsrc.request import GTIPairs

IMAGE_BAND_KEV = (0.5, 10.0)
CURVE_BAND_KEV = (0.6, 10.0)


def selection(
    energy: Any = None,
    channels: tuple[int, int] | None = None,
    gti: Any = None,
    grades: Iterable[int] | None = None,
    default_kev: tuple[float, float] | None = None,
) -> Selection:
    """Turn a band, good time intervals and grades into a `Selection`.

    Parameters
    ----------
    energy : Quantity of two energies, optional
        The band; rounded to the 6 eV grid by `xtendsrc.instrument.band_to_channels`.
    channels : (int, int), optional
        First and last PI channel, inclusive, instead of ``energy``.
    gti : optional
        See `gti_pairs`.
    grades : iterable of int, optional
        Event grades to keep.
    default_kev : (float, float), optional
        The band if neither ``energy`` nor ``channels`` is given; None takes every channel.

    Raises
    ------
    RequestError
        If both a band and channels are given.
    UnitsError
        If the band has no unit.
    """
    import astropy.units as u

    from xtendsrc.instrument import band_to_channels

    if energy is not None and channels is not None:
        raise RequestError("Both energy= and channels= are given.", "give one of them.")
    if energy is None and channels is None and default_kev is not None:
        energy = default_kev * u.keV
    if energy is not None:
        channels = band_to_channels(energy)
    return Selection(
        channels=None if channels is None else (channels[0], channels[1]),
        gti=None if gti is None else gti_pairs(gti),
        grades=None if grades is None else tuple(grades),
    )


def bands(energy: Any, channels: Any) -> list[dict[str, Any]]:
    """Turn one or several bands into a list of keyword arguments for `selection`.

    ``energy`` may be a Quantity of shape (2,) or (n, 2), or a list of pairs; ``channels`` one pair or a list of pairs.
    """
    import numpy as np

    if energy is not None and channels is not None:
        raise RequestError("Both energy= and channels= are given.", "give one of them.")
    if energy is None and channels is None:
        return [{}]
    name, given = ("energy", energy) if energy is not None else ("channels", channels)
    if hasattr(given, "unit"):
        pairs = list(given) if np.ndim(given) == 2 else [given]
    else:
        many = len(given) > 0 and np.ndim(given[0]) > 0
        pairs = list(given) if many else [given]
    if any(len(pair) != 2 for pair in pairs):
        raise RequestError(f"{name}={given!r} is not made of pairs.", "give (low, high), or a list of such pairs.")
    return [{name: pair} for pair in pairs]


def several(value: Any) -> list[Any]:
    """Give a list of one value or of the values of an iterable."""
    if hasattr(value, "unit"):
        return [value] if value.isscalar else list(value)
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def gti_pairs(gti: Any) -> GTIPairs:
    """Turn good time intervals into pairs of mission seconds.

    Parameters
    ----------
    gti : GTI, path, Table, or iterable of pairs
        A `xtendsrc.GTI`; a FITS file with a GTI extension; a table with START and STOP columns; pairs of
        ``astropy.time.Time`` or of mission seconds.

    Raises
    ------
    GTIError
        If nothing is left, or an interval ends before it starts.
    """
    from xtendsrc.gti import GTI

    if isinstance(gti, GTI):
        good = gti
    elif isinstance(gti, (str, Path)):
        good = GTI.read(gti)
    elif hasattr(gti, "colnames"):
        good = GTI(_seconds(gti["START"]), _seconds(gti["STOP"]))
    else:
        good = GTI.from_pairs([(_second(a), _second(b)) for a, b in gti])
    return tuple((float(a), float(b)) for a, b in zip(good.start, good.stop, strict=True))


def _seconds(column: Any) -> list[float]:
    return [_second(value) for value in column]


def _second(value: Any) -> float:
    """Give mission seconds of a Time, a Quantity in seconds or a number."""
    from astropy.time import Time

    from xtendsrc.missiontime import mission_seconds

    if isinstance(value, Time):
        return float(mission_seconds(value))
    return seconds(value) if hasattr(value, "unit") else float(value)


def start_second(start: Any) -> float | None:
    """Turn the start of a light curve, mission seconds or a Time, into mission seconds."""
    return None if start is None else _second(start)


def seconds(value: Any) -> float:
    """Turn a time with its unit into seconds.

    Raises
    ------
    UnitsError
        If it has no unit, or one that is not a time.
    """
    return _value(value, "s", "200 * u.s")


def arcminutes(value: Any) -> float:
    """Turn an angle with its unit into arcminutes."""
    return _value(value, "arcmin", "2 * u.arcmin")


def _value(value: Any, unit: str, example: str) -> float:
    import astropy.units as u

    if not hasattr(value, "to_value"):
        raise UnitsError(f"{value!r} has no unit.", f"give for example {example}.")
    try:
        return float(value.to_value(unit))
    except u.UnitConversionError as error:
        raise UnitsError(f"{value!r} cannot be turned into {unit}.", f"give for example {example}.") from error
