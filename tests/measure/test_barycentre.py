"""Positions on Kepler orbits against closed forms; arrival times at the barycentre against the size of the orbits."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time

from xtendsrc.errors import RequestError
from xtendsrc.measure.barycentre import Orbit, barycentric

MU = 398600.4418
"""Of the Earth, km3/s2."""


def orbit(eccentricity, inclination=31.0, node=40.0, perigee=70.0, axis=6950.0):
    period = 2 * np.pi * np.sqrt(axis**3 / MU)
    seconds = np.arange(0, 20000, 60.0)
    ones = np.ones(len(seconds))
    anomaly = (360 * seconds / period) % 360
    elements = (axis, eccentricity, inclination, node, perigee)
    return Orbit(seconds, *(value * ones for value in elements), anomaly), period


def test_a_circle_is_gone_round_evenly():
    made, period = orbit(0.0, inclination=0.0, node=0.0, perigee=0.0)
    seconds = np.linspace(100, 19000, 400)
    x, y, z = made.position(seconds)
    np.testing.assert_allclose(np.hypot(x, y), 6950, rtol=1e-9)
    np.testing.assert_allclose(z, 0, atol=1e-6)
    angle = np.unwrap(np.arctan2(y, x))
    np.testing.assert_allclose(np.diff(angle) / np.diff(seconds), 2 * np.pi / period, rtol=1e-6)


def test_energy_and_angular_momentum_are_conserved():
    """Speed from differences of positions: vis viva, and the plane that inclination and node say."""
    made, _ = orbit(0.2)
    seconds = np.arange(1000.0, 15000.0, 7.0)
    step = 0.05
    before, here, after = (made.position(seconds + d) for d in (-step, 0.0, step))
    speed = (after - before) / (2 * step)
    radius = np.linalg.norm(here, axis=0)
    assert radius.min() == pytest.approx(6950 * 0.8, rel=1e-3)
    assert radius.max() == pytest.approx(6950 * 1.2, rel=1e-3)
    np.testing.assert_allclose(0.5 * (speed**2).sum(axis=0) - MU / radius, -MU / (2 * 6950), rtol=2e-3)
    momentum = np.cross(here.T, speed.T)
    momentum /= np.linalg.norm(momentum, axis=1)[:, None]
    i, node = np.radians(31.0), np.radians(40.0)
    normal = [np.sin(i) * np.sin(node), -np.sin(i) * np.cos(node), np.cos(i)]
    np.testing.assert_allclose(momentum, np.broadcast_to(normal, momentum.shape), atol=1e-5)


def test_times_beyond_the_orbit_file_are_refused():
    made, _ = orbit(0.0)
    with pytest.raises(RequestError, match="does not cover"):
        made.position(np.array([30000.0]))


def test_a_spacecraft_nearer_to_the_source_is_later_at_the_barycentre():
    time, source = Time(["2025-03-01", "2025-06-01"], scale="tt"), SkyCoord(10, 20, unit="deg")
    towards = np.outer(source.cartesian.xyz.value, [7000.0, 7000.0])
    there = (barycentric(time, source, towards) - barycentric(time, source)).to_value(u.s)
    np.testing.assert_allclose(there, 7000 / 299792.458, rtol=1e-3)
    poles = barycentric(time, SkyCoord(270, 66.56, unit="deg"))
    assert np.abs((poles - time.tdb).to_value(u.s)).max() < 10  # the ecliptic pole: the Sun's own motion only
