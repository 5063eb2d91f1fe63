"""Nominal responses: published areas and resolutions, not calibration.

They are made only when asked for, and say what they are in CALSTAT, CREATOR, HISTORY and the file's name. The area is
the on-axis one times the vignetting at the source's off-axis angle (its mean over a disc) times the fraction of the
source's light, blurred by the PSF, that falls on the exposed pixels of the region. Expected accuracy: shape 3 %,
absolute 10 % within 1.5-10 keV on axis; worse below 1 keV and off axis (`xtendsrc.responses.nominal` has the sources
of the numbers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.native.cards import creator
from xtendsrc.errors import EngineUnavailableError, RegionError, RequestError
from xtendsrc.instrument import EV_PER_CHANNEL, PIXEL_ARCSEC
from xtendsrc.responses import nominal

if TYPE_CHECKING:
    from astropy.io import fits

    from xtendsrc.engines.native.selection import Batch
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.instrument import Geometry
    from xtendsrc.products.request import ARFRequest

THRESHOLD = 1e-6
HISTORY = (
    "NOMINAL response: NOT CALIBRATED. Published areas, resolution, optics.",
    "Area: nested cones, scaled to 310 cm2 at 6 keV (3C 273 in orbit).",
    "Resolution: 170 eV FWHM at 5.9 keV; one Gaussian, no escape, no tail.",
)
WARNING = "nominal response: not calibrated"


def make_rmf(job: Job, batch: Batch) -> Made:
    """Make the nominal RMF on the grid of ``xtdrmf``: 6400 energies, 4096 channels, threshold 1e-6.

    Raises
    ------
    EngineUnavailableError
        If a calibrated one is asked for.
    """
    from astropy.io import fits

    _only_nominal(job)
    response = nominal.redistribution()
    first, last, values = _above_threshold(response.first, response.matrix)
    matrix = fits.BinTableHDU.from_columns(
        [
            fits.Column("ENERG_LO", "E", "keV", array=response.energy_lo),
            fits.Column("ENERG_HI", "E", "keV", array=response.energy_hi),
            fits.Column("N_GRP", "I", array=np.ones(len(first), np.int16)),
            fits.Column("F_CHAN", "I", array=first.astype(np.int16)),
            fits.Column("N_CHAN", "I", array=(last - first + 1).astype(np.int16)),
            fits.Column("MATRIX", "PE()", array=values),
        ],
        name="MATRIX",
    )
    channels = np.arange(4096)
    bounds = fits.BinTableHDU.from_columns(
        [
            fits.Column("CHANNEL", "I", array=channels),
            fits.Column("E_MIN", "E", "keV", array=channels * (EV_PER_CHANNEL / 1000)),
            fits.Column("E_MAX", "E", "keV", array=(channels + 1) * (EV_PER_CHANNEL / 1000)),
        ],
        name="EBOUNDS",
    )
    for hdu, kind, column in ((matrix, "RSP_MATRIX", 4), (bounds, "EBOUNDS", 1)):
        _identify(hdu.header, job)
        hdu.header["HDUCLAS1"], hdu.header["HDUCLAS2"], hdu.header["HDUVERS"] = "RESPONSE", kind, "1.3.0"
        hdu.header["CHANTYPE"], hdu.header["DETCHANS"] = "PI", 4096
        hdu.header[f"TLMIN{column}"], hdu.header[f"TLMAX{column}"] = 0, 4095
        hdu.header["RMFVERSN"] = ("1992a", "obsolete, for old readers")
    matrix.header["HDUCLAS3"], matrix.header["LO_THRES"] = "REDIST", THRESHOLD
    matrix.header["NUMGRP"], matrix.header["NUMELT"] = len(first), sum(map(len, values))
    return _write(job, batch, [matrix, bounds])


def make_arf(job: Job, batch: Batch) -> Made:
    """Make the nominal ARF of a region for one source position, from the exposure map's own pixels.

    Raises
    ------
    EngineUnavailableError
        If a calibrated one is asked for.
    RegionError
        If none of the source's light falls on exposed pixels of the region.
    """
    from astropy.io import fits

    _only_nominal(job)
    request: Any = job.request
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
    _identify(table.header, job)
    table.header["HDUCLAS1"], table.header["HDUCLAS2"], table.header["HDUVERS"] = "RESPONSE", "SPECRESP", "1.1.0"
    table.header["ARFVERSN"] = ("1992a", "obsolete, for old readers")
    table.header["ENCFRAC"] = (fraction, "light of the source on exposed pixels of region")
    table.header["OFFAXIS"] = (off_axis, "[arcmin] of the source at the nominal pointing")
    return _write(job, batch, [table])


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


def _above_threshold(first: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Cut each row to the channels from the first to the last that are above the threshold."""
    good = probability > THRESHOLD
    start = good.argmax(axis=1)
    stop = probability.shape[1] - good[:, ::-1].argmax(axis=1)
    rows = [p[a:b].astype(np.float32) for p, a, b in zip(probability, start, stop, strict=True)]
    return first + start, first + stop - 1, rows


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


def _only_nominal(job: Job) -> None:
    request: Any = job.request
    if request.response != "nominal":
        raise EngineUnavailableError(
            f"The native engine makes no calibrated {request.kind}.", 'install HEASoft, or ask for response="nominal".'
        )


def _position(request: ARFRequest) -> Any:
    from astropy.coordinates import SkyCoord

    return SkyCoord(*request.position, unit="deg", frame="icrs")


def _identify(header: fits.Header, job: Job) -> None:
    request = job.request
    values = {
        "TELESCOP": "XRISM",
        "INSTRUME": "XTEND",
        "FILTER": "NONE",
        "OBS_ID": request.obs_id,
        "DATACLAS": request.dataclass,
        "HDUCLASS": "OGIP",
        "CALSTAT": "NOMINAL",
        "CREATOR": f"{creator()} nominal",
    }
    header.update(values)
    for line in HISTORY:
        header.add_history(line)


def _write(job: Job, batch: Batch, tables: list[Any]) -> Made:
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    _identify(primary.header, job)
    path = batch.path(job)
    fits.HDUList([primary, *tables]).writeto(path)
    return batch.made(path, batch.events(job), (WARNING,))
