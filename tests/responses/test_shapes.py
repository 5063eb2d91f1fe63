"""Shapes of traced sources: their brightness in closed form, and their areas as averages over points."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from scipy import stats

from tests.responses.test_arf import SOURCE
from tests.responses.test_sourcerays import EMAP, FILES
from tests.responses.test_tracing import KS95, REFLECTIVITY, TEL20
from xtendsrc import errors, responses

RANDOM = np.random.default_rng(5).random((2, 20_000))
ARCMIN = np.deg2rad(1 / 60)


def ks(sample, cdf):
    return stats.kstest(sample, cdf).statistic * np.sqrt(len(sample))


def test_a_disc_is_uniform():
    x, y = responses.DiscShape(3 * u.arcmin).offsets(RANDOM) / ARCMIN
    assert ks(np.hypot(x, y), lambda r: (r / 3) ** 2) < KS95
    assert ks(np.arctan2(y, x), stats.uniform(-np.pi, 2 * np.pi).cdf) < KS95


@pytest.mark.parametrize("beta", [0.5, 0.4, 0.66, 1.2])
def test_a_beta_model_has_its_brightness(beta):
    radius = np.linspace(0, 5, 20_001)
    brightness = (1 + (radius / 0.5) ** 2) ** (0.5 - 3 * beta) * radius
    growth = np.concatenate([[0], np.cumsum((brightness[1:] + brightness[:-1]) / 2)])
    drawn = np.hypot(*responses.BetaShape(0.5 * u.arcmin, beta, 5 * u.arcmin).offsets(RANDOM)) / ARCMIN
    assert ks(drawn, lambda r: np.interp(r, radius, growth / growth[-1])) < KS95


def test_an_image_is_drawn_pixel_by_pixel():
    image = np.array([[0.0, 1.0, 2.0], [4.0, 0.0, 1.0]])
    shape = responses.ImageShape(image, 1 * u.arcmin, center=(0, 0))
    x, y = np.rint(shape.offsets(RANDOM) / ARCMIN).astype(int)
    counts = np.zeros_like(image)
    np.add.at(counts, (y, x), 1)
    expected = image / image.sum() * RANDOM.shape[1]
    assert (counts[image == 0] == 0).all()
    assert ((counts - expected)[image > 0] ** 2 / expected[image > 0]).sum() < stats.chi2(3).ppf(0.999)


def test_an_image_is_turned_and_mirrored():
    image = np.zeros((1, 11))
    image[0, 10] = 1
    turned = responses.ImageShape(image, 1 * u.arcmin, rotation=90 * u.deg).offsets(RANDOM).mean(axis=1) / ARCMIN
    assert turned == pytest.approx([0, 5], abs=0.02)
    mirrored = responses.ImageShape(image, 1 * u.arcmin, mirrored=True).offsets(RANDOM).mean(axis=1) / ARCMIN
    assert mirrored == pytest.approx([-5, 0], abs=0.02)


@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_a_sky_image_is_placed_by_its_wcs(tmp_path, turn):
    """The one bright pixel is 2 arcmin West of the position traced, whatever way the image is turned."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crpix, wcs.wcs.crval = (51, 51), (80.0, -69.0)
    angle, scale = np.deg2rad(turn), 0.1 / 60
    wcs.wcs.cd = scale * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = SkyCoord(80.0, -69.0, unit="deg")
    x, y = (float(v) for v in wcs.world_to_pixel(centre.directional_offset_by(270 * u.deg, 2 * u.arcmin)))
    image = np.zeros((101, 101))
    image[round(y), round(x)] = 1
    fits.PrimaryHDU(image, wcs.to_header()).writeto(tmp_path / "i.fits")
    shape = responses.ImageShape.read(tmp_path / "i.fits", centre, rotation=0 * u.deg)
    assert shape.offsets(RANDOM).mean(axis=1) / ARCMIN == pytest.approx([2, 0], abs=0.1)


def trace(off_axis, **more):
    return responses.trace(TEL20, REFLECTIVITY, energies=[2, 8] * u.keV, off_axis=off_axis, photons=10_000, **more)


def test_the_area_of_a_disc_is_the_mean_of_points_on_it():
    radius, weight = np.polynomial.legendre.leggauss(6)
    radius, weight = 3 * np.sqrt((radius + 1) / 2), weight / 2
    points = trace(radius * u.arcmin).effective_area
    disc = trace(0 * u.arcmin, shape=responses.DiscShape(3 * u.arcmin))
    expected = weight @ points
    assert (np.abs(disc.effective_area[0] - expected) < 4 * disc.effective_area_error[0] + 0.002 * expected).all()


def test_an_image_of_one_small_pixel_is_a_point():
    point = trace(4 * u.arcmin)
    image = trace(4 * u.arcmin, shape=responses.ImageShape([[1.0]], 0.1 * u.arcsec))
    error = np.hypot(point.effective_area_error, image.effective_area_error)
    assert (np.abs(point.effective_area - image.effective_area) < 4 * error).all()
    radii = [10, 30, 60] * u.arcsec
    np.testing.assert_allclose(point.encircled(radii), image.encircled(radii), atol=0.01)


@pytest.mark.parametrize(
    "make",
    [
        lambda: responses.DiscShape(0 * u.arcmin),
        lambda: responses.DiscShape(3 * u.keV),
        lambda: responses.BetaShape(1 * u.arcmin, -0.5, 5 * u.arcmin),
        lambda: responses.BetaShape(1 * u.arcmin, 0.5, 0 * u.arcmin),
        lambda: responses.ImageShape([[1.0, -1.0]], 1 * u.arcmin),
        lambda: responses.ImageShape([[0.0, 0.0]], 1 * u.arcmin),
        lambda: responses.ImageShape([1.0, 2.0], 1 * u.arcmin),
    ],
)
def test_what_is_no_source_is_refused(make):
    with pytest.raises((errors.RequestError, errors.UnitsError)):
        make()


def test_an_image_without_sky_is_refused(tmp_path):
    fits.PrimaryHDU(np.ones((3, 3))).writeto(tmp_path / "i.fits")
    with pytest.raises(errors.RequestError, match=r"i\.fits"):
        responses.ImageShape.read(tmp_path / "i.fits", SkyCoord(0, 0, unit="deg"), 0 * u.deg)
    with pytest.raises(errors.InputNotFoundError, match=r"no\.fits"):
        responses.ImageShape.read(tmp_path / "no.fits", SkyCoord(0, 0, unit="deg"), 0 * u.deg)


@pytest.mark.parametrize("turn", [0.0, 50.0])
def test_a_sky_image_of_one_star_is_traced_where_the_star_is(tmp_path, turn):
    star = SOURCE.directional_offset_by(290 * u.deg, 1.5 * u.arcmin)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crpix, wcs.wcs.crval = (101, 101), (SOURCE.ra.deg, SOURCE.dec.deg)
    angle, scale = np.deg2rad(turn), 1 / 3600
    wcs.wcs.cd = scale * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    x, y = (float(v) for v in wcs.world_to_pixel(star))
    image = np.zeros((201, 201))
    image[round(y), round(x)] = 1
    fits.PrimaryHDU(image, wcs.to_header()).writeto(tmp_path / "i.fits")
    shape = responses.sky_image(tmp_path / "i.fits", EMAP, FILES.teldef, SOURCE)
    imaged = responses.source_rays(EMAP, FILES, SOURCE, shape=shape, precision=0.02)
    direct = responses.source_rays(EMAP, FILES, star, precision=0.02)
    for axis in ("x", "y"):
        places = [np.average(getattr(rays, axis), weights=rays.total) for rays in (imaged, direct)]
        assert places[0] == pytest.approx(places[1], abs=0.05)
