"""A bundle of rays on its way through the telescope, and the record of what each ray met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.responses.reflect import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 6
"""Reflections and films that are recorded of one ray; a ray that meets more is taken as absorbed."""


@dataclass(frozen=True, eq=False)
class Record:
    """What every ray of a source met, whether it is still on its way or not.

    Attributes
    ----------
    code, value : ndarray, shape (STEPS, rays)
        See `xtendsrc.responses.reflect.Optics.survival`.
    steps : ndarray of int, shape (rays,)
        How many things each ray met.
    fronts : ndarray of int, shape (3, rays)
        Reflections at the fronts of the foils of each layer.
    """

    code: NDArray[np.int16]
    value: NDArray[np.float64]
    steps: NDArray[np.int64]
    fronts: NDArray[np.int64]

    @classmethod
    def empty(cls, count: int) -> Record:
        """Return the record of rays that met nothing yet."""
        return cls(
            np.full((STEPS, count), NOTHING, np.int16),
            np.zeros((STEPS, count)),
            np.zeros(count, np.int64),
            np.zeros((3, count), np.int64),
        )

    def add(self, number: NDArray[np.int64], code: NDArray[np.int64] | int, value: NDArray[np.float64]) -> None:
        """Note for some rays, whose record has room, what they met."""
        steps = self.steps[number]
        self.code[steps, number] = code
        self.value[steps, number] = value
        self.steps[number] += 1


@dataclass(eq=False)
class Beam:
    """Rays that are still on their way.

    Attributes
    ----------
    position, direction : ndarray, shape (3, rays)
        Where rays are (mm) and where they go (unit vectors).
    number : ndarray of int
        Which ray of the source each one is.
    record : Record
        What all rays of the source met.
    """

    position: NDArray[np.float64]
    direction: NDArray[np.float64]
    number: NDArray[np.int64]
    record: Record

    @classmethod
    def start(cls, position: NDArray[np.float64], direction: NDArray[np.float64]) -> Beam:
        """Return rays that met nothing yet, at positions (mm) and with directions, both (3, rays)."""
        count = position.shape[1]
        return cls(position, direction, np.arange(count), Record.empty(count))

    def __len__(self) -> int:
        return len(self.number)

    def pick(self, rays: NDArray[np.bool_] | NDArray[np.int64]) -> Beam:
        """Return some of the rays, by mask or index."""
        return Beam(self.position[:, rays], self.direction[:, rays], self.number[rays], self.record)

    @staticmethod
    def join(beams: list[Beam]) -> Beam:
        """Return the rays of several beams of one source as one."""
        return Beam(
            np.concatenate([b.position for b in beams], axis=1),
            np.concatenate([b.direction for b in beams], axis=1),
            np.concatenate([b.number for b in beams]),
            beams[0].record,
        )

    def room(self) -> NDArray[np.bool_]:
        """Whether the record of each ray has room for another entry."""
        return np.asarray(self.record.steps[self.number] < STEPS)

    def at_height(self, height: float) -> NDArray[np.float64]:
        """Return where the straight continuations of the rays cross a height, (2, rays), mm."""
        path = (height - self.position[2]) / self.direction[2]
        return np.asarray(self.position[:2] + path * self.direction[:2])

    def move_to(self, height: float) -> None:
        """Move all rays straight on to a height."""
        self.position[:2] = self.at_height(height)
        self.position[2] = height
