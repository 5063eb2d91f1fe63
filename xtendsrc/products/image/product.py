"""Counts images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xtendsrc.errors import InputFileError
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.products.base import Product

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from astropy.coordinates import SkyCoord
    from astropy.io import fits
    from astropy.units import Quantity
    from astropy.wcs import WCS

    from xtendsrc.instrument import Geometry
    from xtendsrc.regions import RegionSet


class ImageLike(Product):
    """A product that is an image in the primary extension: counts or seconds on a SKY or DET grid."""

    unit: ClassVar[str] = ""

    @property
    def data(self) -> np.ndarray:
        """The pixels, (ny, nx), in the unit of `unit`."""
        data: np.ndarray = self.content["data"]
        return data

    @property
    def wcs(self) -> WCS:
        """The celestial coordinates of a SKY image, or the linear ones of a DET image."""
        wcs: WCS = self.content["wcs"]
        return wcs

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ny, nx = self.data.shape
        return ny, nx

    @property
    def frame(self) -> str:
        """``SKY`` if the axes are celestial, else ``DET``."""
        return "SKY" if self.wcs.has_celestial else "DET"

    @property
    def binning(self) -> int:
        """Unbinned SKY or DET pixels on a side of one pixel."""
        return round(float(self.header.get("IMGBIN", self.header.get("CDELT1P", 1))))

    @property
    def energy(self) -> Quantity | None:
        """The edges of the band in keV; None for what holds for every energy, as an exposure map."""
        return None

    @property
    def exposure(self) -> Quantity:
        """The EXPOSURE keyword, in seconds."""
        import astropy.units as u

        return float(self.header["EXPOSURE"]) * u.s

    def value_at(self, position: SkyCoord) -> Any:
        """Return the value of the pixel that holds a position; on a DET image by the nominal pointing.

        Parameters
        ----------
        position : SkyCoord
            One position on the sky.

        Raises
        ------
        RegionError
            If the position is outside the image.
        MissingKeywordError
            If a DET image does not say where the detector pointed.
        """
        from xtendsrc.errors import RegionError

        if self.frame == "DET":
            det = (float(v) for v in self._geometry.icrs_to_det(position))
            column, row = (int((v - 0.5) // self.binning) for v in det)
        else:
            column, row = (int(i) for i in self.wcs.world_to_array_index(position)[::-1])
        ny, nx = self.shape
        if not (0 <= row < ny and 0 <= column < nx):
            raise RegionError(f"{position.to_string('hmsdms')} is outside {self!r}.", "give a position in the field.")
        return self.data[row, column]

    def mask(self, region: Any) -> np.ndarray:
        """Return a boolean mask of the pixels whose centre is in a region.

        Parameters
        ----------
        region : RegionSet, regions.Region, list of them, or path
            See `xtendsrc.regions.RegionSet.of`.

        Returns
        -------
        ndarray of bool, (ny, nx)
        """
        import numpy as np

        from xtendsrc.regions import RegionSet

        pixels: RegionSet = self.on_grid(RegionSet.of(region))
        ny, nx = self.shape
        centres_x = (np.arange(nx) + 0.5) * self.binning + 0.5
        centres_y = (np.arange(ny) + 0.5) * self.binning + 0.5
        x, y = np.meshgrid(centres_x, centres_y)
        inside: np.ndarray = pixels.mask(x.ravel(), y.ravel()).reshape(ny, nx)
        return inside

    def on_grid(self, region: RegionSet) -> RegionSet:
        """Return a region in the unbinned, 1-based pixels of this image's frame.

        Between DET and the sky it goes by the nominal pointing of the header, without the wander of the attitude.

        Raises
        ------
        MissingKeywordError
            If that is needed and the header does not have it.
        """
        if region.frame == self.frame:
            return region
        if region.frame == "icrs" and self.frame == "SKY":
            return region.to_pixels(unbinned_wcs(self.wcs, self.binning))
        return region.to_frame(self.frame, self._geometry)

    @property
    def _geometry(self) -> Geometry:
        from xtendsrc.instrument import Geometry

        return Geometry.from_header(self.header)

    def to_xga(self, energy: Quantity | None = None) -> Any:
        """Return this as an ``xga.products.Image`` or ``ExpMap`` of the same file.

        An image and an exposure map of one band and binning make an ``xga.products.RateMap``.

        Parameters
        ----------
        energy : Quantity, (2,), optional
            Band to label it with, to the channels that it is cut at; None takes that of the image, or the whole PI
            range.

        Raises
        ------
        EngineUnavailableError
            If the package xga is not installed.
        """
        from xtendsrc.products.xga import as_image

        return as_image(self, self._band(energy))

    def _band(self, energy: Quantity | None) -> Quantity:
        """Return the edges of a band on the grid of channels: that asked for, the image's own, or all channels."""
        from xtendsrc.instrument import PI_CHANNELS, band_to_channels, channels_to_band

        if energy is not None:
            return channels_to_band(*band_to_channels(energy))
        return channels_to_band(0, PI_CHANNELS - 1) if self.energy is None else self.energy

    def _load(self, path: Path) -> dict[str, Any]:
        file = open_fits(path)
        self._check_kind(file.hdus)
        hdu = next((h for h in file.hdus if not h.is_table and h.header["NAXIS"] == 2 and h.size), None)
        if hdu is None or file.find("SPECTRUM"):  # whose primary array is a weighted map
            names = ", ".join(h.name or "?" for h in file.hdus)
            raise InputFileError(f"{path} is no image file; it has {names}.", "check the path.")
        header = hdu.header.copy()
        return {"data": file.image(hdu), "header": header, "wcs": _wcs(header, path)}


def _wcs(header: fits.Header, path: Path) -> WCS:
    try:
        return image_wcs(header)
    except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError) as error:  # what astropy's WCS raises
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputFileError(f"{path}: its coordinates cannot be read: {reason}", "correct its header.") from error


class Image(ImageLike):
    """A counts image, int32."""

    kind: str = "image"
    unit: ClassVar[str] = "ct"

    @property
    def channels(self) -> tuple[int, int] | None:
        """First and last PI channel, inclusive, from the header; None if the file does not say."""
        header = self.header
        if "CHANMIN" not in header or "CHANMAX" not in header:
            return None
        return int(header["CHANMIN"]), int(header["CHANMAX"])

    @property
    def energy(self) -> Quantity | None:
        """The edges of the band in keV, as it was really cut on the 6 eV grid."""
        from xtendsrc.instrument import channels_to_band

        return None if self.channels is None else channels_to_band(*self.channels)

    @property
    def counts(self) -> int:
        """All counts in the image."""
        return int(self.data.sum())


def image_wcs(header: fits.Header) -> WCS:
    """Read the WCS of an image; RADECSYS, which HEASoft writes, is taken for RADESYS, its present name."""
    from astropy.wcs import WCS

    modern = header.copy()
    if "RADECSYS" in modern and "RADESYS" not in modern:
        modern.rename_keyword("RADECSYS", "RADESYS")
    modern.remove("RADECSYS", ignore_missing=True)
    return WCS(modern, fix=False)


def unbinned_wcs(wcs: WCS, binning: int) -> WCS:
    """Return the WCS of the grid before it was binned, in which pixel n is the column value n."""
    if binning == 1:
        return wcs
    fine = wcs.deepcopy()
    fine.wcs.crpix = (wcs.wcs.crpix - 0.5) * binning + 0.5
    if wcs.wcs.has_cd():
        fine.wcs.cd = wcs.wcs.cd / binning
    else:
        fine.wcs.cdelt = wcs.wcs.cdelt / binning
    return fine
