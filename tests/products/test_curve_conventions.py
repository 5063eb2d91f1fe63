"""Keywords of light curves that say when a bin is and whether dead time is in its rate (OGIP/93-003)."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.engines.native import make
from xtendsrc.engines.protocol import Job


@pytest.mark.parametrize(("pixel", "middle"), [(0.0, 105.0), (0.5, 100.0), (1.0, 95.0)])
def test_timepixr_says_which_part_of_the_bin_its_time_is(tmp_path, pixel, middle):
    """0: TIME is the start of a bin of 10 s, so that its middle is 5 s later; 1: its end."""
    columns = [
        fits.Column("TIME", "D", "s", array=[100.0, 110.0, 120.0]),
        fits.Column("RATE", "E", "count/s", array=[1.0, 2.0, 3.0]),
        fits.Column("ERROR", "E", "count/s", array=[0.1, 0.1, 0.1]),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="RATE")
    hdu.header.update({"TIMEDEL": 10.0, "TIMEPIXR": pixel, "TIMEZERO": 1000.0, "MJDREFI": 58484, "MJDREFF": 0.0})
    hdu.header.update({"HDUCLASS": "OGIP", "HDUCLAS1": "LIGHTCURVE", "TIMESYS": "TT", "TIMEUNIT": "s"})
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "a.lc")
    curve = xs.LightCurve.read(tmp_path / "a.lc")
    np.testing.assert_allclose(curve.seconds, 1000 + middle + np.array([0.0, 10.0, 20.0]))
    assert curve.time[0].tt.mjd == pytest.approx(58484 + (1000 + middle) / 86400, abs=1e-9)


@pytest.mark.parametrize(("applied", "factor"), [(False, 2.0), (True, 1.0)])
def test_rates_are_corrected_for_dead_time_once(source, full, tmp_path, applied, factor):
    net = source.lightcurve(obs_id="900001010", bin=500 * u.s, background="none")
    net.compute()
    registry, request = net.target.registry, net.request
    raw = tmp_path / "raw.lc"
    with fits.open(registry.path(request.source.key)) as hdus:
        before = np.array(hdus["RATE"].data["RATE"], float)
        hdus["RATE"].header.update({"DEADC": 0.5, "DEADAPP": applied})
        hdus.writeto(raw)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    needs = {"source": str(raw), "expmap": str(registry.path(request.expmap.key))}
    (made,) = make([Job(request=request, files=full.roles, needs=needs)], scratch)
    with fits.open(made.path) as hdus:
        np.testing.assert_allclose(hdus["RATE"].data["RATE"], factor * before, rtol=1e-6)
        assert hdus["RATE"].header["DEADAPP"]
