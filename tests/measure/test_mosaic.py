"""Mosaics conserve counts and exposure, and lay sources where they are."""

import numpy as np
import pytest
from astropy.wcs import WCS

from xtendsrc.errors import GridMismatchError, RequestError
from xtendsrc.measure.mosaic import Plane, common_grid, mosaic, overlaps


def grid(ra, dec, angle=0.0, side=4e-3, size=80):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cunit = ["RA---TAN", "DEC--TAN"], ["deg", "deg"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [size / 2 + 0.5, size / 2 + 0.5]
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = side * np.array([[-c, s], [s, c]])
    wcs.array_shape = (size, size)
    return wcs


def clipped(corners, low, high, axis):
    """The part of a polygon between two values of an axis (Sutherland & Hodgman)."""
    for sign, limit in ((1, low), (-1, -high)):
        out = []
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            fa, fb = sign * a[axis] - limit, sign * b[axis] - limit
            if fa >= 0:
                out.append(a)
            if fa * fb < 0:
                t = fa / (fa - fb)
                out.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
        corners = out
        if not corners:
            return []
    return corners


def area(corners):
    x, y = np.array(corners).T
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def test_overlaps_are_those_of_clipped_polygons():
    rng = np.random.default_rng(1)
    angle, size = rng.uniform(0, 2 * np.pi, 60), rng.uniform(0.3, 3.0, 60)
    angle[:4], size[:4] = np.array([0, 0.5, 1, 1.5]) * np.pi, 1.0
    corner = np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]]) * 0.5 + rng.normal(0, 0.05, (2, 4))
    centre = rng.uniform(-4, 9, (2, 60))
    x = centre[0] + size * (np.cos(angle) * corner[0][:, None] - np.sin(angle) * corner[1][:, None])
    y = centre[1] + size * (np.sin(angle) * corner[0][:, None] + np.cos(angle) * corner[1][:, None])
    y[:, ::2] *= -1  # the other sense of rotation
    for source, i, j, found in zip(*overlaps(x, y), strict=True):
        quad = list(zip(x[:, source], y[:, source], strict=True))
        part = clipped(clipped(quad, i - 0.5, i + 0.5, 0), j - 0.5, j + 0.5, 1)
        np.testing.assert_allclose(found, area(part) if part else 0.0, atol=1e-12)
    source, _, _, found = overlaps(x, y)
    whole = [area(list(zip(x[:, k], y[:, k], strict=True))) for k in range(60)]
    np.testing.assert_allclose(np.bincount(source, found), whole, rtol=1e-12)


def test_counts_and_exposure_are_conserved():
    rng = np.random.default_rng(2)
    planes = [
        Plane(rng.poisson(0.4, (80, 80)), np.full((80, 80), 1e4), grid(83.0, -60.0, 20.0)),
        Plane(rng.poisson(0.2, (50, 50)), np.full((50, 50), 2e4), grid(83.2, -60.1, -37.0, 7e-3, 50)),
    ]
    made = mosaic(planes)
    total = sum(p.counts.sum() for p in planes)
    np.testing.assert_allclose(made.counts.sum(), total, rtol=1e-13)
    assert made.outside == 0
    # seconds times solid angle, but for the change of scale across a tangent plane of half a degree
    square = [p.exposure.sum() * abs(np.linalg.det(p.wcs.wcs.cd)) for p in planes]
    np.testing.assert_allclose(made.exposure.sum() * 4e-3**2, sum(square), rtol=2e-4)
    assert np.count_nonzero(np.abs(made.exposure - 3e4) < 1) > 3000
    assert made.exposure.max() < 3e4 * (1 + 2e-4)
    assert np.isnan(made.rate[0, 0])
    assert np.nanmax(made.rate) > 0


def test_the_same_grid_changes_nothing():
    rng = np.random.default_rng(3)
    plane = Plane(rng.poisson(1.0, (80, 80)), rng.uniform(1, 2, (80, 80)), grid(10.0, 20.0, 30.0))
    made = mosaic([plane, plane], wcs=plane.wcs)
    np.testing.assert_allclose(made.counts, 2 * plane.counts, atol=1e-7)
    np.testing.assert_allclose(made.exposure, 2 * plane.exposure, rtol=1e-7)


def test_a_source_keeps_its_place():
    first, second = grid(200.0, 40.0, 10.0), grid(200.1, 40.05, 75.0)
    place = first.pixel_to_world(41.0, 37.0)
    one, two = np.zeros((80, 80)), np.zeros((80, 80))
    one[37, 41] = 100
    x, y = second.world_to_pixel(place)
    two[round(float(y)), round(float(x))] = 100
    made = mosaic([Plane(one, None, first), Plane(two, None, second)])
    rows, columns = np.indices(made.counts.shape)
    total = made.counts.sum()
    found = made.wcs.pixel_to_world((made.counts * columns).sum() / total, (made.counts * rows).sum() / total)
    assert found.separation(place).deg < 0.5 * 4e-3
    assert np.isnan(made.exposure).all()


def test_counts_off_a_given_grid_are_told():
    plane = Plane(np.ones((80, 80)), np.ones((80, 80)), grid(10.0, 20.0))
    made = mosaic([plane], wcs=grid(10.0, 20.0, size=40))
    np.testing.assert_allclose(made.outside, 80**2 - 40**2)
    np.testing.assert_allclose(made.counts.sum() + made.outside, 80**2)


def test_what_cannot_be_one_mosaic_is_refused():
    plane = Plane(np.ones((80, 80)), None, grid(10.0, 20.0))
    far = Plane(np.ones((80, 80)), None, grid(100.0, 20.0))
    with pytest.raises(RequestError, match="far apart"):
        common_grid([plane, far])
    with pytest.raises(RequestError, match="no image"):
        mosaic([])
    with pytest.raises(GridMismatchError):
        Plane(np.ones((3, 3)), np.ones((4, 4)), grid(10.0, 20.0))
