"""What a simulated observation should show, computed from its parameters and not from its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from xtendsrc.instrument import CALIBRATION_SOURCES, DET_SIZE, PIXEL_ARCSEC, band_to_channels
from xtendsrc.responses import nominal
from xtendsrc.simulate.photons import cxb_photons, particle_rate, pixel
from xtendsrc.simulate.sources import Point

if TYPE_CHECKING:
    from xtendsrc.simulate.conditions import Background
    from xtendsrc.simulate.photons import Frames, Sky
    from xtendsrc.simulate.sources import Source

BANDS = ((0.5, 10.0), (0.6, 2.0), (2.0, 6.0), (2.0, 10.0))
RADII = (0.5, 1.0, 1.5, 2.0, 3.0)
PROBES = 200_000
"""Trial photons for what has no closed form (bad pixels under a PSF): 0.1 % of the expected counts."""


def source_truth(source: Source, sky: Sky, frames: Frames, seed: int) -> dict[str, Any]:
    """Place of a source, and its expected counts, in the cleaned file of one data class.

    Returns
    -------
    dict
        ``name``, ``ra``, ``dec``, ``x``, ``y``, ``detx``, ``dety`` (nominal), ``off_axis`` (arcmin), ``live``
        (fraction of its photons on good pixels), ``brightness`` (mean of its light curve), ``onaxis_rate``,
        ``rate`` and ``counts`` per band (counts/s of live time), ``eef`` (fraction of the PSF within
        radii in arcmin, before bad pixels).
    """
    rng = np.random.default_rng([seed, 977])
    good = np.nonzero(frames.good)[0]
    detx, dety, off_axis = sky.land(source, frames.pointed(good[rng.integers(0, len(good), PROBES)]), rng)
    mean_vignetting = np.array([nominal.vignetting(e, off_axis).mean() for e in nominal.VIGNETTING_ENERGIES])
    x, y = pixel(detx), pixel(dety)
    read = sky.detector.reads(x, y)
    clean = np.isin(sky.detector.image[y[read] - 1, x[read] - 1], (0, 1))
    weight = nominal.vignetting(1.5, off_axis)
    live = float(weight[read][clean].sum() / weight.sum())
    photons = source.photons()
    centre = np.mean(nominal.response_energies(), axis=0)
    seen = photons * np.interp(centre, nominal.VIGNETTING_ENERGIES, mean_vignetting) * live
    brightness = float(frames.brightness(source).mean())
    where = sky.geometry.icrs_to_sky(source.position)
    det = sky.geometry.sky_to_det(*where)
    rates = _per_band(seen)
    return {
        "name": source.name,
        "ra": float(source.position.icrs.ra.deg),
        "dec": float(source.position.icrs.dec.deg),
        **{k: float(v) for k, v in zip(("x", "y", "detx", "dety"), (*where, *det), strict=True)},
        "off_axis": float(sky.geometry.off_axis(*det)),
        "live": live,
        "brightness": brightness,
        "onaxis_rate": _per_band(photons),
        "rate": {k: v * brightness for k, v in rates.items()},
        "counts": {k: v * brightness * frames.live * len(good) for k, v in rates.items()},
        "eef": {f"{r}": float(nominal.psf_eef(r, sky.conditions.hpd)) for r in RADII} if _is_point(source) else None,
    }


def _is_point(source: Source) -> bool:
    return isinstance(source.shape, Point)


def _per_band(photons: np.ndarray) -> dict[str, float]:
    """Counts/s in each band after redistribution."""
    channels = nominal.redistribution().fold(photons)
    out = {}
    for low, high in BANDS:
        lo, hi = band_to_channels((low, high) * u.keV)
        out[f"{low}-{high}"] = float(channels[lo : hi + 1].sum())
    return out


def background_truth(background: Background, sky: Sky) -> dict[str, Any]:
    """Expected background of the cleaned file: surface brightness, and counts/s of each calibration source."""
    image = sky.detector.image
    y, x = np.ogrid[1 : DET_SIZE + 1, 1 : DET_SIZE + 1]
    calibration = []
    for circle in CALIBRATION_SOURCES:
        inside = circle.contains(x, y)
        share = float((inside & (image >= 0) & (image != 2)).sum()) / (np.pi * circle.radius**2)
        calibration.append(background.calibration_rate * share)
    return {
        "cxb_onaxis_rate_per_arcmin2": _per_band(cxb_photons(background)),
        "particle_rate_per_arcmin2": particle_rate(background),
        "calibration_rate": calibration,
        "solid_angle_arcmin2": float((image >= 0).sum()) * (PIXEL_ARCSEC / 60) ** 2,
        "good_solid_angle_arcmin2": float(np.isin(image, (0, 1)).sum()) * (PIXEL_ARCSEC / 60) ** 2,
    }
