"""Region files of ds9 and HEASoft, read without guessing."""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
from astropy.coordinates import Angle, SkyCoord

from xtendsrc.errors import InputNotFoundError, RegionError
from xtendsrc.regions.regionset import RegionSet
from xtendsrc.regions.shapes import Shape
from xtendsrc.regions.sky import frame_rotation

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("xtendsrc.regions")

#: Celestial frames of a file: astropy's names of them.
_SKY = {"icrs": "icrs", "fk5": "fk5", "j2000": "fk5", "fk4": "fk4", "b1950": "fk4", "galactic": "galactic"}
_PIXEL = ("physical", "image")
_REFUSED = ("ecliptic", "linear", "detector", "amplifier", "wcs", "tile")
_DRAWN = ("text", "vector", "ruler", "compass", "projection", "segment")
_AREAS = {
    **{name: name for name in ("circle", "annulus", "ellipse", "elliptannulus", "box", "boxannulus", "polygon")},
    "rotbox": "box",
    "rectangle": "rectangle",
    "rotrectangle": "rectangle",
}

_FLAGS = {"1": True, "true": True, "+": True, "0": False, "false": False, "-": False}
_GLOBAL = re.compile(r"\s*global\b", re.IGNORECASE)
_QUOTED = re.compile(r"\{[^}]*\}|\"[^\"]*\"|'[^']*'")
_SHAPE = re.compile(r"^(?P<sign>[-+!]?)\s*(?P<name>[A-Za-z][A-Za-z0-9]*)\s*(?:\((?P<inner>[^()]*)\)|(?P<bare>\s.*))?$")
_NUMBER = re.compile(r"^(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?P<unit>[\"'drpiDRPI°]?)$")
_SEXAGESIMAL = re.compile(r"^[-+]?\d+(?::\d+(?:\.\d*)?(?::\d+(?:\.\d*)?)?|[hd]\d+(?:\.\d*)?m?(?:\d+(?:\.\d*)?s?)?)$")
_UNITS = {'"': u.arcsec, "'": u.arcmin, "d": u.deg, "°": u.deg, "r": u.rad}
_HOW = "Give the size with its unit: 120\" or 2' or 0.0333d (or pass the region objects themselves, not a file)."


@dataclass
class _State:
    """What the lines read so far have set."""

    path: Path
    pixel_frame: str
    frame: str | None = None
    exclude: bool = False
    background: bool = False
    found: list[tuple[int, str, Shape]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def read_region_file(path: str | Path, frame: str = "SKY") -> RegionSet:
    """Read a region file; see `RegionSet.read`.

    Understood are the frames icrs, fk5 (j2000), fk4 (b1950) and galactic, all brought to ICRS by astropy, and physical
    and image, both meaning unbinned pixels of `frame` (as in HEASoft); the shapes circle, annulus, ellipse, box,
    rectangle, polygon and elliptical and box annuli; excluded shapes by ``-``, ``!``, ``# include=0`` or
    ``# include=False``. Lines that only draw (text, vectors, rulers) are skipped and logged. A size under a sky frame
    must carry its unit, since HEASoft takes a bare number for pixels and ds9 for degrees.
    """
    path = Path(path)
    state = _State(path, frame)
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        try:
            _read_line(state, number, line)
        except RegionError as err:
            if str(path) in err.what:
                raise
            raise RegionError(f"{path}, line {number}: {err.what} In: {line.strip()!r}.", err.next_step) from err
    return _finish(state)


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError as err:
        raise InputNotFoundError(f"{path}: there is no such region file.", "Check the path.") from err
    except OSError as err:
        raise RegionError(f"{path}: the region file cannot be read ({err.strerror}).", "Check the path.") from err
    if data.startswith(b"SIMPLE  ="):
        raise RegionError(f"{path} is a FITS file, not a text file of regions.", "Save the regions as ds9 text.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise RegionError(f"{path} is not a text file.", "Save the regions as ds9 text.") from err


def _finish(state: _State) -> RegionSet:
    path = state.path
    for text in state.skipped:
        log.info("%s: skipped what selects nothing: %s", path, text)
    if not state.found:
        raise RegionError(f"{path}: the file holds no region.", "Write at least one shape, e.g. circle(...).")
    frames = {frame for _, frame, _ in state.found}
    if len(frames) > 1:
        lines = ", ".join(f"{frame} in line {number}" for number, frame, _ in state.found)
        raise RegionError(f"{path}: sky and pixel coordinates are mixed ({lines}).", "Use one frame in a file.")
    shapes = tuple(shape for _, _, shape in state.found)
    flags = [shape.exclude for shape in shapes]
    if flags != sorted(flags):
        log.warning("%s: excluded shapes are taken out of every included one, also of those after them.", path)
    return RegionSet(frames.pop(), shapes)


def _read_line(state: _State, number: int, line: str) -> None:
    if _GLOBAL.match(line):
        defaults, after = _until_semicolon(line)
        state.exclude = _excluded(defaults, state.exclude)
        state.background = _is_background(defaults, state.background)
        _read_line(state, number, after)
        return
    text, _, comment = line.strip().partition("#")
    if not text.strip():
        _note_drawing(state, number, comment)
        return
    for part in filter(None, (part.strip() for part in text.split(";"))):
        _read_part(state, number, part.removesuffix("||").strip(), comment)


def _until_semicolon(line: str) -> tuple[str, str]:
    """What stands before and after the first semicolon outside quoted text."""
    end = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), line).find(";")
    return (line, "") if end < 0 else (line[:end], line[end + 1 :])


def _note_drawing(state: _State, number: int, comment: str) -> None:
    word = re.match(r"\s*([A-Za-z]+)\s*\(", comment)
    if word and word[1].lower() in _DRAWN:
        state.skipped.append(f"line {number}, {word[1]}")


def _flag(properties: str, name: str) -> bool | None:
    """Value of a property outside any quoted text: 0 or 1 in ds9, False or True from the regions package."""
    found = re.search(rf"\b{name}\s*=\s*(\S+)", _QUOTED.sub("", properties))
    if found is None:
        return None
    if found[1].lower() not in _FLAGS:
        raise RegionError(f"{name}={found[1]} is neither 0 nor 1.", f"Write {name}=0 or {name}=1.")
    return _FLAGS[found[1].lower()]


def _excluded(properties: str, default: bool) -> bool:
    include = _flag(properties, "include")
    return default if include is None else not include


def _is_background(properties: str, default: bool) -> bool:
    """Whether shapes are background: the word alone, or ``source=0``, the form of a global line."""
    words = re.findall(r"(?<![\w=])(?:background|source)(?!\w|\s*=)", _QUOTED.sub("", properties))
    source, background = _flag(properties, "source"), _flag(properties, "background")
    if "background" in words or background or source is False:
        return True
    return default and not words and source is None and background is None


def _read_part(state: _State, number: int, part: str, comment: str) -> None:
    word = part.lower()
    if word in _SKY or word in _PIXEL:
        state.frame = word
        return
    if word in _REFUSED or re.fullmatch(r"wcs[a-z]", word):
        raise RegionError(f"The frame {part!r} has no fixed meaning here.", "Save it as fk5, icrs or physical.")
    match = _SHAPE.match(part)
    if match is None:
        raise RegionError(f"{part!r} is not understood.", "Write one shape a line, e.g. circle(...).")
    name = match["name"].lower()
    if name in _DRAWN:
        state.skipped.append(f"line {number}, {name}")
        return
    if name not in _AREAS:
        raise RegionError(
            f"{match['name']!r} is neither a frame nor a shape that can select events.",
            f"Use the frames {', '.join((*_SKY, *_PIXEL))} and the shapes {', '.join(_AREAS)}.",
        )
    if _is_background(comment, state.background):
        raise RegionError(
            "The shape is marked as background.", "Keep the source and the background in files of their own."
        )
    tokens = re.split(r"[\s,]+", (match["inner"] or match["bare"] or "").strip())
    shape = _shape(_AREAS[name], tokens, state.frame)
    if match["sign"] in ("-", "!") or _excluded(comment, state.exclude and match["sign"] != "+"):
        shape = shape.excluded()
    state.found.append((number, "icrs" if state.frame in _SKY else state.pixel_frame, shape))


def _shape(name: str, tokens: list[str], frame: str | None) -> Shape:
    name, tokens = _full(name, tokens)
    if name == "polygon":
        return Shape(name, tuple(_positions(tokens, frame)))
    x, y = _positions(tokens[:2], frame)
    if name == "rectangle":
        return _rectangle(x, y, tokens[2:], frame)
    turns = name not in ("circle", "annulus")
    sizes = [_size(token, frame) for token in (tokens[2:-1] if turns else tokens[2:])]
    angle = [_angle(tokens[-1]) + _rotation(tokens, frame)] if turns else []
    return Shape(name, (x, y, *sizes, *angle))


def _full(name: str, tokens: list[str]) -> tuple[str, list[str]]:
    """Give the shape that the number of values tells, with the angle that may be left out."""
    if tokens == [""]:
        raise RegionError(f"The {name} has no values.", "Give its position and size.")
    if name in ("ellipse", "box") and len(tokens) in (6, 7):
        name = {"ellipse": "elliptannulus", "box": "boxannulus"}[name]
    if name in ("elliptannulus", "boxannulus") and len(tokens) == 8:
        if _angle(tokens[6]) != _angle(tokens[7]):
            raise RegionError(f"The two edges of the {name} have different angles.", "Give one angle.")
        tokens = tokens[:7]
    without = {"ellipse": 4, "box": 4, "elliptannulus": 6, "boxannulus": 6, "rectangle": 4}.get(name)
    if len(tokens) == without:
        tokens = [*tokens, "0"]
    expected = {"circle": 3, "annulus": 4, "rectangle": 5}.get(name, without + 1 if without else len(tokens))
    if len(tokens) != expected:
        hint = " Write each ring of it as an annulus of its own." if name == "annulus" else ""
        raise RegionError(f"The {name} has {len(tokens)} values, not {expected}.", f"Correct the line.{hint}")
    if name == "polygon" and (len(tokens) < 6 or len(tokens) % 2):
        raise RegionError(f"The polygon has {len(tokens)} values.", "Give at least three (x, y) pairs.")
    return name, tokens


def _rectangle(x: float, y: float, tokens: list[str], frame: str | None) -> Shape:
    if frame in _SKY:
        raise RegionError("A rectangle by its corners has no fixed meaning on the sky.", "Write it as box(...).")
    x2, y2 = _positions(tokens[:2], frame)
    return Shape("box", ((x + x2) / 2, (y + y2) / 2, abs(x2 - x), abs(y2 - y), _angle(tokens[2])))


def _positions(tokens: list[str], frame: str | None) -> Iterator[float]:
    """ICRS degrees or pixels of (x, y) pairs."""
    if frame not in _SKY:
        yield from (_pixel(token, "position", frame) for token in tokens)
        return
    for first, second in zip(tokens[0::2], tokens[1::2], strict=True):
        place = _place(first, second, frame).icrs
        yield from (float(place.ra.deg), float(place.dec.deg))


def _place(first: str, second: str, frame: str) -> SkyCoord:
    hours = frame != "galactic"
    latitude = _degrees(second, False)
    if abs(latitude) > 90:
        raise RegionError(f"The latitude {second!r} is beyond the pole.", "Give the longitude first.")
    return SkyCoord(_degrees(first, hours), latitude, unit="deg", frame=_SKY[frame])


def _rotation(tokens: list[str], frame: str | None) -> float:
    """Angle by which the frame is turned against ICRS at the shape's place."""
    return frame_rotation(_place(tokens[0], tokens[1], frame)) if frame in _SKY and frame is not None else 0.0


def _degrees(token: str, hours: bool) -> float:
    if _SEXAGESIMAL.match(token):
        unit = u.hourangle if "h" in token or (":" in token and hours) else u.deg
        try:
            return float(Angle(token, unit).deg)
        except ValueError as err:
            raise RegionError(
                f"{token!r} is not a coordinate ({err}).", "Write it as 05:25:02.3 or in degrees."
            ) from err
    number, unit = _number(token, "coordinate")
    if unit not in ("", "d", "°"):
        raise RegionError(f"The coordinate {token!r} is not in degrees.", "Write 81.259 or 05:25:02.3.")
    return number


def _size(token: str, frame: str | None) -> float:
    if frame not in _SKY:
        return _pixel(token, "size", frame)
    number, unit = _number(token, "size")
    if unit in ("p", "i"):
        raise RegionError(f"The size {token!r} is in pixels under the sky frame {frame}.", _HOW)
    if unit == "":
        raise RegionError(
            f"The size {token!r} has no unit: under {frame} HEASoft takes it for pixels and ds9 for degrees.", _HOW
        )
    return float((number * _UNITS[unit]).to_value(u.deg))


def _pixel(token: str, what: str, frame: str | None) -> float:
    if ":" in token or _SEXAGESIMAL.match(token):
        unit = ":"
    else:
        number, unit = _number(token, what)
    if unit not in ("", "p", "i"):
        where = f"under the pixel frame {frame}" if frame else "without a frame"
        raise RegionError(
            f"The {what} {token!r} is an angle {where}.", "Write a line fk5 or icrs above it, or use pixels."
        )
    return number


def _angle(token: str) -> float:
    number, unit = _number(token, "angle")
    if unit not in ("", "d", "°"):
        raise RegionError(f"The angle {token!r} is not in degrees.", "Write it as a plain number of degrees.")
    return number


def _number(token: str, what: str) -> tuple[float, str]:
    match = _NUMBER.match(token)
    if match is None:
        raise RegionError(f"The {what} {token!r} is not a number.", "Correct the line.")
    number = float(match["number"])
    if not math.isfinite(number):
        raise RegionError(f"The {what} {token!r} is too large.", "Correct the line.")
    return number, match["unit"].lower()
