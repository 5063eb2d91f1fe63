"""Rays of a source on the sky, traced in every attitude bin of an exposure map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.responses.detectorregion import source_places
from xtendsrc.responses.exposuremap import ExposureBins, read_exposure_map
from xtendsrc.responses.onaxis import on_axis_area
from xtendsrc.responses.tracing import trace

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.coordinates import SkyCoord
    from astropy.units import Quantity
    from numpy.typing import NDArray

    from xtendsrc.responses.rays import Rays
    from xtendsrc.responses.shapes import Shape

    Floats = NDArray[np.float64]

PRECISION = 0.005
"""Relative statistical error of the area of the whole telescope that is aimed at."""


@dataclass(frozen=True)
class TelescopeFiles:
    """The calibration files of the telescope.

    Attributes
    ----------
    mirror, reflectivity : path
        Description of the mirrors, and their reflectivity.
    coarse_area : path
        On-axis area, for its energies.
    teldef : path
        How the detector lies in the focal plane.
    scattering : path or None
        None for perfect mirrors.
    """

    mirror: str | Path
    reflectivity: str | Path
    coarse_area: str | Path
    teldef: str | Path
    scattering: str | Path | None = None


def source_rays(
    exposure_map: str | Path,
    files: TelescopeFiles,
    source: SkyCoord,
    *,
    shape: Shape | None = None,
    energies: Quantity = (0.3, 15.0) * u.keV,
    precision: float = PRECISION,
    seed: int = 7,
) -> Rays:
    """Trace the rays of a source through the telescope, as often as the exposure map has attitude bins.

    Parameters
    ----------
    exposure_map : path
        Exposure map with its attitude bins.
    files : TelescopeFiles
        Calibration files.
    source : SkyCoord
        Position of the source, or of its centre.
    shape : PointShape, DiscShape, BetaShape or ImageShape, optional
        A point by default.
    energies : Quantity
        Lowest and highest energy: those of the coarse on-axis area in between are traced, and the one below.
    precision : float
        Relative error of the area of the whole telescope that all bins together have at most.
    seed : int
        The same seed gives the same rays.

    Raises
    ------
    RequestError
        If fewer than two energies lie in the range.
    CalibrationError
        If a calibration file cannot be used.
    """
    bins = read_exposure_map(exposure_map, "right")
    off_axis, roll = source_angles(bins, source, files.teldef)
    shares = bins.fraction / bins.fraction.sum()
    traced = trace(
        files.mirror,
        files.reflectivity,
        files.scattering,
        energies=_energies(bins, files, energies) * u.keV,
        off_axis=off_axis * u.arcmin,
        roll=roll * u.deg,
        shape=shape,
        precision=precision / float(np.sqrt((shares**2).sum())),
        seed=seed,
    )
    return traced.as_rays()


def source_angles(bins: ExposureBins, source: SkyCoord, teldef: str | Path) -> tuple[Floats, Floats]:
    """Return the angle of a source to the optical axis, arcmin, and its azimuth, deg, in each attitude bin.

    The azimuth is counted from the x axis of the telescope, so that the image lies at the opposite side.
    """
    detx, dety = source_places(source, bins, teldef)
    h = bins.header
    dx, dy = detx - float(h["OPTAXISX"]), dety - float(h["OPTAXISY"])
    angle = np.radians(float(h["OPT_ROTD"]))
    along = float(h["OPTXFLIP"]) * (np.cos(angle) * dx + np.sin(angle) * dy) * float(h["DET_XSCL"])
    across = float(h["OPTYFLIP"]) * (np.cos(angle) * dy - np.sin(angle) * dx) * float(h["DET_YSCL"])
    return bins.off_axis(detx, dety), np.degrees(np.arctan2(-across, -along)) % 360.0


def _energies(bins: ExposureBins, files: TelescopeFiles, energies: Quantity) -> Floats:
    """The energies of the coarse on-axis area from the one at or below the lowest to that at or below the highest."""
    grid, _ = on_axis_area(files.coarse_area, "EFFAREACRS", str(bins.header.get("INSTRUME", "XTEND")).strip())
    low, high = (float(e) for e in u.Quantity(energies).to_value(u.keV))
    first = max(int(np.searchsorted(grid, low, side="right")) - 1, 0)
    last = int(np.searchsorted(grid, high, side="right"))
    if last - first < 2:
        raise RequestError(
            f"{files.coarse_area} has fewer than two energies in {low:g}-{high:g} keV.", "take a wider range."
        )
    return grid[first:last]
