"""Detection on simulated fields: false alarms as stated, and positions, counts and sizes with honest errors."""

import numpy as np
import pytest
from scipy.stats import norm, poisson

from xtendsrc.errors import RequestError
from xtendsrc.measure.detect import Detector, Field, Search, improbability
from xtendsrc.measure.psf import RadialPSF
from xtendsrc.measure.sourcefit import detect, gaussian_equivalent

SCALE = 1.87
"""Scale length of the PSF in pixels: a half-power diameter of 1.47 arcmin on pixels of 14 arcsec."""


@pytest.fixture(scope="module")
def psf():
    return RadialPSF.of(lambda r: 1 - (1 + r / SCALE) * np.exp(-r / SCALE), 30 * SCALE)


def exposed(size=110):
    """Two CCDs with a gap, exposed unevenly."""
    exposure = np.full((size, size), 1e5) * np.linspace(0.7, 1.0, size)
    exposure[[*range(6), *range(size - 6, size), size // 2, size // 2 + 1]] = 0
    exposure[:, [*range(6), *range(size - 6, size)]] = 0
    return exposure


def photons(rng, position, number, sigma=0.0):
    """Pixels of a source's photons."""
    size = rng.poisson(number)
    radius, angle = rng.gamma(2.0, SCALE, size), rng.uniform(0, 2 * np.pi, size)
    x = position[0] + radius * np.cos(angle) + sigma * rng.standard_normal(size)
    y = position[1] + radius * np.sin(angle) + sigma * rng.standard_normal(size)
    return np.rint(x).astype(int), np.rint(y).astype(int)


def picture(rng, background, exposure, sources):
    image = rng.poisson(background * exposure / 1e5).astype(float)
    for position, number, sigma in sources:
        x, y = photons(rng, position, number, sigma)
        on = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
        np.add.at(image, (y[on], x[on]), 1)
    return np.where(exposure > 0, image, 0.0)


def false_alarms(psf, levels, fields, number, trials=60):
    """Mean number of detections in blank fields that the threshold was not made from."""
    exposure, rng = exposed(), np.random.default_rng(77)
    search = Search(psf, (0.0, 5.0), smoothing=17.0, false_alarms=number, trials=trials)
    threshold = Detector(exposure, search).threshold(tuple(level * exposure / 1e5 for level in levels))
    blank = [Field(tuple(picture(rng, level, exposure, []) for level in levels), exposure) for _ in range(fields)]
    return np.mean([len(detect(field, search, threshold)) for field in blank])


@pytest.mark.parametrize("levels", [(0.03,), (0.4, 0.1)])
def test_blank_fields_have_the_stated_false_alarms(psf, levels):
    found = false_alarms(psf, levels, 30, 1.0, trials=30)
    assert abs(found - 1.0) < 4 * np.sqrt(1 / 30 + 1 / 30)


@pytest.mark.slow
@pytest.mark.parametrize("levels", [(0.01,), (0.1,), (2.0,), (0.4, 0.1, 0.05)])
@pytest.mark.parametrize("number", [1.0, 0.3])
def test_500_blank_fields_have_the_stated_false_alarms(psf, levels, number):
    found = false_alarms(psf, levels, 500, number)
    assert abs(found - number) < 4 * np.sqrt(number / 500 + number / 60)


def test_positions_counts_and_sizes_are_given_back(psf):
    rng, exposure = np.random.default_rng(11), exposed()
    search = Search(psf, (0.0, 5.0), trials=15)
    places = [(20.0, 20.5), (85.2, 24.7), (26.3, 84.1), (88.0, 86.0), (57.0, 30.4)]
    threshold, pulls, sizes, extended = None, [], [], []
    for _ in range(7):
        brightness = 10 ** rng.uniform(2.0, 3.3, 5)
        sources = [(p, n, 6.0 if k == 4 else 0.0) for k, (p, n) in enumerate(zip(places, brightness, strict=True))]
        found = detect(Field((picture(rng, 0.3, exposure, sources),), exposure), search, threshold)
        threshold = found.threshold
        for (x, y), number, sigma in sources:
            near = int(np.argmin(np.hypot(found.x - x, found.y - y)))
            assert np.hypot(found.x[near] - x, found.y[near] - y) < 5 or sigma
            if sigma:
                extended.append(found.extended[near])
                sizes.append(found.sigma[near])
                continue
            assert not found.extended[near]
            counts = number * found.exposure[near] / exposure[round(y), round(x)]
            pulls.append(
                [
                    (found.x[near] - x) / found.error[near],
                    (found.y[near] - y) / found.error[near],
                    (found.counts[near, 0] - counts) / found.counts_error[near, 0],
                ]
            )
    pulls = np.array(pulls)
    assert np.all(np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(len(pulls)))
    assert np.all(np.abs(pulls.std(axis=0) - 1) < 0.35)
    assert np.mean(extended) > 0.9
    assert 4.5 < np.median(sizes) < 7.5


def test_a_bright_source_has_no_companions_in_its_wings(psf):
    rng, exposure = np.random.default_rng(12), exposed()
    search = Search(psf, (0.0, 5.0), trials=15, false_alarms=0.1)
    field = Field((picture(rng, 0.05, exposure, [((40.3, 35.0), 20000.0, 0.0)]),), exposure)
    found = detect(field, search)
    assert len(found) == 1
    np.testing.assert_allclose(found.counts[0, 0], 20000.0, rtol=0.03)


def test_a_source_of_one_band_is_found_among_several(psf):
    rng, exposure = np.random.default_rng(13), exposed()
    hard = picture(rng, 0.1, exposure, [((40.0, 30.0), 90.0, 0.0)])
    field = Field((picture(rng, 0.1, exposure, []), picture(rng, 0.1, exposure, []), hard), exposure)
    found = detect(field, Search(psf, trials=15, false_alarms=0.2))
    near = np.hypot(found.x - 40, found.y - 30) < 3
    assert near.sum() == 1
    assert found.counts[near][0, 2] > 10 * found.counts[near][0, :2].max() or found.counts[near][0, 2] > 50


def test_equal_weights_have_the_poisson_probability():
    counts = np.arange(5, 30).astype(float)
    one = np.ones(len(counts))
    expected = -poisson.logsf(counts - 1, 2.0)
    np.testing.assert_allclose(improbability(counts, 2.0 * one, 2.0 * one), expected, rtol=1e-6)
    np.testing.assert_allclose(gaussian_equivalent(-norm.logsf([1.0, 5.0, 60.0])), [1.0, 5.0, 60.0], rtol=1e-6)


def test_what_makes_no_sense_is_refused(psf):
    with pytest.raises(RequestError, match="shape"):
        Field((np.ones((3, 3)),), np.ones((4, 4)))
    with pytest.raises(RequestError, match="exposure"):
        Field((np.ones((3, 3)),), np.zeros((3, 3)))
    with pytest.raises(RequestError, match="blank fields"):
        Search(psf, false_alarms=0.01, trials=10)
