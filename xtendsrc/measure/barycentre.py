"""Times of arrival at the barycentre of the solar system, from the spacecraft's orbit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

LIGHT_KM_S = 299792.458
SUN_SECONDS = 4.925490947e-6
"""Mass of the Sun as a time, G M / c^3."""


@dataclass(frozen=True)
class Orbit:
    """Keplerian elements of the spacecraft at times, arrays of one length.

    Attributes
    ----------
    seconds : ndarray
        Mission seconds, rising.
    axis : ndarray
        Semi-major axis, km.
    eccentricity : ndarray
        Below 1.
    inclination, node, perigee, anomaly : ndarray
        Inclination, right ascension of the ascending node, argument of perigee, and mean anomaly, degrees.
    """

    seconds: np.ndarray
    axis: np.ndarray
    eccentricity: np.ndarray
    inclination: np.ndarray
    node: np.ndarray
    perigee: np.ndarray
    anomaly: np.ndarray

    def position(self, seconds: np.ndarray) -> np.ndarray:
        """Geocentric equatorial position in km, shape (3, n).

        Angles are interpolated through full turns, so that rows may be up to half an orbit apart.

        Raises
        ------
        RequestError
            If a time is outside the table.
        """
        t = np.asarray(seconds, dtype=np.float64)
        if len(t) and not (self.seconds[0] <= t.min() and t.max() <= self.seconds[-1]):
            raise RequestError("The orbit file does not cover all times.", "use the times without barycentring.")
        a, e = (np.interp(t, self.seconds, values) for values in (self.axis, self.eccentricity))
        i, node, perigee, mean = (
            np.interp(t, self.seconds, np.unwrap(np.radians(values)))
            for values in (self.inclination, self.node, self.perigee, self.anomaly)
        )
        eccentric = mean.copy()
        for _ in range(20):
            eccentric -= (eccentric - e * np.sin(eccentric) - mean) / (1 - e * np.cos(eccentric))
        x, y = a * (np.cos(eccentric) - e), a * np.sqrt(1 - e**2) * np.sin(eccentric)
        along = np.cos(perigee) * x - np.sin(perigee) * y, np.sin(perigee) * x + np.cos(perigee) * y
        flat, up = along[1] * np.cos(i), along[1] * np.sin(i)
        return np.array(
            [np.cos(node) * along[0] - np.sin(node) * flat, np.sin(node) * along[0] + np.cos(node) * flat, up]
        )


def barycentric(time: Time, source: SkyCoord, spacecraft_km: np.ndarray | None = None) -> Time:
    """Times at which light that arrives at the spacecraft passes the barycentre, in TDB.

    Path difference along the direction of a distant source (Roemer delay), relativistic clock (TDB), and the delay in
    the field of the Sun (Shapiro); astropy's built-in ephemeris, good to some milliseconds.

    Parameters
    ----------
    time : Time
        Of arrival.
    source : SkyCoord
        One position.
    spacecraft_km : ndarray, shape (3, n), optional
        From the centre of the Earth; without it arrivals there are meant, wrong by up to 23 ms for a low orbit.
    """
    import astropy.units as u
    from astropy.coordinates import get_body_barycentric

    direction = source.icrs.cartesian.xyz.value
    tdb = time.tdb
    earth = get_body_barycentric("earth", tdb).xyz.to_value(u.km)
    sun = get_body_barycentric("sun", tdb).xyz.to_value(u.km)
    place = earth if spacecraft_km is None else earth + spacecraft_km
    roemer = np.tensordot(direction, place, axes=1) / LIGHT_KM_S
    towards = sun - place
    cosine = np.tensordot(direction, towards, axes=1) / np.sqrt(np.sum(towards**2, axis=0))
    shapiro = 2 * SUN_SECONDS * np.log(np.maximum(1 - cosine, 1e-9))
    return tdb + (roemer + shapiro) * u.s
