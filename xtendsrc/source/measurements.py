"""What sources, samples and data classes can be asked to measure: methods that the classes inherit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.coordinates import SkyCoord
    from astropy.table import QTable
    from astropy.units import Quantity
    from astropy.wcs import WCS

    from xtendsrc.measure.photometry import Levels
    from xtendsrc.products.lightcurve.product import LightCurve
    from xtendsrc.source.annuli import AnnularSpectra
    from xtendsrc.source.dataclass import DataClass
    from xtendsrc.source.joined import JoinedCurve
    from xtendsrc.source.mosaics import Layer, Mosaic
    from xtendsrc.source.source import Source
    from xtendsrc.source.surface import SurfaceProfile


class DataClassMeasurements:
    """Measurements of a `DataClass`."""

    def photometry(
        self,
        positions: SkyCoord,
        radius: Quantity | None = None,
        *,
        energy: Any = None,
        channels: tuple[int, int] | None = None,
        fraction: float | None = None,
        background: tuple[float, float] = (2.0, 4.0),
        together: bool = False,
        levels: Levels | None = None,
        gti: Any = None,
        grades: Any = None,
    ) -> QTable:
        """Measure any number of positions in one pass over the events.

        Parameters
        ----------
        positions : SkyCoord
            One or more.
        radius : Quantity, optional
            Of the apertures, one or one a position; 1 arcmin if neither it nor ``fraction`` is given.
        energy, channels, gti, grades
            As for `image`; 0.5-10 keV if no band is given.
        fraction : float, optional
            Part of the nominal PSF that the apertures shall hold, instead of ``radius``.
        background : (float, float)
            Radii of the annulus the background is taken from, in radii of the aperture (2, 4); the apertures of all
            positions are left out of it.
        together : bool
            Whether sources whose apertures overlap are solved together (False).
        levels : Levels, optional
            Probabilities of interval and limit: 0.6827 and 0.9987.

        Returns
        -------
        QTable
            One row a position: ``obs_id``, ``dataclass``, ``ra``, ``dec``, ``off_axis``, ``vignetting`` (nominal; rates
            are not corrected for it), ``counts``, ``background`` (expected in the aperture) with its error,
            ``effective`` (seconds times the part of the source that the net counts hold), ``rate`` of the whole of a
            point source with its interval ``rate_lo`` to ``rate_hi`` and its ``upper_limit``, ``significance`` (Li &
            Ma), ``chance`` of as many counts from background alone, ``detected``, ``radius``, ``exposure`` (live
            seconds), ``covered`` (exposed part of the
            aperture) and ``enclosed`` (part of the nominal PSF on it). Rates are NaN where nothing is exposed.

        Raises
        ------
        RequestError
            If radii and positions do not fit each other.
        """
        from xtendsrc.source.apertures import Circles, positions_photometry
        from xtendsrc.source.fielddata import FieldData

        circles = Circles(radius=radius, fraction=fraction, background=background, together=together)
        return positions_photometry(
            FieldData.of(_dataclass(self), energy, channels, gti, grades), positions, circles, levels
        )

    def detect(
        self,
        energy: Any = None,
        *,
        channels: Any = None,
        false_alarms: float = 1.0,
        binning: int = 8,
        scales: Quantity | None = None,
        trials: int = 40,
        seed: int = 1,
        gti: Any = None,
        grades: Any = None,
    ) -> QTable:
        """Search the field for sources, with a stated number of false alarms.

        Parameters
        ----------
        energy, channels : optional
            One or several bands that are searched together; 0.5-10 keV if not given.
        false_alarms : float
            Expected number of detections in a field that has none: the threshold is set where blank fields with this
            one's background and exposure have so many.
        binning : int
            SKY pixels on a side of a pixel searched (8).
        scales : Quantity, optional
            Standard deviations of Gaussians with which the PSF is blurred to find larger sources; 0 and 1.2 arcmin.
        trials, seed : int
            Blank fields that are drawn, and the seed of these.
        gti, grades
            As for `image`.

        Returns
        -------
        QTable
            The most significant first: ``name``, ``ra``, ``dec``, ``error`` (one standard deviation along each axis),
            ``counts`` of the whole source in all bands with ``counts_error``, ``rate``, ``counts_<band>``,
            ``significance``, ``extended`` and ``extent`` (standard deviation of a Gaussian), ``radius`` (to where it is
            bright against the background), ``off_axis``. The false alarms expected and the threshold are in its
            ``meta``.
        """
        from xtendsrc.events.quantities import arcminutes
        from xtendsrc.source.detection import Finder, detect_sources

        sizes = Finder.scales if scales is None else tuple(arcminutes(s) for s in scales)
        finder = Finder(false_alarms=false_alarms, binning=binning, scales=sizes, trials=trials, seed=seed)
        return detect_sources(_dataclass(self), finder, energy, channels, gti=gti, grades=grades)

    def sensitivity(
        self,
        energy: Any = None,
        *,
        fraction: float = 0.7,
        chance: float = 1.35e-3,
        completeness: float = 0.5,
        binning: int = 8,
        **selected: Any,
    ) -> Layer:
        """Map the rate at which a point source is detected.

        Parameters
        ----------
        energy : Quantity of two energies, optional
            The band; 0.5-10 keV if not given.
        fraction : float
            Part of the nominal PSF within the aperture.
        chance : float
            Probability at most of as many counts from background alone for a detection.
        completeness : float
            Probability that a source of the limiting rate is detected.
        binning : int
            SKY pixels on a side of a pixel of the map.
        **selected
            ``channels``, ``gti``, ``grades`` as for `image`.

        Returns
        -------
        Layer
            ``data`` in counts/s of the whole source, NaN without exposure; ``wcs``.
        """
        from xtendsrc.measure.photometry import Threshold
        from xtendsrc.source.maps import sensitivity_map

        threshold = Threshold(chance, completeness)
        return sensitivity_map(_dataclass(self), fraction, threshold, binning, energy=energy, **selected)

    def hardness_map(
        self, soft: Quantity, hard: Quantity, *, binning: int = 4, least: float = 50.0, **selected: Any
    ) -> tuple[Layer, Layer]:
        """Map the hardness ratio (H - S) / (H + S) of counts, in circles that grow until they hold enough of them.

        Parameters
        ----------
        soft, hard : Quantity of two energies
            The bands.
        binning : int
            SKY pixels on a side of a pixel of the map.
        least : float
            Counts of both bands that a circle must hold; where one of 3 arcmin does not, the map is NaN.
        **selected
            ``gti``, ``grades`` as for `image`.

        Returns
        -------
        ratio, error : Layer
            The map, background included, and its standard deviation.
        """
        from xtendsrc.source.maps import hardness

        return hardness(_dataclass(self), soft, hard, binning, least, **selected)


class SourceMeasurements:
    """Measurements of a `Source`."""

    def photometry(
        self,
        *,
        energy: Any = None,
        channels: tuple[int, int] | None = None,
        background: Any = (2.0, 4.0),
        levels: Levels | None = None,
        gti: Any = None,
        grades: Any = None,
        obs_id: str | None = None,
        dataclass: str | None = None,
    ) -> QTable:
        """Measure counts and rate in the source's region: for each data class a detection or an upper limit.

        Parameters
        ----------
        energy, channels, gti, grades
            As for `DataClass.image`; 0.5-10 keV if no band is given.
        background : (inner, outer), "auto", "none" or region
            An annulus in source radii (2, 4), or as `xtendsrc.source.background.chosen` has it.
        levels : Levels, optional
            Probabilities of interval and limit: 0.6827 and 0.9987.
        obs_id, dataclass : str, optional
            Keep one observation, or one data class.

        Returns
        -------
        QTable
            One row a data class, with the columns of `DataClass.photometry` but for ``radius``. The rate of a point
            source is that of the whole of it, with the nominal PSF; that of an extended one is the region's. Where
            the region or its background fails, ``problem`` says why and the numbers are masked.

        Raises
        ------
        NoObservationsError
            If no data class holds the source.
        RegionError
            If it cannot be measured in any of them.
        """
        from xtendsrc.source.photometry import source_photometry

        return source_photometry(
            _source(self),
            _source(self).dataclasses(obs_id, dataclass),
            background=background,
            levels=levels,
            energy=energy,
            channels=channels,
            gti=gti,
            grades=grades,
        )

    def mosaic(
        self, energy: Any = None, *, binning: int = 4, wcs: WCS | None = None, obs_id: str | None = None, **options: Any
    ) -> Mosaic:
        """Add the images of all observations and data classes up on one grid.

        Parameters
        ----------
        energy, binning, **options
            As for `DataClass.image`.
        wcs, obs_id
            The grid, see `xtendsrc.mosaic`; one observation only.
        """
        from xtendsrc.source.mosaics import mosaic

        return mosaic(_source(self).images(energy=energy, binning=binning, obs_id=obs_id, **options), wcs)

    def radial_profile(
        self, energy: Any = None, bins: Any = None, background: Any = "none", centre: Any = None, **selected: Any
    ) -> SurfaceProfile:
        """Measure the surface brightness around the source, in all its observations together.

        Parameters
        ----------
        energy : Quantity of two energies, optional
            The band; 0.5-10 keV if not given.
        bins : Quantity, str or int, optional
            Radii of the annuli: angles, or lengths at the source's redshift; ``"equal 8"`` for eight annuli of equal
            counts, ``"sn 5"`` for annuli with that signal-to-noise ratio; a number of annuli of one width out to the
            source's radius, 15 if not given.
        background : region, (inner, outer), "auto" or "none"
            As for spectra; its brightness is taken to be that of the whole field. With ``"none"`` a constant can be
            fitted.
        centre : SkyCoord, "peak" or "centroid", optional
            Middle of the annuli; the source's position if not given.
        **selected
            ``channels``, ``gti``, ``grades`` as for `DataClass.image`; ``obs_id``, ``dataclass``.

        Returns
        -------
        SurfaceProfile
            Other sources and the calibration discs are left out, gaps and exposure allowed for; ``fit("beta")`` fits a
            model with the nominal PSF folded in.
        """
        from xtendsrc.source.surface import ProfileOptions, radial_profile

        options = ProfileOptions(bins=bins, background=background, centre=centre)
        return radial_profile(_source(self), options, energy=energy, **selected)

    def joined_lightcurve(
        self, *, barycentre: bool = False, gap: Quantity | None = None, **options: Any
    ) -> JoinedCurve:
        """Join the net light curves of all observations on absolute time.

        Parameters
        ----------
        barycentre : bool
            Whether times at the barycentre of the solar system are added, from the orbit files.
        gap : Quantity, optional
            A longer gap begins a new chunk (6 hours).
        **options
            As for `Source.lightcurves`.

        Raises
        ------
        InputNotFoundError
            If barycentric times are asked for and an observation has no orbit file.
        """
        from xtendsrc.source.joined import joined

        curves = _source(self).lightcurves(**options)
        curves.compute().raise_for()
        return joined(_source(self), cast("Sequence[LightCurve]", curves), barycentre=barycentre, gap=gap)

    def annular_spectra(self, radii: Quantity, **options: Any) -> AnnularSpectra:
        """Declare spectra of concentric annuli of an extended source.

        Parameters
        ----------
        radii : Quantity
            Edges of the annuli: angles, or lengths at the source's redshift.
        **options
            As for `Source.spectra`.

        Raises
        ------
        RequestError
            For a point source: its annuli hold the same light, spread by the PSF.
        """
        source = _source(self)
        if source.source_type == "POINT":
            raise RequestError(
                f"{source.name} is a point source: all its annuli show the same spectrum, spread by the PSF.",
                "declare it as an ExtendedSource if it is resolved.",
            )
        from xtendsrc.source.annuli import annular_spectra

        return annular_spectra(source, radii, **options)


def _dataclass(measured: DataClassMeasurements) -> DataClass:
    """What inherits the measurements is a data class."""
    return cast("DataClass", measured)


def _source(measured: SourceMeasurements) -> Source:
    """What inherits the measurements is a source."""
    return cast("Source", measured)
