"""Rays that reached the focal plane: drawn at the aperture, traced, and kept for any energy and region.

The aperture (and an extended source, and the scattering) is sampled by a sequence that fills its dimensions evenly,
the additive recurrence (Niederreiter 1992, section 5.1; for two dimensions with the generalised golden ratio, Roberts
2018), shifted at random. Sixteen independently shifted copies, the replicates, give the statistical error: that of
their mean (randomised quasi-Monte Carlo, Owen 2013, chapter 17). The shifts come from a counter-based generator seeded
for each replicate, so that a result depends neither on the number of cores nor on how the work is cut.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from xtendsrc.responses.beam import Beam
from xtendsrc.responses.mirror import PRIMARY, SECONDARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xtendsrc.responses.passage import Telescope

REPLICATES = 16
"""Independent samples, from whose scatter the error follows."""

PLASTIC = 1.32471795724474602596
"""The real root of x^3 = x + 1, the golden ratio of two dimensions."""

STEP_SIZES = np.array([1 / PLASTIC, 1 / PLASTIC**2, *np.sqrt([2, 3, 5, 7, 11, 13])])
"""Steps of the sequence in each dimension, modulo 1: best for the two of the aperture, roots of primes beyond."""

PIECE = 8192
"""Most rays traced at once, which bounds the memory."""

SCATTER_DIMENSIONS = 4
"""Random numbers a ray has for its reflections; a fifth reflection would use the first again."""


class SourceShape(Protocol):
    """What is needed of the shape of a source."""

    @property
    def dimensions(self) -> int:
        """How many random numbers a ray needs for its place on the source."""

    def offsets(self, random: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the place of each ray on the source, (2, rays), radian."""


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Rays that reached the focal plane.

    Attributes
    ----------
    x, y : ndarray
        Where in the focal plane, mm from the optical axis.
    code, value : ndarray, shape (steps, rays)
        What each ray met, see `xtendsrc.responses.reflect.Optics.survival`.
    double : ndarray of bool
        Whether a ray was reflected once by a primary and once by a secondary mirror.
    replicate : ndarray of int
        The replicate a ray belongs to.
    drawn : ndarray of int, shape (REPLICATES,)
        Rays drawn at the aperture in each replicate.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    code: NDArray[np.int16]
    value: NDArray[np.float64]
    double: NDArray[np.bool_]
    replicate: NDArray[np.int8]
    drawn: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x)

    def blocks(self) -> Iterator[Arrivals]:
        """Yield the rays in blocks of at most `PIECE`, which bounds the memory of what is worked out from them."""
        for first in range(0, max(len(self), 1), PIECE):
            part = {name: getattr(self, name)[..., first : first + PIECE] for name in self.__dataclass_fields__}
            yield Arrivals(**{**part, "drawn": self.drawn})

    @classmethod
    def join(cls, parts: list[Arrivals]) -> Arrivals:
        """Return the rays of several traces of the same source as one."""
        steps = max(len(part.code) for part in parts)
        arrays = {
            name: np.concatenate([_padded(getattr(part, name), steps, name) for part in parts], axis=-1)
            for name in cls.__dataclass_fields__
            if name != "drawn"
        }
        return cls(**arrays, drawn=np.sum([part.drawn for part in parts], axis=0))


def _padded(array: NDArray[np.generic], steps: int, name: str) -> NDArray[np.generic]:
    if name not in ("code", "value") or len(array) == steps:
        return array
    empty = -1 if name == "code" else 0
    return np.pad(array, ((0, steps - len(array)), (0, 0)), constant_values=empty)


def sequence(
    number: NDArray[np.int64], replicate: NDArray[np.int64], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points of evenly filling sequences in the unit cube.

    Parameters
    ----------
    number : ndarray of int, shape (points,)
        Which points of their sequences.
    replicate : ndarray of int, shape (points,)
        Which sequence each point is of.
    shift : ndarray, shape (dimensions, sequences)
        Where the sequences start.

    Returns
    -------
    ndarray, shape (dimensions, points)
        The points; each one is uniform in the cube if the shifts are.
    """
    return np.mod(shift[:, replicate] + np.outer(STEP_SIZES[: len(shift)], number), 1.0)


@dataclass(frozen=True, eq=False)
class Source:
    """A source as it is traced: direction of its centre (radian), its shape and the seed."""

    off_axis: float
    roll: float
    shape: SourceShape
    seed: int

    def directions(self, random: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return unit vectors of the directions of flight, (3, rays)."""
        centre = np.tan(self.off_axis) * np.array([[np.cos(self.roll)], [np.sin(self.roll)]])
        tangent = centre + self.shape.offsets(random)
        sky = np.concatenate([tangent, np.ones((1, tangent.shape[1]))])
        return np.asarray(-sky / np.linalg.norm(sky, axis=0))


def trace_rays(telescope: Telescope, source: Source, row: int, first: int, last: int, cores: int) -> Arrivals:
    """Trace rays of a source.

    Parameters
    ----------
    telescope : Telescope
        What they pass.
    source : Source
        Where they come from.
    row : int
        Energy of the scattering profiles.
    first, last : int
        Numbers of the first ray and of the one after the last, dealt to the replicates in turn.
    cores : int
        Threads that trace at once; the result does not depend on it.
    """
    work = [(i, min(i + PIECE, last)) for i in range(first, last, PIECE)]

    def run(item: tuple[int, int]) -> Arrivals:
        return _trace_piece(telescope, source, row, *item)

    if cores == 1 or len(work) == 1:
        return Arrivals.join([run(item) for item in work])
    with ThreadPoolExecutor(cores) as pool:
        return Arrivals.join(list(pool.map(run, work)))


def _random(source: Source, first: int, last: int, dimensions: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Random numbers of rays, (dimensions, rays), and their replicates."""
    seeds = (np.random.SeedSequence(source.seed, spawn_key=(replicate,)) for replicate in range(REPLICATES))
    shift = np.stack([np.random.Generator(np.random.Philox(seed)).random(dimensions) for seed in seeds], axis=1)
    ray = np.arange(first, last)
    replicate = ray % REPLICATES
    return sequence(ray // REPLICATES, replicate, shift), replicate


def _trace_piece(telescope: Telescope, source: Source, row: int, first: int, last: int) -> Arrivals:
    mirror = telescope.mirror
    shaped = 2 + source.shape.dimensions
    scatters = SCATTER_DIMENSIONS if telescope.scattering.profiles else 0
    random, replicate = _random(source, first, last, shaped + scatters)
    inner, outer = mirror.aperture
    radius = np.sqrt(inner**2 + random[0] * (outer**2 - inner**2))
    azimuth = 2 * np.pi * random[1]
    place = np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), np.full(last - first, mirror.entrance)])
    cosine, sine = np.cos(mirror.rotation), np.sin(mirror.rotation)
    turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    beam = Beam.start(turn @ place, turn @ source.directions(random[2:shaped]))
    beam = telescope.pass_through(beam, row, random[shaped:])
    record, arrived = beam.record, beam.number
    steps = int(record.steps[arrived].max(initial=1))
    x, y, _ = turn.T @ beam.position
    return Arrivals(
        x=x,
        y=y,
        code=record.code[:steps, arrived],
        value=record.value[:steps, arrived],
        double=(record.fronts[PRIMARY, arrived] == 1) & (record.fronts[SECONDARY, arrived] == 1),
        replicate=replicate[arrived].astype(np.int8),
        drawn=np.bincount(replicate, minlength=REPLICATES),
    )
