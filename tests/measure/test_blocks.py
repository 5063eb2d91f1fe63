"""Bayesian blocks and tests of constancy on simulated events."""

import numpy as np
import pytest
from scipy.stats import kstest

from xtendsrc.errors import RequestError
from xtendsrc.measure.blocks import bayesian_blocks, chi_squared, constancy

START = np.arange(8) * 5760.0
STOP = START + 3600.0


def events(rng, rate_of):
    """Events within the good times for a rate below 0.2 counts/s."""
    size = rng.poisson(0.2 * START.size * 3600)
    index = rng.integers(0, len(START), size)
    times = START[index] + rng.uniform(0, 3600, size)
    return times[rng.random(size) * 0.2 < rate_of(times)]


def test_a_step_is_found_and_gaps_make_no_blocks():
    rng = np.random.default_rng(2)
    times = events(rng, lambda t: np.where(t < 20000, 0.02, 0.09))
    found = bayesian_blocks(times, START, STOP)
    assert len(found) == 2
    assert abs(found.start[1] - 20000) < 600
    np.testing.assert_allclose(found.rate, [0.02, 0.09], rtol=0.15)
    assert found.counts.sum() == len(times)
    np.testing.assert_allclose(found.exposure.sum(), 8 * 3600)
    assert found.start[0] == START[0]
    assert found.stop[-1] == STOP[-1]


def test_a_constant_source_is_one_block_as_often_as_said():
    rng = np.random.default_rng(3)
    broken = sum(len(bayesian_blocks(events(rng, lambda t: 0.01 + 0 * t), START, STOP, 0.05)) > 1 for _ in range(40))
    assert broken <= 8


def test_frames_of_equal_times_and_too_many_events():
    rng = np.random.default_rng(4)
    times = np.floor(events(rng, lambda t: np.where(t < 20000, 0.05, 0.19)) / 4) * 4 + 2
    found = bayesian_blocks(np.repeat(times, 5), START, STOP, 0.01)
    assert any(abs(found.start - 20000) < 600)
    nothing = bayesian_blocks([], START, STOP)
    assert len(nothing) == 1
    assert nothing.counts[0] == 0


def test_a_constant_rate_has_uniform_probabilities():
    rng = np.random.default_rng(5)
    exposure = np.array([1e4, 3e4, 2e4, 5e3, 4e4])
    background = 1e-3 * exposure
    chances, gauss = [], []
    for _ in range(400):
        counts = rng.poisson(4e-3 * exposure + background)
        chances.append(constancy(counts, exposure, background).probability)
        gauss.append(chi_squared(counts / exposure, np.sqrt(5e-3 / exposure)).probability)
    assert kstest(chances, "uniform").pvalue > 1e-3
    assert kstest(gauss, "uniform").pvalue > 1e-3


def test_a_variable_source_is_told():
    found = constancy([40, 160], [1e4, 1e4])
    assert found.rate == pytest.approx(1e-2)
    assert found.dof == 1
    assert found.statistic == pytest.approx(2 * (40 * np.log(0.4) + 160 * np.log(1.6)))
    assert found.probability < 1e-10
    assert constancy([0, 0], [1e4, 1e4]).statistic == 0


def test_too_little_is_refused():
    with pytest.raises(RequestError):
        constancy([1], [1e4])
    with pytest.raises(RequestError):
        bayesian_blocks([1.0], [], [])
