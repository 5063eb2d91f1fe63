"""Simulated spectra: expectation, scatter, files, and the errors promised for an observation."""

import astropy.units as u
import numpy as np
import pytest

import xtendsrc as xs
from tests.products.conftest import truth as truth
from xtendsrc import simulate
from xtendsrc.errors import RequestError, UnitsError

MODEL = "tbabs*powerlaw"
TRUTH = {"nH": 0.3, "PhoIndex": 1.8, "norm": 1e-3}


@pytest.fixture(scope="module")
def files(truth):
    rmf, arf, background = (next(truth.glob(f"{n}*")) for n in ("nom.rmf", "nom.arf", "bkg.pi"))
    return {"rmf": rmf, "arf": arf, "background": background}


def draw(files, seed, exposure=5 * u.ks, **more):
    return simulate.spectrum(MODEL, exposure=exposure, seed=seed, parameters=TRUTH, backscal=0.01, **files, **more)


def test_counts_scatter_like_poisson_numbers_around_the_expectation(files):
    totals = [draw(files, seed).counts[83:1667].sum() for seed in range(20)]
    frozen = 18520 / 10 * (1 - 373 / 18520)  # counts of the frozen spectrum of 50 ks without its background
    mean = frozen + 0.25 * xs.Spectrum.read(files["background"]).counts[83:1667].sum() / 10
    assert np.mean(totals) == pytest.approx(mean, abs=4 * np.sqrt(mean / 20) + 0.02 * mean)
    assert 0.3 < np.var(totals, ddof=1) / mean < 2.2


def test_a_seed_repeats_and_none_does_not(files):
    np.testing.assert_array_equal(draw(files, 3).counts, draw(files, 3).counts)
    assert (draw(files, None).counts != draw(files, None).counts).any()


def test_files_are_read_back_and_fitted(files, tmp_path):
    drawn = draw(files, 1)
    spectrum = xs.Spectrum.read(drawn.write(tmp_path))
    np.testing.assert_array_equal(spectrum.counts, drawn.counts)
    np.testing.assert_array_equal(spectrum.background.counts, drawn.background)
    band = (0.5, 10) * u.keV
    from_file, direct = spectrum.fit(MODEL, energy=band), drawn.fit(energy=band)
    for name, parameter in direct.parameters.items():
        assert from_file.parameters[name].value == pytest.approx(parameter.value, abs=0.01 * parameter.error)
        assert abs(parameter.value - drawn.truth[name]) < 4 * parameter.error


def test_expected_errors_are_the_scatter_of_fits(files):
    promised = simulate.expected_errors(MODEL, exposure=5 * u.ks, parameters=TRUTH, backscal=0.01, **files)
    found = {name: [] for name in promised}
    for seed in range(30):
        for name, parameter in draw(files, seed).fit(group="fwhm/1").parameters.items():
            found[name].append(parameter.value)
    for name, values in found.items():
        assert promised[name].error == pytest.approx(np.std(values, ddof=1), rel=0.4)
    longer = simulate.expected_errors(MODEL, exposure=20 * u.ks, parameters=TRUTH, backscal=0.01, **files)
    for name, parameter in longer.items():
        assert parameter.error == pytest.approx(promised[name].error / 2, rel=0.1)


def test_senseless_exposures_and_parameters_are_refused(files):
    with pytest.raises(UnitsError, match="has no unit"):
        draw(files, 1, exposure=5000)
    with pytest.raises(RequestError, match="not positive"):
        draw(files, 1, exposure=0 * u.s)
    with pytest.raises(RequestError, match=r"'PhoIndx'.*did you mean powerlaw.PhoIndex"):
        simulate.spectrum(MODEL, files["rmf"], files["arf"], 1 * u.ks, parameters={"PhoIndx": 2})
