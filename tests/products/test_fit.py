"""Fits of spectra as users declare them: files of any mission, joint fits, tables, files and pictures."""

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from tests.products.ogip import REAL, write_arf, write_rmf, write_spectrum
from xtendsrc.errors import InputFileError, ModelError, RequestError, UnitsError
from xtendsrc.fit import library

real = pytest.mark.skipif(not REAL.is_dir(), reason="the public mission files are not beside this checkout")


@pytest.fixture(scope="module")
def spectrum(truth):
    return xs.Spectrum.read(next(truth.glob("src.pi*")))


@pytest.fixture(scope="module")
def fitted(spectrum):
    return spectrum.fit("tbabs*powerlaw", energy=(0.5, 10) * u.keV, errors="profile").compute()


def test_nothing_is_computed_before_a_value_is_asked_for(tmp_path):
    counts = np.full(50, 3)
    lonely = xs.Spectrum.read(write_spectrum(tmp_path / "a.pi", counts))
    fit = lonely.fit("powerlaw")
    assert "not fitted yet" in repr(fit)
    assert len(xs.compute(fit, progress=False)) == 0  # nothing of it is kept by a registry
    with pytest.raises(InputFileError, match=r"has no RMF.*Spectrum.read\(path, rmf="):
        _ = fit.parameters


def test_the_truth_is_found_within_its_errors(fitted):
    truth = {"tbabs.nH": 0.30, "powerlaw.PhoIndex": 1.80, "powerlaw.norm": 1e-3}
    for name, value in truth.items():
        parameter = fitted.parameters[name]
        assert abs(parameter.value - value) < 3 * parameter.error
        assert parameter.low < parameter.value < parameter.high
    assert fitted.parameters["tbabs.nH"].unit == "1e22 cm-2"
    assert (fitted.engine, fitted.converged, fitted.statistic_name) == ("native", True, "wstat")
    assert 0.7 < fitted.statistic / fitted.dof < 1.3
    index = 1.8
    wanted = 1e-3 * (10 ** (2 - index) - 2 ** (2 - index)) / (2 - index) * u.keV.to("erg")
    flux = fitted.flux(2 * u.keV, 10 * u.keV, absorbed=False)
    assert abs(flux.value - wanted) < 3 * flux.error.value


def test_the_frozen_fit_of_sherpa_is_reproduced(spectrum):
    fit = spectrum.fit("tbabs*powerlaw", energy=(0.5, 10) * u.keV, group="min 1", stat="wstat", engine="native")
    assert fit.statistic == pytest.approx(1343.0556525, abs=1e-3)
    assert fit.dof == 1466
    frozen = {"tbabs.nH": (0.29044670, 0.0088), "powerlaw.PhoIndex": (1.8029519, 0.018)}
    for name, (value, error) in frozen.items():
        assert fit.parameters[name].value == pytest.approx(value, abs=0.01 * error)


def test_table_file_and_json_say_the_same(fitted, tmp_path):
    path = fitted.save(tmp_path / "fit.fits")
    again = xs.Fit.read(path)
    assert dict(again.parameters) == dict(fitted.parameters)
    assert again.flux(2 * u.keV, 10 * u.keV) == fitted.flux(2 * u.keV, 10 * u.keV)
    with fits.open(path) as hdus:
        assert [h.name for h in hdus] == ["PRIMARY", "PARAMETERS", "FOLDED", "RESULT"]
        np.testing.assert_allclose(hdus["PARAMETERS"].data["VALUE"], fitted.table()["value"])
        folded = hdus["FOLDED"].data
        total = folded["MODEL"].sum() + folded["BACKGROUND"].sum()
        assert total == pytest.approx(folded["COUNTS"].sum(), rel=0.01)
        assert hdus[0].header["DOF"] == fitted.dof
    with pytest.raises(InputFileError, match="no fit result"):
        _ = xs.Fit.read(next(iter(fitted.spectra)).path).parameters


def test_pictures_show_data_model_residuals_and_warnings(fitted, spectrum):
    ax = fitted.view()
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert {"net counts", "model"} <= set(labels)
    drawn = max(np.nanmax(line.get_ydata()) for line in ax.containers[0].lines[:1])
    assert 0.05 < drawn < 1
    assert fitted.view(ax=plt.figure().add_subplot()).get_ylabel() == "counts / s / keV"
    held = spectrum.fit("tbabs*powerlaw", limits={"nH": (0.5, 2.0)}, group="fwhm/1")
    text = " ".join(t.get_text() for t in held.view().texts)
    assert "tbabs.nH is at limit" in text
    corner = fitted.view_corner()
    assert corner.shape == (3, 3)
    assert not corner[0, 1].get_visible()
    contours = fitted.view_contours("nH", "PhoIndex", points=7)
    assert contours.get_xlabel() == "tbabs.nH (1e22 cm-2)"
    plt.close("all")


def test_a_contour_of_the_statistic_is_the_ellipse_of_the_covariance(fitted):
    from xtendsrc.fit.profile import statistic_grid

    result = fitted.result
    names = ["tbabs.nH", "powerlaw.PhoIndex"]
    x, y, rise = statistic_grid(result.problem, result.values, names, [1.0, 1.0], 5, result.covariance)
    step = np.array([x[3] - x[2], y[3] - y[2]])
    wanted = step @ np.linalg.inv(result.covariance[:2, :2]) @ step
    assert rise[3, 3] == pytest.approx(wanted, rel=0.05)
    assert abs(rise[2, 2]) < 1e-3


def test_a_notebook_shows_what_was_found(spectrum, fitted):
    assert "not been fitted" in spectrum.fit("powerlaw")._repr_html_()
    shown = fitted._repr_html_()
    assert "wstat" in shown
    assert f"{fitted.parameters['powerlaw.PhoIndex'].value:.6g}" in shown


def test_spectra_are_fitted_together_with_a_factor(spectrum):
    both = xs.fit([spectrum, spectrum], "tbabs*powerlaw", freeze={"tbabs.nH": 0.3})
    one = spectrum.fit("tbabs*powerlaw", freeze={"tbabs.nH": 0.3})
    assert both.parameters["factor[2]"].value == pytest.approx(1, abs=1e-4)
    assert both.statistic == pytest.approx(2 * one.statistic, rel=1e-6)
    error = one.parameters["powerlaw.PhoIndex"].error / np.sqrt(2)
    assert both.parameters["powerlaw.PhoIndex"].error == pytest.approx(error, rel=1e-3)


def test_a_background_model_takes_the_place_of_the_background_spectrum(spectrum):
    fit = spectrum.fit("tbabs*powerlaw", background={"nxb": "powerlaw"}, start={"nxb:powerlaw.PhoIndex": 0.0})
    direct = spectrum.fit("tbabs*powerlaw")
    for name in direct.parameters:
        mine, other = fit.parameters[name], direct.parameters[name]
        assert abs(mine.value - other.value) < 0.3 * other.error
    assert fit.statistic_name == "cstat"
    assert fit.parameters["nxb:factor[1]"].value == pytest.approx(0.25)


def test_senseless_input_is_refused_at_once_with_the_nearest_name(spectrum):
    with pytest.raises(ModelError, match=r"powerlw.*nearest name is 'zpowerlw'"):
        spectrum.fit("tbabs*powerlw")
    with pytest.raises(RequestError, match=r"stat='wstt'.*did you mean 'wstat'"):
        spectrum.fit("powerlaw", stat="wstt")
    with pytest.raises(RequestError, match=r"engine='nativ'.*did you mean 'native'"):
        spectrum.fit("powerlaw", engine="nativ")
    with pytest.raises(UnitsError):
        spectrum.fit("powerlaw", energy=(0.5, 10))
    with pytest.raises(RequestError, match="not an energy band"):
        spectrum.fit("powerlaw", energy=(10, 0.5) * u.keV)
    with pytest.raises(RequestError, match="cannot start at 'much'"):
        spectrum.fit("powerlaw", start={"norm": "much"})
    with pytest.raises(RequestError, match="tbabs gives no photons"):
        spectrum.fit("tbabs")
    with pytest.raises(RequestError, match="does not say which parameter"):
        spectrum.fit("powerlaw", start="x")
    with pytest.raises(RequestError, match="cosmology=3 is none"):
        spectrum.fit("powerlaw", cosmology=3)
    with pytest.raises(RequestError, match="3 is no spectrum"):
        xs.fit([3], "powerlaw")
    with pytest.raises(RequestError, match=r"no option groups=.*did you mean group="):
        spectrum.fit("powerlaw", groups="min 1")
    with pytest.raises(UnitsError, match=r"bbody.kT is in keV and cannot be 3.0 s"):
        spectrum.fit("bbody", start={"bbody.kT": 3 * u.s})
    with pytest.raises(RequestError, match=r"The background model nxb is 3"):
        spectrum.fit("powerlaw", background={"nxb": 3})


def test_quantities_are_converted_to_the_units_of_parameters(spectrum):
    fit = spectrum.fit("tbabs*bbody", start={"kT": 800 * u.eV, "tbabs.nH": 2e21 / u.cm**2})
    assert dict(fit.statement.start) == pytest.approx({"kT": 0.8, "tbabs.nH": 0.2})


def test_a_nominal_response_is_said_in_the_result(tmp_path, small):
    matrix, low, high, e_min, e_max = small
    write_rmf(tmp_path / "a.rmf", matrix, low, high, e_min, e_max, CALSTAT="NOMINAL")
    write_arf(tmp_path / "a.arf", low, high, np.full(40, 100.0))
    path = write_spectrum(tmp_path / "a.pi", np.full(50, 30), RESPFILE="a.rmf", ANCRFILE="a.arf")
    fit = xs.Spectrum.read(path).fit("powerlaw", group="none")
    assert fit.response_kind == "nominal"
    assert any("nominal, not calibrated" in said for said in fit.warnings)
    assert "nominal" in str(fit)


@pytest.mark.skipif(not library.installed(), reason="needs the extra xspec-library")
def test_components_without_native_code_are_evaluated_by_the_library(spectrum, fitted, tmp_path):
    """Comptonisation by hot electrons of cool photons is a power law in the band, of the same index and flux."""
    fit = spectrum.fit("tbabs*nthcomp", energy=(0.5, 10) * u.keV, freeze={"kT_e": 500.0, "kT_bb": 0.02})
    assert (fit.engine, fit.converged) == ("xspec-library", True)
    index = fitted.parameters["powerlaw.PhoIndex"]
    assert abs(fit.parameters["nthcomp.Gamma"].value - index.value) < index.error
    flux = fitted.flux(2 * u.keV, 10 * u.keV)
    assert abs(fit.flux(2 * u.keV, 10 * u.keV) - flux) < flux.error
    again = xs.Fit.read(fit.save(tmp_path / "nth.fits"))
    assert again.flux(2 * u.keV, 10 * u.keV).value == pytest.approx(fit.flux(2 * u.keV, 10 * u.keV).value, rel=1e-6)


@real
def test_the_iron_line_of_an_xmm_spectrum_is_found():
    folder = REAL / "xmm_pn"
    links = {name: folder / f"pn.{name}.gz" for name in ("rmf", "arf")}
    spectrum = xs.Spectrum.read(folder / "pn_spec.fits.gz", background=folder / "pn_backspec.fits.gz", **links)
    fit = spectrum.fit("powerlaw + gaussian", energy=(4, 8) * u.keV, start={"LineE": 6.3, "Sigma": 0.05})
    assert (fit.converged, fit.statistic_name) == (True, "wstat")
    line = fit.parameters["gaussian.LineE"]
    assert 6.38 < line.value < 6.47
    assert line.error < 0.01
    assert fit.flux(6 * u.keV, 7 * u.keV).value > 0
    folded = fit.result.folded[0]
    assert folded.model.sum() == pytest.approx(folded.net.sum(), rel=0.02)


@real
def test_an_asca_spectrum_without_background_is_fitted_sensibly():
    folder = REAL / "asca_sis"
    spectrum = xs.Spectrum.read(folder / "sis0.pha.gz", rmf=folder / "sis0.rmf.gz", arf=folder / "sis0.arf.gz")
    fit = spectrum.fit("tbabs*powerlaw", energy=(1, 8) * u.keV)
    assert (fit.converged, fit.statistic_name) == (True, "cstat")
    folded = fit.result.folded[0]
    assert folded.model.sum() == pytest.approx(folded.counts.sum(), rel=1e-3)
