"""What a region file is when it is not a text of ds9 or HEASoft: recognised, read where it has our shapes, else named.

CASA's text (CRTF) and the STC-S of archives have circles and polygons of one meaning; their other shapes have differed
between versions and are refused. CIAO's text is HEASoft's with sexagesimal positions that need no frame.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from xtendsrc.errors import InputFileError, InputNotFoundError, RegionError
from xtendsrc.events.filebytes import check_exists
from xtendsrc.regions.convert import shapes_of
from xtendsrc.regions.values import is_sexagesimal

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.regions.shapes import FramedShapes

ONE_SHAPE = "Write one shape a line, e.g. circle(...)."
SAVE = "Save the regions as ds9 text (fk5 or icrs)."
LARGEST = 64 << 20
"""Bytes of the largest text that is read as a region."""

_STC = re.compile(
    r"^(?P<name>circle|polygon|ellipse|box|convex|positioninterval|position|allsky|union|intersection|difference|not)\s+"
    r"(?P<frame>icrs|fk5|fk4|j2000|galactic|ecliptic|unknownframe)\b(?P<rest>.*)$",
    re.IGNORECASE,
)
_STC_WORDS = re.compile(
    r"\b(?:geocenter|topocenter|barycenter|heliocenter|unknownrefpos|spherical2|spherical|cart2|unit deg)\b",
    re.IGNORECASE,
)
_CIAO = re.compile(r"#\s*Region file format:\s*CIAO", re.IGNORECASE)
_CRTF_SHAPE = re.compile(r"^\s*(?P<sign>[-+]?)\s*(?P<name>[a-z]+)\s*\[\[", re.IGNORECASE)
_CRTF_READ = ("circle", "annulus", "poly")


class Found(NamedTuple):
    """A shape of a line: sign, name, values as text, frame."""

    sign: str
    name: str
    tokens: list[str]
    frame: str | None


def _checked(path: Path) -> None:
    """Refuse what is no regular file, or too large to be a region."""
    try:
        check_exists(path)
        size = path.stat().st_size
    except InputNotFoundError as err:
        if not path.exists():
            raise InputNotFoundError(f"{path}: there is no such region file.", "Check the path.") from err
        raise RegionError(f"{path}: the region file cannot be read ({err.what}).", "Check the path.") from err
    except (OSError, InputFileError) as err:
        raise RegionError(f"{path}: the region file cannot be read ({err}).", "Check the path.") from err
    if size > LARGEST:
        raise RegionError(f"{path} has {size >> 20} MB, too many for a region.", "Check that it is a region file.")


def is_fits(path: Path) -> bool:
    """Whether a file is FITS, plain or gzipped.

    Raises
    ------
    InputNotFoundError, RegionError
        If there is no such file, or it cannot be read.
    """
    _checked(path)
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as err:
        raise RegionError(f"{path}: the region file cannot be read ({err.strerror}).", "Check the path.") from err
    return start == b"SIMPLE  =" or start.startswith(b"\x1f\x8b")


def text_of(path: Path) -> str:
    """The text of a region file.

    Raises
    ------
    RegionError
        If it is none.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise RegionError(f"{path} is not a text file.", SAVE) from err
    except OSError as err:
        raise RegionError(f"{path}: the region file cannot be read ({err.strerror}).", "Check the path.") from err


def is_crtf(text: str) -> bool:
    """Whether a text is CASA's (CRTF)."""
    return text.lstrip().upper().startswith("#CRTF")


def is_ciao(text: str) -> bool:
    """Whether a text says that it is CIAO's."""
    return _CIAO.match(text.lstrip()) is not None


def ciao_frame(tokens: list[str]) -> str | None:
    """Frame of a CIAO shape, which names none: sexagesimal positions are of equinox J2000, others pixels."""
    return "fk5" if len(tokens) > 1 and all(is_sexagesimal(token) for token in tokens[:2]) else None


def read_crtf(path: Path, text: str, frame: str) -> FramedShapes:
    """Read the circles, annuli and polygons of a CASA file by way of the ``regions`` package.

    Raises
    ------
    RegionError
        If it has other shapes, or cannot be read.
    """
    from regions import Regions

    for number, line in enumerate(text.splitlines(), start=1):
        match = _CRTF_SHAPE.match(line)
        if match and match["name"].lower() not in _CRTF_READ:
            raise RegionError(
                f"{path}, line {number}: {match['name']} of a CASA region file (CRTF) is not read; only "
                f"{', '.join(_CRTF_READ)} are.",
                SAVE,
            )
    try:
        found = Regions.parse(text, format="crtf")
    except Exception as err:  # the parser raises whatever it meets
        raise RegionError(f"{path} is a CASA region file (CRTF) that cannot be read: {err}", SAVE) from err
    if not len(found):
        raise RegionError(f"{path}: the CASA region file (CRTF) holds no region.", SAVE)
    return shapes_of(found, frame, _no_file)


def _no_file(path: object, frame: str) -> FramedShapes:
    raise RegionError(f"{path} is a file within a region file.", SAVE)


def stc_shape(part: str) -> Found | None:
    """Read a shape in STC-S, the form of ``s_region`` in archives; None if it is none.

    Raises
    ------
    RegionError
        If it is a shape of STC-S other than a circle or a polygon.
    """
    match = _STC.match(part)
    if match is None:
        return None
    name, frame = match["name"].lower(), match["frame"].lower()
    if name not in ("circle", "polygon") or frame in ("ecliptic", "unknownframe"):
        raise RegionError(f"{name} {frame} is a shape in STC-S, of which only circles and polygons are read.", SAVE)
    tokens = re.split(r"[\s,]+", _STC_WORDS.sub(" ", match["rest"]).strip())
    if name == "circle" and len(tokens) == 3:
        tokens[2] = f"{tokens[2]}d"
    return Found("", name, tokens, frame)


def hint(part: str) -> str:
    """What a line looks like that is not understood, in words."""
    if re.search(r"\bIN\b", part, re.IGNORECASE):
        return "; it looks like a selection expression of SAS"
    if re.search(r"\)\s*[*+&|-]", part):
        return "; it combines shapes by operators, as CIAO does"
    if re.match(r"\s*[<{]", part):
        return "; it looks like XML or JSON"
    return ""
