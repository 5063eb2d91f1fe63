"""Counts in circles, blended apertures and limits against brute force and simulated truths."""

import numpy as np
import pytest
from scipy.stats import poisson

from xtendsrc.errors import RequestError
from xtendsrc.measure.photometry import (
    Levels,
    Threshold,
    counts_in_circles,
    deblend,
    limiting_counts,
    rates,
    sensitivity,
    sums_in_circles,
)
from xtendsrc.measure.psf import RadialPSF


def exponential(a, reach):
    """Enclosed fractions of the surface brightness exp(-r / a)."""
    return RadialPSF.of(lambda r: 1 - (1 + r / a) * np.exp(-r / a), reach)


def draw(psf_scale, rng, size):
    radius, angle = rng.gamma(2.0, psf_scale, size), rng.uniform(0, 2 * np.pi, size)
    return radius * np.cos(angle), radius * np.sin(angle)


def test_counts_are_those_of_every_distance_measured():
    rng = np.random.default_rng(3)
    x, y = rng.integers(1, 400, (2, 20000))
    centres = rng.uniform(-20, 420, (60, 2))
    centres[:20] = np.rint(centres[:20])  # events exactly on the edge of these
    centres[7] = np.nan
    radius = np.where(np.arange(60) < 20, 25.0, rng.uniform(0, 60, 60))
    distance = (x[:, None] - centres[:, 0]) ** 2 + (y[:, None] - centres[:, 1]) ** 2
    np.testing.assert_array_equal(counts_in_circles(x, y, centres, radius), (distance <= radius**2).sum(axis=0))
    assert counts_in_circles(x[:0], y[:0], centres, 5.0).sum() == 0


def test_sums_of_a_map_are_those_of_events_on_its_pixels():
    rng = np.random.default_rng(4)
    image = rng.poisson(0.4, (120, 150))
    y, x = (np.repeat(index.ravel(), image.ravel()) for index in np.indices(image.shape))
    centres = rng.uniform(-10, 160, (80, 2))
    centres[3] = np.inf
    radius = rng.uniform(0, 30, 80)
    np.testing.assert_allclose(sums_in_circles(image, centres, radius), counts_in_circles(x, y, centres, radius))


def test_rates_give_back_the_truth_with_their_errors():
    rng = np.random.default_rng(5)
    number, truth, exposure = 4000, 2.5e-3, 2e4
    on = rng.poisson(0.8 * truth * exposure + 6.0, number)
    off = rng.poisson(60.0, number)
    found = rates(on, off, 0.1, 0.8 * exposure)
    assert abs(found.rate.mean() / truth - 1) < 0.01
    inside = np.mean((found.rate_lo <= truth) & (truth <= found.rate_hi))
    assert abs(inside - 0.6827) < 0.03
    assert np.all((found.rate_lo <= found.rate_hi) & (found.rate_hi <= found.upper_limit))


def test_without_exposure_there_is_no_rate():
    found = rates([0], [3], [0.2], [0.0], Levels(interval=0.9, limit=0.95))
    assert np.isnan(found.rate[0])
    assert np.isnan(found.upper_limit[0])


def test_overlapping_sources_are_solved_together():
    """Pulls of three blended sources over many fields; alone each aperture would be off by many sigma."""
    rng = np.random.default_rng(6)
    a, radius = 15.0, 30.0
    psf = exponential(a, 400.0)
    centres = np.array([[200.0, 200.0], [235.0, 200.0], [215.0, 232.0], [600.0, 600.0]])
    truth = np.array([500.0, 150.0, 300.0, 80.0])
    background = 0.002 * np.pi * radius**2
    pulls = []
    for _ in range(150):
        parts = [np.add(c[:, None], draw(a, rng, rng.poisson(n))) for c, n in zip(centres, truth, strict=True)]
        parts.append(rng.uniform(0, 800, (2, rng.poisson(0.002 * 800**2))))
        x, y = np.concatenate(parts, axis=1)
        found = deblend((x, y), centres, radius, psf, background)
        pulls.append((found.counts - truth) / found.error)
    pulls = np.array(pulls)
    assert np.all(np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(150))
    assert np.all(np.abs(pulls.std(axis=0) - 1) < 0.25)


def test_the_same_position_twice_is_refused():
    psf = exponential(15.0, 400.0)
    with pytest.raises(RequestError, match="the same"):
        deblend((np.ones(3), np.ones(3)), np.array([[1.0, 1.0], [1.0, 1.0]]), 30.0, psf, 0.0)


@pytest.mark.parametrize("background", [0.0, 0.01, 0.7, 5.0, 80.0])
def test_a_source_of_the_limiting_rate_is_detected_as_often_as_said(background):
    threshold = Threshold(chance=1e-3, completeness=0.9)
    limit = float(limiting_counts(background, threshold))
    counts = np.arange(2000)
    needed = counts[poisson.sf(counts - 1, background) <= 1e-3][0]
    np.testing.assert_allclose(poisson.sf(needed - 1, background + limit), 0.9, rtol=1e-6)


def test_a_sensitivity_map_scales_with_exposure_and_psf():
    exposure = np.zeros((60, 60))
    exposure[10:50, 10:50] = 1e4
    psf = exponential(3.0, 60.0)
    limit = sensitivity(np.where(exposure > 0, 0.02, 0.0), exposure, psf, 6.0)
    assert np.isnan(limit[0, 0])
    pixels = sums_in_circles(np.ones((60, 60)), [[30.0, 30.0]], 6.0)[0]
    expected = limiting_counts(0.02 * pixels) / (1e4 * psf.fraction(6.0))
    np.testing.assert_allclose(limit[30, 30], expected)
    assert limit[10, 10] > limit[30, 30]  # at a corner three quarters of the exposure are missing


def test_psf_encloses_what_a_drawn_source_puts_there():
    rng = np.random.default_rng(8)
    psf = exponential(10.0, 200.0)
    x, y = draw(10.0, rng, 400_000)
    for distance, radius in ((0.0, 12.0), (8.0, 12.0), (40.0, 25.0)):
        inside = np.mean(np.hypot(x - distance, y) <= radius)
        np.testing.assert_allclose(psf.fraction_off_centre(distance, radius), inside, atol=0.003)
    np.testing.assert_allclose(psf.fraction(psf.radius_of(0.5)), 0.5, rtol=1e-6)
    blurred = psf.blurred(9.0)
    radii = np.hypot(x + 9 * rng.standard_normal(len(x)), y + 9 * rng.standard_normal(len(x)))
    for radius in (10.0, 25.0, 60.0):
        np.testing.assert_allclose(blurred.fraction(radius), np.mean(radii <= radius), atol=0.006)
    image = psf.image(60, offset=(0.3, -0.2))
    np.testing.assert_allclose(image.sum(), psf.fraction(60.0), atol=0.01)
    rows, columns = np.indices(image.shape) - 60
    centroid = [(image * columns).sum() / image.sum(), (image * rows).sum() / image.sum()]
    np.testing.assert_allclose(centroid, [0.3, -0.2], atol=0.02)
