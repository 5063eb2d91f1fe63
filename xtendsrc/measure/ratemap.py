"""Live exposure of image pixels, and whether an image and an exposure map belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import DeadTimeError, GridMismatchError

if TYPE_CHECKING:
    from astropy.io import fits

DEAD_TIME_TOLERANCE = 0.01
"""ONTIME x DEADC must agree with LIVETIME to this."""

NO_EXPOSURE = 1e-6
"""Fraction of the largest exposure below which a pixel counts as unexposed: resampled maps hold rounding errors."""

GRID_TOLERANCE = 1e-3
"""Two grids are the same if their pixels agree to this, in pixels."""


def live_fraction(header: fits.Header) -> float:
    """DEADC of an image.

    Raises
    ------
    DeadTimeError
        If ONTIME x DEADC and LIVETIME differ by more than 1 %, or DEADC is not within (0, 1].
    """
    if "DEADC" not in header and {"LIVETIME", "ONTIME"} <= set(header):
        deadc = float(header["LIVETIME"]) / float(header["ONTIME"])
    else:
        deadc = float(header.get("DEADC", 1.0))
    if not 0 < deadc <= 1:
        raise DeadTimeError(f"DEADC = {deadc} is no live fraction.", "check the image's header.")
    if {"ONTIME", "LIVETIME"} <= set(header):
        ontime, livetime = float(header["ONTIME"]), float(header["LIVETIME"])
        if abs(ontime * deadc - livetime) > DEAD_TIME_TOLERANCE * livetime:
            raise DeadTimeError(
                f"ONTIME x DEADC = {ontime * deadc:.3f} s, but LIVETIME = {livetime:.3f} s.",
                "find out which of them is right and correct the event file's header.",
            )
    return deadc


def check_grid(image: Any, expmap: Any) -> None:
    """Refuse two images of different shape, or whose pixels lie apart on the sky."""
    one, two = np.shape(image.data), np.shape(expmap.data)
    apart = float("inf")
    if one == two:
        ny, nx = one
        x, y = np.array([0.0, nx - 1.0, 0.0]), np.array([0.0, 0.0, ny - 1.0])
        u, v = expmap.wcs.wcs_world2pix(*image.wcs.wcs_pix2world(x, y, 0), 0)
        apart = float(np.max(np.hypot(u - x, v - y)))
    if not apart <= GRID_TOLERANCE:
        raise GridMismatchError(
            f"{image!r} {one} and {expmap!r} {two} are on different grids.",
            "make both from one data class, with the same binning and frame.",
        )
