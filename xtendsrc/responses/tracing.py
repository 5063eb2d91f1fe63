"""Rays traced through the telescope: effective areas and encircled energies of sources anywhere in the field."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from xtendsrc.errors import RequestError, UnitsError, XtendsrcWarning
from xtendsrc.responses.calfile import split_extension
from xtendsrc.responses.mirror import read_mirror
from xtendsrc.responses.passage import Telescope
from xtendsrc.responses.rays import Rays
from xtendsrc.responses.reflect import read_optics
from xtendsrc.responses.sampling import REPLICATES, Arrivals, Source, trace_rays
from xtendsrc.responses.scatter import read_scattering
from xtendsrc.responses.shapes import PointShape, Shape, radians

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from astropy.units import Quantity
    from numpy.typing import NDArray

PHOTONS = 20_000
"""Rays for each energy and position if neither a number nor a precision is asked for."""

MOST_RAYS = 2**22
"""Rays of one position beyond which a precision is given up, and more are drawn only for a single energy."""

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

    @property
    def rays_drawn(self) -> int:
        """Number of rays drawn at the aperture for each position; every energy shares them."""
        return int(next(iter(self.arrivals[0].values())).drawn.sum())

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
        x, y, pointing, weight = [], [], [], []
        for i in range(len(self.sources)):
            for columns, _, blocks in self._weights(i):
                for block, survival in blocks:
                    full = np.zeros((int(block.double.sum()), len(self.energies_kev)))
                    full[:, columns] = survival[block.double]
                    x.append(block.x[block.double])
                    y.append(block.y[block.double])
                    pointing.append(np.full(len(full), i))
                    weight.append(full)
        return Rays(
            x=np.concatenate(x),
            y=np.concatenate(y),
            pointing=np.concatenate(pointing),
            weight=np.concatenate(weight),
            energy=self.energies_kev,
            injected=np.full((len(self.energies_kev), len(self.sources)), float(self.rays_drawn)),
            off_axis=np.rad2deg([source.off_axis for source in self.sources]) * 60,
            area=mirror.aperture_area,
            telescope=mirror.telescope,
            instrument=mirror.instrument,
            name=f"rays traced through {mirror.path.name}, seed {self.sources[0].seed}",
        )

    def at(self, energies: Quantity) -> Trace:
        """Return the same rays for other energies; only energies that scatter otherwise are traced again.

        Raises
        ------
        UnitsError
            If they are not energies.
        """
        other = replace(self, energies_kev=_kev(energies))
        self.telescope.optics.check_range(other.energies_kev)
        rows = np.unique(self.telescope.scattering.groups(other.energies_kev))
        traced = tuple(
            {
                int(row): rays.get(int(row)) or trace_rays(self.telescope, source, int(row), 0, self.rays_drawn, 1)
                for row in rows
            }
            for source, rays in zip(self.sources, self.arrivals, strict=True)
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
        Instead of a number of rays: largest relative standard error of any effective area, as 0.005 or 0.5 * u.percent.
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
    kev = _kev(energies)
    sources = _sources(off_axis, roll, PointShape() if shape is None else shape, seed)
    goal = _goal(precision)
    count = _count(photons, goal, len(kev))
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


def _refined(result: Trace, goal: float, threads: int) -> Trace:
    """Double the rays of one position until its areas are as precise as asked."""
    while True:
        area, error = result._areas
        worst = float(np.max(error / np.maximum(area, TINY), initial=0.0))
        if worst <= goal:
            return result
        count = result.rays_drawn
        if count >= MOST_RAYS:
            warnings.warn(
                f"The relative error of an effective area is {worst:.2%} after {count} rays, not {goal:.2%}.",
                XtendsrcWarning,
                stacklevel=3,
            )
            return result
        source = result.sources[0]
        rays = {
            row: Arrivals.join([known, trace_rays(result.telescope, source, row, count, 2 * count, threads)])
            for row, known in result.arrivals[0].items()
        }
        result = replace(result, arrivals=(rays,))


_telescopes: dict[str, Telescope] = {}


def _telescope(mirror: str | Path, reflectivity: str | Path, scattering: str | Path | None) -> Telescope:
    """Read the telescope, or take it from the last call if the files have not changed."""
    key = hashlib.sha256()
    for path in (mirror, reflectivity, scattering):
        file = None if path is None else split_extension(path)[0].absolute()
        stat = file.stat() if file is not None and file.is_file() else None
        key.update(repr((file, stat and (stat.st_size, stat.st_mtime_ns))).encode())
    if key.hexdigest() not in _telescopes:
        described = read_mirror(mirror)
        telescope = Telescope(described, read_optics(reflectivity, described), read_scattering(scattering, described))
        _telescopes.clear()
        _telescopes[key.hexdigest()] = telescope
    return _telescopes[key.hexdigest()]


def _kev(energies: Quantity) -> NDArray[np.float64]:
    try:
        kev = np.atleast_1d(u.Quantity(energies).to_value(u.keV))
    except (u.UnitConversionError, TypeError) as error:
        raise UnitsError(f"energies = {energies!r} are no energies.", "give them as [1, 4] * u.keV.") from error
    if kev.ndim != 1 or not kev.size or not np.isfinite(kev).all() or (kev <= 0).any():
        raise RequestError(f"energies = {energies} are not a list of positive energies.", "give [1, 4] * u.keV.")
    return kev


def _sources(off_axis: Quantity, roll: Quantity, shape: Shape, seed: int) -> tuple[Source, ...]:
    angles = np.atleast_1d(radians(off_axis, "off_axis"))
    rolls = np.atleast_1d(radians(roll, "roll"))
    if len(rolls) == 1:
        rolls = np.repeat(rolls, len(angles))
    if angles.ndim != 1 or angles.shape != rolls.shape or not angles.size:
        raise RequestError(
            f"There are {angles.size} off-axis angles and {rolls.size} rolls.", "give one roll, or one for each angle."
        )
    if not (np.isfinite(angles).all() and np.isfinite(rolls).all()) or (np.abs(angles) >= np.pi / 2).any():
        raise RequestError("The angles must be finite and the source in front of the telescope.", "check off_axis.")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise RequestError(f"seed = {seed!r} is not a number from 0.", "give an integer that is not negative.")
    return tuple(Source(float(a), float(r), shape, int(seed)) for a, r in zip(angles, rolls, strict=True))


def _goal(precision: float | Quantity | None) -> float | None:
    if precision is None:
        return None
    try:
        goal = float(u.Quantity(precision).to_value(u.one))
    except (u.UnitConversionError, TypeError) as error:
        raise UnitsError(f"precision = {precision!r} is not a fraction.", "give 0.005 or 0.5 * u.percent.") from error
    if not 0 < goal < 1:
        raise RequestError(f"precision = {precision} is not between 0 and 1.", "give 0.005 or 0.5 * u.percent.")
    return goal


def _count(photons: int | None, goal: float | None, energies: int) -> int:
    """Rays to draw at once for a position."""
    if photons is not None and goal is not None:
        raise RequestError("Both photons= and precision= are given.", "give one of them.")
    if photons is None:
        photons = PHOTONS
        if goal is not None:
            return REPLICATES * 256
    if isinstance(photons, bool) or not isinstance(photons, int | np.integer) or photons < REPLICATES:
        raise RequestError(
            f"photons = {photons!r} is not a number of at least {REPLICATES}.",
            "give more; each of the samples from which the error follows needs rays.",
        )
    return max(int(photons), min(int(photons) * energies, MOST_RAYS))
