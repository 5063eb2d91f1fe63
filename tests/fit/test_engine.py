"""The native engine against a frozen fit of another program, closed forms, and known truths."""

import astropy.units as u
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom

from tests.fit.simple import AREA, FLAT, TabulatedAbsorption, dataset, perfect
from xtendsrc.fit import native
from xtendsrc.fit.background import BackgroundModel, with_backgrounds
from xtendsrc.fit.bootstrap import simulate_counts
from xtendsrc.fit.data import Counts, read_dataset
from xtendsrc.fit.model import parse
from xtendsrc.fit.options import FitOptions
from xtendsrc.fit.parameters import Choices, Term
from xtendsrc.fit.result import FitResult

WIDTH = 5.0
"""Of the band of the simple data, keV."""


def options(group="none", band=None, **choices):
    more = {name: choices.pop(name) for name in ("stat", "errors") if name in choices}
    return FitOptions(band=band, group=group, choices=Choices(**choices), **more)


def flat(datasets, model="powerlaw", **more):
    choices = {**FLAT, **more}
    if not isinstance(datasets, list):
        datasets = [datasets]
    return native.fit(datasets, [Term(parse(model), vary=choices.pop("vary", ()))], options(**choices))


def test_the_frozen_fit_of_sherpa_is_reproduced(truth):
    data = read_dataset(next(truth.glob("src.pi*")))
    result = native.fit([data], [Term(TabulatedAbsorption())], options("min 1", (0.5, 10.0)))
    assert result.statistic == pytest.approx(1343.0556525, abs=1e-3)
    assert (result.dof, result.statistic_name, result.converged) == (1466, "wstat", True)
    for name, value, error in (("nH", 0.29044670, 0.0088), ("PhoIndex", 1.8029519, 0.018), ("norm", 9.905e-4, 2e-5)):
        parameter = result.parameter(name)
        assert parameter.value == pytest.approx(value, abs=0.01 * error)
        assert parameter.error == pytest.approx(error, rel=0.03)


@pytest.mark.parametrize("stat", ["cstat", "chi2-model"])
def test_a_constant_is_fitted_by_the_mean_rate(stat):
    counts = np.random.default_rng(1).poisson(7.0, 50)
    result = flat(dataset(counts), stat=stat)
    rate = result.parameter("norm")
    if stat == "cstat":
        assert rate.value == pytest.approx(counts.sum() / (1000 * AREA * WIDTH), rel=1e-6)
        assert rate.error == pytest.approx(np.sqrt(counts.sum()) / (1000 * AREA * WIDTH), rel=1e-6)
    else:  # the sum of (n - m)^2 / m is smallest where m^2 is the mean of n^2
        assert rate.value * 1000 * AREA * 0.1 == pytest.approx(np.sqrt(np.mean(counts**2)), rel=1e-6)


def test_chi_squared_of_a_constant_is_the_weighted_mean():
    counts = np.random.default_rng(2).poisson(90.0, 50)
    result = flat(dataset(counts), stat="chi2")
    mean = 50 / np.sum(1 / counts)
    assert result.parameter("norm").value * 1000 * AREA * 0.1 == pytest.approx(mean, rel=1e-9)
    assert result.statistic == pytest.approx(np.sum((counts - mean) ** 2 / counts), rel=1e-9)
    gehrels = flat(dataset(counts), stat="chi2-gehrels")
    weight = 1 / (1 + np.sqrt(counts + 0.75)) ** 2
    weighted = (weight * counts).sum() / weight.sum()
    assert gehrels.parameter("norm").value * 1000 * AREA * 0.1 == pytest.approx(weighted, rel=1e-6)


def test_profile_errors_of_a_constant_solve_the_likelihood_equation():
    counts = np.zeros(50, int)
    counts[::10] = 1  # five counts in all
    rate = flat(dataset(counts), errors="profile").parameter("norm")
    unit = 1000 * AREA * WIDTH

    def rise(mean):
        return 2 * (mean - 5 + 5 * np.log(5 / mean)) - 1

    assert rate.low * unit == pytest.approx(brentq(rise, 0.1, 5), rel=5e-3)
    assert rate.high * unit == pytest.approx(brentq(rise, 5, 30), rel=5e-3)
    low, high = flat(dataset(counts)).interval("norm", 0.9)
    assert low * unit == pytest.approx(brentq(lambda mean: rise(mean) - 1.7055, 0.1, 5), rel=5e-3)
    assert high * unit == pytest.approx(brentq(lambda mean: rise(mean) - 1.7055, 5, 30), rel=5e-3)


def test_two_exposures_differ_by_their_ratio_of_rates():
    rng = np.random.default_rng(3)
    first, second = dataset(rng.poisson(20.0, 50)), dataset(rng.poisson(12.0, 50), exposure=500.0)
    result = flat([first, second])
    rates = [d.source.counts.sum() / d.source.exposure for d in (first, second)]
    assert result.parameters["factor[2]"].value == pytest.approx(rates[1] / rates[0], rel=1e-5)
    one = flat([first, second], freeze=("PhoIndex", "factor[2]"))
    together = (first.source.counts.sum() + second.source.counts.sum()) / 1500 / (AREA * WIDTH)
    assert one.parameter("norm").value == pytest.approx(together, rel=1e-6)
    assert one.parameter("factor[2]").frozen


def test_spectra_on_other_grids_join_a_fit():
    rng = np.random.default_rng(10)
    first = dataset(rng.poisson(20.0, 50))
    second = dataset(rng.poisson(90.0, 30), exposure=300.0, low=0.4, width=0.25, area=3 * AREA)
    result = flat([first, second], freeze=(*FLAT["freeze"], "factor[2]"))
    seen = 1000 * AREA * WIDTH + 300 * 3 * AREA * 30 * 0.25
    total = first.source.counts.sum() + second.source.counts.sum()
    assert result.parameter("norm").value == pytest.approx(total / seen, rel=1e-6)


def test_factors_of_bands_are_ratios_of_rates_in_the_bands():
    rng = np.random.default_rng(9)
    first, second = dataset(rng.poisson(20.0, 50)), dataset(np.append(rng.poisson(10, 20), rng.poisson(40, 30)))
    bands = ((1.0, 3.0), (3.0, 6.0))  # the first 20 channels of 0.1 keV, and the others
    term = Term(parse("powerlaw"), vary=("norm",), bands=bands)
    held = options(freeze=(*FLAT["freeze"], "powerlaw.norm[2]"), start={**FLAT["start"], "powerlaw.norm[2]": 2e-3})
    result = native.fit([first, second], [term], held)
    for name, part in (("factor_1[2]", slice(0, 20)), ("factor_2[2]", slice(20, 50))):
        counts = second.source.counts[part].sum()
        bins = len(range(*part.indices(50)))
        parameter = result.parameters[name]
        assert parameter.value == pytest.approx(counts / (2e-3 * 1000 * AREA * 0.1 * bins), rel=1e-5)
        assert parameter.error / parameter.value == pytest.approx(1 / np.sqrt(counts), rel=1e-5)


def test_ties_and_parameters_of_each_data_set():
    rng = np.random.default_rng(4)
    pair = [dataset(rng.poisson(mean, 50)) for mean in (20.0, 41.0)]
    totals = [d.source.counts.sum() / (1000 * AREA * WIDTH) for d in pair]
    apart = flat(pair, vary=("norm",), freeze=("PhoIndex", "factor[2]"))
    norms = [apart.parameters[name].value for name in ("powerlaw.norm", "powerlaw.norm[2]")]
    np.testing.assert_allclose(norms, totals, rtol=1e-5)
    tied = flat(pair, vary=("norm",), freeze=("PhoIndex", "factor[2]"), tie={"powerlaw.norm[2]": "2 * powerlaw.norm"})
    best = sum(totals) / 3  # of x and 2 x, each with the same exposure, the Poisson mean has x = (n1 + n2) / 3
    assert tied.parameters["powerlaw.norm"].value == pytest.approx(best, rel=1e-6)
    assert tied.parameters["powerlaw.norm[2]"].value == pytest.approx(2 * best, rel=1e-6)
    assert tied.parameters["powerlaw.norm[2]"].tied == "2 * powerlaw.norm"
    assert tied.dof == 99


def test_a_background_model_is_tied_to_the_background_spectrum():
    rng = np.random.default_rng(5)
    data = dataset(rng.poisson(30.0, 50), background=rng.poisson(40.0, 50), back_backscal=4.0)
    models = {"nxb": BackgroundModel(parse("powerlaw"))}
    both, terms = with_backgrounds([data], Term(parse("powerlaw")), models)
    choices = {
        "freeze": ("powerlaw.PhoIndex", "nxb:powerlaw.PhoIndex"),
        "start": {"powerlaw.PhoIndex": 0.0, "nxb:powerlaw.PhoIndex": 0.0},
    }
    result = native.fit(both, terms, options(**choices), modelled=True)
    source, background = data.source.counts.sum(), data.background.counts.sum()
    # a diagonal response without area: counts/s for each keV
    assert result.parameters["nxb:powerlaw.norm"].value == pytest.approx(background / (1000 * WIDTH), rel=1e-5)
    net = (source - background / 4) / (1000 * AREA * WIDTH)
    assert result.parameters["powerlaw.norm"].value == pytest.approx(net, rel=1e-5)
    assert result.parameters["nxb:factor[1]"].value == 0.25
    error = np.sqrt(source + background / 16) / (1000 * AREA * WIDTH)
    assert result.parameters["powerlaw.norm"].error == pytest.approx(error, rel=0.02)


def test_areascal_multiplies_the_model():
    counts = np.full(50, 8)
    half = dataset(counts)
    half.source.areascal[:] = 0.8
    assert flat(half).parameter("norm").value == pytest.approx(
        flat(dataset(counts)).parameter("norm").value / 0.8, rel=1e-6
    )


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 60 spectra of 300 counts over a background the 68.3 % intervals of index and norm hold the truth."""
    model, response = parse("powerlaw"), perfect(80, 0.5, 0.1)
    background = Counts.of(np.full(80, 4), 1000.0, 4.0)
    truth = np.array([1.7, 0.0156])
    inside = []
    for seed in range(60):
        data = simulate_counts(model, truth, response, 1000.0, background, 1.0, seed)
        result = native.fit([data], [Term(model)], options("constant 4", errors="profile"))
        inside.append([p.low <= t <= p.high for p, t in zip(result.parameters.values(), truth, strict=True)])
    low, high = binom.ppf([0.00135, 0.99865], 60, 0.6827)
    for held in np.sum(inside, axis=0):
        assert low <= held <= high


def test_goodness_of_a_right_model_is_neither_tiny_nor_one_and_of_a_wrong_one_tiny():
    model = parse("powerlaw")
    data = simulate_counts(model, np.array([1.0, 0.2]), perfect(), 1000.0, seed=6)
    right = native.fit([data], [Term(model)], options())
    assert 0.03 < right.goodness(40, seed=1).probability < 0.97
    wrong = native.fit([data], [Term(model)], options(start={"PhoIndex": 3.0}, freeze=("PhoIndex",)))
    assert wrong.goodness(40, seed=1).probability < 0.03


def test_a_result_survives_json():
    result = flat(dataset(np.random.default_rng(7).poisson(9.0, 50)), errors="profile")
    again = FitResult.from_json(result.to_json())
    assert dict(again.parameters) == dict(result.parameters)
    assert again.statistic == result.statistic
    np.testing.assert_array_equal(again.covariance, result.covariance)
    np.testing.assert_array_equal(again.folded[0].model, result.folded[0].model)
    assert (again.dof, again.engine, again.model) == (result.dof, "native", "powerlaw")
    assert again.table().meta["statistic"] == result.statistic


def test_at_a_limit_is_said_everywhere():
    counts = np.random.default_rng(8).poisson(50.0, 50)
    result = native.fit([dataset(counts)], [Term(parse("powerlaw"))], options(limits={"PhoIndex": (0.5, 3.0)}))
    parameter = result.parameter("PhoIndex")
    assert parameter.at_limit
    assert parameter.value == pytest.approx(0.5, abs=1e-4)
    assert "at limit" in str(result)
    assert result.table()["state"][0] == "at limit"
    assert any("PhoIndex is at limit" in said for said in result.warnings)


def test_what_the_data_do_not_constrain_is_said():
    indices = ("powerlaw.PhoIndex", "powerlaw_2.PhoIndex")
    choices = options(freeze=indices, start=dict.fromkeys(indices, 0.0))
    result = native.fit([dataset(np.full(50, 20))], [Term(parse("powerlaw + powerlaw"))], choices)
    norms = [result.parameters[name] for name in ("powerlaw.norm", "powerlaw_2.norm")]
    assert sum(p.value for p in norms) == pytest.approx(1000 / (1000 * AREA * WIDTH), rel=1e-5)
    assert all(np.isnan(p.error) for p in norms)
    assert any("powerlaw.norm is unconstrained" in said for said in result.warnings)
    assert np.isnan(result.flux(2 * u.keV, 3 * u.keV).error.value)


def test_a_fit_that_stops_short_says_so_in_value_table_and_text(monkeypatch):
    from xtendsrc.fit import minimise

    monkeypatch.setattr(minimise, "MAX_EVALUATIONS", 2)
    counts = (200 * np.exp(-np.arange(50) / 9.0)).astype(int)
    start = {"PhoIndex": -2.5, "norm": 1e-6}
    result = native.fit([dataset(counts)], [Term(parse("powerlaw"))], options(start=start))
    assert not result.converged
    assert "did not converge" in str(result)
    assert not result.table().meta["converged"]
    assert any("did not converge" in said for said in result.table().meta["warnings"])
