"""How the detector lies in the focal plane, measured from the events themselves.

Every event carries its place on the detector and on the sky. With the attitude of its time known, the sky
position leads back to the focal plane, ``FOC - 1215.5 = R(-phi) (SKY - 1215.5 - shift)``, and
``FOC - 1215.5 = R(rotation) (DET - 905.5 - offset)`` leaves three numbers to fit. Both positions are rounded to pixels,
so the residuals are 0.41 pixel on each axis, and the fit is as good as that over the root of the number of events.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import ProductError
from xtendsrc.instrument import DET_CENTRE, FOC_OFFSET, SKY_CENTRE
from xtendsrc.measure.attitude import Attitude, pointing_on_sky, sky_matrix
from xtendsrc.measure.overlap import Placement

if TYPE_CHECKING:
    from xtendsrc.events.eventlist import EventList

log = logging.getLogger("xtendsrc.engines.native")

MAX_RMS = 1.0
"""Residuals, pixels on an axis, beyond which DET, SKY and the attitude do not belong together."""

MIN_EVENTS = 200
"""Fewer events than this check the published offsets but do not replace them."""

CLIP = 3.0
"""Events further than this from the fit, in pixels, are left out of it; at most `MAX_CLIPPED` of them."""

MAX_CLIPPED = 0.05


@dataclass(frozen=True)
class FocalPlane:
    """Place of the detector in the focal plane.

    Attributes
    ----------
    offset : tuple of float
        FOC_XOFF, FOC_YOFF: ``905.5 + offset`` is the detector pixel at the centre of the focal plane.
    rotation : float
        Degrees by which DET is turned counter-clockwise in FOC. HEASoft's FOC_ROTD is the opposite: its matrix from DET
        to FOC is [[c, s], [-s, c]] of that angle.
    rms : float
        Residuals of the events, pixels on one axis; NaN if none could be used.
    fitted : bool
        Whether offset or rotation come from the events; False: the published values, consistent with the events.
    """

    offset: tuple[float, float] = FOC_OFFSET
    rotation: float = 0.0
    rms: float = float("nan")
    fitted: bool = False

    @property
    def det_point(self) -> tuple[float, float]:
        """DET position of the centre of the focal plane."""
        return DET_CENTRE + self.offset[0], DET_CENTRE + self.offset[1]

    def on_foc(self) -> Placement:
        """DET on the FOC grid."""
        return Placement(self.rotation, self.det_point, (SKY_CENTRE, SKY_CENTRE))

    def on_sky(self, pointing: tuple[float, float, float], nominal: tuple[float, float, float]) -> Placement:
        """DET on the SKY grid of the nominal pointing, at a pointing (RA, Dec, roll), degrees."""
        ra, dec, roll = (np.array(value) for value in pointing)
        x, y, angle = (float(v) for v in pointing_on_sky(ra, dec, roll, nominal))
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        (xx, xy), (yx, yy) = sky_matrix(ra, dec, roll, nominal)
        along_x = float(xx * c - xy * s), float(xx * s + xy * c)
        along_y = float(yx * c - yy * s), float(yx * s + yy * c)
        point = (SKY_CENTRE + x, SKY_CENTRE + y)
        return Placement(angle + self.rotation, self.det_point, point, (*along_x, *along_y))


def fit_focal_plane(det: np.ndarray, foc: np.ndarray, published: tuple[float, float] = FOC_OFFSET) -> FocalPlane:
    """Fit offset and rotation to positions of events.

    Published values that agree with the events within four standard errors are kept as they are: they are exact where
    the fit is not. The same holds for no rotation.

    Parameters
    ----------
    det : ndarray of complex
        ``DETX - 905.5 + i (DETY - 905.5)``.
    foc : ndarray of complex
        Focal-plane positions of the same events from its centre.
    published : tuple of float
        Offsets to compare with.

    Raises
    ------
    ProductError
        If the residuals exceed one pixel.
    """
    guess = complex(*published)
    if len(det) < MIN_EVENTS:
        return _published(det, foc, published)
    turn, shift = 1.0 + 0.0j, complex(np.median((foc - det).real), np.median((foc - det).imag))
    kept = np.ones(len(det), dtype=bool)
    for _ in range(4):
        mean_d, mean_f = det[kept].mean(), foc[kept].mean()
        product = np.sum((foc[kept] - mean_f) * np.conj(det[kept] - mean_d))
        turn = product / abs(product) if product != 0 else 1.0 + 0.0j
        shift = mean_f - turn * mean_d
        residual = foc - turn * det - shift
        limit = max(CLIP, 3 * float(np.median(np.abs(residual))))
        kept = np.abs(residual) < limit
    rms = float(np.sqrt(np.mean(np.abs(residual[kept]) ** 2) / 2))
    _check(rms, 1 - kept.mean())
    lever = float(np.sqrt(np.sum(np.abs(det[kept] - det[kept].mean()) ** 2)))
    angle, angle_error = float(np.angle(turn)), rms / max(lever, 1e-9)
    straight = abs(angle) < 4 * angle_error
    if straight:
        turn, shift = 1.0 + 0.0j, (foc[kept] - det[kept]).mean()
        rms = float(np.sqrt(np.mean(np.abs((foc - det - shift)[kept]) ** 2) / 2))
    offset = -shift / turn
    if straight and max(abs((offset - guess).real), abs((offset - guess).imag)) < 4 * rms / np.sqrt(kept.sum()):
        return FocalPlane(published, 0.0, rms)
    return FocalPlane((offset.real, offset.imag), float(np.degrees(np.angle(turn))), rms, fitted=True)


def _published(det: np.ndarray, foc: np.ndarray, published: tuple[float, float]) -> FocalPlane:
    """The published offsets, checked against the few events there are."""
    if not len(det):
        return FocalPlane(published)
    residual = foc - det + complex(*published)
    near = np.abs(residual) < CLIP
    rms = float(np.sqrt(np.median(np.abs(residual) ** 2) / (2 * np.log(2))))
    _check(rms, 1 - near.mean())
    return FocalPlane(published, 0.0, rms)


def _check(rms: float, clipped: float) -> None:
    if rms > MAX_RMS or clipped > MAX_CLIPPED:
        raise ProductError(
            f"DETX, DETY, X, Y of the events and the attitude do not fit together: {rms:.2f} pixels rms, "
            f"{100 * clipped:.1f} % of the events further than {CLIP:g} pixels.",
            "use the .ehk file of the same observation, and an event file whose X, Y were not computed anew.",
        )


def focal_plane_of(events: EventList, attitude: Attitude) -> FocalPlane:
    """Focal plane of an event list (see `fit_focal_plane`).

    Parameters
    ----------
    events : EventList
        Needs X, Y, DETX, DETY and times; events outside the good time or off the grids are left out.
    attitude : Attitude
        Attitude of the same observation.

    Raises
    ------
    ProductError
        If the residuals exceed one pixel.
    """
    use = events.good & (events.times >= attitude.time[0]) & (events.times <= attitude.time[-1])
    for name in ("X", "Y", "DETX", "DETY"):
        low, high = events.limits(name)
        use &= (events[name] >= low) & (events[name] <= high)
    rows = np.flatnonzero(use)
    rows = rows[:: max(1, len(rows) // 400_000)]
    x, y, angle = pointing_on_sky(*attitude.at(events.times[rows]), attitude.nominal)
    sky = (events["X"][rows] - SKY_CENTRE - x) + 1j * (events["Y"][rows] - SKY_CENTRE - y)
    det = (events["DETX"][rows] - DET_CENTRE) + 1j * (events["DETY"][rows] - DET_CENTRE)
    try:
        plane = fit_focal_plane(det, sky * np.exp(-1j * np.radians(angle)))
    except ProductError as err:
        raise ProductError(f"{events.paths[0]} with {attitude.source}: {err.what}", err.next_step) from err
    log.debug("focal plane of %s: %s", events.paths[0], plane)
    return plane


def optical_axis(attitude: Attitude, plane: FocalPlane) -> tuple[float, float]:
    """DETX, DETY of the optical axis, from its direction and the spacecraft's in the EHK."""
    middle = len(attitude.time) // 2
    nominal = (float(attitude.ra[middle]), float(attitude.dec[middle]), float(attitude.roll[middle]))
    x, y, _ = pointing_on_sky(attitude.ra_axis[middle], attitude.dec_axis[middle], np.array(0.0), nominal)
    detx, dety = plane.on_sky(nominal, nominal).back(SKY_CENTRE + x, SKY_CENTRE + y)
    return float(detx), float(dety)
