"""Profiles, centres, mixing and models of simulated extended sources."""

import numpy as np
import pytest

from xtendsrc.errors import RegionError, RequestError
from xtendsrc.measure.profile import (
    Picture,
    centroid,
    edges_of_equal_counts,
    edges_of_signal,
    joined,
    mixing_matrix,
    peak,
    radial_profile,
)
from xtendsrc.measure.psf import RadialPSF
from xtendsrc.measure.surface import fit_profile, hardness_map

SIDE = 0.1
"""Arcmin of a pixel."""
SCALE = 0.438
"""Arcmin: scale length of a PSF with a half-power diameter of 1.47'."""
CENTRE = (152.3, 147.6)
SHAPE = (300, 300)


@pytest.fixture(scope="module")
def psf():
    return RadialPSF.of(lambda r: 1 - (1 + r / SCALE) * np.exp(-r / SCALE), 30 * SCALE)


def beta_photons(rng, number, core, beta, blur=True):
    """Pixels of photons of a beta model (beta > 1/2), blurred."""
    size = rng.poisson(number)
    slope = 3 * beta - 1.5
    radius = core * np.sqrt((1 - rng.random(size)) ** (-1 / slope) - 1)
    angle, turn = rng.uniform(0, 2 * np.pi, (2, size))
    spread = rng.gamma(2.0, SCALE, size) if blur else 0.0
    x = CENTRE[0] + (radius * np.cos(angle) + spread * np.cos(turn)) / SIDE
    y = CENTRE[1] + (radius * np.sin(angle) + spread * np.sin(turn)) / SIDE
    on = (np.abs(x - 149.5) < 150) & (np.abs(y - 149.5) < 150)
    image = np.zeros(SHAPE)
    np.add.at(image, (np.rint(y[on]).astype(int), np.rint(x[on]).astype(int)), 1)
    return image


def exposure_with_gap():
    exposure = np.full(SHAPE, 5e4)
    exposure[165:170] = 0  # a gap half an arcmin wide, two arcmin from the middle
    exposure[:, 200:] *= 0.6
    return exposure


def observed(rng, core=1.5, beta=0.7, number=20000, level=0.2):
    exposure = exposure_with_gap()
    image = rng.binomial(beta_photons(rng, number, core, beta).astype(int), exposure / 5e4)
    dark = level * exposure / 5e4
    return Picture(image + rng.poisson(dark), exposure, dark, SIDE)


def central_brightness(number, core, beta):
    """Counts/s/arcmin2 in the middle of a beta model of that many counts in all."""
    return number / 5e4 * (3 * beta - 1.5) / (np.pi * core**2)


def test_a_beta_model_is_given_back_with_its_errors(psf):
    rng = np.random.default_rng(1)
    truth = np.array([central_brightness(20000, 1.5, 0.7), 1.5, 0.7, 0.0])
    pulls = []
    for _ in range(9):
        profile = radial_profile(observed(rng), CENTRE, np.linspace(0, 12, 31))
        fit = fit_profile(profile, "beta", psf)
        pulls.append((np.array(list(fit.values.values())) - truth) / np.array(list(fit.errors.values())))
        assert fit.statistic / fit.dof < 2.5
    pulls = np.array(pulls)
    assert np.all(np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(9))
    assert np.all(pulls.std(axis=0) < 1.6)
    assert np.all(pulls.std(axis=0) > 0.4)


def test_without_the_psf_the_core_comes_out_too_large(psf):
    profile = radial_profile(observed(np.random.default_rng(2), core=0.5), CENTRE, np.linspace(0, 10, 41))
    folded, plain = fit_profile(profile, "beta", psf), fit_profile(profile, "beta", None)
    assert abs(folded.values["core"] - 0.5) < 4 * folded.errors["core"]
    assert plain.values["core"] > 0.5 + 10 * plain.errors["core"]


def test_two_components_are_told_apart(psf):
    rng = np.random.default_rng(3)
    image = beta_photons(rng, 8000, 0.4, 0.75) + beta_photons(rng, 30000, 3.0, 0.75)
    picture = Picture(image, np.full(SHAPE, 5e4), 0.0, SIDE)
    profile = radial_profile(picture, CENTRE, np.linspace(0, 13, 40))
    one = fit_profile(profile, "beta", psf, constant=False)
    two = fit_profile(profile, "double_beta", psf, constant=False)
    assert one.statistic - two.statistic > 100
    cores = sorted((two.values["core"], two.values["core2"]))
    np.testing.assert_allclose(cores, [0.4, 3.0], rtol=0.25)


def test_a_flat_field_has_a_flat_profile_and_a_square_growth():
    rng = np.random.default_rng(4)
    exposure = exposure_with_gap()
    picture = Picture(rng.poisson(exposure * 2e-5), exposure, 0.0, SIDE)
    profile = radial_profile(picture, CENTRE, [0, 2, 4, 6, 8, 10])
    np.testing.assert_array_less(np.abs(profile.brightness - 2e-5 / SIDE**2), 4 * profile.error)
    assert profile.area[1] < 0.99 * profile.full_area[1]
    growth, error = profile.growth
    full = radial_profile(Picture(picture.counts, np.full(SHAPE, 5e4), 0.0, SIDE), CENTRE, [0, 2, 4])
    assert full.area[0] == pytest.approx(full.full_area[0], rel=0.02)
    assert np.all(np.diff(growth) > 0)
    assert np.all(error**2 >= profile.counts.cumsum() - 1e-9)


def test_annuli_of_equal_counts_and_of_equal_signal():
    picture = observed(np.random.default_rng(5))
    rings = radial_profile(picture, CENTRE, np.arange(0, 8.05, SIDE))
    edges = edges_of_equal_counts(rings, 6)
    counts = radial_profile(picture, CENTRE, edges).counts
    assert len(counts) == 6
    assert np.ptp(counts) < 0.2 * counts.mean()
    edges = edges_of_signal(rings, 20.0)
    assert np.all(radial_profile(picture, CENTRE, edges).signal_to_noise >= 20.0)
    with pytest.raises(RequestError):
        edges_of_signal(rings, 1e4)
    with pytest.raises(RequestError):
        edges_of_equal_counts(rings, 10**7)


def test_joined_profiles_are_those_of_all_the_counts():
    rng = np.random.default_rng(10)
    pictures = [observed(rng), observed(rng)]
    one, two = (radial_profile(p, CENTRE, np.arange(6.0)) for p in pictures)
    both = joined([one, two])
    np.testing.assert_array_equal(both.counts, one.counts + two.counts)
    np.testing.assert_allclose(both.brightness, (one.brightness + two.brightness) / 2)
    np.testing.assert_allclose(both.area, one.area)
    with pytest.raises(RequestError):
        joined([one, radial_profile(pictures[1], CENTRE, np.arange(7.0))])


def test_centroid_and_peak_are_where_the_source_is(psf):
    rng = np.random.default_rng(6)
    found = [centroid(observed(rng, number=3000), (145.0, 150.0), 6.0) for _ in range(6)]
    offset = np.array([[c.x - CENTRE[0], c.y - CENTRE[1]] for c in found])
    pulls = offset / np.array([[c.error] for c in found])
    assert np.all(np.abs(offset.mean(axis=0)) < 2.5)  # the gap shifts the mean a little, by less than a quarter arcmin
    assert np.all(pulls.std(axis=0) < 2)
    x, y = peak(observed(rng), psf.scaled(1 / SIDE))
    assert np.hypot(x - CENTRE[0], y - CENTRE[1]) < 4
    with pytest.raises(RegionError):
        centroid(Picture(np.zeros(SHAPE), np.ones(SHAPE), 0.0, SIDE), CENTRE, 3.0)


def test_rows_of_the_mixing_matrix_add_up_to_what_is_enclosed(psf):
    edges = np.array([0.0, 1.0, 2.0, 4.0])
    matrix = mixing_matrix(psf, edges)
    rng = np.random.default_rng(7)
    for number in range(3):
        size = 300_000
        radius = np.sqrt(rng.uniform(edges[number] ** 2, edges[number + 1] ** 2, size))
        blur, turn = rng.gamma(2.0, SCALE, size), rng.uniform(0, 2 * np.pi, size)
        landed = np.hypot(radius + blur * np.cos(turn), blur * np.sin(turn))
        np.testing.assert_allclose(matrix[number], np.histogram(landed, edges)[0] / size, atol=0.004)
        np.testing.assert_allclose(matrix[number].sum(), np.mean(landed < 4.0), atol=0.004)
    sharp = RadialPSF(np.array([0.0, 1e-4]), np.array([0.0, 1.0]))
    np.testing.assert_allclose(mixing_matrix(sharp, edges), np.eye(3), atol=0.06)


def test_a_hardness_map_shows_both_colours():
    rng = np.random.default_rng(8)
    columns = np.indices(SHAPE)[1]
    left = columns < 150
    exposure = np.full(SHAPE, 1e4)
    soft = Picture(rng.poisson(np.where(left, 0.9, 0.3) + 0.1), exposure, 0.1, SIDE)
    hard = Picture(rng.poisson(np.where(left, 0.3, 0.9) + 0.1), exposure, 0.1, SIDE)
    made = hardness_map(soft, hard, 100.0, 20.0)
    for part, truth in ((columns < 120, -0.5), ((columns > 180) & (columns < 280), 0.5)):
        inside = part & (np.abs(np.indices(SHAPE)[0] - 150) < 100)
        assert np.nanmean(made.ratio[inside]) == pytest.approx(truth, abs=0.01)
        pulls = (made.ratio[inside] - truth) / made.error[inside]
        assert np.nanstd(pulls) == pytest.approx(1.0, abs=0.15)
    faint = hardness_map(Picture(np.zeros(SHAPE), exposure, 0.0, SIDE), Picture(np.zeros(SHAPE), exposure, 0.0, SIDE))
    assert np.isnan(faint.ratio).all()


def test_radii_that_do_not_rise_are_refused(psf):
    picture = observed(np.random.default_rng(9))
    for edges in ([1.0], [2.0, 1.0], [-1.0, 2.0]):
        with pytest.raises(RequestError, match="annuli"):
            radial_profile(picture, CENTRE, edges)
    with pytest.raises(RegionError):
        radial_profile(picture, (5000.0, 0.0), [0.0, 1.0])
    with pytest.raises(RequestError, match="no model"):
        fit_profile(radial_profile(picture, CENTRE, np.arange(9.0)), "gamma", psf)
