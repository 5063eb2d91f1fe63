"""coordpnt: carry a point or a region file between DET, FOC, SKY and RADEC."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from . import geometry
from .parfile import ParameterError
from .runtime import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from .parfile import Parameters

LEVELS = ("RAW", "ACT", "DET", "FOC", "SKY", "RADEC")
SIZES = {"circle": (1, False), "ellipse": (2, True), "box": (2, True), "rotbox": (2, True), "annulus": (2, False)}
UNSET = -999.0

if TYPE_CHECKING:
    Point = tuple[float, float]


def coordpnt(pars: Parameters) -> int:
    """Run the task."""
    carry, angle = chain(pars)
    text = pars.text("input")
    match = re.fullmatch(r"\s*([-+.\deE]+)[\s,]+([-+.\deE]+)\s*", text)
    if match:
        x, y = carry(float(match.group(1)), float(match.group(2)))
        say(f"{pars.text('stopsys').upper()} X, Y: {x:.15g} {y:.15g}")
        pars.put("outx", repr(x))
        pars.put("outy", repr(y))
        return 0
    source, target = Path(text), pars.file("outfile")
    if not source.is_file():
        raise ParameterError(1, f"Unable to open region file {text}")
    if target is None:
        raise ParameterError(1, "an output region file is needed")
    path = Path(target.lstrip("!"))
    if path.exists() and not pars.flag("clobber") and not target.startswith("!"):
        raise ParameterError(1, f"file {path} exists; use clobber=yes")
    path.write_text(transform_regions(source.read_text(), carry, angle, _scales(pars)))
    return 0


def _level(pars: Parameters, name: str) -> int:
    text = pars.text(name).upper()
    text = {"LOWEST": "DET", "HIGHEST": "RADEC"}.get(text, text)
    if text not in LEVELS[2:]:
        raise ParameterError(1, f"{name}: no telescope definition for {text}")
    return LEVELS.index(text)


def chain(pars: Parameters) -> tuple[Callable[[float, float], Point], float]:
    """Return the function that carries a point, and the angle in degrees by which directions turn."""
    where = geometry.load(pars.text("teldeffile"))
    pointing = (pars.number("ra"), pars.number("dec"), pars.number("roll"))
    ranom, decnom = pars.number("ranom"), pars.number("decnom")
    nominal = (
        pointing[0] if ranom == UNSET else ranom,
        pointing[1] if decnom == UNSET else decnom,
        pars.number("rollnom"),
    )
    first = geometry.det_to_foc(where)
    second = geometry.foc_to_sky(where, pointing, nominal)
    projection = geometry.sky_projection(where, nominal)
    ups = {2: first.apply, 3: second.apply, 4: projection.to_sky}
    downs = {3: first.invert, 4: second.invert, 5: projection.to_pixel}
    start, stop = _level(pars, "startsys"), _level(pars, "stopsys")

    def carry(x: float, y: float) -> Point:
        for level in range(start, stop):
            x, y = ups[level](x, y)
        for level in range(start, stop, -1):
            x, y = downs[level](x, y)
        return x, y

    turns = {2: first.angle, 3: second.angle, 4: 0.0}
    angle = sum(turns[level] for level in range(start, stop))
    return carry, angle - sum(turns[level - 1] for level in range(start, stop, -1))


def _scales(pars: Parameters) -> tuple[bool, bool, float]:
    where = geometry.load(pars.text("teldeffile"))
    return _level(pars, "startsys") == 5, _level(pars, "stopsys") == 5, where.scale


def _degrees(word: str, sky: bool, scale: float) -> float:
    """Return a size in pixels; a bare number under fk5 is degrees for this task's own parser."""
    units = {'"': 1 / 3600, "'": 1 / 60, "d": 1.0}
    if word[-1:] in units:
        return float(word[:-1]) * units[word[-1]] / scale
    return float(word) / scale if sky else float(word)


def transform_regions(
    text: str, carry: Callable[[float, float], Point], angle: float, scales: tuple[bool, bool, float]
) -> str:
    """Return the region file in the new system; comments and globals are dropped, ``include=0`` with them."""
    from_sky, to_sky, scale = scales
    lines = ["# Region file written by coordpnt.", "# Comments and global records not copied from input."]
    lines.append("fk5" if to_sky else "physical")
    for raw in text.splitlines():
        for part in raw.split("#", maxsplit=1)[0].split(";"):
            match = re.fullmatch(r"\s*([-+!]?)\s*([A-Za-z]+)\s*\(([^()]*)\)\s*", part)
            if match:
                lines.append(_shape(match, carry, angle, (from_sky, to_sky, scale)))
    return "\n".join(lines) + "\n"


def _number(word: str, hours: bool) -> float:
    if ":" not in word:
        return float(word.rstrip("d"))
    parts = [float(part) for part in word.split(":")]
    value = abs(parts[0]) + parts[1] / 60 + (parts[2] if len(parts) > 2 else 0.0) / 3600
    return (-value if word.startswith("-") else value) * (15 if hours else 1)


def _shape(
    match: re.Match[str],
    carry: Callable[[float, float], Point],
    angle: float,
    scales: tuple[bool, bool, float],
) -> str:
    sign, name = ("-" if match.group(1) in ("-", "!") else "+"), match.group(2).lower()
    words = [word.strip() for word in match.group(3).split(",")]
    if name != "polygon" and name not in SIZES:
        raise ParameterError(1, f"region shape {name} is not supported")
    count, turned = SIZES.get(name, (0, False))
    pairs = len(words) if name == "polygon" else 2
    values = []
    for place in range(0, pairs, 2):
        x, y = carry(_number(words[place], hours=True), _number(words[place + 1], hours=False))
        unit = "d" if scales[1] else ""
        values += [f"{x:.8f}{unit}", f"{y:.8f}{unit}"]
    for word in words[pairs : pairs + count]:
        size = _degrees(word, scales[0], scales[2])
        values.append(f"{size * scales[2]:.8f}d" if scales[1] else f"{size:.8f}")
    if turned:
        own = float(words[pairs + count]) if len(words) > pairs + count else 0.0
        values.append(f"{own + angle:.8f}")
    return f"{sign}{name}({','.join(values)})"
