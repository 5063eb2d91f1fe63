"""Where a source is: its position and region as given, its place on a detector, and its background there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RegionError, RequestError
from xtendsrc.instrument import CALIBRATION_SOURCES, PIXEL_ARCSEC
from xtendsrc.regions import RegionSet
from xtendsrc.source.astronomy import place_of
from xtendsrc.source.automatic import Background, Place
from xtendsrc.source.background import chosen

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from xtendsrc.source.dataclass import DataClass
    from xtendsrc.source.interlopers import Interlopers
    from xtendsrc.source.source import Source


def place(source: Source, dc: DataClass) -> Place:
    """Return the place of the source on the detector.

    Raises
    ------
    RegionError
        If a calibration source or an interloper covers it, so that its region would be empty or without its core.
    """
    geometry = dc.geometry
    x, y = geometry.degrees_to_sky(*source.degrees)
    detx, dety = (float(v) for v in geometry.sky_to_det(x, y))
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
    return Place(geometry, dc.active_area, detx, dety, _reach(source, dc, float(x), float(y)), extent)


def _reach(source: Source, dc: DataClass, x: float, y: float) -> float:
    """Return the distance, in pixels, from the source position (SKY X, Y) to the farthest edge of its region."""
    pixels = source.region.to_pixels(dc.geometry.wcs)
    low_x, high_x, low_y, high_y = pixels.bounds
    if len(pixels.included) == 1 and pixels.included[0].name == "circle":
        centre_x, centre_y, radius = pixels.included[0].values
        return float(np.hypot(centre_x - x, centre_y - y) + radius)
    return float(np.hypot(max(x - low_x, high_x - x), max(y - low_y, high_y - y)))


def background(source: Source, dc: DataClass, mode: Any = "auto") -> Background:
    """Choose the background and take interlopers out of it; see `xtendsrc.source.background.chosen`.

    A choice by name or by radii is made once for a source and a data class.
    """
    if mode not in ("auto", "none") if isinstance(mode, str) else not isinstance(mode, tuple):
        return _background(source, dc, mode)
    ident = (dc.obs_id, str(dc.code), mode)
    if ident not in source.backgrounds:
        source.backgrounds[ident] = _background(source, dc, mode)
    return source.backgrounds[ident]


def _background(source: Source, dc: DataClass, mode: Any) -> Background:
    found = chosen(mode, place(source, dc), _on_detector(source.others, dc))
    if found.region is None or not source.others.shapes:
        return found
    if found.region.frame != "icrs":
        raise RegionError(
            "A background region in detector or sky pixels cannot be cleaned of interlopers given in ICRS.",
            "give the background region in ICRS.",
        )
    return replace(found, region=source.cleaned(found.region))


def _on_detector(others: Interlopers, dc: DataClass) -> list[tuple[float, float, float]]:
    """Return DETX, DETY and radius of discs that hold the other sources, of those that reach the area that is read."""
    if not others.shapes:
        return []
    ra, dec, reach = others.places
    detx, dety = dc.geometry.sky_to_det(*dc.geometry.degrees_to_sky(ra, dec))
    radius = reach * 3600 / PIXEL_ARCSEC
    near = np.zeros(len(radius), dtype=bool)
    for box in dc.active_area:
        (low_x, high_x), (low_y, high_y) = box.detx, box.dety
        near |= (detx > low_x - radius) & (detx < high_x + radius) & (dety > low_y - radius) & (dety < high_y + radius)
    return [(float(x), float(y), float(r)) for x, y, r in zip(detx[near], dety[near], radius[near], strict=True)]


def position_of(target: Any) -> SkyCoord:
    """Return one ICRS position of a name or a position; see `xtendsrc.source.astronomy.place_of` for what is one.

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
