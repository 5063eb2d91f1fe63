"""Photometry of positions: circles around any number of them on one data class, measured in one pass.

Rates are of the whole of point sources, as in `xtendsrc.source.photometry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.events.quantities import arcminutes
from xtendsrc.measure.photometry import Levels, counts_in_circles, deblend, rates, sums_in_circles
from xtendsrc.source.fielddata import PIXEL_ARCMIN, FieldData, nominal_psf
from xtendsrc.source.photometry import ANNULUS, LEAST_COVERED, described, measured_table, quantity

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import QTable


@dataclass(frozen=True, kw_only=True)
class Circles:
    """Apertures of `DataClass.photometry`.

    Parameters
    ----------
    radius : Quantity, optional
        One, or one a position; 1 arcmin if neither it nor ``fraction`` is given.
    fraction : float, optional
        Instead of a radius: that of the nominal PSF within the aperture.
    background : (float, float)
        Radii of the background annulus, in radii of the aperture. The apertures of all positions are left out of it.
    together : bool
        Whether apertures that overlap are solved together.
    """

    radius: Any = None
    fraction: float | None = None
    background: tuple[float, float] = ANNULUS
    together: bool = False

    def arcmin(self, number: int) -> np.ndarray:
        """Radii of the apertures, arcmin, shape (number,).

        Raises
        ------
        RequestError
            If radius and fraction contradict, or the numbers make no sense.
        """
        import astropy.units as u

        inner, outer = self.background
        if not 1 <= inner < outer:
            raise RequestError(
                f"A background annulus from {inner} to {outer} radii overlaps the aperture or is empty.",
                "give background=(inner, outer) with 1 <= inner < outer.",
            )
        if self.fraction is not None:
            if self.radius is not None:
                raise RequestError("Both radius= and fraction= are given.", "give one of them.")
            return np.full(number, nominal_psf().radius_of(self.fraction))
        given = 1 * u.arcmin if self.radius is None else self.radius
        radii = np.atleast_1d([arcminutes(given)] if np.ndim(given) == 0 else u.Quantity(given).to_value(u.arcmin))
        if len(radii) not in (1, number) or not (radii > 0).all():
            raise RequestError(f"{len(radii)} radii for {number} positions.", "give one, or one a position, above 0.")
        return np.broadcast_to(radii, number)


def positions_photometry(
    field: FieldData, positions: SkyCoord, circles: Circles, levels: Levels | None = None
) -> QTable:
    """Measure any number of positions on one data class in one pass over its events.

    Parameters
    ----------
    field : FieldData
        Events of the band, and live seconds.
    positions : SkyCoord
        One or more.
    circles : Circles
        The apertures and backgrounds.
    levels : Levels, optional
        Probabilities of interval and limit.

    Returns
    -------
    QTable
        One row a position; see `xtendsrc.source.dataclass.DataClass.photometry`.
    """
    positions = positions.reshape(-1).icrs
    centres = np.column_stack(field.pixels(positions))
    arcmin = circles.arcmin(len(positions))
    radius = arcmin / PIXEL_ARCMIN
    apertures = _Apertures(field, centres, radius)
    off, off_live = apertures.annulus(*circles.background)
    scale = np.divide(apertures.live, off_live, out=np.zeros(len(centres)), where=off_live > 0)
    effective, enclosed = _effective(apertures, arcmin, circles, scale)
    measured = rates(apertures.counts, off, scale, effective, levels)
    table = measured_table(measured, positions, field)
    table["radius"] = quantity(arcmin, "arcmin")
    table["exposure"] = quantity(apertures.exposure, "s")
    table["covered"] = apertures.covered
    table["enclosed"] = enclosed
    if circles.together:
        _solve_together(table, field, apertures, effective, levels or Levels())
    return described(table, field, levels)


class _Apertures:
    """Counts and exposure in circles around positions, and in annuli without the circles."""

    def __init__(self, field: FieldData, centres: np.ndarray, radius: np.ndarray) -> None:
        self.field, self.centres, self.radius = field, centres, radius
        self.counts = counts_in_circles(field.x, field.y, centres, radius)
        self.live = sums_in_circles(field.live, centres, radius)
        self.seen = sums_in_circles(field.exposed, centres, radius)

    @property
    def area(self) -> np.ndarray:
        """Pixels of the circles."""
        return np.pi * self.radius**2

    @property
    def exposure(self) -> np.ndarray:
        """Mean live seconds of the exposed pixels of the circles."""
        found: np.ndarray = np.divide(self.live, self.seen, out=np.zeros(len(self.live)), where=self.seen > 0)
        return found

    @property
    def covered(self) -> np.ndarray:
        """Part of the circles that is exposed, 0 to 1."""
        found: np.ndarray = np.minimum(self.seen / self.area, 1.0)
        return found

    def annulus(self, inner: float, outer: float) -> tuple[np.ndarray, np.ndarray]:
        """Counts and live seconds summed in annuli of that many radii, outside every circle."""
        x, y = self.field.x, self.field.y
        free = self._outside()
        live = np.where(free, self.field.live, 0)
        keep = free[y, x]
        x, y = x[keep], y[keep]
        counts = [counts_in_circles(x, y, self.centres, r * self.radius) for r in (inner, outer)]
        seconds = [sums_in_circles(live, self.centres, r * self.radius) for r in (inner, outer)]
        return counts[1] - counts[0], np.maximum(seconds[1] - seconds[0], 0.0)

    def _outside(self) -> np.ndarray:
        """Pixels in none of the circles."""
        ny, nx = self.field.live.shape
        starts = np.zeros((ny, nx + 1), dtype=np.int32)
        cx, cy = self.centres.T
        known = np.isfinite(cx) & np.isfinite(cy)
        cx, cy, r = cx[known], cy[known], self.radius[known]
        for step in range(int(np.ceil(2 * r.max(initial=0))) + 1):
            row = np.ceil(cy - r).astype(np.int64) + step
            half = np.sqrt(np.maximum(r**2 - (row - cy) ** 2, 0.0))
            on = (row >= 0) & (row < ny) & (np.abs(row - cy) <= r)
            left = np.clip(np.ceil(cx - half), 0, nx).astype(np.int64)
            right = np.maximum(np.clip(np.floor(cx + half) + 1, 0, nx).astype(np.int64), left)
            np.add.at(starts, (row[on], left[on]), 1)
            np.add.at(starts, (row[on], right[on]), -1)
        return np.asarray(np.cumsum(starts[:, :-1], axis=1) == 0)


def _effective(
    apertures: _Apertures, arcmin: np.ndarray, circles: Circles, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds times the part of a source that the net counts hold; and the part of it within the aperture."""
    psf = nominal_psf()
    enclosed = psf.fraction(arcmin) * apertures.covered
    inner, outer = circles.background
    leaked = psf.fraction(outer * arcmin) - psf.fraction(inner * arcmin)
    part = np.where(apertures.covered > LEAST_COVERED, enclosed - scale * leaked, 0.0)
    return apertures.exposure * np.maximum(part, 0.0), enclosed


def _solve_together(
    table: QTable, field: FieldData, apertures: _Apertures, effective: np.ndarray, levels: Levels
) -> None:
    """Replace rates and limits by those of sources whose apertures overlap, in place."""
    from scipy.special import ndtri

    radius = apertures.radius
    if np.ptp(radius) > 0:
        raise RequestError("Apertures that are solved together must be of one size.", "give one radius.")
    usable = np.flatnonzero(effective > 0)
    psf = nominal_psf().scaled(1 / PIXEL_ARCMIN)
    events = (field.x, field.y)
    blend = deblend(events, apertures.centres[usable], float(radius[0]), psf, np.asarray(table["background"])[usable])
    seconds = apertures.exposure[usable] * apertures.covered[usable]
    value, error = blend.counts / seconds, blend.error / seconds
    wide = float(ndtri(0.5 + levels.interval / 2)) * error
    limit = np.maximum(value, 0) + float(ndtri(levels.limit)) * error
    unit = table["rate"].unit
    for name, numbers in (
        ("rate", value),
        ("rate_lo", np.maximum(value - wide, 0)),
        ("rate_hi", np.maximum(value + wide, 0)),
        ("upper_limit", limit),
    ):
        table[name][usable] = numbers * unit
    table["significance"][usable] = value / np.maximum(error, 1e-300)
