"""Grouping: totals kept, selections obeyed, backgrounds scaled, errors those of Poisson and of the file."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xtendsrc as xs
from tests.products.ogip import DATA, write_spectrum
from xtendsrc.errors import InputFileError, RequestError
from xtendsrc.fit.data import FIT_GROUPING

BAND = (0.5, 10) * u.keV
SCHEMES = ("none", "min 1", "min 20", "constant 7", "fwhm/3", "fwhm/3, background >= 4", "fwhm/2, counts >= 10")


@pytest.fixture(scope="module")
def source(truth):
    return xs.Spectrum.read(truth / "src.pi.gz")


def net_rate(spectrum, kept):
    """Net counts a second, from the numbers of the two files."""
    background = spectrum.background
    scale = (50000 * 0.01) / (50000 * 0.04)
    return (spectrum.counts[kept] - scale * background.counts[kept]).sum() / 50000


@pytest.mark.parametrize("scheme", [*SCHEMES, None])
@pytest.mark.parametrize("energy", [None, BAND, (2, 7) * u.keV, (500, 10000) * u.eV])
def test_rate_times_width_is_the_net_rate(source, scheme, energy):
    grouped = source.grouped(scheme, energy)
    low, high = {None: (0, 4096), 2.0: (333, 1167)}.get(None if energy is None else energy[0].value, (83, 1667))
    total = (grouped.rate * grouped.width * u.keV).sum().to_value("ct/s")
    assert total == pytest.approx(net_rate(source, np.s_[low:high]), rel=1e-12)
    assert grouped.counts.sum() == source.counts[low:high].sum()
    assert (grouped.first[0], grouped.last[-1]) == (low, high - 1)
    np.testing.assert_array_equal(grouped.first[1:], grouped.last[:-1] + 1)
    np.testing.assert_allclose(grouped.energy_lo, grouped.first * 0.006, atol=1e-6)
    np.testing.assert_allclose(grouped.energy_hi, (grouped.last + 1) * 0.006, atol=1e-6)


def test_the_number_of_groups_is_that_of_sherpa(source):
    # sherpa 4.19: notice(0.5, 10), group_counts(1): 1466 degrees of freedom with three parameters
    assert len(source.grouped("min 1", BAND)) == 1466 + 3


def test_schemes_hold_what_they_promise(source):
    least = source.grouped("min 20", BAND)
    assert least.counts[:-1].min() >= 20
    assert least.complete[:-1].all()
    same = source.grouped("constant 7", BAND)
    assert set((same.last - same.first + 1)[:-1]) == {7}
    for scheme, counts in (("fwhm/3", 1), ("fwhm/3, background >= 4", 4)):
        grouped = source.grouped(scheme, BAND)
        assert grouped.background_counts[grouped.complete].min() >= counts
        width = np.interp(
            grouped.energy_lo, [0.5, 1, 2, 4, 5.9, 8, 10], [0.063, 0.074, 0.094, 0.134, 0.17, 0.21, 0.247]
        )
        assert (grouped.width[grouped.complete] > width[grouped.complete] / 3 - 0.008).all()
    assert FIT_GROUPING == "fwhm/3"


def test_a_file_grouped_by_grppha_is_grouped_as_it_says():
    path = DATA / "full_window" / "src_min20.pha.gz"
    spectrum, plain = xs.Spectrum.read(path), xs.Spectrum.read(DATA / "full_window" / "src.pha.gz")
    grouped = spectrum.grouped()
    assert grouped.counts.min() >= 20
    assert grouped.counts.sum() == plain.counts[spectrum.quality == 0].sum()
    again = spectrum.grouped("min 20")
    np.testing.assert_array_equal(again.counts[again.complete], grouped.counts)
    assert again.counts.sum() == plain.counts.sum()


def test_bad_channels_are_left_out_and_not_spanned(tmp_path):
    counts = np.full(4096, 3)
    quality = np.zeros(4096, int)
    quality[[90, 91, 200]] = [1, 5, 1]
    spectrum = xs.Spectrum.read(write_spectrum(tmp_path / "a.pi", counts, [("QUALITY", "I", quality)]))
    grouped = spectrum.grouped("constant 8", BAND)
    assert grouped.counts.sum() == 3 * (1584 - 3)
    covered = np.concatenate([np.arange(a, b + 1) for a, b in zip(grouped.first, grouped.last, strict=True)])
    np.testing.assert_array_equal(covered, np.setdiff1d(np.arange(83, 1667), [90, 91, 200]))
    assert (grouped.first[0], grouped.first[1]) == (83, 92)
    np.testing.assert_allclose(grouped.counts / grouped.width, 500)
    none_good = write_spectrum(tmp_path / "b.pi", counts, [("QUALITY", "I", np.ones(4096))])
    with pytest.raises(RequestError, match="No good channel"):
        xs.Spectrum.read(none_good).grouped("none")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31), least=st.integers(1, 9))
def test_background_is_scaled_channel_by_channel(tmp_path_factory, seed, least):
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("scaled")
    counts, other = rng.poisson(2.0, 300), rng.poisson(5.0, 300)
    area, back, back_area = rng.uniform(0.5, 2, 300), rng.uniform(1, 9, 300), rng.uniform(0.5, 2, 300)
    write_spectrum(folder / "b.pi", other, [("BACKSCAL", "D", back), ("AREASCAL", "D", back_area)], EXPOSURE=10000.0)
    path = write_spectrum(folder / "a.pi", counts, [("AREASCAL", "D", area)], BACKSCAL=2.0, BACKFILE="b.pi")
    grouped = xs.Spectrum.read(path).grouped(f"min {least}")
    scaled, index = np.zeros(len(grouped)), 0
    for channel in range(300):
        index += channel > grouped.last[index]
        scaled[index] += other[channel] * (1000 * 2.0 * area[channel]) / (10000 * back[channel] * back_area[channel])
    np.testing.assert_allclose(grouped.scaled_background, scaled, rtol=1e-12)
    np.testing.assert_allclose(grouped.background_counts * grouped.scale, scaled, rtol=1e-12)
    np.testing.assert_allclose(grouped.net_counts, grouped.counts - scaled, atol=1e-12)


def test_errors_are_poissons_and_background_counts_the_other_way(tmp_path):
    # Gehrels 1986, tables 1 and 2: 0 counts give +1.841, 1 count -0.827 +2.300, 10 counts -3.108 +4.267
    write_spectrum(tmp_path / "b.pi", np.array([0, 0, 10]), BACKSCAL=0.02)
    path = write_spectrum(tmp_path / "a.pi", np.array([0, 1, 10]), BACKFILE="b.pi")
    lower, upper = xs.Spectrum.read(path).grouped("none").rate_error
    unit = 1000 * 0.006
    np.testing.assert_allclose(
        lower.value * unit, np.hypot([0, 0.827, 3.108], np.array([1.841, 1.841, 4.267]) / 2), atol=2e-3
    )
    np.testing.assert_allclose(
        upper.value * unit, np.hypot([1.841, 2.300, 4.267], np.array([0, 0, 3.108]) / 2), atol=2e-3
    )


def test_errors_of_the_file_add_in_quadrature(tmp_path):
    errors = ("STAT_ERR", "D", np.array([3.0, 4.0, 5.0, 12.0]))
    path = write_spectrum(tmp_path / "a.pi", np.array([1.5, -2.5, 3.0, 4.0]), [errors], POISSERR=False)
    grouped = xs.Spectrum.read(path).grouped("constant 2")
    for side in grouped.errors:
        np.testing.assert_allclose(side, [5.0, 13.0])
    negative = xs.Spectrum.read(write_spectrum(tmp_path / "b.pi", np.array([1.5, -2.5])))
    with pytest.raises(InputFileError, match="negative counts"):
        negative.grouped("none")


def test_what_cannot_be_grouped_is_refused(source):
    for scheme in ("min", "max 3", "min 0", "fwhm/0", "constant -1"):
        with pytest.raises(RequestError, match="grouping"):
            source.grouped(scheme, BAND)
    for energy in [(0.5, 10), (10, 0.5) * u.keV, 3 * u.keV]:
        with pytest.raises(RequestError):
            source.grouped("none", energy)
    with pytest.raises(RequestError, match="needs a background"):
        source.background.grouped("fwhm/3, background >= 4")
    assert len(source.background.grouped("fwhm/3")) > 100
