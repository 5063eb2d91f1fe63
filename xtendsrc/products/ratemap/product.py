"""Count-rate maps: counts over live exposure, with detection statistics that hold for few counts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xtendsrc.errors import GridMismatchError, ProductError, RegionError, RequestError
from xtendsrc.measure.poisson import CountsPosterior, significance
from xtendsrc.measure.ratemap import NO_EXPOSURE, check_grid, live_fraction
from xtendsrc.products.expmap.product import ExpMap
from xtendsrc.products.image.product import Image, ImageLike
from xtendsrc.products.ratemap.request import RateMapRequest
from xtendsrc.products.request import Request

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.units import Quantity

    from xtendsrc.products.expmap.request import ExpMapRequest
    from xtendsrc.products.image.request import ImageRequest
    from xtendsrc.regions import RegionSet


class RateMap(ImageLike):
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

    kind: str = "ratemap"
    unit: ClassVar[str] = "ct / s"

    def __init__(self, image: Any, expmap: Any) -> None:
        if isinstance(image, Request):  # as every product is made: a request and where it is kept
            super().__init__(image, expmap)
            return
        self.__dict__.update(image=image, expmap=expmap, _request=None, _target=None, _file=None, _content=None)
        if getattr(image, "_request", None) is not None and getattr(expmap, "_request", None) is not None:
            super().__init__(_request_of(image.request, expmap.request), image.target)

    @cached_property
    def image(self) -> Any:
        """The counts image."""
        return Image(self._statement.image, self.target)

    @cached_property
    def expmap(self) -> Any:
        """The exposure map on the same grid."""
        return ExpMap(self._statement.expmap, self.target)

    @property
    def _statement(self) -> RateMapRequest:
        if not isinstance(self._request, RateMapRequest):
            raise ProductError(
                f"{self._file} was read from disk and its image and exposure map are not known.",
                "use its data, or make a RateMap of an Image and an ExpMap.",
            )
        return self._request

    def __repr__(self) -> str:
        in_memory = self._request is None and self._file is None
        return f"<RateMap of {self.image!r}>" if in_memory else super().__repr__()

    @property
    def knows_exposure(self) -> bool:
        """Whether the exposure map is known; it is not for a map read from a file."""
        return self._file is None

    @cached_property
    def live(self) -> np.ndarray:
        """Live seconds a pixel: the exposure map times DEADC."""
        check_grid(self.image, self.expmap)
        live: np.ndarray = np.asarray(self.expmap.data, dtype=np.float64) * live_fraction(self.image.header)
        return live

    @property
    def content(self) -> dict[str, Any]:
        """Rates, count/s a pixel and NaN off the sensor, with header and coordinates."""
        if self._request is not None or self._file is not None:
            return super().content
        return {"data": self._divided, "header": self.image.header, "wcs": self.image.wcs}

    @cached_property
    def _divided(self) -> np.ndarray:
        counts = np.asarray(self.image.data, dtype=np.float64)
        found: np.ndarray = np.divide(counts, self.live, out=np.full(counts.shape, np.nan), where=self.sensor_mask)
        return found

    @property
    def exposure(self) -> Quantity:
        """Largest live exposure of a pixel."""
        import astropy.units as u

        return float(self.live.max()) * u.s

    @cached_property
    def sensor_mask(self) -> np.ndarray:
        """Pixels with any exposure; less than a millionth of the largest is rounding, not exposure."""
        found: np.ndarray = self.live > NO_EXPOSURE * self.live.max()
        return found

    @cached_property
    def edge_mask(self) -> np.ndarray:
        """Exposed pixels with an unexposed one, or the border of the image, among their four neighbours."""
        padded = np.pad(self.sensor_mask, 1)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        found: np.ndarray = self.sensor_mask & ~inner
        return found

    def to_xga(self, energy: Quantity | None = None) -> Any:
        """Return this as an ``xga.products.RateMap`` of the files of image and exposure map.

        XGA divides by the exposure map alone, so that its rates are per second of good time, not of live time.

        Parameters
        ----------
        energy : Quantity, (2,), optional
            Band to label it with; None takes that of the image.

        Raises
        ------
        EngineUnavailableError
            If the package xga is not installed.
        """
        from xtendsrc.products.xga import as_ratemap

        return as_ratemap(self.image, self.expmap, self.image._band(energy))

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


def _request_of(image: ImageRequest, expmap: ExpMapRequest) -> RateMapRequest:
    """State the rate map of an image and an exposure map.

    Raises
    ------
    GridMismatchError
        If they are of different data classes, frames or binnings.
    """
    one, two = ((r.obs_id, r.dataclass, r.frame, r.binning) for r in (image, expmap))
    if one != two:
        raise GridMismatchError(
            f"{image.label} of {one[:2]} and {expmap.label} of {two[:2]} are on different grids.",
            "make both from one data class, with the same binning and frame.",
        )
    return RateMapRequest(obs_id=image.obs_id, dataclass=image.dataclass, image=image, expmap=expmap)
