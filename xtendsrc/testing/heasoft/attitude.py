"""Attitude bins of xaexpmap: which stretches of time the pointing spent where."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .fitsfile import HDU, FitsError, Header

if TYPE_CHECKING:
    from .evfile import Intervals


@dataclass
class AttitudeBin:
    """One bin: its limits, its stretches of time, and means weighted by their lengths."""

    ring: int
    sector: int
    limits: tuple[float, float, float, float]
    stretches: Intervals = field(default_factory=list)
    sums: np.ndarray = field(default_factory=lambda: np.zeros(5))
    time: float = 0.0
    offset: tuple[float, ...] = (0.0, 0.0)

    def add(self, start: float, stop: float, means: np.ndarray) -> None:
        """Add a stretch with the means of its rows."""
        self.stretches.append((start, stop))
        self.time += stop - start
        self.sums += (stop - start) * means

    @property
    def means(self) -> np.ndarray:
        """RA, Dec, roll, RA_PNT, DEC_PNT."""
        return self.sums / self.time


def _angles(ehk: HDU, header: Header) -> list[np.ndarray]:
    if ehk.column_number("RA"):
        pointing = [ehk.column(name) for name in ("RA", "DEC", "ROLL")]
    elif ehk.column_number("EULER1"):
        first, second, third = (ehk.column(f"EULER{n}") for n in (1, 2, 3))
        pointing = [first, 90 - second, 90 - third]
    else:
        raise FitsError(219, "no RA, DEC, ROLL in the EHK file")
    for stem in ("XTD", "SXI"):
        if ehk.column_number(f"{stem}_RA_PNT"):
            return [*pointing, ehk.column(f"{stem}_RA_PNT"), ehk.column(f"{stem}_DEC_PNT")]
    return [*pointing, pointing[0], pointing[1]]


Angle = float | np.ndarray


def offset(ra: Angle, dec: Angle, roll: Angle, target: tuple[float, float]) -> tuple[Angle, Angle]:
    """Return the angle (arcmin) of the optical axis from the target, and its azimuth (deg) in the telescope.

    The angle is exact; the azimuth takes RA times the cosine of the target's declination for plane, as the real
    task's numbers show.
    """
    a, d = np.radians(ra - target[0]), np.radians(dec)
    a0 = math.radians(target[1])
    east = np.cos(d) * np.sin(a)
    north = math.cos(a0) * np.sin(d) - math.sin(a0) * np.cos(d) * np.cos(a)
    depth = math.sin(a0) * np.sin(d) + math.cos(a0) * np.cos(d) * np.cos(a)
    theta = np.degrees(np.arctan2(np.hypot(east, north), depth)) * 60
    plane = np.degrees(np.arctan2((ra - target[0]) * math.cos(a0), dec - target[1]))
    return theta, (roll - plane - 90) % 360


def attitude_bins(ehk: HDU, header: Header, gti: Intervals, delta: float, numphi: int) -> list[AttitudeBin]:
    """Sort the good time into annuli of width ``delta`` (arcmin) and ``numphi`` sectors times the annulus number.

    As in the real task, angles are averaged as plain numbers and good times outside of the EHK are dropped.
    """
    times = ehk.column("TIME")
    angles = _angles(ehk, header)
    target = (header.get("RA_OBJ"), header.get("DEC_OBJ"))
    if target[0] is None or target[1] is None:
        target = (header.get("RA_NOM"), header.get("DEC_NOM"))
    place = (float(target[0]), float(target[1]))
    theta, azimuth = offset(angles[3], angles[4], angles[2], place)
    theta, azimuth = np.asarray(theta), np.asarray(azimuth)
    rings = np.floor(theta / delta).astype(int)
    sectors = np.where(rings > 0, np.floor(azimuth / 360 * numphi * rings), 0).astype(int)
    values = np.array(angles)
    found: dict[tuple[int, int], AttitudeBin] = {}
    for start, stop in gti:
        first, last = int(np.searchsorted(times, start)), int(np.searchsorted(times, stop, side="right"))
        inside = np.arange(first, last)
        if len(inside) == 0 and stop <= times[-1]:  # the row before it, as long as the table goes on
            inside = np.arange(max(first - 1, 0), first)
        if len(inside):
            _stretches(found, start, stop, times, inside, (rings, sectors, values), (delta, numphi))
    found = {key: item for key, item in found.items() if item.time > 0}
    for item in found.values():
        means = item.means
        item.offset = tuple(float(v) for v in offset(means[3], means[4], means[2], place))
    return [found[key] for key in sorted(found)]


def _stretches(
    found: dict[tuple[int, int], AttitudeBin],
    start: float,
    stop: float,
    times: np.ndarray,
    inside: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    widths: tuple[float, int],
) -> None:
    rings, sectors, values = rows
    first = inside[0]
    begin = start
    changes = np.nonzero((np.diff(rings[inside]) != 0) | (np.diff(sectors[inside]) != 0))[0]
    for last in [*(inside[changes]), inside[-1]]:
        end = stop if last == inside[-1] else float(times[last + 1])
        key = (int(rings[first]), int(sectors[first]))
        if key not in found:
            found[key] = AttitudeBin(*key, _limits(key, *widths))
        found[key].add(begin, end, values[:, first : last + 1].mean(axis=1))
        first, begin = last + 1, end


def _limits(key: tuple[int, int], delta: float, numphi: int) -> tuple[float, float, float, float]:
    ring, sector = key
    width = 360.0 / (numphi * ring) if ring else 360.0
    return ring * delta, (ring + 1) * delta, sector * width, (sector + 1) * width
