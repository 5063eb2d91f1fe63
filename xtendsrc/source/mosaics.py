"""Mosaics of the images of several observations and data classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xtendsrc.errors import MissingKeywordError, RequestError
from xtendsrc.instrument import Geometry
from xtendsrc.measure.mosaic import Plane
from xtendsrc.measure.mosaic import mosaic as add_up
from xtendsrc.products.expmap.product import ExpMap
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.ratemap.product import RateMap
from xtendsrc.regions import RegionSet, calibration_discs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.io import fits
    from astropy.wcs import WCS

LAYERS = ("rate", "counts", "exposure")

RIM = 4.0
"""Pixels around a calibration disc, besides those of a bin, that its light reaches as the pointing wanders."""


@dataclass(frozen=True)
class Layer:
    """One image of a mosaic, with what views and rate maps need of an image.

    Attributes
    ----------
    data : ndarray, shape (ny, nx)
        The pixels.
    wcs : WCS
        Their coordinates.
    unit : str
        Of the pixels.
    title : str
        One line for a heading.
    """

    data: np.ndarray
    wcs: WCS
    unit: str
    title: str

    binning: ClassVar[int] = 1
    frame: ClassVar[str] = "SKY"
    source_region: ClassVar[None] = None

    @property
    def header(self) -> fits.Header:
        """A FITS header with the coordinates."""
        header = self.wcs.to_header(relax=True)
        header["BUNIT"] = self.unit
        return header

    def on_grid(self, region: RegionSet) -> RegionSet:
        """A region in the mosaic's pixels."""
        return region.to_pixels(self.wcs)


@dataclass(frozen=True)
class Mosaic:
    """Counts, exposure and rate of several images on one grid.

    Attributes
    ----------
    counts : ndarray, shape (ny, nx)
        Counts a pixel; the sum over all pixels and ``outside`` is that of the images.
    exposure : ndarray, shape (ny, nx)
        Live seconds a pixel; none around the calibration sources.
    seen : ndarray, shape (ny, nx)
        Counts of exposed pixels only, without those of the calibration sources: what rates are made of.
    wcs : WCS
        Coordinates of the pixels.
    outside : float
        Counts off the grid.
    parts : tuple of str
        ObsID and data class of each image.
    """

    counts: np.ndarray
    exposure: np.ndarray
    seen: np.ndarray
    wcs: WCS
    outside: float
    parts: tuple[str, ...]

    @property
    def title(self) -> str:
        """Title in one line."""
        different = tuple(dict.fromkeys(self.parts))
        return f"mosaic of {', '.join(different)}" if len(different) < 4 else f"mosaic of {len(self.parts)} images"

    @cached_property
    def ratemap(self) -> RateMap:
        """The mosaic as a rate map: peak, counts and significance of regions, upper limits."""
        return RateMap(self._layer("seen"), self._layer("exposure"))

    @cached_property
    def rate(self) -> np.ndarray:
        """Counts/s a pixel; NaN without exposure."""
        return self.ratemap.data

    def _layer(self, what: str) -> Layer:
        unit = {"rate": "ct / s", "exposure": "s"}.get(what, "ct")
        return Layer(getattr(self, what), self.wcs, unit, self.title)

    def view(self, what: str = "rate", **options: Any) -> Any:
        """Draw one of the images and return the axes; options as for views of images.

        Parameters
        ----------
        what : {"rate", "counts", "exposure"}
            Which.
        """
        from xtendsrc.products.image.view import view_expmap, view_image

        if what not in LAYERS:
            raise RequestError(f"A mosaic has no {what!r}.", f"choose among {', '.join(LAYERS)}.")
        drawer: Any = view_expmap if what == "exposure" else view_image  # a layer has what they need of an image
        return drawer(self._layer(what), **options)

    def write(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write a FITS file with the extensions COUNTS, EXPOSURE and RATE; return its path.

        Raises
        ------
        RequestError
            If the file exists and is not to be replaced.
        """
        from astropy.io import fits

        file = Path(path)
        if file.exists() and not overwrite:
            raise RequestError(f"{file} exists.", "give another path, or overwrite=True.")
        hdus = fits.HDUList([fits.PrimaryHDU()])
        for name in ("counts", "exposure", "rate"):
            layer = self._layer(name)
            hdus.append(fits.ImageHDU(layer.data.astype(np.float32), layer.header, name=name.upper()))
        for number, part in enumerate(self.parts):
            hdus[0].header[f"PART{number + 1}"] = part
        hdus.writeto(file, overwrite=overwrite, checksum=True)
        return file

    def __repr__(self) -> str:
        ny, nx = self.counts.shape
        return f"<Mosaic of {len(self.parts)} images, {nx} x {ny} pixels, {self.counts.sum():.0f} counts>"


def mosaic(images: Iterable[Any], wcs: WCS | None = None) -> Mosaic:
    """Add images of several observations or data classes up on one sky grid.

    Parameters
    ----------
    images : iterable of Image or RateMap
        Images on the sky, or products of which some are; the exposure map of an image is made if it is missing. An
        image read from a file has none: give ``RateMap(image, expmap)``.
    wcs : WCS, optional
        The grid, with its ``array_shape``; North up, with the finest pixels, and large enough for all, if not given.

    Returns
    -------
    Mosaic
        Counts shared out by the exact overlap of pixels, so that their sum stays; exposure (live seconds) averaged over
        each pixel.

    Raises
    ------
    RequestError
        If there is no image, one is on the detector grid, one has no exposure map, or they lie too far apart.
    """
    maps = [m for image in images if (m := _ratemap(image)) is not None]
    if not maps:
        raise RequestError("There is no image to make a mosaic of.", "give for example src.images(binning=4).")
    _make(maps)
    planes = [Plane(np.asarray(m.image.data), np.where(_on_rim(m), 0.0, m.live), m.wcs) for m in maps]
    made = add_up(planes, wcs)
    parts = tuple(f"{m.header.get('OBS_ID', '?')} {m.header.get('DATACLAS', '?')}" for m in maps)
    return Mosaic(made.counts, made.exposure, made.seen, made.wcs, made.outside, parts)


def _ratemap(image: Any) -> RateMap | None:
    """The rate map of what is given; None for products that are no images of the sky."""
    if isinstance(image, RateMap):
        return image
    if getattr(image, "kind", None) != "image":
        return None
    if image._request is None:
        raise RequestError(f"{image!r} has no exposure map.", "give RateMap(image, expmap) instead.")
    request = image.request
    if request.frame != "SKY":
        raise RequestError(f"{image!r} is on the detector grid.", 'make it with frame="SKY".')
    expmap = ExpMapRequest(
        obs_id=request.obs_id, dataclass=request.dataclass, gti=request.selection.gti, binning=request.binning
    )
    return RateMap(image, ExpMap(expmap, image.target))


def _on_rim(ratemap: RateMap) -> np.ndarray | bool:
    """Pixels that reach into a calibration disc: part of one has exposure, but its counts are the lamp's."""
    try:
        discs = calibration_discs(Geometry.from_header(ratemap.header))
    except MissingKeywordError:
        return False
    image = ratemap.image
    wider = (replace(d, values=(*d.values[:2], d.values[2] + image.binning + RIM), exclude=False) for d in discs.shapes)
    mask: np.ndarray = image.mask(RegionSet(discs.frame, tuple(wider)))
    return mask


def _make(maps: list[RateMap]) -> None:
    """Make everything missing in one batch."""
    from xtendsrc.generate import compute

    wanted = [p for m in maps for p in (m.image, m.expmap) if getattr(p, "_request", None) is not None]
    if wanted:
        compute(*wanted).raise_for(*[p.key for p in wanted])
