"""What users write - quantities, times, tables, tuples - turned once into the plain values of a request."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import GTIError, RequestError, UnitsError
from xtendsrc.events.selection import Selection

if TYPE_CHECKING:
    from xtendsrc.events.gti import GTI

IMAGE_BAND_KEV = (0.5, 10.0)
CURVE_BAND_KEV = (0.6, 10.0)


def selection(
    energy: Any = None,
    channels: tuple[int, int] | None = None,
    gti: Any = None,
    grades: Iterable[int] | None = None,
    default_kev: tuple[float, float] | None = None,
) -> Selection:
    """Convert a band, good time intervals and grades into a `Selection`.

    Parameters
    ----------
    energy : Quantity of two energies, optional
        The band; rounded to the 6 eV grid by `xtendsrc.instrument.band_to_channels`.
    channels : (int, int), optional
        First and last PI channel, inclusive, instead of ``energy``.
    gti : optional
        See `good_time`.
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
        channels=None if channels is None else _channel_pair(channels),
        gti=None if gti is None else good_time(gti),
        grades=None if grades is None else tuple(several(grades)),
    )


def _channel_pair(channels: Any) -> tuple[int, int]:
    try:
        first, last = channels
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"channels={channels!r} are not a first and a last channel.", "give (first, last), both inclusive."
        ) from error
    return first, last


def bands(energy: Any, channels: Any) -> list[dict[str, Any]]:
    """Convert one or several bands into a list of keyword arguments for `selection`.

    ``energy`` may be a Quantity of shape (2,) or (n, 2), or a list of pairs; ``channels`` one pair or a list of pairs.
    """
    import numpy as np

    if energy is not None and channels is not None:
        raise RequestError("Both energy= and channels= are given.", "give one of them.")
    if energy is None and channels is None:
        return [{}]
    name, given = ("energy", energy) if energy is not None else ("channels", channels)
    values = [given] if hasattr(given, "unit") and np.ndim(given) < 2 else several(given)
    pairs = values if values and all(map(np.iterable, values)) else [given]
    if not all(_has_two(pair) for pair in pairs):
        raise RequestError(f"{name}={given!r} is not made of pairs.", "give (low, high), or a list of such pairs.")
    return [{name: pair} for pair in pairs]


def _has_two(pair: Any) -> bool:
    import numpy as np

    return np.iterable(pair) and len(list(pair)) == 2


def several(value: Any) -> list[Any]:
    """Return a list of one value or of the values of an iterable."""
    if hasattr(value, "unit"):
        return [value] if value.isscalar else list(value)
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def good_time(gti: Any) -> GTI:
    """Convert good time intervals, however given, into a `xtendsrc.GTI`.

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
    from xtendsrc.events.gti import GTI

    if isinstance(gti, GTI):
        good = gti
    elif isinstance(gti, (str, Path)):
        good = GTI.read(gti)
    elif hasattr(gti, "colnames"):
        good = GTI(_seconds(gti["START"]), _seconds(gti["STOP"]))
    else:
        good = _pairs_of_times(gti)
    if len(good) == 0:
        raise GTIError("No good time interval is asked for.", "give at least one, or None for the file's own.")
    return good


def _pairs_of_times(gti: Any) -> GTI:
    import numpy as np

    from xtendsrc.events.gti import GTI

    if isinstance(gti, np.ndarray) and gti.ndim == 2 and gti.shape[1] == 2 and gti.dtype.kind in "fiu":
        return GTI(gti[:, 0], gti[:, 1])
    return GTI.from_pairs([(_second(a), _second(b)) for a, b in map(_pair, several(gti))])


def _pair(interval: Any) -> tuple[Any, Any]:
    try:
        start, stop = interval
    except (TypeError, ValueError) as error:
        raise GTIError(
            f"{interval!r} is not a good time interval.", "give a list of (start, stop), even for a single one."
        ) from error
    return start, stop


def _seconds(column: Any) -> Any:
    """Return mission seconds of a column of times, all at once where the column has a type that allows it."""
    import numpy as np
    from astropy.time import Time

    from xtendsrc.events.time import mission_seconds

    if isinstance(column, Time):
        return mission_seconds(column)
    values = np.asarray(column)
    unit = getattr(column, "unit", None)
    if values.dtype.kind in "fiu" and not np.ma.isMaskedArray(column):
        return values if unit is None else _quantity(values, unit)
    return [_second(value) for value in column]


def _quantity(values: Any, unit: Any) -> Any:
    import astropy.units as u

    try:
        return u.Quantity(values, unit).to_value(u.s)
    except u.UnitConversionError as error:
        raise UnitsError(
            f"Times in {unit} cannot be turned into seconds.", "give START and STOP in seconds."
        ) from error


def _second(value: Any) -> float:
    """Return mission seconds of a Time, a Quantity in seconds or a number."""
    from astropy.time import Time

    from xtendsrc.events.time import mission_seconds

    if isinstance(value, Time):
        return float(mission_seconds(value))
    if hasattr(value, "unit"):
        return seconds(value)
    return number("time", value, "give mission seconds (TT since MJDREF) or an astropy Time.")


def number(name: str, value: Any, next_step: str) -> float:
    """Convert a number of any type into a float; text is no number.

    Raises
    ------
    RequestError
        If it is not one number.
    """
    import numpy as np

    if isinstance(value, (str, bytes)) or not np.isscalar(value):
        raise RequestError(f"{name}: {value!r} is not a number.", next_step)
    return float(value)  # type: ignore[arg-type]  # a scalar that is no text


def start_second(start: Any) -> float | None:
    """Convert the start of a light curve, mission seconds or a Time, into mission seconds."""
    return None if start is None else _second(start)


def seconds(value: Any) -> float:
    """Convert a time with its unit into seconds.

    Raises
    ------
    UnitsError
        If it has no unit, or one that is not a time.
    """
    return _value(value, "s", "200 * u.s")


def arcminutes(value: Any) -> float:
    """Convert an angle with its unit into arcminutes."""
    return _value(value, "arcmin", "2 * u.arcmin")


def _value(value: Any, unit: str, example: str) -> float:
    import astropy.units as u

    if not hasattr(value, "to_value"):
        raise UnitsError(f"{value!r} has no unit.", f"give for example {example}.")
    if not value.isscalar:
        raise RequestError(f"{value!r} is not a single value.", f"give for example {example}.")
    try:
        return float(value.to_value(unit))
    except u.UnitConversionError as error:
        raise UnitsError(f"{value!r} cannot be turned into {unit}.", f"give for example {example}.") from error
