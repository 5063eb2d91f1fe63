"""Science products of a source in one data class: regions cleaned, background chosen, areas and exposures scaled.

These functions declare; `xtendsrc.generate` makes. The extraction region of a source product is the source's region
without interlopers and without the calibration discs; source and background are scaled with one exposure map.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RegionError, RequestError
from xtendsrc.events.quantities import bands, several
from xtendsrc.instrument import CALIBRATION_SOURCES, PIXEL_ARCSEC
from xtendsrc.measure.grouping import Scheme
from xtendsrc.products.arf.request import ARFRequest
from xtendsrc.products.collection import Products
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.netcurve.request import NetCurveRequest
from xtendsrc.products.raytrace.request import RaytraceRequest
from xtendsrc.products.rmf.request import RMFRequest
from xtendsrc.products.sourcespectrum.request import SourceSpectrumRequest
from xtendsrc.regions import RegionSet
from xtendsrc.source import region_products
from xtendsrc.source.astronomy import place_of
from xtendsrc.source.background import Background, Place, chosen

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from xtendsrc.products import ExpMap, Image, NetCurve, RateMap, Spectrum
    from xtendsrc.products.spectrum.request import SpectrumRequest
    from xtendsrc.source.dataclass import DataClass
    from xtendsrc.source.source import Source

MIN_FRACTION = 0.5


def image(source: Source, dc: DataClass, **options: Any) -> Image:
    """Declare the data class's own image in the source's name."""
    return region_products.image(dc, source=source, **options)


def images(source: Source, dc: DataClass, **options: Any) -> Products:
    """Declare the data class's own images in the source's name."""
    return region_products.images(dc, source=source, **options)


def expmap(source: Source, dc: DataClass, **options: Any) -> ExpMap:
    """Declare the data class's exposure map in the source's name."""
    return region_products.expmap(dc, source=source, **options)


def ratemap(source: Source, dc: DataClass, **options: Any) -> RateMap:
    """Declare the data class's image over the exposure map on the same grid."""
    from xtendsrc.products import RateMap

    picture = image(source, dc, **options)
    shared = {name: options[name] for name in ("binning", "frame", "gti", "engine") if name in options}
    return RateMap(picture, expmap(source, dc, **shared))


def place(source: Source, dc: DataClass) -> Place:
    """Say where the source lies on the detector.

    Raises
    ------
    RegionError
        If a calibration source or an interloper covers it, so that its region would be empty or without its core.
    """
    detx, dety = (float(v) for v in dc.geometry.icrs_to_det(source.position))
    extent = source.extent.to_value("arcsec") / PIXEL_ARCSEC
    for disc in CALIBRATION_SOURCES:
        if np.hypot(detx - disc.x, dety - disc.y) + extent <= disc.radius:
            raise RegionError(
                f"{source.name} lies in the disc of a calibration source of {dc.obs_id} {dc.code} "
                f"(DETX {detx:.0f}, DETY {dety:.0f}), which is taken out of every region.",
                "use other observations; DataClass.spectrum and .lightcurve take a region exactly as given.",
            )
    if (covering := source.covered_by) is not None:
        raise RegionError(
            f"{source.name} is covered by an interloper, {covering}.",
            "make that one smaller, or leave it out if it is the source itself.",
        )
    return Place(dc.geometry, dc.active_area, detx, dety, _reach(source, dc), extent)


def _reach(source: Source, dc: DataClass) -> float:
    """Give the distance, in pixels, from the source position to the farthest edge of its region."""
    pixels = source.region.to_pixels(dc.geometry.wcs)
    x, y = (float(v) for v in dc.geometry.icrs_to_sky(source.position))
    low_x, high_x, low_y, high_y = pixels.bounds
    if len(pixels.included) == 1 and pixels.included[0].name == "circle":
        centre_x, centre_y, radius = pixels.included[0].values
        return float(np.hypot(centre_x - x, centre_y - y) + radius)
    return float(np.hypot(max(x - low_x, high_x - x), max(y - low_y, high_y - y)))


def background(source: Source, dc: DataClass, mode: Any = "auto") -> Background:
    """Choose the background and take interlopers out of it; see `xtendsrc.source.background.chosen`."""
    others = source.interlopers
    found = chosen(mode, place(source, dc), [] if others is None else _on_detector(others, dc))
    if found.region is None or others is None:
        return found
    if found.region.frame != "icrs":
        raise RegionError(
            "A background region in detector or sky pixels cannot be cleaned of interlopers given in ICRS.",
            "give the background region in ICRS.",
        )
    return replace(found, region=source.cleaned(found.region))


def _on_detector(others: RegionSet, dc: DataClass) -> list[tuple[float, float, float]]:
    """Return DETX, DETY and radius of discs around shapes on the sky."""
    discs = []
    for shape in others.to_pixels(dc.geometry.wcs).shapes:
        low_x, high_x, low_y, high_y = shape.bounds
        detx, dety = dc.geometry.sky_to_det((low_x + high_x) / 2, (low_y + high_y) / 2)
        discs.append((float(detx), float(dety), max(high_x - low_x, high_y - low_y) / 2))
    return discs


def lightcurve(source: Source, dc: DataClass, *, background: Any = "auto", engine: str = "auto", **options: Any) -> Any:
    """Declare the net light curve of a source; see `xtendsrc.source.source.Source.lightcurves`."""
    import astropy.units as u

    from xtendsrc.products import NetCurve

    options.setdefault("bin", 200 * u.s)
    options.setdefault("min_fraction", MIN_FRACTION)
    chosen_background = _background(source, dc, background)
    own = region_products.lightcurve_request(dc, region=source.region, exclude_calibration=True, **options)
    own = replace(own, fraction_of="reachable")
    other = None if chosen_background.region is None else replace(own, region=chosen_background.region)
    expmap_request = _expmap(dc, own.selection.gti)
    request = NetCurveRequest(
        obs_id=dc.obs_id, dataclass=str(dc.code), source=own, background=other, expmap=expmap_request
    )
    curve: NetCurve = NetCurve(request, region_products.target_of(dc, source, engine, chosen_background.remarks))
    return curve


def lightcurves(
    source: Source, dc: DataClass, *, energy: Any = None, channels: Any = None, bin: Any = None, **options: Any
) -> Products:
    """Declare net light curves of several bands and bin widths."""
    widths = [{}] if bin is None else [{"bin": width} for width in several(bin)]
    return Products(
        lightcurve(source, dc, **band, **width, **options) for band in bands(energy, channels) for width in widths
    )


def spectrum(
    source: Source,
    dc: DataClass,
    *,
    background: Any = "auto",
    response: str | None = "auto",
    grouping: str | None = None,
    gti: Any = None,
    grades: Any = None,
    engine: str = "auto",
) -> Spectrum:
    """Declare the spectrum of a source; see `xtendsrc.source.source.Source.spectra`."""
    from xtendsrc.products import Spectrum

    kind = _response(response)
    scheme = Scheme.parse(grouping).text
    chosen_background = _background(source, dc, background)
    own = region_products.spectrum_request(dc, region=source.region, exclude_calibration=True, gti=gti, grades=grades)
    exposure = _expmap(dc, own.selection.gti)
    scaled_background = None
    if chosen_background.region is not None:
        scaled_background = SourceSpectrumRequest(
            obs_id=own.obs_id,
            dataclass=own.dataclass,
            spectrum=replace(own, region=chosen_background.region),
            expmap=exposure,
            content="background",
        )
    rmf = arf = None
    if kind is not None:
        rmf = RMFRequest(obs_id=own.obs_id, dataclass=own.dataclass, spectrum=own, response=kind)  # type: ignore[arg-type]
        arf = _arf(source, own, exposure, rmf)
    request = SourceSpectrumRequest(
        obs_id=own.obs_id,
        dataclass=own.dataclass,
        spectrum=own,
        expmap=exposure,
        background=scaled_background,
        rmf=rmf,
        arf=arf,
        optional_responses=response == "auto",
        grouping=scheme,
    )
    return Spectrum(request, region_products.target_of(dc, source, engine, chosen_background.remarks))


_background = background  # the options of that name hide the function


def _response(response: str | None) -> str | None:
    """Return which response is linked: what is asked for; ``auto`` is a calibrated one where it can be made."""
    if response not in (None, "auto", "calibrated", "nominal"):
        raise RequestError(f"response={response!r} is unknown.", 'choose "auto", "calibrated", "nominal" or None.')
    return "calibrated" if response == "auto" else response


def _expmap(dc: DataClass, gti: Any) -> ExpMapRequest:
    return ExpMapRequest(obs_id=dc.obs_id, dataclass=str(dc.code), gti=gti)


def _arf(source: Source, own: SpectrumRequest, exposure: ExpMapRequest, rmf: RMFRequest) -> ARFRequest:
    position = (round(float(source.position.ra.deg), 9), round(float(source.position.dec.deg), 9))
    raytrace = None
    if rmf.response == "calibrated":
        raytrace = RaytraceRequest(
            obs_id=own.obs_id,
            dataclass=own.dataclass,
            position=position,
            expmap=exposure,
            rmf=rmf,
            source_type=source.source_type,  # type: ignore[arg-type]  # one of the literals by class
            shape=source.ray_shape,
        )
    assert own.region is not None
    return ARFRequest(
        obs_id=own.obs_id,
        dataclass=own.dataclass,
        region=own.region,
        exclude_calibration=own.exclude_calibration,
        raytrace=raytrace,
        position=position,
        source_type=source.source_type,  # type: ignore[arg-type]  # one of the literals by class
        shape=source.ray_shape,
        expmap=exposure,
        rmf=rmf,
        response=rmf.response,
    )


# --- what a source is given ------------------------------------------------------------------------------------------


def position_of(target: Any) -> SkyCoord:
    """Turn a name or a position into one ICRS position; see `xtendsrc.source.astronomy.place_of` for what is one.

    Raises
    ------
    RequestError
        If it is neither, or more than one position.
    ArchiveError
        If a name cannot be resolved.
    """
    from astropy.coordinates import SkyCoord

    target = place_of(target)
    if isinstance(target, str):
        from xtendsrc.archive.resolve import resolve

        return resolve(target)
    if not isinstance(target, SkyCoord) or not target.isscalar:
        raise RequestError(
            f"{target!r} is not the name or the position of one source.",
            'give a name or SkyCoord(ra, dec, unit="deg").',
        )
    position = target.icrs
    if getattr(target, "masked", False) or not math.isfinite(position.ra.deg + position.dec.deg):
        raise RequestError(f"The position {target!r} is missing or not finite.", "give RA and Dec in degrees.")
    return position


def sky_region(region: Any, name: str) -> RegionSet:
    """Read a source's own region, which must be on the sky so that it serves every observation."""
    found = RegionSet.of(region)
    if found.frame != "icrs":
        raise RegionError(
            f"The region of {name} is in {found.frame} pixels, which differ from one observation to the next.",
            "give it in ICRS; DataClass.spectrum and .lightcurve take pixel regions.",
        )
    return found
