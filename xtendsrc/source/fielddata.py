"""Events of a band and live seconds of a data class on its SKY grid: what photometry, detection and profiles share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.events.quantities import IMAGE_BAND_KEV, selection
from xtendsrc.instrument import PIXEL_ARCSEC
from xtendsrc.measure.psf import RadialPSF

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from xtendsrc.events.gti import GTI
    from xtendsrc.events.selection import Selection
    from xtendsrc.source.dataclass import DataClass

PIXEL_ARCMIN = PIXEL_ARCSEC / 60

PSF_REACH_ARCMIN = 15.0
"""Where the table of the nominal PSF ends: nothing in a million lies beyond."""

KEPT = 4
"""Maps of live time, and selections of events, that are kept in memory; a map takes 24 MB."""

NO_EXPOSURE = 1e-6
"""Part of the largest exposure below which a pixel counts as unexposed."""


@dataclass(frozen=True)
class FieldData:
    """One data class in one band.

    Attributes
    ----------
    dc : DataClass
        Where it comes from.
    selection : Selection
        Channels, good times and grades.
    live : ndarray, shape (2430, 2430)
        Live seconds of each SKY pixel: exposure map times DEADC; 0 in gaps, on bad pixels and calibration discs.
    x, y : ndarray of int
        Column and row, from 0, of the selected events on exposed pixels.
    """

    dc: DataClass
    selection: Selection
    live: np.ndarray
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(
        cls, dc: DataClass, energy: Any = None, channels: Any = None, gti: Any = None, grades: Any = None
    ) -> FieldData:
        """Select the events of a band, 0.5-10 keV if none is given, and make the exposure map if it is missing."""
        chosen = selection(energy, channels, gti, grades, IMAGE_BAND_KEV)
        live = live_map(dc, chosen.gti)
        x, y = _selected(dc, chosen)
        ny, nx = live.shape
        on = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        x, y = x[on], y[on]
        seen = live[y, x] > 0
        return cls(dc, chosen, live, x[seen], y[seen])

    def pixels(self, position: SkyCoord) -> tuple[np.ndarray, np.ndarray]:
        """Column and row, from 0, of positions."""
        x, y = self.dc.geometry.icrs_to_sky(position)
        return np.asarray(x, dtype=np.float64) - 1.0, np.asarray(y, dtype=np.float64) - 1.0

    @property
    def longest(self) -> float:
        """Largest live time of a pixel, seconds."""
        return float(self.live.max())

    @cached_property
    def exposed(self) -> np.ndarray:
        """Pixels with exposure, as numbers 0 and 1."""
        return (self.live > 0).astype(np.float32)

    def off_axis(self, position: SkyCoord) -> np.ndarray:
        """Arcminutes from the optical axis for the nominal pointing."""
        return self.dc.geometry.off_axis(*self.dc.geometry.icrs_to_det(position))

    def image(self, binning: int) -> np.ndarray:
        """Counts in blocks of ``binning`` pixels on a side; what fills no block is left out, as in image products."""
        ny, nx = (n // binning for n in self.live.shape)
        column, row = self.x // binning, self.y // binning
        on = (column < nx) & (row < ny)
        counts = np.bincount(row[on] * nx + column[on], minlength=ny * nx)
        return counts.reshape(ny, nx)

    def live_image(self, binning: int) -> np.ndarray:
        """Mean live seconds of the same blocks."""
        ny, nx = (n // binning for n in self.live.shape)
        blocks = self.live[: ny * binning, : nx * binning].reshape(ny, binning, nx, binning)
        return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)


@cache
def nominal_psf() -> RadialPSF:
    """The nominal PSF in arcmin; see `xtendsrc.responses.nominal.psf_eef`."""
    from xtendsrc.responses import nominal

    return RadialPSF.of(nominal.psf_eef, PSF_REACH_ARCMIN)


def live_map(dc: DataClass, gti: GTI | None = None) -> np.ndarray:
    """Live seconds of each SKY pixel, shape (2430, 2430); the exposure map is made if it is missing."""
    expmap = dc.expmap(gti=gti)
    return _live(str(expmap.path), dc.registry.stamp(expmap.key), dc.events.deadc)


@lru_cache(maxsize=KEPT)
def _live(path: str, stamp: tuple[Any, ...], deadc: float) -> np.ndarray:
    """The map of one file as it was at one time."""
    from xtendsrc.products import ExpMap

    live = np.asarray(ExpMap.read(path).data, dtype=np.float32) * np.float32(deadc)
    live[live <= NO_EXPOSURE * live.max()] = 0
    live.flags.writeable = False
    return live


@lru_cache(maxsize=KEPT)
def _selected(dc: DataClass, chosen: Selection) -> tuple[np.ndarray, np.ndarray]:
    """Column and row, from 0, of the events of a selection."""
    events = dc.events
    use = events.good.copy()
    if chosen.gti is not None:
        use &= chosen.gti.contains(events.times)
    if chosen.channels is not None:
        use &= (events["PI"] >= chosen.channels[0]) & (events["PI"] <= chosen.channels[1])
    if chosen.grades is not None:
        use &= np.isin(events["GRADE"], chosen.grades)
    x, y = (np.rint(events[name][use]).astype(np.int64) - 1 for name in ("X", "Y"))
    return x, y
