"""Region files as CFITSIO reads them, with the rules and the faults of its ASCII region parser.

The rules (frames, order of excludes, sizes without a unit, ``# include=0`` ignored, what makes the parser give
up) are those of the CFITSIO region filter as documented and as measured with HEASoft.
"""

from __future__ import annotations

import math
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .wcs import TanWCS

PIXEL_FRAMES = {"image", "physical", "none", ""}
SKY_FRAMES = {"fk5", "icrs", "fk4"}
REJECTED_FRAMES = {"linear", "galactic", "ecliptic", "detector", "wcs", "j2000", "b1950", "amplifier"}
ANGLED = {"box", "rotbox", "ellipse", "elliptannulus", "rectangle", "diamond"}
COUNTS = {
    "circle": {3},
    "annulus": {4},
    "ellipse": {4, 5},
    "elliptannulus": {6, 7, 8},
    "box": {4, 5, 6, 7, 8},
    "rotbox": {4, 5},
    "rectangle": {4, 5},
    "diamond": {4, 5},
    "sector": {4},
    "pie": {4},
    "point": {2},
    "line": {4},
    "panda": {8},
    "epanda": {11},
    "bpanda": {11},
}


class RegionRejectedError(Exception):
    """The region file cannot be understood; the real parser gives up on the whole file."""


@dataclass(frozen=True)
class Shape:
    """One shape in pixels: its name, its numbers, and whether it excludes."""

    name: str
    values: tuple[float, ...]
    exclude: bool


class Region:
    """The shapes of a file in components: OR between components, AND inside one."""

    def __init__(self, shapes: list[Shape], lines: list[str]) -> None:
        self.shapes = shapes
        self.lines = lines
        self.components: list[list[Shape]] = []
        for shape in shapes:
            if not shape.exclude:
                self.components.append([shape])
                continue
            if not self.components:
                self.components.append([])
            for component in self.components:
                component.append(shape)

    def inside(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Tell which points are selected."""
        selected = np.zeros(np.shape(x), bool)
        for component in self.components:
            good = np.ones(np.shape(x), bool)
            for shape in component:
                hit = within(shape, x, y)
                good &= ~hit if shape.exclude else hit
            selected |= good
        return selected


def read(path: str, wcs: TanWCS | None) -> Region:
    """Read a region file.

    A file with comments but no shape makes the real parser crash; so does this one.
    """
    if len(path) > 255:
        raise RegionRejectedError(f"could not open {path[:60]}...")
    try:
        text = Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise RegionRejectedError(f"could not open {path}") from error
    if not text.strip():
        raise RegionRejectedError(f"{path} is empty (status 104)")
    shapes: list[Shape] = []
    frame = "physical"
    for raw in text.splitlines():
        frame, found = _read_line(raw, frame, wcs)
        shapes += found
    if not shapes:
        os.kill(os.getpid(), signal.SIGSEGV)
    return Region(shapes, [line for line in text.splitlines() if line.strip()])


def _read_line(raw: str, frame: str, wcs: TanWCS | None) -> tuple[str, list[Shape]]:
    line = raw.split("#", maxsplit=1)[0].strip()
    if not line or line.lower().startswith("global"):
        return frame, []
    parts = [part.strip() for part in line.split(";") if part.strip()]
    if parts[0].lower() in PIXEL_FRAMES | SKY_FRAMES | REJECTED_FRAMES:
        frame = parts.pop(0).lower()
        if frame in REJECTED_FRAMES:
            raise RegionRejectedError(f"unknown coordinate system {frame} (status 431)")
    if len(parts) > 1:
        raise RegionRejectedError("more than one region on a line (status 431)")
    return frame, [_read_shape(parts[0], frame, wcs)] if parts else []


def _read_shape(text: str, frame: str, wcs: TanWCS | None) -> Shape:
    match = re.fullmatch(r"([+\-!]?)\s*([A-Za-z]+)\s*\(([^()]*)\).*", text)
    if not match:
        raise RegionRejectedError(f"cannot read {text!r} (status 432)")
    name = match.group(2).lower()
    words = [word.strip() for word in match.group(3).split(",")]
    if name == "polygon":
        if len(words) < 6 or len(words) % 2:
            raise RegionRejectedError(f"a polygon needs pairs of numbers: {text!r} (status 432)")
    elif name not in COUNTS or len(words) not in COUNTS[name]:
        raise RegionRejectedError(f"unrecognized region {text!r} (status 432)")
    sky = frame in SKY_FRAMES or bool(re.search(r"[d:]", match.group(3)))
    values = _numbers(name, words, sky, wcs)
    return Shape(name, tuple(values), match.group(1) in ("-", "!"))


def _numbers(name: str, words: list[str], sky: bool, wcs: TanWCS | None) -> list[float]:
    pairs = len(words) if name in ("polygon", "line") else 2
    values: list[float] = []
    for number in range(0, pairs, 2):
        first, second = _coordinate(words[number], hours=True), _coordinate(words[number + 1], hours=False)
        if sky:
            if wcs is None:
                raise RegionRejectedError("no world coordinates for a region in degrees (status 506)")
            first, second = wcs.to_pixel(first, second)
        values += [first, second]
    for place in range(pairs, len(words)):
        angle = _is_angle(name, place, len(words))
        values.append(_size(words[place], None if angle else wcs) + (wcs.rotation if angle and sky and wcs else 0.0))
    return values


def _is_angle(name: str, place: int, count: int) -> bool:
    if name in ("sector", "pie"):
        return True
    if name in ("panda", "epanda", "bpanda"):
        return place in (2, 3) or (name != "panda" and place == 10)
    return name in ANGLED and place >= 4 and count in (5, 7) and place == count - 1


def _coordinate(word: str, hours: bool) -> float:
    if ":" in word:
        parts = [float(part) for part in word.split(":")]
        value = abs(parts[0]) + parts[1] / 60 + (parts[2] if len(parts) > 2 else 0.0) / 3600
        return (-value if word.startswith("-") else value) * (15 if hours else 1)
    try:
        return float(word.rstrip("dpi"))
    except ValueError as error:
        raise RegionRejectedError(f"cannot read the number {word!r} (status 432)") from error


def _size(word: str, wcs: TanWCS | None) -> float:
    scales = {'"': 1 / 3600, "'": 1 / 60, "d": 1.0}
    try:
        if word[-1:] in scales and wcs is not None:
            return float(word[:-1]) * scales[word[-1]] / wcs.scale
        return float(word.rstrip("\"'dpi"))
    except ValueError as error:
        raise RegionRejectedError(f"cannot read the size {word!r} (status 432)") from error


def _turned(x: np.ndarray, y: np.ndarray, values: tuple[float, ...], angle: float) -> tuple[np.ndarray, np.ndarray]:
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    dx, dy = x - values[0], y - values[1]
    return dx * cosine + dy * sine, -dx * sine + dy * cosine


def _in_polygon(values: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    corners = list(zip(values[::2], values[1::2], strict=True))
    crossings = np.zeros(np.shape(x), int)
    edge = np.zeros(np.shape(x), bool)
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        edge |= (side == 0) & (x >= min(x1, x2)) & (x <= max(x1, x2)) & (y >= min(y1, y2)) & (y <= max(y1, y2))
        if y1 != y2:
            spans = ((y1 <= y) & (y < y2)) | ((y2 <= y) & (y < y1))
            crossings += spans & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    found: np.ndarray = edge | (crossings % 2 == 1)
    return found


def _in_sector(start: float, stop: float, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    angle = np.degrees(np.arctan2(dy, dx)) % 360.0
    low, high = start % 360.0, stop % 360.0  # 0 to 360 collapses to one direction, as measured
    after, before = angle >= low, angle <= high
    found: np.ndarray = after & before if low <= high else after | before
    return found


def _in_box(values: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    count = len(values)
    u, v = _turned(x, y, values, values[-1] if count in (5, 7) else 0.0)
    inner: np.ndarray = (np.abs(u) <= values[2] / 2) & (np.abs(v) <= values[3] / 2)
    if count <= 5:
        return inner
    outer: np.ndarray = (np.abs(u) <= values[4] / 2) & (np.abs(v) <= values[5] / 2) & ~inner
    return outer


def _in_ellipse(values: tuple[float, ...], x: np.ndarray, y: np.ndarray, angle: float) -> np.ndarray:
    u, v = _turned(x, y, values, angle)
    return (u / values[2]) ** 2 + (v / values[3]) ** 2 <= 1.0


def _in_elliptannulus(values: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    inner = values[6] if len(values) > 6 else 0.0
    outer = values[7] if len(values) > 7 else inner
    u, v = _turned(x, y, values, inner)
    hole = (u / values[2]) ** 2 + (v / values[3]) ** 2 < 1.0
    found: np.ndarray = ~hole & _in_ellipse((values[0], values[1], values[4], values[5]), x, y, outer)
    return found


def _in_panda(values: tuple[float, ...], x: np.ndarray, y: np.ndarray, name: str) -> np.ndarray:
    dx, dy = x - values[0], y - values[1]
    wedge = _in_sector(values[2], values[3], dx, dy)
    if name == "panda":
        radius = np.hypot(dx, dy)
        return wedge & (radius >= values[5]) & (radius <= values[6])
    _, _, _, _, _, a1, b1, a2, b2, _, angle = values
    if name == "epanda":
        within = _in_elliptannulus((values[0], values[1], a1, b1, a2, b2, angle, angle), x, y)
    else:
        within = _in_box((values[0], values[1], a1, b1, a2, b2, angle), x, y)
    found: np.ndarray = wedge & within
    return found


def _in_line(values: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = values
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length
    across = ((x - x1) * (y2 - y1) - (y - y1) * (x2 - x1)) / length
    return (np.abs(across) < 0.5) & (along >= -0.5) & (along <= length + 0.5)


def within(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tell which points lie in a shape; edges count as inside."""
    name, values = shape.name, shape.values
    if name == "circle":
        return (x - values[0]) ** 2 + (y - values[1]) ** 2 <= values[2] ** 2
    if name == "annulus":
        square = (x - values[0]) ** 2 + (y - values[1]) ** 2
        return (square >= values[2] ** 2) & (square <= values[3] ** 2)
    if name == "ellipse":
        return _in_ellipse(values, x, y, values[4] if len(values) > 4 else 0.0)
    if name == "elliptannulus":
        return _in_elliptannulus(values, x, y)
    if name in ("box", "rotbox"):
        return _in_box(values, x, y)
    if name == "rectangle":
        middle = ((values[0] + values[2]) / 2, (values[1] + values[3]) / 2)
        size = (abs(values[2] - values[0]), abs(values[3] - values[1]))
        return _in_box((*middle, *size, values[4] if len(values) > 4 else 0.0), x, y)
    if name == "diamond":
        u, v = _turned(x, y, values, values[4] if len(values) > 4 else 0.0)
        found: np.ndarray = np.abs(u) / (values[2] / 2) + np.abs(v) / (values[3] / 2) <= 1.0
        return found
    if name in ("sector", "pie"):
        return _in_sector(values[2], values[3], x - values[0], y - values[1])
    if name == "point":
        return (np.abs(x - values[0]) < 0.5) & (np.abs(y - values[1]) < 0.5)
    if name == "line":
        return _in_line(values, x, y)
    if name == "polygon":
        return _in_polygon(values, x, y)
    return _in_panda(values, x, y, name)
