"""The numbers of a region file: positions, sizes with their units, angles."""

from __future__ import annotations

import math
import re

from xtendsrc.errors import RegionError

#: Celestial frames of a file: astropy's names of them.
SKY = {"icrs": "icrs", "fk5": "fk5", "j2000": "fk5", "fk4": "fk4", "b1950": "fk4", "galactic": "galactic"}

_NUMBER = re.compile(r"^(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?P<unit>[\"'drpiDRPI°]?)$")
_SEXAGESIMAL = re.compile(
    r"^(?P<sign>[-+]?)(?P<first>\d+)"
    r"(?::(?P<m1>\d+(?:\.\d*)?)(?::(?P<s1>\d+(?:\.\d*)?))?|(?P<unit>[hd])(?P<m2>\d+(?:\.\d*)?)?m?(?P<s2>\d+(?:\.\d*)?)?s?)$"
)
_DEGREES = {'"': 1 / 3600, "'": 1 / 60, "d": 1.0, "°": 1.0, "r": 180 / math.pi}
_HOW = "Give the size with its unit: 120\" or 2' or 0.0333d (or pass the region objects themselves, not a file)."


def number(token: str, what: str) -> tuple[float, str]:
    """Read a number and the unit behind it.

    Raises
    ------
    RegionError
        If it is none.
    """
    match = _NUMBER.match(token)
    if match is None:
        raise RegionError(f"The {what} {token!r} is not a number.", "Correct the line.")
    value = float(match["number"])
    if not math.isfinite(value):
        raise RegionError(f"The {what} {token!r} is too large.", "Correct the line.")
    return value, match["unit"].lower()


def is_sexagesimal(token: str) -> bool:
    """Whether a coordinate is written in hours or degrees, minutes and seconds."""
    return _SEXAGESIMAL.match(token) is not None


def degrees(token: str, hours: bool) -> float:
    """Read a coordinate in degrees; ``hours`` says that one with colons is in hours."""
    if (match := _SEXAGESIMAL.match(token)) is not None:
        parts = [float(match["first"]), *(float(match[f"{name}1"] or match[f"{name}2"] or 0) for name in "ms")]
        if max(parts[1:]) > 60:
            raise RegionError(
                f"{token!r} is not a coordinate (60 minutes or seconds at most).",
                "Write it as 05:25:02.3 or in degrees.",
            )
        value = (parts[0] + parts[1] / 60 + parts[2] / 3600) * (-1 if match["sign"] == "-" else 1)
        return value * (15 if match["unit"] == "h" or (match["unit"] is None and hours) else 1)
    value, unit = number(token, "coordinate")
    if unit not in ("", "d", "°"):
        raise RegionError(f"The coordinate {token!r} is not in degrees.", "Write 81.259 or 05:25:02.3.")
    return value


def place(first: str, second: str, frame: str) -> tuple[float, float]:
    """Read a longitude and a latitude, degrees in the file's frame."""
    latitude = degrees(second, False)
    if abs(latitude) > 90:
        raise RegionError(f"The latitude {second!r} is beyond the pole.", "Give the longitude first.")
    return degrees(first, frame != "galactic"), latitude


def size(token: str, frame: str | None) -> float:
    """Read a size: degrees under a frame on the sky, where it must carry a unit, else pixels."""
    if frame not in SKY:
        return pixel(token, "size", frame)
    value, unit = number(token, "size")
    if unit in ("p", "i"):
        raise RegionError(f"The size {token!r} is in pixels under the sky frame {frame}.", _HOW)
    if unit == "":
        raise RegionError(
            f"The size {token!r} has no unit: under {frame} HEASoft takes it for pixels and ds9 for degrees.", _HOW
        )
    return value * _DEGREES[unit]


def pixel(token: str, what: str, frame: str | None) -> float:
    """Read a position or a size in pixels."""
    if ":" in token or is_sexagesimal(token):
        unit = ":"
    else:
        value, unit = number(token, what)
    if unit not in ("", "p", "i"):
        where = f"under the pixel frame {frame}" if frame else "without a frame"
        raise RegionError(
            f"The {what} {token!r} is an angle {where}.", "Write a line fk5 or icrs above it, or use pixels."
        )
    return value


def angle(token: str) -> float:
    """Read an angle in degrees."""
    value, unit = number(token, "angle")
    if unit not in ("", "d", "°"):
        raise RegionError(f"The angle {token!r} is not in degrees.", "Write it as a plain number of degrees.")
    return value
