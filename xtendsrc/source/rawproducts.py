"""The products of data classes and observations: exactly what is asked for, of the region that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from xtendsrc.products.base import Product
from xtendsrc.products.expmap.product import ExpMap
from xtendsrc.products.image.product import Image
from xtendsrc.products.lightcurve.product import LightCurve
from xtendsrc.products.ratemap.product import RateMap
from xtendsrc.products.spectrum.product import Spectrum
from xtendsrc.source.options import (
    ExpMapOptions,
    ImageOptions,
    RateMapOptions,
    RegionCurveOptions,
    RegionSpectrumOptions,
    takes,
)
from xtendsrc.source.requests import (
    expmap_request,
    image_request,
    lightcurve_request,
    only,
    ratemap_request,
    spectrum_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xtendsrc.products.collection import Products
    from xtendsrc.source.requests import Statement

P = TypeVar("P", bound=Product)


class RawProducts:
    """Product methods that data classes and observations share; what each option means stands at the singular ones."""

    def _declared(self, cls: type[P], state: Callable[..., Statement], options: Mapping[str, Any]) -> Products[P]:
        raise NotImplementedError

    def declare(self, cls: type[P], state: Callable[..., Statement], **options: Any) -> Products[P]:
        """Declare products of a kind of another package.

        Parameters
        ----------
        cls : type
            Class of the products.
        state : callable
            What states one product: ``state(dc, source, **options)`` returns a `Statement`.
        **options
            As the function takes them, and ``engine``; of those that the kind names as its axes, several values.
        """
        return self._declared(cls, state, options)

    @takes(ImageOptions)
    def image(self, energy: Any = None, **options: Unpack[ImageOptions]) -> Image:
        """Declare one counts image of the whole field.

        Parameters
        ----------
        energy : Quantity of two energies, optional
            The band, 0.5-10 keV if neither it nor ``channels`` is given.
        channels : (int, int), optional
            First and last PI channel, inclusive, instead of ``energy``.
        binning : int
            Pixels on a side of an image pixel (1).
        frame : {"SKY", "DET"}
            The grid (SKY).
        gti : GTI, path, table or pairs, optional
            Good times that are ANDed with the file's.
        grades : iterable of int, optional
            Event grades to keep.
        engine : str
            What makes it: ``"auto"``, ``"heasoft"`` or ``"native"``.

        Raises
        ------
        RequestError
            If an option is unknown or senseless, or several values of one are given.
        """
        return only(self._declared(Image, image_request, {"energy": energy, **options}), options)

    @takes(ImageOptions)
    def images(self, energy: Any = None, **options: Unpack[ImageOptions]) -> Products[Image]:
        """Declare images of one or several bands and binnings; options as for `image`, or lists of them."""
        return self._declared(Image, image_request, {"energy": energy, **options})

    @takes(ExpMapOptions)
    def expmap(self, delta: Any = None, **options: Unpack[ExpMapOptions]) -> ExpMap:
        """Declare the exposure map, in seconds.

        Parameters
        ----------
        delta : float or Quantity, optional
            Radial size of the attitude bins in arcmin; chosen from the measured wander if not given.
        numphi : int, optional
            Azimuth bins in the first annulus.
        frame, binning, gti, engine
            As for `image`; a binned map holds means, not sums.
        mask_calibration : bool
            Whether the calibration-source discs get no exposure (True).
        """
        return only(self._declared(ExpMap, expmap_request, {"delta": delta, **options}), options)

    @takes(ExpMapOptions)
    def expmaps(self, **options: Unpack[ExpMapOptions]) -> Products[ExpMap]:
        """Declare exposure maps of one or several binnings; options as for `expmap`."""
        return self._declared(ExpMap, expmap_request, options)

    @takes(RateMapOptions)
    def ratemap(self, energy: Any = None, **options: Unpack[RateMapOptions]) -> RateMap:
        """Declare the counts image over the live exposure of its pixels, count/s; options as for both."""
        return only(self._declared(RateMap, ratemap_request, {"energy": energy, **options}), options)

    @takes(RateMapOptions)
    def ratemaps(self, energy: Any = None, **options: Unpack[RateMapOptions]) -> Products[RateMap]:
        """Declare rate maps of one or several bands and binnings; options as for `ratemap`, or lists of them."""
        return self._declared(RateMap, ratemap_request, {"energy": energy, **options})

    @takes(RegionCurveOptions)
    def lightcurve(self, region: Any = None, **options: Unpack[RegionCurveOptions]) -> LightCurve:
        """Declare the light curve of a region, or of the whole field, exactly as given.

        Parameters
        ----------
        region : RegionSet, regions.Region, list of them, or path, optional
            On the sky (ICRS) or in SKY pixels.
        bin : Quantity
            Width of a bin (200 s).
        energy, channels, gti, grades, engine
            As for `image`; the default band is 0.6-10 keV.
        min_fraction : float
            Bins with less of their width inside the good times are left out (0 keeps all that have any).
        start : float or Time, optional
            Start of the first bin, mission seconds or absolute; the first good time if not given.
        exclude_calibration : bool
            Whether the calibration-source discs are taken out (False).
        """
        return only(self._declared(LightCurve, lightcurve_request, {"region": region, **options}), options)

    @takes(RegionCurveOptions)
    def lightcurves(self, region: Any = None, **options: Unpack[RegionCurveOptions]) -> Products[LightCurve]:
        """Declare light curves of one or several bands and bin widths; options as for `lightcurve`, or lists."""
        return self._declared(LightCurve, lightcurve_request, {"region": region, **options})

    @takes(RegionSpectrumOptions)
    def spectrum(self, region: Any = None, **options: Unpack[RegionSpectrumOptions]) -> Spectrum:
        """Declare the counts spectrum of a region, or of the whole field, on all 4096 channels.

        Parameters
        ----------
        region : RegionSet, regions.Region, list of them, or path, optional
            On the sky (ICRS) or in SKY pixels.
        exclude_calibration : bool
            Whether the calibration-source discs are taken out (False).
        gti, grades, engine
            As for `image`. There is no energy cut: the channels must match those of the response.
        """
        return only(self._declared(Spectrum, spectrum_request, {"region": region, **options}), options)

    @takes(RegionSpectrumOptions)
    def spectra(self, region: Any = None, **options: Unpack[RegionSpectrumOptions]) -> Products[Spectrum]:
        """Declare the counts spectrum as a collection; options as for `spectrum`."""
        return self._declared(Spectrum, spectrum_request, {"region": region, **options})
