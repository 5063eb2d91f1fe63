"""Responses: the numbers of the file, whatever its shape, and folding against loops and a known truth."""

import logging

import numpy as np
import pytest
from astropy.io import fits
from scipy.stats import chi2

import xtendsrc as xs
from tests.products.ogip import DATA, write_arf, write_rmf
from xtendsrc.errors import GridMismatchError, InputFileError, InputNotFoundError


def naive_fold(path, photons):
    """Loops over the rows and groups of a matrix, as the memo describes them."""
    with fits.open(path) as hdus:
        table, channels = hdus["MATRIX"], hdus["EBOUNDS"].data["CHANNEL"]
        first = table.header.get("TLMIN4", channels[0])
        out = np.zeros(len(channels))
        for row, flux in zip(table.data, photons, strict=True):
            position = 0
            for group in range(row["N_GRP"]):
                start = int(np.atleast_1d(row["F_CHAN"])[group]) - first
                number = int(np.atleast_1d(row["N_CHAN"])[group])
                for k in range(number):
                    out[start + k] += flux * row["MATRIX"][position + k]
                position += number
    return out


@pytest.mark.parametrize("first", [0, 1, 7])
def test_folding_is_the_loop_over_groups(tmp_path, small, first):
    path = write_rmf(tmp_path / "a.rmf", *small, first=first)
    photons = np.random.default_rng(0).random(40)
    rmf = xs.RMF.read(path)
    np.testing.assert_allclose(rmf.fold(photons), naive_fold(path, photons), rtol=1e-12)
    np.testing.assert_allclose(rmf.fold(photons), photons @ small[0], rtol=1e-6)
    assert rmf.first_channel == first
    np.testing.assert_array_equal(rmf.channels, first + np.arange(50))
    np.testing.assert_allclose(rmf.matrix.toarray(), small[0])


def test_area_multiplies_the_photons(tmp_path, small):
    rmf = xs.RMF.read(write_rmf(tmp_path / "a.rmf", *small))
    area = np.linspace(10, 400, 40)
    arf = xs.ARF.read(write_arf(tmp_path / "a.arf", small[1], small[2], area))
    np.testing.assert_allclose(rmf.fold(np.ones(40), arf), rmf.fold(area))


def test_without_tlmin_the_first_channel_is_that_of_ebounds_and_a_warning_says_so(tmp_path, small, caplog):
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        rmf = xs.RMF.read(write_rmf(tmp_path / "a.rmf", *small, first=1, tlmin=False))
        np.testing.assert_allclose(rmf.matrix.toarray(), small[0])
    assert "TLMIN4" in caplog.text
    assert "a.rmf" in caplog.text


def test_wrong_first_channel_is_refused(tmp_path, small):
    path = write_rmf(tmp_path / "a.rmf", *small, first=1)
    fits.setval(path, "TLMIN4", value=5, extname="MATRIX")
    with pytest.raises(InputFileError, match=r"a\.rmf.*TLMIN"):
        _ = xs.RMF.read(path).matrix


def test_units_of_the_file_are_converted(tmp_path, small):
    matrix, low, high, e_min, e_max = small
    rmf = xs.RMF.read(write_rmf(tmp_path / "a.rmf", matrix, low * 1000, high * 1000, e_min, e_max, unit="eV"))
    np.testing.assert_allclose(rmf.energies.value, np.column_stack([low, high]))
    arf = xs.ARF.read(write_arf(tmp_path / "a.arf", low, high, np.ones(40), unit="m2"))
    np.testing.assert_allclose(arf.area_cm2, 1e4)
    rmf.check_grid(arf)
    odd = xs.ARF.read(write_arf(tmp_path / "b.arf", low, high, np.ones(40), unit="s"))
    with pytest.raises(InputFileError, match="SPECRESP is in 's'"):
        _ = odd.area


def test_grids_that_differ_are_refused(tmp_path, small, caplog):
    _, low, high, *_ = small
    rmf = xs.RMF.read(write_rmf(tmp_path / "a.rmf", *small))
    shifted = xs.ARF.read(write_arf(tmp_path / "b.arf", low + 0.01, high + 0.01, np.ones(40)))
    short = xs.ARF.read(write_arf(tmp_path / "c.arf", low[:-1], high[:-1], np.ones(39)))
    for arf in (shifted, short):
        with pytest.raises(GridMismatchError):
            rmf.fold(np.ones(40), arf)
    with pytest.raises(GridMismatchError, match="40 model energies"):
        rmf.fold(np.ones(39))
    begun = xs.ARF.read(write_arf(tmp_path / "d.arf", np.append(0.45, low[1:]), high, np.ones(40)))
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        rmf.check_grid(begun)
    assert "first energy bin" in caplog.text


def test_files_that_are_no_responses_are_refused_by_name(tmp_path, small):
    with pytest.raises(InputNotFoundError, match=r"gone\.rmf"):
        xs.RMF.read(tmp_path / "gone.rmf")
    arf = write_arf(tmp_path / "a.arf", small[1], small[2], np.ones(40))
    with pytest.raises(InputFileError, match=r"a\.arf has no extension MATRIX.*SPECRESP"):
        _ = xs.RMF.read(arf).matrix
    with pytest.raises(InputFileError, match="reaches any channel"):
        _ = xs.RMF.read(write_rmf(tmp_path / "b.rmf", np.zeros((40, 50)), *small[1:])).matrix


def test_width_of_a_gaussian_response_is_that_of_the_gaussian(truth):
    rmf = xs.RMF.read(next(truth.glob("nom.rmf*")))
    energy = rmf.energies.value.mean(axis=1) * 1000
    published = np.sqrt((2.355 * 3.65 * 6) ** 2 + 2.355**2 * 0.12 * 3.65 * energy + (0.0185 * energy) ** 2)
    inside = (energy > 300) & (energy < 15000)
    assert np.abs(rmf.fwhm().value * 1000 - published)[inside].max() < 6.5  # half a channel on either side
    assert abs(np.mean(rmf.fwhm().value * 1000 - published)[()]) < 1


def powerlaw_through_absorber(rmf):
    """Photons/cm2/s a bin: tbabs(wilm, 0.30e22) x powerlaw(1.80, 1e-3)."""
    low, high = rmf.energies.value.T
    table = fits.getdata(DATA / "spectral" / "xsect_tbabs_wilm.fits.gz")
    sigma = np.exp(np.interp(np.log((low + high) / 2), np.log(table["ENERGY"]), np.log(table["SIGMA"])))
    return 1e-3 * (low**-0.8 - high**-0.8) / 0.8 * np.exp(-0.30 * sigma)


def test_the_true_model_folds_to_the_counts(truth):
    source = xs.Spectrum.read(truth / "src.pi.gz")
    expected = source.rmf.fold(powerlaw_through_absorber(source.rmf), source.arf) * source.exposure.value
    noticed = np.s_[83:1667]
    background = source.background.counts * source.background_scale
    total, net = source.counts[noticed].sum(), (source.counts - background)[noticed].sum()
    assert abs(net - expected[noticed].sum()) < 3 * np.sqrt(total)
    starts = np.arange(83, 1667, 12)
    seen, model, scaled = (np.add.reduceat(a[:1667], starts) for a in (source.counts, expected, background))
    variance = model + scaled * 0.25 + scaled
    statistic = ((seen - scaled - model) ** 2 / np.maximum(variance, 1)).sum()
    assert 0.001 < chi2.sf(statistic, len(starts)) < 0.999
