"""Count-rate maps: counts over live exposure, with detection statistics that hold for few counts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xtendsrc.errors import DeadTimeError, GridMismatchError, RegionError, RequestError
from xtendsrc.measure.poisson import CountsPosterior, significance

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.io import fits
    from astropy.units import Quantity
    from astropy.wcs import WCS

    from xtendsrc.regions import RegionSet

DEAD_TIME_TOLERANCE = 0.01
"""ONTIME x DEADC must agree with LIVETIME to this."""

NO_EXPOSURE = 1e-6
"""Fraction of the largest exposure below which a pixel counts as unexposed: resampled maps hold rounding errors."""

GRID_TOLERANCE = 1e-3
"""Two grids are the same if their pixels agree to this, in pixels."""


def live_fraction(header: fits.Header) -> float:
    """DEADC of an image.

    Raises
    ------
    DeadTimeError
        If ONTIME x DEADC and LIVETIME differ by more than 1 %, or DEADC is not within (0, 1].
    """
    if "DEADC" not in header and {"LIVETIME", "ONTIME"} <= set(header):
        deadc = float(header["LIVETIME"]) / float(header["ONTIME"])
    else:
        deadc = float(header.get("DEADC", 1.0))
    if not 0 < deadc <= 1:
        raise DeadTimeError(f"DEADC = {deadc} is no live fraction.", "check the image's header.")
    if {"ONTIME", "LIVETIME"} <= set(header):
        ontime, livetime = float(header["ONTIME"]), float(header["LIVETIME"])
        if abs(ontime * deadc - livetime) > DEAD_TIME_TOLERANCE * livetime:
            raise DeadTimeError(
                f"ONTIME x DEADC = {ontime * deadc:.3f} s, but LIVETIME = {livetime:.3f} s.",
                "find out which of them is right and correct the event file's header.",
            )
    return deadc


class RateMap:
    """Counts an image pixel over the live seconds of that pixel.

    ``rate = counts / (map x DEADC)``: exposure maps are in seconds of good time, so dead time enters here, once.

    Parameters
    ----------
    image : Image
        Counts; anything with ``data``, ``wcs`` and ``header``.
    expmap : ExpMap
        Exposure map on the same grid.

    Raises
    ------
    GridMismatchError
        If the grids differ (when first used).
    DeadTimeError
        If ONTIME, LIVETIME and DEADC of the image contradict each other (when first used).
    """

    kind: ClassVar[str] = "ratemap"

    def __init__(self, image: Any, expmap: Any) -> None:
        self.image = image
        self.expmap = expmap

    def __repr__(self) -> str:
        return f"<RateMap of {self.image!r}>"

    @cached_property
    def live(self) -> np.ndarray:
        """Live seconds a pixel: the exposure map times DEADC."""
        _check_grid(self.image, self.expmap)
        live: np.ndarray = np.asarray(self.expmap.data, dtype=np.float64) * live_fraction(self.image.header)
        return live

    @cached_property
    def data(self) -> np.ndarray:
        """Rates, count/s a pixel; NaN off the sensor."""
        counts = np.asarray(self.image.data, dtype=np.float64)
        return np.divide(counts, self.live, out=np.full(counts.shape, np.nan), where=self.sensor_mask)

    @property
    def wcs(self) -> WCS:
        """Coordinates of the pixels."""
        return self.image.wcs

    @property
    def header(self) -> fits.Header:
        """Header of the counts image."""
        return self.image.header

    @property
    def exposure(self) -> Quantity:
        """Largest live exposure of a pixel."""
        import astropy.units as u

        return float(self.live.max()) * u.s

    @cached_property
    def sensor_mask(self) -> np.ndarray:
        """Pixels with any exposure; less than a millionth of the largest is rounding, not exposure."""
        return self.live > NO_EXPOSURE * self.live.max()

    @cached_property
    def edge_mask(self) -> np.ndarray:
        """Exposed pixels with an unexposed one, or the border of the image, among their four neighbours."""
        padded = np.pad(self.sensor_mask, 1)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        return self.sensor_mask & ~inner

    def rate_at(self, position: SkyCoord) -> Quantity:
        """Rate of the pixel at a position, count/s; NaN where there is no exposure.

        Raises
        ------
        RegionError
            If the position is off the image.
        """
        import astropy.units as u

        x, y = (round(float(v)) for v in self.wcs.world_to_pixel(position))
        ny, nx = self.data.shape
        if not (0 <= x < nx and 0 <= y < ny):
            raise RegionError(f"{position} is off the image.", "choose a position on it.")
        return self.data[y, x] * u.ct / u.s

    def peak(self, radius: float = 3.0, within: np.ndarray | None = None) -> SkyCoord:
        """Position of the highest rate within a disc.

        Parameters
        ----------
        radius : float
            Radius of the disc that is summed, in image pixels.
        within : ndarray of bool, optional
            Pixels among which the peak is sought; by default those whose disc is at least half exposed.
        """
        from scipy.signal import fftconvolve

        reach = int(np.ceil(radius))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = (x * x + y * y <= radius * radius).astype(float)
        counts = fftconvolve(np.where(self.sensor_mask, self.image.data, 0).astype(float), disc, mode="same")
        seconds = fftconvolve(self.live, disc, mode="same")
        usable = seconds > 0.5 * self.live.max() * disc.sum()
        if within is not None:
            usable = np.asarray(within, dtype=bool) & (seconds > 1e-9 * self.live.max())
        if not usable.any():
            raise RegionError("No pixel to look for a peak in has exposure.", "widen the search.")
        rates = np.where(usable, np.divide(counts, seconds, where=usable, out=np.zeros_like(counts)), -np.inf)
        row, column = np.unravel_index(int(np.argmax(rates)), rates.shape)
        return self.wcs.pixel_to_world(float(column), float(row))

    def counts(self, region: RegionSet | Any) -> tuple[int, float]:
        """Counts in a region, and the live exposure summed over its pixels (s pixel)."""
        mask = self._mask(region) & self.sensor_mask
        return int(np.sum(np.asarray(self.image.data)[mask])), float(np.sum(self.live[mask]))

    def significance(self, source: RegionSet | Any, background: RegionSet | Any) -> float:
        """Significance of an excess in a region, in standard deviations; negative for a deficit.

        Li & Ma 1983 (ApJ 272, 317) equation 17; the two regions are scaled by area times exposure.

        Raises
        ------
        RegionError
            If a region has no exposure.
        """
        on, off, scale = self._on_off(source, background)
        return float(significance(on, off, scale)[0])

    def upper_limit(self, source: RegionSet | Any, background: RegionSet | Any, level: float = 0.9987) -> Quantity:
        """Upper limit of the source's rate in a region at a one-sided confidence (3 sigma by default), count/s."""
        import astropy.units as u

        on, off, scale = self._on_off(source, background)
        pixels = int(np.sum(self._mask(source) & self.sensor_mask))
        seconds = self.counts(source)[1] / pixels
        counts = float(CountsPosterior.of(on, off, scale).quantile(level)[0])
        return counts / seconds * u.ct / u.s

    def _on_off(self, source: Any, background: Any) -> tuple[int, int, float]:
        (on, mine), (off, theirs) = self.counts(source), self.counts(background)
        if not (mine > 0 and theirs > 0):
            raise RegionError("The source or the background region has no exposure.", "choose regions on the CCDs.")
        return on, off, mine / theirs

    def _mask(self, region: Any) -> np.ndarray:
        """Pixels of the image whose centres lie in a region; a boolean array is taken as it is."""
        if isinstance(region, np.ndarray):
            if region.shape != self.live.shape or region.dtype != bool:
                raise RequestError("The mask has not the shape of the map, or is not bool.", "give one bool a pixel.")
            return region
        from xtendsrc.regions import RegionSet

        regions = RegionSet.of(region)
        if regions.frame == "icrs":
            regions = regions.to_pixels(self.wcs)
            y, x = np.indices(self.live.shape) + 1.0
        else:
            b = float(self.header.get("CDELT1P", 1.0))
            x0, y0 = (float(self.header.get(f"CRVAL{n}P", 1.0)) for n in (1, 2))
            y, x = np.indices(self.live.shape) * b + np.array([y0, x0])[:, None, None]
        mask: np.ndarray = regions.mask(x.ravel(), y.ravel()).reshape(self.live.shape)
        return mask


def _check_grid(image: Any, expmap: Any) -> None:
    """Refuse two images of different shape, or whose pixels lie apart on the sky."""
    one, two = np.shape(image.data), np.shape(expmap.data)
    apart = float("inf")
    if one == two:
        ny, nx = one
        x, y = np.array([0.0, nx - 1.0, 0.0]), np.array([0.0, 0.0, ny - 1.0])
        u, v = expmap.wcs.wcs_world2pix(*image.wcs.wcs_pix2world(x, y, 0), 0)
        apart = float(np.max(np.hypot(u - x, v - y)))
    if not apart <= GRID_TOLERANCE:
        raise GridMismatchError(
            f"{image!r} {one} and {expmap!r} {two} are on different grids.",
            "make both from one data class, with the same binning and frame.",
        )
