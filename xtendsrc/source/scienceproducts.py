"""The products of sources and samples: source regions cleaned, backgrounds chosen, responses linked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from xtendsrc.products.base import Product
from xtendsrc.products.expmap.product import ExpMap
from xtendsrc.products.image.product import Image
from xtendsrc.products.netcurve.product import NetCurve
from xtendsrc.products.ratemap.product import RateMap
from xtendsrc.products.spectrum.product import Spectrum
from xtendsrc.source.options import CurveOptions, ExpMapOptions, ImageOptions, RateMapOptions, SpectrumOptions, takes
from xtendsrc.source.requests import expmap_request, image_request, only, ratemap_request
from xtendsrc.source.sciencerequests import MIN_FRACTION, netcurve_request, sourcespectrum_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xtendsrc.products.collection import Products
    from xtendsrc.source.requests import Statement

P = TypeVar("P", bound=Product)

Selector = str | int | None
"""An ObsID or a data class; wildcards as in file names are taken, and ObsIDs as numbers."""


class ManyProducts:
    """Plural product methods that sources and samples share; what an option means stands at the data class's own."""

    def _declared(
        self,
        cls: type[P],
        state: Callable[..., Statement],
        options: Mapping[str, Any],
        obs_id: Selector,
        dataclass: Selector,
    ) -> Products[P]:
        raise NotImplementedError

    def declare(
        self,
        cls: type[P],
        state: Callable[..., Statement],
        *,
        obs_id: Selector = None,
        dataclass: Selector = None,
        **options: Any,
    ) -> Products[P]:
        """Declare products of a kind of another package; see `DataClass.declare`, and `images` for the selectors."""
        return self._declared(cls, state, options, obs_id, dataclass)

    @takes(ImageOptions)
    def images(
        self,
        energy: Any = None,
        *,
        obs_id: Selector = None,
        dataclass: Selector = None,
        **options: Unpack[ImageOptions],
    ) -> Products[Image]:
        """Declare the images of every data class, band and binning.

        Parameters
        ----------
        energy, channels, binning, frame, gti, grades, engine
            As for `DataClass.image`, or lists of bands and binnings.
        obs_id, dataclass : str or int, optional
            Keep one observation, or one data class; wildcards are taken.
        """
        return self._declared(Image, image_request, {"energy": energy, **options}, obs_id, dataclass)

    @takes(ExpMapOptions)
    def expmaps(
        self,
        delta: Any = None,
        *,
        obs_id: Selector = None,
        dataclass: Selector = None,
        **options: Unpack[ExpMapOptions],
    ) -> Products[ExpMap]:
        """Declare the exposure map of every data class; options as for `DataClass.expmap`, or several binnings."""
        return self._declared(ExpMap, expmap_request, {"delta": delta, **options}, obs_id, dataclass)

    @takes(RateMapOptions)
    def ratemaps(
        self,
        energy: Any = None,
        *,
        obs_id: Selector = None,
        dataclass: Selector = None,
        **options: Unpack[RateMapOptions],
    ) -> Products[RateMap]:
        """Declare the rate maps of every data class, band and binning; options as for `images` and `expmaps`."""
        return self._declared(RateMap, ratemap_request, {"energy": energy, **options}, obs_id, dataclass)

    @takes(CurveOptions, min_fraction=MIN_FRACTION)
    def lightcurves(
        self, *, obs_id: Selector = None, dataclass: Selector = None, **options: Unpack[CurveOptions]
    ) -> Products[NetCurve]:
        """Declare the net light curve of every data class, band and bin width.

        Parameters
        ----------
        obs_id, dataclass : str or int, optional
            As for `images`.
        energy, channels, bin, start, gti, grades, engine
            As for `DataClass.lightcurve`, or lists of bands and bin widths.
        min_fraction : float
            Bins with less of the live time that the read-out mode can reach in them are left out (0.5).
        background : "auto", "none", (inner, outer) or region
            See `xtendsrc.source.background.chosen`.
        """
        return self._declared(NetCurve, netcurve_request, options, obs_id, dataclass)

    @takes(SpectrumOptions)
    def spectra(
        self, *, obs_id: Selector = None, dataclass: Selector = None, **options: Unpack[SpectrumOptions]
    ) -> Products[Spectrum]:
        """Declare the spectrum of every data class, with background, exposure-weighted BACKSCAL and responses.

        Parameters
        ----------
        obs_id, dataclass : str or int, optional
            As for `images`.
        background : "auto", "none", (inner, outer) or region
            See `xtendsrc.source.background.chosen`.
        response : "auto", "calibrated", "nominal" or None
            ``auto`` is calibrated where that can be made, else none; a nominal one must be asked for.
        grouping : str, optional
            Written into the file: ``"min 1"``, ``"constant 10"``, ``"fwhm/3"``; ungrouped if not given.
        gti, grades, engine
            As for `DataClass.spectrum`.
        """
        return self._declared(Spectrum, sourcespectrum_request, options, obs_id, dataclass)


class SourceProducts(ManyProducts):
    """Product methods of a source; each singular one needs exactly one observation and data class.

    Raises
    ------
    AmbiguousProductError
        If several data classes hold the source; the choices are listed.
    """

    @takes(ImageOptions)
    def image(
        self,
        energy: Any = None,
        *,
        obs_id: Selector = None,
        dataclass: Selector = None,
        **options: Unpack[ImageOptions],
    ) -> Image:
        """Declare the one image; options as for `images`."""
        return only(self._declared(Image, image_request, {"energy": energy, **options}, obs_id, dataclass), options)

    @takes(ExpMapOptions)
    def expmap(
        self,
        delta: Any = None,
        *,
        obs_id: Selector = None,
        dataclass: Selector = None,
        **options: Unpack[ExpMapOptions],
    ) -> ExpMap:
        """Declare the one exposure map; options as for `expmaps`."""
        return only(self._declared(ExpMap, expmap_request, {"delta": delta, **options}, obs_id, dataclass), options)

    @takes(RateMapOptions)
    def ratemap(
        self,
        energy: Any = None,
        *,
        obs_id: Selector = None,
        dataclass: Selector = None,
        **options: Unpack[RateMapOptions],
    ) -> RateMap:
        """Declare the one rate map; options as for `ratemaps`."""
        made = self._declared(RateMap, ratemap_request, {"energy": energy, **options}, obs_id, dataclass)
        return only(made, options)

    @takes(CurveOptions, min_fraction=MIN_FRACTION)
    def lightcurve(
        self, *, obs_id: Selector = None, dataclass: Selector = None, **options: Unpack[CurveOptions]
    ) -> NetCurve:
        """Declare the one net light curve; options as for `lightcurves`."""
        return only(self._declared(NetCurve, netcurve_request, options, obs_id, dataclass), options)

    @takes(SpectrumOptions)
    def spectrum(
        self, *, obs_id: Selector = None, dataclass: Selector = None, **options: Unpack[SpectrumOptions]
    ) -> Spectrum:
        """Declare the one spectrum with its background and responses; options as for `spectra`."""
        return only(self._declared(Spectrum, sourcespectrum_request, options, obs_id, dataclass), options)
