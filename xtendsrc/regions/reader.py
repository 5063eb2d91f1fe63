"""Region files of ds9, HEASoft and CIAO, read without guessing."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from xtendsrc.errors import RegionError
from xtendsrc.regions import formats, values
from xtendsrc.regions.shapes import FramedShapes, Shape
from xtendsrc.regions.sky import frame_rotations
from xtendsrc.regions.values import SKY

log = logging.getLogger("xtendsrc.regions")

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

MOST_SHAPES = 250_000
"""More shapes than this are a catalogue, not a region."""


@dataclass
class _Parsed:
    """A shape as the file has it: places in its frame, sizes in pixels or degrees."""

    line: int
    frame: str | None
    name: str
    places: list[float]
    sizes: list[float]
    angle: list[float]
    exclude: bool


@dataclass
class _State:
    """What the lines read so far have set."""

    path: Path
    ciao: bool = False
    frame: str | None = None
    exclude: bool = False
    background: bool = False
    found: list[_Parsed] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def read_region_file(path: str | Path, frame: str = "SKY") -> FramedShapes:
    """Read a region file; see `RegionSet.read`.

    Understood are the frames icrs, fk5 (j2000), fk4 (b1950) and galactic, all brought to ICRS by astropy, and physical
    and image, both meaning unbinned pixels of `frame` (as in HEASoft); the shapes circle, annulus, ellipse, box,
    rectangle, polygon and elliptical and box annuli; excluded shapes by ``-``, ``!``, ``# include=0`` or
    ``# include=False``. Lines that only draw (text, vectors, rulers) are skipped and logged. A size under a sky frame
    must carry its unit, since HEASoft takes a bare number for pixels and ds9 for degrees.

    FITS region tables and the circles and polygons of CASA (CRTF) and STC-S files are read too; see
    `xtendsrc.regions.formats`.
    """
    path = Path(path)
    if formats.is_fits(path):
        from xtendsrc.regions.fitsregion import read_region_table

        return read_region_table(path)
    text = formats.text_of(path)
    if formats.is_crtf(text):
        return formats.read_crtf(path, text, frame)
    state = _State(path, ciao=formats.is_ciao(text))
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            _read_line(state, number, line)
        except RegionError as err:
            if str(path) in err.what:
                raise
            raise RegionError(f"{path}, line {number}: {err.what} In: {line.strip()[:200]!r}.", err.next_step) from err
    return _finish(state, frame)


def _finish(state: _State, pixel_frame: str) -> FramedShapes:
    path = state.path
    for text in state.skipped:
        log.info("%s: skipped what selects nothing: %s", path, text)
    if not state.found:
        raise RegionError(f"{path}: the file holds no region.", "Write at least one shape, e.g. circle(...).")
    frames = {"icrs" if parsed.frame in SKY else pixel_frame for parsed in state.found}
    if len(frames) > 1:
        kinds = {("sky" if parsed.frame in SKY else "pixels"): parsed.line for parsed in state.found}
        lines = ", ".join(f"{kind} in line {number}" for kind, number in kinds.items())
        raise RegionError(f"{path}: sky and pixel coordinates are mixed ({lines}).", "Use one frame in a file.")
    _bring_to_icrs(state.found)
    shapes = [_made(path, parsed) for parsed in state.found]
    flags = [shape.exclude for shape in shapes]
    if flags != sorted(flags):
        log.warning("%s: excluded shapes are taken out of every included one, also of those after them.", path)
    return FramedShapes(frames.pop(), tuple(shapes))


def _bring_to_icrs(found: list[_Parsed]) -> None:
    """Convert the places of all shapes on the sky into ICRS degrees, those of one frame at once."""
    for frame in {parsed.frame for parsed in found if parsed.frame in SKY}:
        these = [parsed for parsed in found if parsed.frame == frame]
        flat = np.array([value for parsed in these for value in parsed.places]).reshape(-1, 2)
        coordinates = SkyCoord(flat[:, 0], flat[:, 1], unit="deg", frame=SKY[str(frame)])
        icrs = np.column_stack([coordinates.icrs.ra.deg, coordinates.icrs.dec.deg])
        ends = np.cumsum([len(parsed.places) // 2 for parsed in these])
        first = ends - [len(parsed.places) // 2 for parsed in these]
        turned = [i for i, parsed in enumerate(these) if parsed.angle]
        rotations = frame_rotations(coordinates[first[turned]]) if turned else ()
        for parsed, begin, end in zip(these, first, ends, strict=True):
            parsed.places = icrs[begin:end].ravel().tolist()
        for i, rotation in zip(turned, rotations, strict=True):
            these[i].angle = [these[i].angle[0] + float(rotation)]


def _made(path: Path, parsed: _Parsed) -> Shape:
    try:
        return Shape(parsed.name, (*parsed.places, *parsed.sizes, *parsed.angle), parsed.exclude)
    except RegionError as err:
        raise RegionError(f"{path}, line {parsed.line}: {err.what}", err.next_step) from err


def _read_line(state: _State, number: int, line: str) -> None:
    if _GLOBAL.match(line):
        defaults, after = _until_semicolon(line)
        state.exclude = _excluded(defaults, state.exclude)
        state.background = _is_background(defaults, state.background)
        _read_global_frame(state, defaults)
        _read_line(state, number, after)
        return
    text, _, comment = line.strip().partition("#")
    if not text.strip():
        _note_drawing(state, number, comment)
        return
    for part in filter(None, (part.strip() for part in text.split(";"))):
        _read_part(state, number, part.removesuffix("||").strip(), comment)
        if len(state.found) > MOST_SHAPES:
            raise RegionError(
                f"There are more than {MOST_SHAPES} shapes, which is a catalogue rather than a region.",
                "Give a region for each source, or join the shapes.",
            )


def _read_global_frame(state: _State, defaults: str) -> None:
    """Take the frame that a global line may name, as a word or as ``coordsys=``."""
    for word in _QUOTED.sub("", defaults).split()[1:]:
        name, equals, value = word.lower().partition("=")
        if not equals or name in ("coordsys", "coord", "frame", "system"):
            _set_frame(state, value or name)


def _set_frame(state: _State, word: str) -> bool:
    """Set the frame if a word names one; tell whether it does."""
    if word in SKY or word in _PIXEL:
        state.frame = word
        return True
    if word in _REFUSED or re.fullmatch(r"wcs[a-z]", word):
        raise RegionError(f"The frame {word!r} has no fixed meaning here.", "Save it as fk5, icrs or physical.")
    return False


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


@lru_cache(maxsize=1024)
def _excluded(properties: str, default: bool) -> bool:
    include = _flag(properties, "include")
    return default if include is None else not include


@lru_cache(maxsize=1024)
def _is_background(properties: str, default: bool) -> bool:
    """Whether shapes are background: the word alone, or ``source=0``, the form of a global line."""
    words = re.findall(r"(?<![\w=])(?:background|source)(?!\w|\s*=)", _QUOTED.sub("", properties))
    source, background = _flag(properties, "source"), _flag(properties, "background")
    if "background" in words or background or source is False:
        return True
    return default and not words and source is None and background is None


def _read_part(state: _State, number: int, part: str, comment: str) -> None:
    if _set_frame(state, part.lower()):
        return
    if (stc := formats.stc_shape(part)) is not None:
        _add(state, number, stc, comment)
        return
    match = _SHAPE.match(part)
    if match is None:
        raise RegionError(f"{part[:100]!r} is not understood{formats.hint(part)}.", formats.ONE_SHAPE)
    name = match["name"].lower()
    if name in _DRAWN:
        state.skipped.append(f"line {number}, {name}")
        return
    if name not in _AREAS:
        raise RegionError(
            f"{match['name']!r} is neither a frame nor a shape that can select events{formats.hint(part)}.",
            f"Use the frames {', '.join((*SKY, *_PIXEL))} and the shapes {', '.join(_AREAS)}.",
        )
    tokens = re.split(r"[\s,]+", (match["inner"] or match["bare"] or "").strip())
    frame = formats.ciao_frame(tokens) if state.ciao and state.frame is None else state.frame
    _add(state, number, formats.Found(match["sign"], _AREAS[name], tokens, frame), comment)


def _add(state: _State, number: int, found: formats.Found, comment: str) -> None:
    """Keep a shape."""
    if _is_background(comment, state.background):
        raise RegionError(
            "The shape is marked as background.", "Keep the source and the background in files of their own."
        )
    parsed = _parsed(number, found.name, found.tokens, found.frame)
    parsed.exclude = found.sign in ("-", "!") or _excluded(comment, state.exclude and found.sign != "+")
    state.found.append(parsed)


def _parsed(line: int, name: str, tokens: list[str], frame: str | None) -> _Parsed:
    name, tokens = _full(name, tokens)
    if name == "polygon":
        return _Parsed(line, frame, name, _positions(tokens, frame), [], [], False)
    places = _positions(tokens[:2], frame)
    if name == "rectangle":
        return _rectangle(line, places, tokens[2:], frame)
    turns = name not in ("circle", "annulus")
    sizes = [values.size(token, frame) for token in (tokens[2:-1] if turns else tokens[2:])]
    return _Parsed(line, frame, name, places, sizes, [values.angle(tokens[-1])] if turns else [], False)


def _full(name: str, tokens: list[str]) -> tuple[str, list[str]]:
    """Return the shape that the number of values tells, with the angle that may be left out."""
    if tokens == [""]:
        raise RegionError(f"The {name} has no values.", "Give its position and size.")
    if name in ("ellipse", "box") and len(tokens) in (6, 7):
        name = {"ellipse": "elliptannulus", "box": "boxannulus"}[name]
    if name in ("elliptannulus", "boxannulus") and len(tokens) == 8:
        if values.angle(tokens[6]) != values.angle(tokens[7]):
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


def _rectangle(line: int, corner: list[float], tokens: list[str], frame: str | None) -> _Parsed:
    if frame in SKY:
        raise RegionError("A rectangle by its corners has no fixed meaning on the sky.", "Write it as box(...).")
    (x, y), (x2, y2) = corner, _positions(tokens[:2], frame)
    sizes = [abs(x2 - x), abs(y2 - y)]
    return _Parsed(line, frame, "box", [(x + x2) / 2, (y + y2) / 2], sizes, [values.angle(tokens[2])], False)


def _positions(tokens: list[str], frame: str | None) -> list[float]:
    """(x, y) pairs: degrees in the frame of the file, or pixels."""
    if frame is None or frame not in SKY:
        return [values.pixel(token, "position", frame) for token in tokens]
    pairs = zip(tokens[0::2], tokens[1::2], strict=True)
    return [value for first, second in pairs for value in values.place(first, second, frame)]
