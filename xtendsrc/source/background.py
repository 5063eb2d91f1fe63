"""The background region of a source: chosen from the geometry of the detector, an annulus, or the user's own.

See `xtendsrc.source.automatic` for how it is chosen. Nothing here reads an event or an image.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import BackgroundError, RequestError, did_you_mean
from xtendsrc.instrument import PIXEL_ARCSEC
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.source.automatic import Background, Place, automatic

if TYPE_CHECKING:
    from collections.abc import Sequence


def annulus(place: Place, inner: float, outer: float) -> RegionSet:
    """Return an annulus around the source, ``inner`` and ``outer`` times its radius.

    Raises
    ------
    BackgroundError
        If the annulus reaches into the source region or has no width.
    """
    if not 1.0 <= inner < outer:
        raise BackgroundError(
            f"A background annulus from {inner} to {outer} source radii overlaps the source or is empty.",
            "give factors with 1 <= inner < outer.",
        )
    centre = place.geometry.det_to_icrs(place.detx, place.dety)
    degrees = place.radius * PIXEL_ARCSEC / 3600
    shape = Shape("annulus", (float(centre.ra.deg), float(centre.dec.deg), inner * degrees, outer * degrees))
    return RegionSet("icrs", (shape,))


def chosen(mode: Any, place: Place, interlopers: Sequence[tuple[float, float, float]] = ()) -> Background:
    """Return the region that the ``background=`` argument of a source method means.

    Parameters
    ----------
    mode : "auto", "none", None, (float, float), or region
        See `xtendsrc.source.automatic.automatic`; ``"none"`` or None for no background; factors of the source radius
        for `annulus`; anything that `RegionSet.of` takes for a region of the user's own.
    place : Place
        Where the source lies.
    interlopers : sequence of (float, float, float)
        DETX, DETY and radius, in pixels, of other sources to stay away from.

    Raises
    ------
    BackgroundError
        If it overlaps the source, lies off the field, or none fits.
    RequestError
        If it is a word that means nothing.
    """
    if mode is None or (isinstance(mode, str) and mode == "none"):
        return Background(None)
    if isinstance(mode, str) and mode == "auto":
        return automatic(place, interlopers)
    if isinstance(mode, (tuple, list)) and len(mode) == 2 and all(isinstance(v, (int, float)) for v in mode):
        return Background(annulus(place, float(mode[0]), float(mode[1])))
    if isinstance(mode, str) and mode.isidentifier() and not Path(mode).exists():
        raise RequestError(
            f"background={mode!r} is unknown{did_you_mean(mode, ('auto', 'none'))}.",
            'choose "auto", "none", (inner, outer) in source radii for an annulus, a region or a region file.',
        )
    region = RegionSet.of(mode)
    check(region, place)
    return Background(region)


def check(region: RegionSet, place: Place) -> None:
    """Make sure that a user's background lies on the area that is read and does not overlap the source.

    Raises
    ------
    BackgroundError
        If less than a quarter of it is on the area that is read, or it holds part of the source region.
    """
    pixels = region if region.frame != "icrs" else region.to_pixels(place.geometry.wcs)
    xlo, xhi, ylo, yhi = pixels.bounds
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(xlo, xhi, 200), np.linspace(ylo, yhi, 200)))
    inside = pixels.mask(x, y)
    x, y = x[inside], y[inside]
    detx, dety = place.geometry.sky_to_det(x, y) if pixels.frame == "SKY" else (x, y)
    read = np.zeros(x.shape, bool)
    for box in place.area:
        read |= box.contains(detx, dety)
    if not read.any() or read.mean() < 0.25:
        raise BackgroundError(
            f"Only {100 * read.mean() if x.size else 0:.0f} % of the background region is on the area that is read.",
            "move it onto the CCDs of this data class.",
        )
    if (np.hypot(detx - place.detx, dety - place.dety) < place.radius).any():
        raise BackgroundError("The background region overlaps the source region.", "move it away from the source.")
