"""Good time intervals of an orbiting telescope, its frames, and where it points at each moment."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    clock : float
        A time at which the pattern of frames begins.
    """

    start: np.ndarray
    stop: np.ndarray
    pointing: tuple[float, float]
    clock: float

    @property
    def exposure(self) -> float:
        """Sum of the good time intervals, s."""
        return float((self.stop - self.start).sum())

    def clipped(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """Good time intervals between two times."""
        start, stop = np.maximum(self.start, low), np.minimum(self.stop, high)
        keep = stop > start
        return start[keep], stop[keep]

    def parts(self, seconds: Sequence[float]) -> list[Timeline]:
        """Cut the pointing where the good time so far reaches the sums of ``seconds``: one configuration after another.

        Parameters
        ----------
        seconds : sequence of float
            Good time of each part; they add up to `exposure`.
        """
        before = np.concatenate([[0.0], np.cumsum(self.stop - self.start)])
        inner = np.cumsum(seconds)[:-1]
        index = np.minimum(np.searchsorted(before, inner, side="right") - 1, len(self.start) - 1)
        cuts = self.start[index] + (inner - before[index])
        edges = [self.pointing[0], *cuts.tolist(), self.pointing[1]]
        return [Timeline(*self.clipped(a, b), (a, b), self.clock) for a, b in pairwise(edges)]


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
    return Timeline(np.array(start), np.array(stop), (conditions.start - MARGIN, float(end) + MARGIN), conditions.start)


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
