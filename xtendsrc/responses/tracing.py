"""Rays traced through the telescope: effective areas and encircled energies of sources anywhere in the field."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from xtendsrc.errors import RequestError, XtendsrcWarning
from xtendsrc.responses.calfile import fingerprint
from xtendsrc.responses.mirror import read_mirror
from xtendsrc.responses.passage import Telescope
from xtendsrc.responses.rays import Rays
from xtendsrc.responses.reflect import read_optics
from xtendsrc.responses.sampling import REPLICATES, Arrivals, Source, trace_rays
from xtendsrc.responses.scatter import read_scattering
from xtendsrc.responses.shapes import PointShape, Shape, radians
from xtendsrc.responses.tracerequest import MOST_RAYS, energies_kev, rays_to_draw, relative_goal, sources_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from astropy.units import Quantity
    from numpy.typing import NDArray

STEEPNESS, GROWTH = 1.5, (1.25, 4.0)
"""The number of rays is taken to grow with this power of the error that is to be gained, within these limits."""

TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class Trace:
    """Rays of sources at several positions, which any energy, region and product can share; made by `trace`.

    It can be pickled. Areas are of the telescope alone: detector, filters and region come later.

    Attributes
    ----------
    telescope : Telescope
        The telescope traced.
    energies_kev : ndarray
        Energies, keV.
    sources : tuple of Source
        The positions, the shape of the source and the seed.
    arrivals : tuple of dict of int to Arrivals
        For each position, the rays by the row of the scattering profiles; one entry if scattering does not depend on
        energy.
    """

    telescope: Telescope
    energies_kev: NDArray[np.float64]
    sources: tuple[Source, ...]
    arrivals: tuple[dict[int, Arrivals], ...]

    def __repr__(self) -> str:
        rays = ", ".join(str(n) for n in np.unique(self.rays_drawn))
        return (
            f"<Trace through {self.telescope.mirror.path.name}: {len(self.sources)} angles, "
            f"{len(self.energies_kev)} energies, {rays} rays an angle>"
        )

    @property
    def rays_drawn(self) -> NDArray[np.int64]:
        """Number of rays drawn at the aperture, (angles,); every energy shares them."""
        return np.array([next(iter(arrivals.values())).drawn.sum() for arrivals in self.arrivals])

    @property
    def effective_area(self) -> Quantity:
        """Effective area of double reflections, (angles, energies), cm2."""
        return self._areas[0] * u.cm**2

    @property
    def effective_area_error(self) -> Quantity:
        """Statistical standard error of `effective_area`, from the scatter of the replicates."""
        return self._areas[1] * u.cm**2

    @cached_property
    def _areas(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._weighted_areas(lambda _x, _y: 1.0)

    def area_within(
        self, accept: Callable[[NDArray[np.float64], NDArray[np.float64]], Any]
    ) -> tuple[Quantity, Quantity]:
        """Effective area of the double reflections that land in a region, and its standard error.

        Parameters
        ----------
        accept : callable
            Given x and y in the focal plane (mm from the optical axis), returns for each whether it counts, or with
            what weight (as the exposure of the pixel there).

        Returns
        -------
        area, error : Quantity, shape (angles, energies)
            In cm2.
        """
        area, error = self._weighted_areas(accept)
        return area * u.cm**2, error * u.cm**2

    def _weighted_areas(
        self, accept: Callable[[NDArray[np.float64], NDArray[np.float64]], Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        shape = (len(self.sources), len(self.energies_kev))
        area, error = np.zeros(shape), np.zeros(shape)
        for i in range(len(self.sources)):
            for columns, rays, blocks in self._weights(i):
                total = np.zeros((REPLICATES, len(columns)))
                for block, survival in blocks:
                    weight = block.double * np.asarray(accept(block.x, block.y), np.float64)
                    counted = survival.T * weight
                    total += np.stack([np.bincount(block.replicate, w, REPLICATES) for w in counted], axis=1)
                mean = total / rays.drawn[:, None]
                area[i, columns] = total.sum(axis=0) / rays.drawn.sum()
                error[i, columns] = mean.std(axis=0, ddof=1) / np.sqrt(REPLICATES)
        opening = self.telescope.mirror.aperture_area
        return area * opening, error * opening

    def encircled(self, radius: Quantity, reflections: str = "all") -> NDArray[np.float64]:
        """Fraction of what reaches the focal plane that lands within radii about the image of the source's centre.

        Parameters
        ----------
        radius : Quantity
            Radii, as angles on the sky.
        reflections : {"all", "double"}
            "all" takes every ray, reflected once, twice or never, as HEASoft's ``xrtraytrace`` does; "double" takes
            those of the image alone.

        Returns
        -------
        ndarray, shape (angles, energies, radii)
            Fractions from 0 to 1; the infinite focal plane holds 1.

        Raises
        ------
        UnitsError
            If the radii are not angles.
        RequestError
            If `reflections` is neither of the two.
        """
        if reflections not in ("all", "double"):
            raise RequestError(f"reflections cannot be {reflections!r}.", 'choose "all" or "double".')
        focal = self.telescope.mirror.focal_length
        limits = np.atleast_1d(radians(radius, "radius")) * focal
        order = np.argsort(limits)
        fractions = np.zeros((len(self.sources), len(self.energies_kev), len(limits)))
        for i, source in enumerate(self.sources):
            image = -focal * np.tan(source.off_axis) * np.array([np.cos(source.roll), np.sin(source.roll)])
            for columns, _, blocks in self._weights(i):
                ring = np.zeros((len(limits) + 1, len(columns)))
                for block, survival in blocks:
                    weight = survival if reflections == "all" else survival * block.double[:, None]
                    distance = np.hypot(block.x - image[0], block.y - image[1])
                    where = np.searchsorted(limits[order], distance, side="left")
                    ring += np.stack([np.bincount(where, w, len(ring)) for w in weight.T], axis=1)
                growth = np.cumsum(ring, axis=0)
                fractions[i, columns[:, None], order] = (growth[:-1] / np.maximum(growth[-1], TINY)).T
        return fractions

    def as_rays(self) -> Rays:
        """Return the double reflections as `xtendsrc.responses.arf` takes them, each position as an attitude bin.

        Returns
        -------
        Rays
            Places in the focal plane and the weight of each ray at each energy.
        """
        mirror = self.telescope.mirror
        x, y, pointing, weight, replicate = [], [], [], [], []
        for i in range(len(self.sources)):
            for columns, _, blocks in self._weights(i):
                for block, survival in blocks:
                    full = np.zeros((int(block.double.sum()), len(self.energies_kev)))
                    full[:, columns] = survival[block.double]
                    x.append(block.x[block.double])
                    y.append(block.y[block.double])
                    pointing.append(np.full(len(full), i))
                    weight.append(full)
                    replicate.append(block.replicate[block.double])
        return Rays(
            x=np.concatenate(x),
            y=np.concatenate(y),
            pointing=np.concatenate(pointing),
            weight=np.concatenate(weight),
            energy=self.energies_kev,
            injected=np.tile(self.rays_drawn.astype(np.float64), (len(self.energies_kev), 1)),
            off_axis=np.rad2deg([source.off_axis for source in self.sources]) * 60,
            area=mirror.aperture_area,
            telescope=mirror.telescope,
            instrument=mirror.instrument,
            name=f"rays traced through {mirror.path.name}, seed {self.sources[0].seed}",
            replicate=np.concatenate(replicate).astype(np.int64),
        )

    def at(self, energies: Quantity) -> Trace:
        """Return the same rays for other energies; only energies that scatter otherwise are traced again.

        Raises
        ------
        UnitsError
            If they are not energies.
        """
        other = replace(self, energies_kev=energies_kev(energies))
        self.telescope.optics.check_range(other.energies_kev)
        rows = np.unique(self.telescope.scattering.groups(other.energies_kev))
        traced = tuple(
            {
                int(row): known.get(int(row)) or trace_rays(self.telescope, source, int(row), 0, int(drawn), 1)
                for row in rows
            }
            for source, known, drawn in zip(self.sources, self.arrivals, self.rays_drawn, strict=True)
        )
        return replace(other, arrivals=traced)

    def _weights(
        self, position: int
    ) -> Iterator[tuple[NDArray[np.int64], Arrivals, Iterator[tuple[Arrivals, NDArray[np.float64]]]]]:
        """For each row of the scattering profiles: its energies, its rays, and blocks of them with their survival."""
        groups = self.telescope.scattering.groups(self.energies_kev)
        for row, rays in self.arrivals[position].items():
            columns = np.flatnonzero(groups == row)
            yield columns, rays, self._survival(rays, self.energies_kev[columns])

    def _survival(self, rays: Arrivals, kev: NDArray[np.float64]) -> Iterator[tuple[Arrivals, NDArray[np.float64]]]:
        for block in rays.blocks():
            yield block, self.telescope.optics.survival(block.code, block.value, kev)


def trace(
    mirror: str | Path,
    reflectivity: str | Path,
    scattering: str | Path | None = None,
    *,
    energies: Quantity,
    off_axis: Quantity,
    roll: Quantity = 0 * u.deg,
    shape: Shape | None = None,
    photons: int | None = None,
    precision: float | Quantity | None = None,
    seed: int = 0,
    cores: int | None = None,
) -> Trace:
    """Trace rays of a source through the telescope, for all energies at once.

    Parameters
    ----------
    mirror, reflectivity : str or Path
        Calibration files: telescope description, and reflectivities with absorption coefficients.
    scattering : str, Path or None
        Calibration file of the scattering; None for reflection like that of a perfect mirror.
    energies : Quantity
        Energies.
    off_axis, roll : Quantity
        Angle of the centre of the source from the optical axis and its azimuth from the telescope's x axis, one pair a
        position; a single roll holds for all.
    shape : PointShape, DiscShape, BetaShape or ImageShape, optional
        Shape of the source; a point by default.
    photons : int, optional
        Rays for each energy and position, as ``numphoton`` of ``xrtraytrace`` (20 000 by default). Every energy shares
        the rays of all of them, up to 4 million for one position.
    precision : float or Quantity, optional
        Instead of a number of rays: largest relative standard error of any effective area, of the whole image and of
        its inner half, as 0.005 or 0.5 * u.percent.
    seed : int
        The same seed gives the same rays, on any number of cores.
    cores : int, optional
        Threads that trace; all of the machine by default.

    Returns
    -------
    Trace
        The rays, with areas and encircled energies.

    Raises
    ------
    InputNotFoundError, CalibrationError, MissingColumnError, MissingKeywordError
        If a calibration file is not there or cannot be used.
    RequestError
        If a parameter makes no sense.
    UnitsError
        If an energy or an angle has no fitting unit.
    """
    kev = energies_kev(energies)
    sources = sources_at(off_axis, roll, PointShape() if shape is None else shape, seed)
    goal = relative_goal(precision)
    count = rays_to_draw(photons, goal, len(kev))
    telescope = _telescope(mirror, reflectivity, scattering)
    threads = (os.cpu_count() or 1) if cores is None else max(1, int(cores))
    rows = np.unique(telescope.scattering.groups(kev))
    telescope.optics.check_range(kev)
    traced = []
    for source in sources:
        rays = {int(row): trace_rays(telescope, source, int(row), 0, count, threads) for row in rows}
        result = Trace(telescope, kev, (source,), (rays,))
        if goal is not None:
            result = _refined(result, goal, threads)
        traced.append(result)
    return Trace(telescope, kev, sources, tuple(result.arrivals[0] for result in traced))


def _worst_error(result: Trace) -> float:
    """Largest relative error of an area of one position, of the whole image or of its inner half."""
    rays = next(iter(result.arrivals[0].values()))
    x, y = rays.x[rays.double], rays.y[rays.double]
    if not x.size:
        return 0.0
    centre = np.median(x), np.median(y)
    half = np.median(np.hypot(x - centre[0], y - centre[1]))
    inner = result._weighted_areas(lambda x, y: np.hypot(x - centre[0], y - centre[1]) < half)
    return max(float(np.max(error / np.maximum(area, TINY))) for area, error in (result._areas, inner))


def _refined(result: Trace, goal: float, threads: int) -> Trace:
    """Add rays of one position until its areas are as precise as asked."""
    while True:
        worst = _worst_error(result)
        if worst <= goal:
            return result
        count = int(result.rays_drawn[0])
        if count >= MOST_RAYS:
            warnings.warn(
                f"The relative error of an effective area is {worst:.2%} after {count} rays, not {goal:.2%}.",
                XtendsrcWarning,
                stacklevel=3,
            )
            return result
        source = result.sources[0]
        growth = np.clip((worst / goal) ** STEEPNESS, *GROWTH)
        more = REPLICATES * int(np.ceil(count * growth / REPLICATES))
        rays = {
            row: Arrivals.join([known, trace_rays(result.telescope, source, row, count, more, threads)])
            for row, known in result.arrivals[0].items()
        }
        result = replace(result, arrivals=(rays,))


def _telescope(mirror: str | Path, reflectivity: str | Path, scattering: str | Path | None) -> Telescope:
    files = (mirror, reflectivity) if scattering is None else (mirror, reflectivity, scattering)
    return _read_telescope(mirror, reflectivity, scattering, tuple(fingerprint(path) for path in files))


@lru_cache(maxsize=2)
def _read_telescope(
    mirror: str | Path, reflectivity: str | Path, scattering: str | Path | None, _: tuple[tuple[int, int], ...]
) -> Telescope:
    """Read a telescope once for all traces, as long as its files stay the same (their fingerprints are the last)."""
    described = read_mirror(mirror)
    return Telescope(described, read_optics(reflectivity, described), read_scattering(scattering, described))
