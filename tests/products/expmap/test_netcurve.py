"""Net light curves against lcmath, and the rules of dead time and errors."""

import numpy as np
import pytest

from tests.products.expmap.conftest import DATA
from xtendsrc.errors import DeadTimeError, GridMismatchError
from xtendsrc.measure.netcurve import read_curve, subtract

FULL = DATA / "full_window"


@pytest.fixture
def curves():
    return [read_curve(str(FULL / f"{name}_83_1666_200_0.lc.gz"))[0] for name in ("src", "bkg")]


def test_equals_lcmath(curves):
    golden, _ = read_curve(str(FULL / "net_em2.lc.gz"))
    net = subtract(*curves, 0.4444)
    for name in ("TIME", "RATE", "ERROR", "FRACEXP"):
        np.testing.assert_allclose(net[name], golden[name], rtol=3e-7, atol=1e-8)


def test_dead_time_divides_every_rate_once(curves):
    plain, live = subtract(*curves, 0.5), subtract(*curves, 0.5, deadc=0.8)
    for name in ("RATE", "ERROR", "ERROR_LO", "ERROR_HI", "SRC_RATE", "BKG_RATE", "BKG_ERR"):
        np.testing.assert_allclose(live[name], plain[name] / 0.8)
    np.testing.assert_array_equal(live["FRACEXP"], plain["FRACEXP"])


def test_empty_bins_have_an_upper_error(curves):
    source, background = curves
    for curve in curves:
        for name in ("RATE", "ERROR", "ERROR_LO"):
            curve[name][:] = 0.0
        curve["ERROR_HI"][:] = 1.841 / 200
    net = subtract(source, background, 0.5)
    assert (net["ERROR"] == 0).all()
    np.testing.assert_allclose(net["ERROR_HI"], 1.841 / 200)
    np.testing.assert_allclose(net["ERROR_LO"], 0.5 * 1.841 / 200)


def test_without_background_the_curve_stays(curves):
    net = subtract(curves[0], None, 0.0)
    np.testing.assert_array_equal(net["RATE"], curves[0]["RATE"])
    np.testing.assert_array_equal(net["ERROR_HI"], curves[0]["ERROR_HI"])


def test_other_bins_and_dead_times_are_refused(curves):
    source, background = curves
    with pytest.raises(GridMismatchError):
        subtract(source, {k: v[1:] for k, v in background.items()}, 1.0)
    with pytest.raises(GridMismatchError):
        subtract(source, background | {"TIME": background["TIME"] + 100}, 1.0)
    with pytest.raises(DeadTimeError):
        subtract(source, background, 1.0, deadc=1.2)
