"""Posteriors of counts against published intervals, closed forms and simulated coverage."""

import numpy as np
import pytest
from astropy.stats import poisson_conf_interval
from scipy.integrate import quad
from scipy.stats import binom, gamma, poisson

from xtendsrc.errors import RequestError
from xtendsrc.measure.poisson import CountsPosterior, chance, significance


@pytest.mark.parametrize("background", [0.3, 2.0, 7.5])
@pytest.mark.parametrize("level", [0.6827, 0.9])
def test_with_a_known_background_the_interval_is_that_of_kraft_burrows_and_nousek(background, level):
    on = np.arange(1, 16)  # astropy has no interval for 0 counts
    off = 10_000_000
    low, high = CountsPosterior.of(on, off, background / off).interval(level)
    expected = poisson_conf_interval(on, "kraft-burrows-nousek", background=background, confidence_level=level)
    np.testing.assert_allclose(low, expected[0], atol=0.02)
    np.testing.assert_allclose(high, expected[1], atol=0.02)


def test_without_background_the_posterior_is_a_gamma_distribution():
    on = np.array([0, 1, 5, 40, 400])
    posterior = CountsPosterior.of(on, 0, 0.0)
    np.testing.assert_allclose(posterior.mean, on + 1, rtol=3e-3)
    for level in (0.9, 0.99):
        np.testing.assert_allclose(posterior.quantile(level), gamma.ppf(level, on + 1), rtol=3e-3)


@pytest.mark.parametrize(("on", "off", "scale"), [(3, 5, 0.2), (20, 160, 0.1), (61, 40, 0.5), (300, 600, 0.25)])
def test_the_density_is_the_background_integrated_out(on, off, scale):
    posterior = CountsPosterior.of(on, off, scale)

    def integrand(b, s):
        return np.exp(poisson.logpmf(on, s + scale * b) + poisson.logpmf(off, b))

    top = off + 12 * np.sqrt(off + 1) + 20
    picks = posterior.counts[0, 30:400:40]
    exact = np.array([quad(integrand, 0, top, args=(s,), points=[off], limit=200)[0] for s in picks])
    found = posterior.density[0, 30:400:40]
    keep = exact > 1e-4 * exact.max()
    ratio = found[keep] / exact[keep]
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=0.01)


def test_exact_sum_and_laplace_agree_where_they_meet():
    level = 0.6827
    below = np.array(CountsPosterior.of(60, 300, 0.1).interval(level))
    above = np.array(CountsPosterior.of(61, 300, 0.1).interval(level))
    np.testing.assert_allclose(above - below, 1.0, atol=0.08)


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_upper_limits_cover(level):
    rng = np.random.default_rng(5)
    for truth in range(11):
        for background in (0.5, 4.0):
            off = rng.poisson(background * 10, 600)
            on = rng.poisson(truth + background, 600)
            limit = CountsPosterior.of(on, off, 0.1).quantile(level)
            covered = np.mean(limit >= truth)
            assert covered >= level - 3 * np.sqrt(level * (1 - level) / 600), (truth, background, covered)


def test_limit_of_nothing_is_the_logarithm():
    np.testing.assert_allclose(CountsPosterior.of([0], [0], [0.0]).quantile(0.95), 2.996, atol=0.01)


def test_significance_is_that_of_li_and_ma():
    value = significance([10, 0, 10, 5], [20, 0, 100, 100], 0.1)
    np.testing.assert_allclose(value[0], 3.68503, rtol=1e-5)  # as gammapy's documentation has it
    assert value[1] == 0
    assert value[2] == 0
    assert value[3] < 0
    rng = np.random.default_rng(1)
    null = significance(rng.poisson(50, 20000), rng.poisson(500, 20000), 0.1)
    assert abs(null.std() - 1) < 0.03
    assert abs(null.mean()) < 0.03


def test_chance_is_the_binomial_tail():
    on, off, scale = np.array([1, 4, 12]), np.array([3, 10, 50]), 0.1
    expected = binom.sf(on - 1, on + off, scale / (1 + scale))
    np.testing.assert_allclose(chance(on, off, scale), expected, rtol=1e-10)
    assert chance(0, 7, 0.1) == 1


def test_negative_counts_are_refused():
    with pytest.raises(RequestError, match="0 or more"):
        CountsPosterior.of([-1], [0], [0.1])
    with pytest.raises(RequestError, match="no probability"):
        CountsPosterior.of([1], [0], [0.1]).quantile(1.5)
