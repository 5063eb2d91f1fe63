"""The nominal response against its published anchors and a second way to compute it."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest, norm

from xtendsrc.errors import RequestError
from xtendsrc.responses import nominal


def test_areas_at_the_published_energies():
    assert np.allclose(nominal.effective_area([6.0, 1.5, 1.0, 0.5]), [310, 393, 343, 168], atol=0.6)
    assert nominal.effective_area(0.25) == nominal.effective_area(16.0) == 0.0


@pytest.mark.parametrize(("energy", "width"), [(1.5, 18.0), (4.5, 17.2), (6.4, 16.1), (8.0, 13.3), (10.0, 11.2)])
def test_full_width_at_half_response(energy, width):
    assert nominal.vignetting(energy, width / 2) == pytest.approx(0.5, abs=0.012)


def test_vignetting_is_the_table_at_its_nodes_and_flat_beyond():
    assert nominal.vignetting(6.4, 12.0) == pytest.approx(0.3177)
    assert nominal.vignetting(0.4, 0.0) == nominal.vignetting(14.0, 0.0) == 1.0
    assert nominal.vignetting(10.0, 34.0) == nominal.vignetting(10.0, 25.0) == pytest.approx(0.0960)
    assert nominal.vignetting([1.0, 8.0], [[0.0], [10.0]]).shape == (2, 2)


@pytest.mark.parametrize(("hpd", "column"), [(1.30, 1), (1.47, 2)])
def test_enclosed_energy_is_the_shipped_table(hpd, column):
    text = (files("xtendsrc") / "data/nominal/xtend_psf_eef_nominal.csv").read_text()
    table = np.loadtxt(text.splitlines(), delimiter=",")
    assert np.allclose(nominal.psf_eef(table[:, 0], hpd), table[:, column], atol=1e-4)
    assert nominal.psf_eef(hpd / 2, hpd) == pytest.approx(0.5, abs=1e-4)


def test_surface_brightness_integrates_to_the_enclosed_energy():
    for radius in (0.3, 1.0, 4.0):
        total, _ = quad(lambda r: 2 * np.pi * r * nominal.psf_surface_brightness(r), 0, radius)
        assert total == pytest.approx(nominal.psf_eef(radius), abs=1e-9)


def test_sampled_photons_follow_the_enclosed_energy():
    x, y = nominal.sample_psf(np.random.default_rng(1), 20_000)
    assert kstest(np.hypot(x, y), nominal.psf_eef).pvalue > 1e-3
    assert abs(np.mean(x)) < 0.03


def test_resolution_is_the_published_one():
    assert np.allclose(nominal.fwhm([0.5, 1, 2, 5.9, 10]) * 1000, [63, 74, 94, 170, 247], atol=1)


@pytest.mark.parametrize("energy", [0.301, 1.487, 5.899, 9.713, 20.0])
def test_redistribution_is_a_gaussian(energy):
    response = nominal.redistribution()
    row = int(np.argmin(np.abs((response.energy_lo + response.energy_hi) / 2 - energy)))
    centre = (response.energy_lo[row] + response.energy_hi[row]) / 2
    photons = np.zeros(6400)
    photons[row] = 1.0
    channels = response.fold(photons)
    width = nominal.fwhm(centre) / 2.3548200450309493
    expected = np.diff(norm.cdf(np.arange(4097) * 0.006, centre, width))
    expected[0] += norm.cdf(0.0, centre, width)
    assert channels.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(channels, expected, atol=2e-6)


def test_grid_is_that_of_xtdrmf():
    low, high = nominal.response_energies()
    assert len(low) == 6400
    assert (low[0], high[-1]) == (0.2, 24.0)
    assert np.array_equal(low[1:], high[:-1])
    assert np.allclose((high - low)[[0, 5899, 5900]], [0.002, 0.002, 0.024])


def test_sampled_channels_have_the_width():
    pi = nominal.sample_channels(np.random.default_rng(2), np.full(100_000, 5.895))
    assert pi.mean() + 0.5 == pytest.approx(5895 / 6, abs=0.2)
    assert pi.std() * 6 * 2.3548 == pytest.approx(170, abs=2)


def test_a_psf_needs_a_size():
    with pytest.raises(RequestError, match="half-power"):
        nominal.psf_eef(1.0, hpd=0.0)
