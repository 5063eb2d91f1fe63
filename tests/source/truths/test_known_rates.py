"""Sources of known rate give it back: the whole chain from event files to net rates, against the simulator's input."""

import json

import astropy.units as u
import numpy as np
import pytest
from scipy import stats

import xtendsrc as xs
from xtendsrc import simulate
from xtendsrc.responses import nominal

SEEDS = range(101, 106)
"""Beyond those of the benchmark."""


@pytest.mark.parametrize("code", ["300000a0", "31100010"])
def test_pulls_of_five_places_are_unit_normal(known_rates, code):
    """On axis, off axis, on the gap, at an edge, at a calibration disc or corner; the benchmark does it 100 times."""
    found = [known_rates.pulls(code, seed) for seed in SEEDS]
    for product in (0, 1):
        pulls = np.array([[one[name][product] for name in known_rates.PLACES[code]] for one in found])
        low, high = stats.chi2.ppf([1e-3, 1 - 1e-3], pulls.size)
        assert low < (pulls**2).sum() < high, pulls
        assert np.abs(pulls.mean(axis=0) * np.sqrt(len(SEEDS))).max() < 3.5, pulls
        assert abs(pulls.mean()) * np.sqrt(pulls.size) < 3.3, pulls


@pytest.mark.parametrize(("code", "live"), [("31200010", 0.0605952 / 4.0), ("31300010", 0.0605952 / 0.5)])
def test_dead_time_is_applied_once(known_rates, tmp_path, code, live):
    """Burst modes collect photons for 0.06 s of each frame, of 4 s or of 0.5 s in the 1/8 window."""
    spectrum, curve, truth = bright(known_rates, tmp_path, code, rate=40, exposure=2400)
    assert spectrum.exposure.to_value(u.s) == pytest.approx(2400 * live, rel=1e-6)
    wanted = truth["rate"]["0.5-10.0"] / truth["live"]
    rate, error, enclosed = known_rates.spectral_rate(spectrum)
    assert error < 0.04 * wanted
    assert abs(rate - wanted) < 3.5 * error
    rate, error = known_rates.curve_rate(curve, enclosed)
    assert abs(rate - wanted) < 3.5 * error


def bright(known_rates, folder, code, rate, exposure):
    """Spectrum, net curve and truth of one source on axis."""
    options = {"seed": 7, "roll": known_rates.ROLL * u.deg, "files": simulate.Files(compress=False)}
    star = simulate.Source(known_rates.CENTRE, simulate.PowerLaw(1.8), rate=rate * u.ct / u.s, name="star")
    tree = simulate.observation(
        folder / "XRISM", "900001010", known_rates.CENTRE, [star], exposure=exposure * u.s, dataclasses=code, **options
    )
    record = json.loads(next((tree / "log").glob("*_truth.json")).read_text())["dataclasses"][code]
    source = xs.PointSource(known_rates.CENTRE, name="star", archive=tree.parent, output=folder / "output")
    made = source.spectrum(response="nominal"), source.lightcurve(energy=known_rates.BAND)
    assert not xs.compute(*made, executor="serial").failed
    return *made, record["sources"][0]


def test_responses_predict_the_counts(known_rates, tmp_path):
    """The spectrum that was simulated, folded with the linked ARF and RMF, is the rate in the region."""
    spectrum, _, truth = bright(known_rates, tmp_path, "300000a0", rate=4, exposure=1250)
    low, high = (spectrum.arf.energies[:, n].to_value(u.keV) for n in (0, 1))
    centre = (low + high) / 2
    shape = simulate.PowerLaw(1.8)
    star = simulate.Source(known_rates.CENTRE, shape, rate=4 * u.ct / u.s)
    norm = star.photons().sum() / (shape(centre) * (high - low) * nominal.effective_area(centre)).sum()
    photons = norm * shape(centre) * (high - low) * spectrum.arf.area.to_value(u.cm**2)
    folded = spectrum.rmf.fold(photons)[known_rates.CHANNELS].sum()
    _, _, enclosed = known_rates.spectral_rate(spectrum)
    assert folded == pytest.approx(truth["rate"]["0.5-10.0"] / truth["live"] * enclosed, rel=3e-3)
