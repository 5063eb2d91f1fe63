"""The way of rays through the layers, bars and films of a telescope to the focal plane.

A ray is followed from face to face of the foils: the nearest one it meets either reflects it (the survival at each
energy is worked out afterwards) or, if that face reflects nothing or is an edge, absorbs it. The bodies of the foils
are opaque: at grazing incidence a ray would have to cross tens of mm of aluminium. A reflected ray leaves in the plane
of incidence, at the angle of incidence plus the angle of scattering.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from xtendsrc.responses.beam import STEPS, Beam
from xtendsrc.responses.cones import BACK, EDGE, FRONT, TURN, edge_time, face_normal, face_time, inside_polygon
from xtendsrc.responses.reflect import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from xtendsrc.responses.mirror import Layer, Mirror
    from xtendsrc.responses.reflect import Optics
    from xtendsrc.responses.scatter import Scattering
    from xtendsrc.responses.structure import Film

Stage: TypeAlias = "Callable[[Beam], Beam]"

NEAR_SIDE = 0.03
"""Foils of the next sector are looked at where a ray is nearer to it than this, radian: rays move less in a layer."""

DESIGNED = ((-1, (BACK,)), (0, (FRONT,)))
"""Foils a ray between two shells can meet, as steps from the outer one, and their faces: none is misaligned."""

MISALIGNED = ((-2, (BACK,)), (-1, (BACK, FRONT)), (0, (BACK, FRONT)), (1, (FRONT,)))
"""The same where foils stand off their places by less than the distance of two shells."""


@dataclass(frozen=True, eq=False)
class Telescope:
    """What rays pass: the telescope, the surfaces of its foils and how they scatter."""

    mirror: Mirror
    optics: Optics
    scattering: Scattering

    def pass_through(self, beam: Beam, row: int, random: NDArray[np.float64]) -> Beam:
        """Follow rays to the focal plane.

        Parameters
        ----------
        beam : Beam
            Rays at the entrance, in the frame of the telescope description.
        row : int
            Energy of the scattering profiles.
        random : ndarray, shape (dimensions, rays)
            Random numbers for the scattering of the rays of the source.

        Returns
        -------
        Beam
            The rays that arrive, at z = 0.
        """
        beam = self._enter(beam, self.mirror.layers[0].top)
        for _, _, stage in sorted(self._stages(row, random), key=lambda stage: (-stage[0], stage[1])):
            if len(beam):
                beam = stage(beam)
        beam.move_to(0.0)
        return beam

    def _stages(self, row: int, random: NDArray[np.float64]) -> Iterator[tuple[float, int, Stage]]:
        """Yield what rays pass: height, order among equals, and the function that takes a beam through it."""
        for number, film in enumerate(self.mirror.films):
            yield film.bottom, 0, partial(self._film, number=number, film=film)
        for layer in self.mirror.layers:
            yield layer.top, 1, _Crossing(self, layer, row, random).run
        for height in {bar.height for bar in self.mirror.bars}:
            polygons = [bar.vertices for bar in self.mirror.bars if bar.height == height]
            yield height, 2, partial(_past_bars, height=height, polygons=polygons)

    def _enter(self, beam: Beam, top: float) -> Beam:
        """Drop rays that pass the aperture plane but miss the opening of the telescope below it."""
        if self.mirror.entrance <= top:
            return beam
        inner, outer = self.mirror.aperture
        radius = np.hypot(*beam.at_height(top))
        return beam.pick((radius > inner) & (radius < outer))

    def _film(self, beam: Beam, number: int, film: Film) -> Beam:
        """Note the path in a film for the rays that pass it."""
        x, y = beam.at_height(film.bottom)
        square = x**2 + y**2
        rays = np.flatnonzero((square >= film.inner**2) & (square <= film.outer**2))
        azimuth = np.mod(np.arctan2(y[rays], x[rays]), TURN)
        rays = rays[(azimuth >= film.start) & (azimuth <= film.end)]
        full = rays[~beam.room()[rays]]
        rays = np.setdiff1d(rays, full, assume_unique=True)
        path = (film.top - film.bottom) / np.abs(beam.direction[2, rays])
        beam.record.add(beam.number[rays], self.optics.film_code(number), path)
        return beam.pick(np.delete(np.arange(len(beam)), full)) if full.size else beam


def _past_bars(beam: Beam, height: float, polygons: list[NDArray[np.float64]]) -> Beam:
    """Return the rays that bars at a height do not stop."""
    x, y = beam.at_height(height)
    stopped = np.zeros(len(beam), bool)
    for vertices in polygons:
        stopped |= inside_polygon(vertices, x, y)
    return beam.pick(~stopped)


@dataclass(eq=False)
class _Hits:
    """The nearest face each ray meets: path (mm, infinite for none), foil and face."""

    path: NDArray[np.float64]
    foil: NDArray[np.int64]
    face: NDArray[np.int64]

    def nearer(self, rays: NDArray[np.int64], path: NDArray[np.float64], foil: NDArray[np.int64], face: int) -> None:
        better = path < self.path[rays]
        rays = rays[better]
        self.path[rays], self.foil[rays], self.face[rays] = path[better], foil[better], face


@dataclass(frozen=True, eq=False)
class _Crossing:
    """The passage of a beam through one layer of foils."""

    telescope: Telescope
    layer: Layer
    row: int
    random: NDArray[np.float64]

    def run(self, beam: Beam) -> Beam:
        """Return the rays that leave the layer at its lower side."""
        beam.move_to(self.layer.top)
        gap = np.asarray(np.searchsorted(self.layer.radii, np.hypot(*beam.position[:2]), side="right"), np.int64)
        last = np.full(len(beam), -1)
        left: list[Beam] = []
        for turn in range(STEPS):
            hits = self._nearest(beam, gap, last, edges=turn == 0)
            free = self._not_at_wall(beam, hits)
            left.append(beam.pick(free & ~np.isfinite(hits.path)))
            code = np.where(hits.face == EDGE, NOTHING, self.telescope.optics.codes[hits.face % 2, hits.foil])
            struck = np.flatnonzero(free & np.isfinite(hits.path) & (code != NOTHING))
            if not struck.size:
                break
            beam, kept = self._reflect(beam, hits, code, struck)
            gap, last = gap[kept], hits.foil[kept]
        return Beam.join(left)

    def _nearest(self, beam: Beam, gap: NDArray[np.int64], last: NDArray[np.int64], edges: bool) -> _Hits:
        count = len(beam)
        hits = _Hits(np.full(count, np.inf), np.full(count, -1), np.zeros(count, np.int64))
        everywhere = np.arange(count)
        sector, near, other = self._sectors(beam)
        aligned = self.telescope.mirror.foils.alignment is None
        for step, faces in DESIGNED if aligned else MISALIGNED:
            shell = gap + step
            known = (shell >= 0) & (shell < len(self.layer.radii))
            for rays, where in ((everywhere, sector), (near, other)):
                rays_ = rays[known[rays]]
                foil = self.layer.foils[where[known[rays]], shell[rays_]]
                there = (foil >= 0) & (foil != last[rays_])
                self._test(beam, rays_[there], foil[there], faces, edges, hits)
        return hits

    def _sectors(self, beam: Beam) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Sector of each ray, the rays near to another sector, and which one that is."""
        start = self.layer.boundaries
        count = len(start)
        if count == 1:
            return np.zeros(len(beam), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
        azimuth = np.mod(np.arctan2(beam.position[1], beam.position[0]) - start[0], TURN)
        bounds = np.append(start - start[0], TURN)
        sector = np.clip(np.searchsorted(bounds, azimuth, side="right") - 1, 0, count - 1)
        before, after = azimuth - bounds[sector], bounds[sector + 1] - azimuth
        near = np.flatnonzero(np.minimum(before, after) < NEAR_SIDE)
        other = (sector[near] + np.where(before[near] < after[near], -1, 1)) % count
        return sector, near, other

    def _test(
        self,
        beam: Beam,
        rays: NDArray[np.int64],
        foil: NDArray[np.int64],
        faces: tuple[int, ...],
        edges: bool,
        hits: _Hits,
    ) -> None:
        foils = self.telescope.mirror.foils
        position, direction = beam.position[:, rays], beam.direction[:, rays]
        if foils.alignment is not None:
            position, direction = foils.alignment.to_foil(foil, position, direction)
        for face in faces:
            hits.nearer(rays, face_time(foils, foil, face, position, direction), foil, face)
        if edges and BACK in faces:
            hits.nearer(rays, edge_time(foils, foil, position, direction), foil, EDGE)

    def _not_at_wall(self, beam: Beam, hits: _Hits) -> NDArray[np.bool_]:
        """Whether rays meet no side wall of a sector on their way to the foil, or out of the layer."""
        free = np.ones(len(beam), bool)
        if not self.layer.walls.any():
            return free
        down = (self.layer.bottom - beam.position[2]) / beam.direction[2]
        path = np.where(np.isfinite(hits.path), hits.path, down)
        x, y = beam.position[:2] + path * beam.direction[:2]
        for azimuth in self.layer.boundaries[self.layer.walls]:
            along, across = np.cos(azimuth), np.sin(azimuth)
            before = along * beam.position[1] - across * beam.position[0]
            after = along * y - across * x
            free &= ~((before * after < 0) & (along * x + across * y > 0))
        return free

    def _reflect(
        self, beam: Beam, hits: _Hits, code: NDArray[np.int64], struck: NDArray[np.int64]
    ) -> tuple[Beam, NDArray[np.int64]]:
        """Return the rays reflected at what they met, and which rays of the beam they were."""
        foils = self.telescope.mirror.foils
        foil, face, path = hits.foil[struck], hits.face[struck], hits.path[struck]
        beam = beam.pick(struck)
        position, direction = beam.position, beam.direction
        if foils.alignment is not None:
            position, direction = foils.alignment.to_foil(foil, position, direction)
        normal = face_normal(foils, foil, face, position + path * direction)
        sine = -np.einsum("in,in->n", direction, normal)
        grazing = np.arcsin(np.clip(sine, -1.0, 1.0))
        outgoing = grazing + self._scattered(beam, foil, face, grazing)
        along = direction + sine * normal
        along /= np.linalg.norm(along, axis=0)
        direction = np.cos(outgoing) * along + np.sin(outgoing) * normal
        if foils.alignment is not None:
            direction = foils.alignment.to_telescope(foil, direction)
        beam.position = beam.position + path * beam.direction
        beam.direction = direction
        leaves = np.flatnonzero((sine > 0) & (outgoing > 0) & beam.room())
        kept = struck[leaves]
        beam = beam.pick(leaves)
        beam.record.fronts[self.layer.number, beam.number] += face[leaves] == FRONT
        beam.record.add(beam.number, code[kept], grazing[leaves])
        return beam, kept

    def _scattered(
        self, beam: Beam, foil: NDArray[np.int64], face: NDArray[np.int64], grazing: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        scattering = self.telescope.scattering
        if not scattering.profiles:
            return np.zeros_like(grazing)
        random = self.random[beam.record.steps[beam.number] % len(self.random), beam.number]
        return scattering.angle(self.row, scattering.numbers[face, foil], grazing, random)
