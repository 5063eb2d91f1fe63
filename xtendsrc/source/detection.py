"""Sources found in the data themselves: by data class, over a whole archive, and as interlopers of one another."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import NoObservationsError, RequestError, XtendsrcError
from xtendsrc.events.quantities import arcminutes, bands
from xtendsrc.instrument import EV_PER_CHANNEL
from xtendsrc.measure.detect import Field, Search
from xtendsrc.measure.sourcefit import Detections, detect
from xtendsrc.source.fielddata import PIXEL_ARCMIN, FieldData, nominal_psf

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from astropy.coordinates import SkyCoord
    from astropy.table import QTable

    from xtendsrc.source.dataclass import DataClass

logger = logging.getLogger(__name__)

FAINT = 0.3
"""A source is taken out to where it is fainter than this part of the background."""

SMALLEST_ARCMIN, LARGEST_ARCMIN = 0.5, 6.0
"""Radii of what is taken out around a detection."""

SAME_ARCMIN = 0.4
"""Detections of different data classes this close, or within three standard deviations, are one source."""


@dataclass(frozen=True, kw_only=True)
class Finder:
    """Options of `DataClass.detect`.

    Parameters
    ----------
    false_alarms : float
        Expected number of detections in a field without sources (1).
    binning : int
        SKY pixels on a side of a pixel searched (8, or 14 arcsec).
    scales : tuple of float
        Standard deviations in arcmin of the Gaussians with which the PSF is blurred to find larger sources.
    smoothing : float
        Standard deviation in arcmin with which the background is smoothed.
    trials : int
        Blank fields drawn to set the threshold.
    seed : int
        Of these fields.
    """

    false_alarms: float = 1.0
    binning: int = 8
    scales: tuple[float, ...] = (0.0, 1.2)
    smoothing: float = 4.0
    trials: int = 40
    seed: int = 1

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> tuple[Finder, dict[str, Any]]:
        """A finder made from the options that concern it, and the others."""
        own = {f.name for f in fields(cls)}
        chosen = {name: value for name, value in options.items() if name in own}
        if "scales" in chosen:
            chosen["scales"] = tuple(arcminutes(s) for s in chosen["scales"])
        return cls(**chosen), {name: value for name, value in options.items() if name not in own}

    @property
    def search(self) -> Search:
        """The same in pixels of the images that are searched."""
        return _search(self)


@lru_cache(maxsize=8)
def _search(finder: Finder) -> Search:
    if not 1 <= finder.binning <= 32:
        raise RequestError(f"binning={finder.binning} is not within 1..32.", "use for example 8.")
    side = PIXEL_ARCMIN * finder.binning
    return Search(
        nominal_psf().scaled(1 / side),
        tuple(s / side for s in finder.scales),
        smoothing=finder.smoothing / side,
        false_alarms=finder.false_alarms,
        trials=finder.trials,
        seed=finder.seed,
    )


def detect_sources(dc: DataClass, finder: Finder, energy: Any = None, channels: Any = None, **selected: Any) -> QTable:
    """Search one data class; see `xtendsrc.source.dataclass.DataClass.detect`."""
    data = [FieldData.of(dc, **band, **selected) for band in bands(energy, channels)]
    live = data[0].live_image(finder.binning)
    rows, columns = (np.flatnonzero((live > 0).any(axis=axis)) for axis in (1, 0))
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    seen = np.where(live > 0.02 * live.max(), live, 0.0)[part]
    found = detect(Field(tuple(f.image(finder.binning)[part] for f in data), seen), finder.search)
    return _table(dc, data, found, (float(columns[0]), float(rows[0])), finder)


def _table(
    dc: DataClass, data: Sequence[FieldData], found: Detections, corner: tuple[float, float], finder: Finder
) -> QTable:
    import astropy.units as u
    from astropy.table import QTable

    side = finder.binning
    x, y = (value + start for value, start in zip((found.x, found.y), corner, strict=True))
    sky = dc.geometry.sky_to_icrs(x * side + (side + 1) / 2, y * side + (side + 1) / 2)
    table = QTable(meta={"false_alarms": found.false_alarms, "threshold": found.threshold, "psf": "nominal"})
    table["name"] = [designation(place) for place in sky] if len(found) else np.array([], dtype="U24")
    table["obs_id"] = np.full(len(found), dc.obs_id)
    table["dataclass"] = np.full(len(found), str(dc.code))
    table["ra"], table["dec"] = sky.ra.to(u.deg), sky.dec.to(u.deg)
    table["error"] = found.error * side * PIXEL_ARCMIN * 60 * u.arcsec
    table["counts"] = found.counts.sum(axis=1)
    table["counts_error"] = np.sqrt((found.counts_error**2).sum(axis=1))
    table["exposure"] = found.exposure * u.s
    table["rate"] = found.counts.sum(axis=1) / found.exposure * u.ct / u.s
    for number, field in enumerate(data):
        table[f"counts_{_band_name(field)}"] = found.counts[:, number]
    table["significance"], table["evidence"] = found.significance, found.evidence
    table["extended"] = found.extended
    table["extent"] = found.sigma * side * PIXEL_ARCMIN * u.arcmin
    table["radius"] = _radii(found, finder) * u.arcmin
    table["off_axis"] = data[0].off_axis(sky) * u.arcmin
    return table


def _band_name(field: FieldData) -> str:
    low, high = field.selection.channels or (0, 4095)
    return f"{low * EV_PER_CHANNEL / 1000:.2f}-{(high + 1) * EV_PER_CHANNEL / 1000:.2f}keV"


def designation(place: SkyCoord) -> str:
    """A source's name from its position: ``J053155.8-654013``, cut off and not rounded, as the IAU asks."""
    from astropy.coordinates import Angle

    hours, degrees = Angle(place.ra).hms, Angle(place.dec).signed_dms
    sign = "-" if degrees.sign < 0 else "+"
    tenths = int(hours.s * 10 + 1e-6)
    return (
        f"J{int(hours.h):02d}{int(hours.m):02d}{tenths // 10:02d}.{tenths % 10}"
        f"{sign}{int(degrees.d):02d}{int(degrees.m):02d}{int(degrees.s + 1e-6):02d}"
    )


def _radii(found: Detections, finder: Finder) -> np.ndarray:
    """Arcmin out to which each source is brighter than part of the background, all bands together."""
    radius = np.linspace(0.0, LARGEST_ARCMIN, 121)
    background = np.sum(found.background, axis=0)
    ny, nx = background.shape
    area = (finder.binning * PIXEL_ARCMIN) ** 2
    out = np.empty(len(found))
    for number in range(len(found)):
        row, column = int(np.clip(found.y[number], 0, ny - 1)), int(np.clip(found.x[number], 0, nx - 1))
        psf = nominal_psf().blurred(float(found.sigma[number]) * finder.binning * PIXEL_ARCMIN)
        light = float(found.counts[number].sum()) * psf.brightness(radius) * area
        bright = radius[light > FAINT * max(float(background[row, column]), 1e-12)]
        out[number] = bright.max(initial=SMALLEST_ARCMIN)
    return out


# --- several data classes ------------------------------------------------------------------------------------------


def merged(tables: Iterable[QTable]) -> QTable:
    """Detections of several data classes as one list of sources, the most significant detection of each.

    Two detections are one source if they are closer than 0.4 arcmin or three standard deviations of their distance.
    The column ``detections`` says how many there were of each.
    """
    from astropy.coordinates import SkyCoord, search_around_sky
    from astropy.table import vstack

    found = [t for t in tables if len(t)]
    if not found:
        raise NoObservationsError("No source was detected.", "allow more false alarms, or other bands.")
    table = vstack(found, metadata_conflicts="silent")
    table.sort("evidence", reverse=True)
    sky = SkyCoord(table["ra"], table["dec"])
    error = table["error"].to_value("arcmin")
    first, second, apart, _ = search_around_sky(sky, sky, max(SAME_ARCMIN, 6 * error.max()) * table["radius"].unit)
    near = np.maximum(SAME_ARCMIN, 3 * np.hypot(error[first], error[second]))
    linked = (apart.to_value("arcmin") < near) & (first < second)
    taken = np.full(len(table), -1)
    for one, other in zip(first[linked], second[linked], strict=True):
        if taken[one] < 0 and taken[other] < 0:
            taken[other] = one
    keep = np.flatnonzero(taken < 0)
    number = 1 + np.bincount(taken[taken >= 0], minlength=len(table))
    table = table[keep]
    table["detections"] = number[keep]
    return table


def interlopers_of(table: QTable, position: SkyCoord, radius: Any, within: Any = None) -> QTable:
    """The detections that are not the source itself: those whose middle lies farther than ``radius`` from it.

    Parameters
    ----------
    table : QTable
        Detections with ``ra``, ``dec`` and ``radius``.
    position : SkyCoord
        Of the source.
    radius : Quantity
        Nearer detections are taken for the source.
    within : Quantity, optional
        Farther ones are left out as well.
    """
    from astropy.coordinates import SkyCoord

    apart = SkyCoord(table["ra"], table["dec"]).separation(position)
    chosen = apart > radius
    return table[chosen if within is None else chosen & (apart < within)]


def search_archive(observations: Iterable[Any], finder: Finder, **selected: Any) -> tuple[list[QTable], dict[str, str]]:
    """Search every data class of observations; those that cannot be searched are named with the reason."""
    tables, failures = [], {}
    for observation in observations:
        for dc in observation.dataclasses.values():
            try:
                tables.append(detect_sources(dc, finder, **selected))
            except XtendsrcError as error:
                failures[f"{dc.obs_id} {dc.code}"] = str(error)
                logger.warning("%s %s is not searched: %s", dc.obs_id, dc.code, error)
    return tables, failures
