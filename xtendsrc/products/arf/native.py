"""Nominal effective areas: published areas, not calibration.

The area is the on-axis one times the vignetting at the source's off-axis angle (its mean over a disc) times the
fraction of the source's light, blurred by the PSF, that falls on the exposed pixels of the region. Expected accuracy:
shape 3 %, absolute 10 % within 1.5-10 keV on axis; worse below 1 keV and off axis (`xtendsrc.responses.nominal` has the
sources of the numbers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import EngineUnavailableError, RegionError, RequestError
from xtendsrc.instrument import PIXEL_ARCSEC
from xtendsrc.products.rmf.native import identify, write_tables
from xtendsrc.responses import nominal

if TYPE_CHECKING:
    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.instrument import Geometry
    from xtendsrc.products.arf.request import ARFRequest


def make_arf(job: Job, batch: Batch) -> Made:
    """Make the ARF of a region for one source position, from the exposure map's own pixels.

    Raises
    ------
    RegionError
        If none of the source's light falls on exposed pixels of the region.
    """
    from astropy.io import fits

    request: Any = job.request
    if request.calibrated:
        from xtendsrc.products.arf import calibrated

        return calibrated.make_arf(job, batch)
    geometry = batch.events(job).geometry
    fraction = enclosed_fraction(request, _exposed(job.needs["expmap"]), geometry)
    if not fraction > 0:
        raise RegionError(
            f"No light of the source reaches exposed pixels of the region in {request.obs_id} {request.dataclass}.",
            "check the region and the position against the exposure map.",
        )
    low, high = nominal.response_energies()
    centre = (low + high) / 2
    off_axis = float(geometry.off_axis(*geometry.icrs_to_det(_position(request))))
    area = nominal.effective_area(centre) * _vignetting(request, geometry, centre) * fraction
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("ENERG_LO", "E", "keV", array=low),
            fits.Column("ENERG_HI", "E", "keV", array=high),
            fits.Column("SPECRESP", "E", "cm**2", array=area),
        ],
        name="SPECRESP",
    )
    identify(table.header, job)
    table.header["HDUCLAS1"], table.header["HDUCLAS2"], table.header["HDUVERS"] = "RESPONSE", "SPECRESP", "1.1.0"
    table.header["ARFVERSN"] = ("1992a", "obsolete, for old readers")
    table.header["ENCFRAC"] = (fraction, "light of the source on exposed pixels of region")
    table.header["OFFAXIS"] = (off_axis, "[arcmin] of the source at the nominal pointing")
    return write_tables(job, batch, [table])


def enclosed_fraction(request: ARFRequest, exposed: np.ndarray, geometry: Geometry) -> float:
    """Integrate the source's image over the exposed pixels of a region.

    Parameters
    ----------
    request : ARFRequest
        Region, position, and whether the source is a point or a disc.
    exposed : ndarray, (ny, nx)
        Exposure of each SKY pixel as a fraction of the whole.
    geometry : Geometry
        The sky grid.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    RegionError
        If the region is in DET pixels.
    """
    from xtendsrc.regions import calibration_discs

    region = request.region.to_pixels(geometry.wcs)
    if request.exclude_calibration:
        region = region.without(calibration_discs(geometry, region.frame))
    inside = region.image_mask(((1, exposed.shape[1]), (1, exposed.shape[0])))
    rows, columns = np.nonzero(inside)
    x, y = (float(v) for v in geometry.icrs_to_sky(_position(request)))
    radius = np.hypot(columns + 1 - x, rows + 1 - y) * PIXEL_ARCSEC / 60
    if request.source_type == "POINT":
        light = nominal.psf_surface_brightness(radius)
    elif request.source_type == "FLATCIRCLE":
        light = nominal.disc_surface_brightness(radius, request.shape[0])
    else:
        raise EngineUnavailableError(
            f"There is no nominal ARF for a source of type {request.source_type}.", "use POINT or FLATCIRCLE."
        )
    pixel_area = (PIXEL_ARCSEC / 60) ** 2
    return float(min(1.0, (light * exposed[rows, columns]).sum() * pixel_area))


def _vignetting(request: ARFRequest, geometry: Geometry, energy: np.ndarray) -> np.ndarray:
    """Vignetting at energies in keV: where a point is, or its mean over a disc, from 100 points of equal area."""
    x, y = (float(v) for v in geometry.icrs_to_sky(_position(request)))
    radius = 0.0 if request.source_type == "POINT" else request.shape[0] * 60 / PIXEL_ARCSEC
    number = np.arange(100 if radius else 1)
    distance = radius * np.sqrt((number + 0.5) / len(number))
    angle = number * np.pi * (3 - np.sqrt(5))
    detx, dety = geometry.sky_to_det(x + distance * np.cos(angle), y + distance * np.sin(angle))
    values: np.ndarray = nominal.vignetting(energy, geometry.off_axis(detx, dety)[:, None]).mean(axis=0)
    return values


def _exposed(path: str) -> np.ndarray:
    """Exposure of each SKY pixel as a fraction of the map's own (EXPOSURE of OFFAXISHIST: good time, no dead time).

    Raises
    ------
    RequestError
        If the map is binned, so that its pixels are not those of the region.
    """
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        if round(float(hdus[0].header.get("IMGBIN", 1))) != 1:
            raise RequestError(f"The exposure map {path} is binned.", "make an ARF from one with binning=1.")
        return np.asarray(hdus[0].data, float) / float(hdus["OFFAXISHIST"].header["EXPOSURE"])


def _position(request: ARFRequest) -> Any:
    from astropy.coordinates import SkyCoord

    return SkyCoord(*request.position, unit="deg", frame="icrs")
