"""Mission time: seconds in TT since the mission's epoch, and absolute times.

XRISM counts from 2019-01-01T00:00:00 UTC, which is MJD 58484 + 69.184 s in TT (keywords MJDREFI and MJDREFF of its
event files; ABC guide, chapter 5). Only the keywords of the file at hand are used where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.errors import InputFileError, MissingKeywordError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.time import Time

EPOCH: dict[str, Any] = {"MJDREFI": 58484, "MJDREFF": 8.007407407410000e-04, "TIMESYS": "TT"}


def mission_time(seconds: Any, header: Mapping[str, Any] | None = None) -> Time:
    """Convert mission seconds into absolute times.

    Parameters
    ----------
    seconds : float or array of float
        Mission seconds.
    header : mapping, optional
        A FITS header with MJDREFI and MJDREFF, or MJDREF, and TIMESYS; the XRISM epoch if not given.

    Returns
    -------
    astropy.time.Time
        In the scale that TIMESYS names (TT), good to better than a microsecond.

    Raises
    ------
    MissingKeywordError
        If the header has no reference epoch.
    InputFileError
        If that is no number, or in no known time scale.
    """
    from astropy.time import TimeDelta

    return _epoch(header) + TimeDelta(seconds, format="sec")


def mission_seconds(time: Time, header: Mapping[str, Any] | None = None) -> Any:
    """Convert absolute times into mission seconds; the inverse of `mission_time`."""
    epoch = _epoch(header)
    return (getattr(time, epoch.scale) - epoch).to_value("sec")


def _epoch(header: Mapping[str, Any] | None) -> Time:
    from astropy.time import Time

    keys: Mapping[str, Any] = EPOCH if header is None else header
    scale = str(keys.get("TIMESYS", "TT")).strip().lower()
    if "MJDREFI" in keys and "MJDREFF" in keys:
        days = (keys["MJDREFI"], keys["MJDREFF"])
    elif "MJDREF" in keys:
        days = (keys["MJDREF"], 0.0)
    else:
        raise MissingKeywordError(
            "The header has neither MJDREFI and MJDREFF nor MJDREF, so its times cannot be made absolute.",
            "check the file that it comes from.",
        )
    try:
        return Time(float(days[0]), float(days[1]), format="mjd", scale=scale)
    except (TypeError, ValueError) as error:  # no number, or a scale that astropy does not know
        raise InputFileError(
            f"The header counts its times from MJD {days[0]} + {days[1]} in {scale.upper()!r}, which is no epoch.",
            "correct MJDREFI, MJDREFF or TIMESYS.",
        ) from error
