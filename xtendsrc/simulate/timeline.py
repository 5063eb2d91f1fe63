"""Good time intervals of an orbiting telescope, its frames, and where it points at each moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from xtendsrc.instrument import Geometry
    from xtendsrc.simulate.conditions import Conditions

GRID = 4.0
"""Good time intervals begin and end on this grid (s): whole frames of every mode. Only the last end is free."""
MARGIN = 100.0
"""Seconds of pointing before the first and after the last good time interval."""
ORBITS_A_DAY = 15


@dataclass(frozen=True)
class Timeline:
    """When was observed, in mission seconds.

    Attributes
    ----------
    start, stop : ndarray
        Good time intervals.
    pointing : tuple of float
        Start and end of the whole pointing, occultations included.
    """

    start: np.ndarray
    stop: np.ndarray
    pointing: tuple[float, float]

    @property
    def exposure(self) -> float:
        """Sum of the good time intervals, s."""
        return float((self.stop - self.start).sum())

    def frames(self, frame_time: float) -> tuple[np.ndarray, np.ndarray]:
        """Middles of all frames of the pointing, and which of them lie in a good time interval."""
        count = int(np.ceil((self.pointing[1] - self.pointing[0]) / frame_time))
        middle = self.pointing[0] + frame_time * (np.arange(count) + 0.5)
        interval = np.searchsorted(self.start, middle, side="right") - 1
        good = (interval >= 0) & (middle <= self.stop[np.maximum(interval, 0)])
        return middle, good

    def clipped(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """Good time intervals between two times."""
        start, stop = np.maximum(self.start, low), np.minimum(self.stop, high)
        keep = stop > start
        return start[keep], stop[keep]


def orbits(exposure: float, conditions: Conditions, rng: np.random.Generator) -> Timeline:
    """Good time intervals that sum to ``exposure``: one an orbit, shorter where the SAA is passed."""
    start, stop, total, orbit = [], [], 0.0, 0
    while total < exposure:
        begin = conditions.start + round(orbit * conditions.orbit_period / GRID) * GRID
        length = conditions.on_time + conditions.on_scatter * rng.uniform(-1, 1)
        loss = conditions.saa_loss * rng.random() if 1 <= orbit % ORBITS_A_DAY <= conditions.saa_orbits else 0.0
        begin += GRID * round(loss / GRID)
        length = GRID * max(round((length - loss) / GRID), 2)
        length = min(length, exposure - total)
        start.append(begin)
        stop.append(begin + length)
        total += length
        orbit += 1
    end = GRID * np.ceil((stop[-1] - conditions.start) / GRID) + conditions.start
    return Timeline(np.array(start), np.array(stop), (conditions.start - MARGIN, float(end) + MARGIN))


@dataclass(frozen=True)
class Attitude:
    """A pointing that wanders smoothly around the nominal one.

    East, North and roll each follow two sinusoids, of the orbital period and of 5.3 times it, with random phases.
    """

    geometry: Geometry
    amplitude: tuple[float, float, float]
    period: float
    phases: np.ndarray

    @classmethod
    def random(cls, geometry: Geometry, conditions: Conditions, rng: np.random.Generator) -> Attitude:
        """Draw the phases."""
        amplitude = (conditions.wander[0] / 3600, conditions.wander[1] / 3600, conditions.wander_roll)
        return cls(geometry, amplitude, conditions.orbit_period, rng.uniform(0, 2 * np.pi, (3, 2)))

    def __call__(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Right ascension and declination of the centre of FOC and roll there, deg, at mission times."""
        angle = 2 * np.pi / self.period * np.asarray(time, dtype=float)
        fast = 0.7 * np.sin(angle + self.phases[:, :1])
        slow = 0.3 * np.sin(angle / 5.3 + self.phases[:, 1:])
        east, north, twist = (fast + slow) * np.array(self.amplitude)[:, None]
        g = self.geometry
        dec = g.dec_nom + north
        shift = east / np.cos(np.radians(g.dec_nom))
        roll = g.pa_nom + twist + shift * np.sin(np.radians(g.dec_nom))
        return (g.ra_nom + shift) % 360.0, dec, roll % 360.0
