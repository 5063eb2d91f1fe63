"""Rate maps and the statistics of detection."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from regions import CircleSkyRegion
from scipy import stats

from xtendsrc.errors import DeadTimeError, GridMismatchError, RegionError
from xtendsrc.measure.poisson import CountsPosterior, significance
from xtendsrc.measure.variability import source_posterior
from xtendsrc.products.ratemap.product import RateMap
from xtendsrc.regions import RegionSet
from xtendsrc.regions.shapes import Shape


class Plane:
    """Anything with data, wcs and header."""

    def __init__(self, data, crpix=50.5, **header):
        self.data = np.asarray(data)
        self.wcs = WCS(naxis=2)
        self.wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        self.wcs.wcs.crpix = [crpix, crpix]
        self.wcs.wcs.crval = [80.0, -30.0]
        self.wcs.wcs.cdelt = [-5e-4, 5e-4]
        self.header = fits.Header(header)


@pytest.fixture
def seconds():
    seconds = np.full((100, 100), 1000.0)
    seconds[:, 60:] = 400.0
    seconds[:20] = 0.0
    return seconds


def disc(x, y, radius, shape=(100, 100)):
    j, i = np.indices(shape)
    return np.hypot(i - x, j - y) <= radius


def test_flat_field_is_flat(seconds):
    rate = 0.02
    counts = np.random.default_rng(1).poisson(rate * seconds * 0.8)
    image = Plane(counts, DEADC=0.8, ONTIME=1000.0, LIVETIME=800.0)
    made = RateMap(image, Plane(seconds))
    assert np.isnan(made.data[:20]).all()
    for part in (np.s_[20:, :60], np.s_[20:, 60:]):
        error = np.sqrt(rate / made.live[part].sum())
        assert abs(counts[part].sum() / made.live[part].sum() - rate) < 4 * error
        assert made.data[part].mean() == pytest.approx(rate, abs=4 * error)


def test_masks(seconds):
    made = RateMap(Plane(np.zeros((100, 100))), Plane(seconds))
    assert made.sensor_mask.sum() == 8000
    assert made.edge_mask.sum() == 2 * 100 + 2 * 80 - 4


def test_region_on_the_sky_and_on_the_grid_are_the_same(seconds):
    counts = np.random.default_rng(2).poisson(seconds / 100)
    made = RateMap(Plane(counts, CRVAL1P=2.5, CRVAL2P=2.5, CDELT1P=4.0, CDELT2P=4.0), Plane(seconds))
    place = made.wcs.pixel_to_world(30.0, 55.0)
    sky = CircleSkyRegion(place, 10.5 * 5e-4 * u.deg)
    grid = RegionSet("SKY", (Shape("circle", (2.5 + 4 * 30, 2.5 + 4 * 55, 42.0)),))
    expected = disc(30, 55, 10.5)
    for region in (sky, grid):
        assert made.counts(region) == (counts[expected].sum(), pytest.approx(made.live[expected].sum()))


def test_contradicting_dead_time(seconds):
    with pytest.raises(DeadTimeError):
        RateMap(Plane(seconds, DEADC=0.8, ONTIME=1000.0, LIVETIME=900.0), Plane(seconds)).data  # noqa: B018 property
    assert RateMap(Plane(seconds, ONTIME=1000.0, LIVETIME=500.0), Plane(seconds)).live.max() == 500.0


def test_other_grids(seconds):
    for other in (Plane(seconds, crpix=51.5), Plane(seconds[:50])):
        with pytest.raises(GridMismatchError):
            RateMap(Plane(seconds), other).data  # noqa: B018 property


def test_peak_and_rate(seconds):
    counts = np.zeros((100, 100), int)
    counts[70, 30] = 40
    counts[69, 30] = 10
    made = RateMap(Plane(counts), Plane(seconds))
    x, y = made.wcs.world_to_pixel(made.peak(radius=1.0))
    assert (float(x), float(y)) == pytest.approx((30, 70), abs=1.01)
    place = made.wcs.pixel_to_world(30.0, 70.0)
    assert made.rate_at(place).to_value(u.ct / u.s) == pytest.approx(0.04)
    with pytest.raises(RegionError):
        made.rate_at(made.wcs.pixel_to_world(500.0, 70.0))


@pytest.mark.parametrize("density", [0.01, 0.1, 1.0, 5.0])
def test_significance_of_nothing_is_unit_normal(seconds, density):
    rng = np.random.default_rng(7)
    source, ring = disc(55, 55, 22), disc(55, 55, 40) & ~disc(55, 55, 23)
    field = Plane(seconds)
    values = [
        RateMap(Plane(rng.poisson(density * seconds / 1000)), field).significance(source, ring) for _ in range(250)
    ]
    assert abs(np.mean(values)) < 4 / np.sqrt(250) + 0.05
    assert np.std(values) == pytest.approx(1.0, abs=0.15)
    assert stats.kstest(values, "norm").pvalue > 1e-3


def test_significance_scales_with_exposure(seconds):
    counts = (seconds / 100).astype(int)
    made = RateMap(Plane(counts), Plane(seconds))
    assert made.significance(disc(80, 60, 10), disc(30, 60, 10)) == pytest.approx(0.0, abs=1e-6)


def test_li_ma_against_published_and_poisson():
    # without background uncertainty it is the likelihood ratio of a Poisson count
    on, mean = 12, 5.0
    exact = np.sqrt(2 * (on * np.log(on / mean) - (on - mean)))
    assert significance(on, 5_000_000, 1e-6)[0] == pytest.approx(exact, rel=1e-4)
    assert significance(5, 50, 0.2)[0] < 0
    assert significance(0, 0, 1.0)[0] == 0.0
    assert np.isnan(significance(3, 1, 0.0)[0])  # nothing to compare with


def test_upper_limits_in_closed_form():
    assert CountsPosterior.of(0, 0, 0.1).quantile(0.95)[0] == pytest.approx(-np.log(0.05), rel=5e-3)
    # with a known background of 3: Helene (1983)
    level = 0.9
    n, b = 4, 3.0
    expected = stats.gamma.isf((1 - level) * stats.gamma.sf(b, n + 1), n + 1) - b
    assert CountsPosterior.of(n, 300_000, 1e-5).quantile(level)[0] == pytest.approx(expected, rel=3e-3)


def test_posterior_without_background_is_gamma():
    grid, probability = source_posterior(7, 0, 0.0)
    np.testing.assert_allclose(probability / (grid[1] - grid[0]), stats.gamma.pdf(grid, 8), atol=1e-4)


def test_upper_limit_of_a_map(seconds):
    made = RateMap(Plane(np.zeros((100, 100), int)), Plane(seconds))
    source = disc(30, 50, 5)
    limit = made.upper_limit(source, disc(30, 50, 12) & ~source, 0.95)
    assert limit.to_value(u.ct / u.s) == pytest.approx(-np.log(0.05) / 1000, rel=2e-3)
