"""Fits of sources: kept by the registry beside their spectra, made with them in one batch, tabled for samples."""

import pickle
import shutil

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.errors import ProductError

BAND = (0.5, 10) * u.keV


@pytest.fixture
def own(archive, position, tmp_path):
    """A source with a copy of one observation, which may be changed."""
    shutil.copytree(archive / "900001010", tmp_path / "archive" / "900001010")
    where = {"archive": tmp_path / "archive", "output": tmp_path / "out"}
    return lambda: xs.PointSource(position, radius=2 * u.arcmin, name="star", **where)


def test_a_fit_is_made_once_with_what_it_needs_and_is_stale_when_that_is(own, tmp_path):
    fit = own().fit("powerlaw", response="nominal", energy=BAND)
    assert (fit.kind, fit.status) == ("fit", "missing")
    assert abs(fit.parameters["powerlaw.PhoIndex"].value - 1.8) < 4 * fit.parameters["powerlaw.PhoIndex"].error
    assert (fit.status, fit.response_kind, fit.engine) == ("ready", "nominal", "native")
    assert {"spectrum", "background", "rmf", "arf"} == set(fit.request.needs())
    again = own().spectrum(response="nominal").fit("powerlaw", energy=BAND)
    assert again.key == fit.key
    assert again.statistic == fit.statistic
    assert again.path == fit.path
    assert own().fit("powerlaw", response="nominal", energy=(1, 10) * u.keV).key != fit.key
    events = next((tmp_path / "archive").rglob("*_cl.evt*"))
    with fits.open(events) as hdus:
        hdus[0].header["HISTORY"] = "processed once more"
        hdus.writeto(events, overwrite=True)
    assert own().fit("powerlaw", response="nominal", energy=BAND).status == "stale"


def test_a_kept_fit_can_be_gone_on_from(own):
    fit = own().fit("powerlaw", response="nominal", energy=BAND, group="fwhm/1")
    assert 0 < fit.goodness(5).probability <= 1
    assert fit.simulate(seed=1)[0].source.counts.sum() > 100
    assert fit.view().get_ylabel() == "counts / s / keV"
    assert pickle.loads(pickle.dumps(fit)).statistic == fit.statistic
    assert 'AllData("1:1 spectrum1.pi")' in fit.plan().pyxspec


def test_all_data_classes_are_fitted_together_after_one_batch(source):
    fit = source.fit("powerlaw", response="nominal", energy=BAND)
    assert len(fit.spectra) > 1
    assert fit.status == "missing"
    report = xs.compute(source.spectra(response="nominal"), fit, progress=False)
    report.raise_for()
    assert all(spectrum.status == "ready" for spectrum in fit.spectra)
    assert abs(fit.parameters["powerlaw.PhoIndex"].value - 1.8) < 4 * fit.parameters["powerlaw.PhoIndex"].error
    assert abs(fit.parameters["factor[2]"].value - 1) < 4 * fit.parameters["factor[2]"].error
    assert pickle.loads(pickle.dumps(fit)).statistic == pytest.approx(fit.statistic)


def test_without_a_response_the_error_says_how_to_get_one(own):
    with pytest.raises(ProductError, match=r'response="nominal"'):
        _ = own().fit("powerlaw").parameters


def test_a_sample_is_fitted_into_one_table(source, archive, tmp_path):
    far = xs.PointSource(
        SkyCoord(10, 10, unit="deg"), radius=2 * u.arcmin, name="far", archive=archive, output=tmp_path / "out"
    )
    options = {"response": "nominal", "energy": BAND, "obs_id": "900001010"}
    table = xs.Sample([source, far]).fit("powerlaw", **options).table(progress=False)
    assert list(table["source"]) == ["star", "far"]
    index = source.fit("powerlaw", **options).parameters["powerlaw.PhoIndex"]
    assert table["powerlaw.PhoIndex"][0] == index.value
    assert table["powerlaw.PhoIndex_error"][0] == index.error
    assert np.isnan(table["powerlaw.PhoIndex"][1])
    assert "far" in table["problem"][1]
