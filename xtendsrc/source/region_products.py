"""Raw products of one data class, declared: exactly what is asked for, nothing added, excluded or subtracted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.engines import engine_name
from xtendsrc.events.quantities import (
    CURVE_BAND_KEV,
    IMAGE_BAND_KEV,
    arcminutes,
    bands,
    good_time,
    number,
    seconds,
    selection,
    several,
    start_second,
)
from xtendsrc.products.collection import Products
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest

if TYPE_CHECKING:
    from xtendsrc.products import ExpMap, Image, LightCurve, Spectrum
    from xtendsrc.products.base import Target
    from xtendsrc.regions import RegionSet
    from xtendsrc.source.dataclass import DataClass
    from xtendsrc.source.source import Source


def target_of(
    dc: DataClass, source: Source | None = None, engine: str = "auto", remarks: tuple[str, ...] = ()
) -> Target:
    """Give the files and the registry of a data class as a product's target, in a source's name if one asks."""
    from xtendsrc.products.base import Target

    engine_name(engine)
    if source is None:
        return Target(dc.roles, dc.registry, engine=engine)
    return Target(dc.roles, dc.registry, source.name, engine, source.region, remarks)


def image(
    dc: DataClass,
    *,
    energy: Any = None,
    channels: tuple[int, int] | None = None,
    binning: int = 1,
    frame: str = "SKY",
    gti: Any = None,
    grades: Any = None,
    engine: str = "auto",
    source: Source | None = None,
) -> Image:
    """Declare a counts image; see `xtendsrc.source.dataclass.DataClass.image`."""
    from xtendsrc.products import Image

    request = ImageRequest(
        obs_id=dc.obs_id,
        dataclass=str(dc.code),
        selection=selection(energy, channels, gti, grades, IMAGE_BAND_KEV),
        binning=binning,
        frame=frame,  # type: ignore[arg-type]  # checked by the request
    )
    return Image(request, target_of(dc, source, engine))


def images(dc: DataClass, *, energy: Any = None, channels: Any = None, binning: Any = 1, **options: Any) -> Products:
    """Declare images of several bands and binnings; bands vary slowest."""
    return Products(
        image(dc, **band, binning=pixels, **options) for band in bands(energy, channels) for pixels in several(binning)
    )


def expmap(
    dc: DataClass,
    *,
    delta: Any = None,
    numphi: int | None = None,
    frame: str = "SKY",
    binning: int = 1,
    mask_calibration: bool = True,
    gti: Any = None,
    engine: str = "auto",
    source: Source | None = None,
) -> ExpMap:
    """Declare an exposure map; see `xtendsrc.source.dataclass.DataClass.expmap`."""
    from xtendsrc.products import ExpMap

    if hasattr(delta, "unit"):
        delta = arcminutes(delta)
    request = ExpMapRequest(
        obs_id=dc.obs_id,
        dataclass=str(dc.code),
        gti=None if gti is None else good_time(gti),
        delta=None if delta is None else number("delta", delta, "give arcmin, or None."),
        numphi=numphi,
        frame=frame,  # type: ignore[arg-type]  # checked by the request
        binning=binning,
        mask_calibration=mask_calibration,
    )
    return ExpMap(request, target_of(dc, source, engine))


def lightcurve_request(
    dc: DataClass,
    *,
    region: RegionSet | None,
    bin: Any,
    energy: Any = None,
    channels: tuple[int, int] | None = None,
    min_fraction: float = 0.0,
    start: Any = None,
    gti: Any = None,
    grades: Any = None,
    exclude_calibration: bool = False,
) -> LightCurveRequest:
    """State the light curve of one region."""
    return LightCurveRequest(
        obs_id=dc.obs_id,
        dataclass=str(dc.code),
        selection=selection(energy, channels, gti, grades, CURVE_BAND_KEV),
        region=region,
        exclude_calibration=exclude_calibration,
        bin=seconds(bin),
        min_fraction=number("min_fraction", min_fraction, "give a fraction of a bin."),
        start=start_second(start),
    )


def lightcurve(
    dc: DataClass,
    *,
    region: Any = None,
    bin: Any = None,
    engine: str = "auto",
    source: Source | None = None,
    **options: Any,
) -> LightCurve:
    """Declare a light curve; see `xtendsrc.source.dataclass.DataClass.lightcurve`."""
    import astropy.units as u

    from xtendsrc.products import LightCurve

    width = 200 * u.s if bin is None else bin
    request = lightcurve_request(dc, region=_region(region), bin=width, **options)
    return LightCurve(request, target_of(dc, source, engine))


def lightcurves(
    dc: DataClass, *, energy: Any = None, channels: Any = None, bin: Any = None, **options: Any
) -> Products:
    """Declare light curves of several bands and bin widths; bands vary slowest."""
    widths = [None] if bin is None else several(bin)
    return Products(
        lightcurve(dc, **band, bin=width, **options) for band in bands(energy, channels) for width in widths
    )


def spectrum(
    dc: DataClass,
    *,
    region: Any = None,
    exclude_calibration: bool = False,
    gti: Any = None,
    grades: Any = None,
    engine: str = "auto",
    source: Source | None = None,
) -> Spectrum:
    """Declare a counts spectrum; see `xtendsrc.source.dataclass.DataClass.spectrum`."""
    from xtendsrc.products import Spectrum

    request = spectrum_request(
        dc, region=_region(region), exclude_calibration=exclude_calibration, gti=gti, grades=grades
    )
    return Spectrum(request, target_of(dc, source, engine))


def spectrum_request(
    dc: DataClass, *, region: RegionSet | None, exclude_calibration: bool, gti: Any = None, grades: Any = None
) -> SpectrumRequest:
    """State the spectrum of one region."""
    return SpectrumRequest(
        obs_id=dc.obs_id,
        dataclass=str(dc.code),
        selection=selection(None, None, gti, grades),
        region=region,
        exclude_calibration=exclude_calibration,
    )


def _region(region: Any) -> RegionSet | None:
    from xtendsrc.regions import RegionSet

    return None if region is None else RegionSet.of(region)
