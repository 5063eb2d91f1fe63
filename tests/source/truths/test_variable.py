"""A source that varies: its net light curve follows what was injected, at the right absolute time."""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.time import Time
from scipy import stats

import xtendsrc as xs
from xtendsrc import simulate

PERIOD, AMPLITUDE, RATE = 500.0, 0.8, 6.0


def brightness(seconds):
    return 1 + AMPLITUDE * np.sin(2 * np.pi * seconds / PERIOD)


@pytest.fixture(scope="module")
def observed(known_rates, tmp_path_factory):
    """The net curve, the rate expected in the region at brightness 1, and the good time."""
    folder = tmp_path_factory.mktemp("variable")
    star = simulate.Source(known_rates.CENTRE, rate=RATE * u.ct / u.s, lightcurve=brightness, name="star")
    tree = simulate.observation(
        folder / "XRISM",
        "900001010",
        known_rates.CENTRE,
        [star],
        exposure=4.5 * u.ks,
        dataclasses="31100010",
        seed=5,
        conditions=simulate.Conditions(timepixr=0.0, timezero=1234.5),
        files=simulate.Files(compress=False),
    )
    record = json.loads(next((tree / "log").glob("*_truth.json")).read_text())
    source = xs.PointSource(known_rates.CENTRE, name="star", archive=tree.parent, output=folder / "output")
    curve = source.lightcurve(energy=known_rates.BAND, bin=50 * u.s)
    spectrum = source.spectrum(response="nominal")
    assert not xs.compute(curve, spectrum, executor="serial").failed
    truth = record["dataclasses"]["31100010"]["sources"][0]
    _, _, enclosed = known_rates.spectral_rate(spectrum)
    wanted = truth["rate"]["0.5-10.0"] / truth["live"] / truth["brightness"] * enclosed
    return curve, wanted, np.array(record["gti"])


def expected(curve, gti, shift=0.0):
    """Mean brightness of each bin inside the good time, from a fine sampling of it."""
    width = curve.bin.to_value(u.s)
    since = (curve.time - Time(58484, 8.007407407410000e-04, format="mjd", scale="tt")).to_value("s")
    fine = since[:, None] + (np.arange(200) + 0.5) / 200 * width - width / 2
    good = ((fine[..., None] >= gti[:, 0]) & (fine[..., None] <= gti[:, 1])).any(axis=-1)
    return (brightness(fine - gti[0, 0] + shift) * good).sum(axis=1) / good.sum(axis=1)


def test_it_follows_the_injected_function(observed):
    curve, wanted, gti = observed
    model = wanted * expected(curve, gti)
    variance = model / curve.exposed.to_value(u.s)
    chi2 = ((curve.rate.value - model) ** 2 / variance).sum()
    low, high = stats.chi2.ppf([1e-3, 1 - 1e-3], len(model))
    assert low < chi2 < high
    assert len(gti) > 1
    np.testing.assert_allclose(curve.error.value, np.sqrt(variance), rtol=0.5)


def test_absolute_times_are_right(observed):
    """The shift that fits best is zero within its error, about 2 s."""
    curve, wanted, gti = observed
    variance = wanted * expected(curve, gti) / curve.exposed.to_value(u.s)
    shifts = np.arange(-30, 30.1, 0.5)
    chi2 = [((curve.rate.value - wanted * expected(curve, gti, s)) ** 2 / variance).sum() for s in shifts]
    a, b, _ = np.polyfit(shifts, chi2, 2)
    assert abs(b / (2 * a)) < 3.5 / np.sqrt(a)
    assert 1 / np.sqrt(a) < 3
