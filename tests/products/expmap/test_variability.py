"""Hardness ratios and fractional variability."""

import numpy as np
import pytest
from scipy import stats

from xtendsrc.errors import RequestError
from xtendsrc.measure.variability import fractional_variability, hardness_ratio


def test_hardness_of_counts_without_background_is_a_beta():
    # s ~ Gamma(S+1), h ~ Gamma(H+1): h / (h + s) ~ Beta(H+1, S+1)
    made = hardness_ratio((20, 0), (8, 0))
    beta = stats.beta(9, 21)
    assert made.value == pytest.approx(2 * beta.mean() - 1, abs=2e-3)
    assert beta.cdf((made.high + 1) / 2) - beta.cdf((made.low + 1) / 2) == pytest.approx(0.6827, abs=5e-3)


def test_no_counts_say_nothing():
    made = hardness_ratio((0, 0), (0, 0))
    assert made.value == pytest.approx(0.0, abs=1e-9)
    assert made.high - made.low == pytest.approx(2 * 0.6827, abs=0.01)


def test_bands_exchanged():
    one, two = hardness_ratio((12, 30), (5, 20), 0.2), hardness_ratio((5, 20), (12, 30), 0.2)
    assert one.value == pytest.approx(-two.value, abs=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(11)
    inside, trials = 0, 200
    for _ in range(trials):
        soft, hard = rng.exponential(20.0, 2)
        counts = [(rng.poisson(m + 4), rng.poisson(20)) for m in (soft, hard)]
        made = hardness_ratio(*counts, scale=0.2)
        inside += made.low <= (hard - soft) / (hard + soft) <= made.high
    assert inside / trials == pytest.approx(0.6827, abs=4 * np.sqrt(0.6827 * 0.3173 / trials))


def test_variability_of_a_known_amplitude():
    rng = np.random.default_rng(3)
    values = []
    for _ in range(100):
        true = 1 + 0.3 * rng.standard_normal(400)
        values.append(fractional_variability(true + 0.2 * rng.standard_normal(400), np.full(400, 0.2)))
    fractions, errors = np.array(values).T
    assert fractions.mean() == pytest.approx(0.3, abs=0.01)
    assert 0 < errors.mean() < 0.02


def test_constant_source_has_none():
    rng = np.random.default_rng(4)
    none = sum(
        np.isnan(fractional_variability(1 + 0.1 * rng.standard_normal(50), np.full(50, 0.1))[0]) for _ in range(200)
    )
    assert 70 < none < 140
    with pytest.raises(RequestError):
        fractional_variability([1.0], [0.1])
