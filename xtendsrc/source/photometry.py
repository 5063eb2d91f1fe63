"""Photometry of sources: what their regions have in counts and rate, and how sure that is.

Rates are of the whole of a point source: the part of the nominal PSF outside the aperture, in gaps and on bad pixels is
made up for, and so is what of the source falls into the background. Rates of extended sources are those of the region,
with gaps filled at its mean brightness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RegionError, XtendsrcError
from xtendsrc.instrument import EV_PER_CHANNEL
from xtendsrc.measure.photometry import Levels, rates
from xtendsrc.source.fielddata import PIXEL_ARCMIN, FieldData, nominal_psf

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from astropy.coordinates import SkyCoord
    from astropy.table import QTable

    from xtendsrc.measure.photometry import Rates
    from xtendsrc.regions import RegionSet
    from xtendsrc.source.dataclass import DataClass
    from xtendsrc.source.source import Source

DETECTED = 1.35e-3
"""A source counts as detected if background alone has as many counts with at most this probability (3 sigma)."""

ANNULUS = (2.0, 4.0)
"""Radii of the background annulus, in radii of the aperture or of the source."""

LEAST_COVERED = 0.05
"""An aperture must have at least this part of its area exposed to have a rate."""


def region_photometry(source: Source, field: FieldData, background: Any, levels: Levels | None) -> QTable:
    """Measure a source in its own region on one data class; one row.

    See `xtendsrc.source.source.Source.photometry`.
    """
    dc = field.dc
    own = RegionCounts(field, source.region)
    region = source.background_region(dc, background)
    other = None if region is None else RegionCounts(field, region)
    off_live = 0.0 if other is None else other.live
    scale = own.live / off_live if off_live > 0 else 0.0
    point = source.source_type == "POINT"
    effective = own.light(source.position) if point else own.live / own.pixels
    enclosed = effective / own.exposure if own.exposure > 0 else 0.0
    if point and other is not None:
        effective -= scale * other.light(source.position)
    if own.covered < LEAST_COVERED:
        effective = 0.0
    measured = rates(own.counts, other.counts if other else 0, scale, max(effective, 0.0), levels)
    table = measured_table(measured, source.position.reshape(1), field)
    table["exposure"] = quantity([own.exposure], "s")
    table["covered"] = [own.covered]
    table["enclosed"] = [enclosed]
    table.add_column([source.name], name="source", index=0)
    return described(table, field, levels)


class RegionCounts:
    """Counts and exposure of one data class in a region.

    Parameters
    ----------
    field : FieldData
        Events and live seconds.
    region : RegionSet
        In ICRS or SKY pixels.

    Attributes
    ----------
    counts : int
        Events on exposed pixels of the region.
    pixels : float
        Pixels of the region, at least 1.
    """

    def __init__(self, field: FieldData, region: RegionSet) -> None:
        pixels = region if region.frame == "SKY" else region.to_pixels(field.dc.geometry.wcs)
        ny, nx = field.live.shape
        low_x, high_x, low_y, high_y = pixels.bounds
        x0, x1 = max(int(low_x) - 2, 0), min(int(high_x) + 2, nx)
        y0, y1 = max(int(low_y) - 2, 0), min(int(high_y) + 2, ny)
        self._field, self._corner = field, (x0, y0)
        shape = (max(y1 - y0, 0), max(x1 - x0, 0))
        rows, columns = np.indices(shape)
        inside = pixels.mask(columns.ravel() + x0 + 1, rows.ravel() + y0 + 1).reshape(shape)
        self._part = np.where(inside, field.live[y0:y1, x0:x1], 0).astype(np.float64)
        self.pixels = max(float(inside.sum()), 1.0)
        near = (field.x >= x0) & (field.x < x1) & (field.y >= y0) & (field.y < y1)
        self.counts = int(inside[field.y[near] - y0, field.x[near] - x0].sum())

    @property
    def live(self) -> float:
        """Live seconds summed over the pixels."""
        return float(self._part.sum())

    @property
    def exposure(self) -> float:
        """Mean live seconds of the exposed pixels."""
        return self.live / max(int(np.count_nonzero(self._part)), 1)

    @property
    def covered(self) -> float:
        """Part of the region that is exposed, 0 to 1."""
        return min(int(np.count_nonzero(self._part)) / self.pixels, 1.0)

    def light(self, position: SkyCoord) -> float:
        """Live seconds weighted with the nominal PSF of a source at a position: seconds times enclosed fraction."""
        x, y = self._field.pixels(position)
        rows, columns = np.nonzero(self._part)
        distance = np.hypot(columns + self._corner[0] - float(x), rows + self._corner[1] - float(y)) * PIXEL_ARCMIN
        shape = nominal_psf().brightness(distance) * PIXEL_ARCMIN**2
        return float(np.sum(shape * self._part[rows, columns]))


# --- tables --------------------------------------------------------------------------------------------------------


def measured_table(measured: Rates, positions: SkyCoord, field: FieldData) -> QTable:
    """The columns that every table of photometry has."""
    from astropy.table import QTable

    table = QTable()
    number = len(measured.counts)
    table["obs_id"], table["dataclass"] = [field.dc.obs_id] * number, [str(field.dc.code)] * number
    table["ra"], table["dec"] = positions.ra.to("deg"), positions.dec.to("deg")
    table["off_axis"] = quantity(field.off_axis(positions), "arcmin")
    table["vignetting"] = _vignetting(field, positions)
    table["counts"], table["background"] = measured.counts, measured.background
    table["background_error"] = measured.background_error
    table["effective"] = quantity(measured.effective, "s")
    for name in ("rate", "rate_lo", "rate_hi", "upper_limit"):
        table[name] = quantity(getattr(measured, name), "ct / s")
    table["significance"] = measured.significance
    table["chance"] = measured.chance
    table["detected"] = measured.chance <= DETECTED
    return table


def _vignetting(field: FieldData, positions: SkyCoord) -> np.ndarray:
    """Nominal area at the positions relative to the optical axis, at the middle of the band on a logarithmic scale."""
    from xtendsrc.responses import nominal

    low, high = field.selection.channels or (50, 1666)
    energy = np.sqrt(max(low, 50) * (high + 1.0)) * EV_PER_CHANNEL / 1000
    return nominal.vignetting(energy, field.off_axis(positions))


def described(table: QTable, field: FieldData, levels: Levels | None) -> QTable:
    """The table with what its numbers mean."""
    levels = levels or Levels()
    low, high = field.selection.channels or (0, 4095)
    table.meta.update(
        energy_kev=(low * EV_PER_CHANNEL / 1000, (high + 1) * EV_PER_CHANNEL / 1000),
        interval=levels.interval,
        limit=levels.limit,
        psf="nominal",
    )
    return table


def quantity(values: Any, unit: str) -> Any:
    """Values with a unit."""
    import astropy.units as u

    return u.Quantity(np.asarray(values, dtype=np.float64), unit)


def combined(rows: QTable, levels: Levels | None = None) -> Rates:
    """One measurement from several of one source: counts, backgrounds and effective exposures added up.

    The sum of the backgrounds has the mean and the variance of one background region's, whose counts and scale follow
    from them.
    """
    background = float(np.sum(rows["background"]))
    variance = float(np.sum(np.square(rows["background_error"])))
    scale = variance / background if background > 0 else 0.0
    off = background / scale if scale > 0 else 0.0
    effective = float(np.sum(rows["effective"].to_value("s")))
    return rates(float(np.sum(rows["counts"])), off, scale, effective, levels)


def stacked(tables: Sequence[QTable]) -> QTable:
    """Tables of photometry under one another."""
    from astropy.table import vstack

    return vstack(list(tables), metadata_conflicts="silent")


def sample_photometry(sources: Iterable[Source], **options: Any) -> QTable:
    """Measure many sources, data class by data class, so that each event list and exposure map is read once.

    Returns
    -------
    QTable
        One row for each source and data class, in the order of the sources; one that cannot be measured has the reason
        in the column ``problem``, and its numbers are masked.
    """
    from astropy.table import QTable

    order: list[tuple[int, Source, DataClass]] = []
    rows: dict[int, list[QTable]] = {}
    for number, source in enumerate(sources):
        try:
            order += [(number, source, dc) for dc in source.dataclasses()]
        except XtendsrcError as error:
            rows[number] = [_problem(source, error)]
    for number, source, dc in sorted(order, key=lambda job: (job[2].obs_id, str(job[2].code), job[0])):
        try:
            measured = _one(source, dc, **options)
            measured["problem"] = [""]
        except XtendsrcError as error:
            measured = _problem(source, error, dc)
        rows.setdefault(number, []).append(measured)
    tables = [table for number in sorted(rows) for table in rows[number]]
    return stacked(tables) if tables else QTable()


def source_photometry(source: Source, dataclasses: Iterable[DataClass], **options: Any) -> QTable:
    """Measure a source in data classes; one in which its region or background fails has the reason in ``problem``.

    Raises
    ------
    RegionError
        If it fails in all of them.
    """
    rows, first, measured = [], None, False
    for dc in dataclasses:
        try:
            table = _one(source, dc, **options)
            table["problem"], measured = [""], True
        except RegionError as error:
            first, table = first or error, _problem(source, error, dc)
        rows.append(table)
    if first is not None and not measured:
        raise first
    return stacked(rows)


def _one(
    source: Source, dc: DataClass, *, background: Any = ANNULUS, levels: Levels | None = None, **band: Any
) -> QTable:
    return region_photometry(source, FieldData.of(dc, **band), background, levels)


def _problem(source: Source, error: XtendsrcError, dc: DataClass | None = None) -> QTable:
    """The row of a source that could not be measured."""
    from astropy.table import QTable

    table = QTable()
    table["source"] = [source.name]
    if dc is not None:
        table["obs_id"], table["dataclass"] = [dc.obs_id], [str(dc.code)]
    position = source.position.reshape(1)
    table["ra"], table["dec"] = position.ra.to("deg"), position.dec.to("deg")
    table["problem"] = [str(error)]
    return table
