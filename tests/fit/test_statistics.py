"""Fit statistics against their formulae, written out term by term as the XSPEC manual has them."""

import numpy as np
import pytest

from tests.fit.simple import dataset
from xtendsrc.errors import FitError, RequestError
from xtendsrc.fit.statistic import CStat, WStat, make_statistic, resolve


def xspec_w(on, off, model, t_on, t_off):
    """W of one bin, with XSPEC's special cases (appendix B of the manual: Poisson data with Poisson background)."""
    if on == 0:
        return 2 * (t_on * model - off * np.log(t_off / (t_on + t_off)))
    if off == 0:
        if model < on / (t_on + t_off):
            return 2 * (-t_off * model - on * np.log(t_on / (t_on + t_off)))
        return 2 * (t_on * model + on * (np.log(on) - np.log(t_on * model) - 1))
    total = t_on + t_off
    d = np.sqrt((total * model - on - off) ** 2 + 4 * total * off * model)
    f = (on + off - total * model + d) / (2 * total)
    terms = t_on * model + total * f - on * np.log(t_on * (model + f)) - off * np.log(t_off * f)
    return 2 * (terms - on * (1 - np.log(on)) - off * (1 - np.log(off)))


@pytest.mark.parametrize("ratio", [0.02, 0.25, 1.0, 3.0])
def test_w_is_that_of_xspec_also_where_there_are_no_counts(ratio):
    on, off, mean = (v.ravel() for v in np.meshgrid([0.0, 1, 5, 300], [0.0, 1, 8, 500], [1e-6, 0.3, 5, 290]))
    found = WStat(on, off, np.full(on.size, ratio)).residuals(mean) ** 2
    wanted = [xspec_w(a, b, m, 1.0, 1 / ratio) for a, b, m in zip(on, off, mean, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


def test_c_is_twice_the_log_likelihood_ratio():
    counts, mean = (v.ravel() for v in np.meshgrid([0.0, 1, 2, 50, 2000], [1e-3, 0.5, 2, 49.9, 50, 2100]))
    safe = np.where(counts > 0, counts, 1)
    wanted = 2 * (mean - counts + counts * np.log(safe / mean))
    np.testing.assert_allclose(CStat(counts).residuals(mean) ** 2, wanted, rtol=1e-9, atol=1e-12)
    assert (np.sign(CStat(counts).residuals(mean)) == np.sign(counts - mean)).all()


@pytest.mark.parametrize(
    "statistic",
    [CStat(np.array([0.0, 1, 5, 80])), WStat(np.array([0.0, 1, 5, 80]), np.array([3.0, 0, 9, 20]), np.full(4, 0.3))],
)
@pytest.mark.parametrize("mean", [0.2, 1.0, 4.9999, 5.0, 70.0])
def test_slopes_are_differences_of_residuals(statistic, mean):
    step = 1e-5 * mean
    above, below = (statistic.residuals(np.full(4, mean + s)) for s in (step, -step))
    np.testing.assert_allclose(statistic.slope(np.full(4, mean)), (above - below) / (2 * step), rtol=2e-4)


def test_information_of_w_is_the_mean_curvature_of_many_data():
    rng, ratio, source, under = np.random.default_rng(1), 0.5, 40.0, 60.0
    on, off = rng.poisson(source + ratio * under, 20000).astype(float), rng.poisson(under, 20000).astype(float)
    statistic = WStat(on, off, np.full(20000, ratio))
    mean, step = np.full(20000, source), 0.5
    w = [np.sum(statistic.residuals(mean + s) ** 2) for s in (-step, 0, step)]
    curvature = (w[0] - 2 * w[1] + w[2]) / step**2 / 2 / 20000
    assert statistic.information(mean).mean() == pytest.approx(curvature, rel=0.01)
    assert statistic.information(mean).mean() == pytest.approx(1 / (source + ratio * under * (1 + ratio)), rel=0.02)


def test_auto_takes_what_suits_the_data():
    plain, both = dataset(np.full(9, 3)), dataset(np.full(9, 3), background=np.full(9, 2))
    assert resolve("auto", plain.select(None, "none")) == "cstat"
    assert resolve("auto", both.select(None, "none")) == "wstat"
    assert resolve("auto", both.select(None, "none"), modelled=True) == "cstat"
    assert resolve("auto", dataset(np.full(9, -1)).select(None, "none")) == "chi2"


def test_smoothed_variances_do_not_depend_on_single_bins():
    counts = np.random.default_rng(3).poisson(2.0, 200)
    selection = dataset(counts).select(None, "none")
    smooth = make_statistic("chi2-churazov", selection).variance
    assert (smooth > 0).all()
    assert smooth.mean() == pytest.approx(counts.mean(), rel=0.1)
    assert np.std(smooth) < 0.6 * np.std(counts)


def test_what_makes_no_sense_is_refused():
    empty = dataset(np.zeros(9, int)).select(None, "none")
    with pytest.raises(FitError, match="no counts in the band"):
        make_statistic("cstat", empty)
    with pytest.raises(FitError, match=r"1 of 9 bins .* no counts and so no error.*min 20"):
        make_statistic("chi2", dataset(np.arange(9)).select(None, "none"))
    with pytest.raises(RequestError, match=r"wsat.*did you mean 'wstat'"):
        resolve("wsat", empty)
    with pytest.raises(RequestError, match="no background, which wstat needs"):
        resolve("wstat", empty)
