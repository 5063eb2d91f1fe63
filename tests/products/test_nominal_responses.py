"""Nominal responses: their numbers against an independent response, closed forms, and their labels."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from tests.products.ogip import DATA, SHARED
from xtendsrc.errors import CalibrationMissingError, EngineUnavailableError, ProductError, RegionError
from xtendsrc.products.arf.native import enclosed_fraction
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.responses.nominal import psf_eef


@pytest.fixture(scope="module")
def spectrum(star):
    return star.spectra(response="nominal", obs_id="900001010")[0]


def test_matrix_equals_one_made_elsewhere(spectrum):
    golden = SHARED / "golden" / "spectral" / "nom.rmf.gz"
    if not golden.is_file():
        pytest.skip("the independent matrix is not beside this checkout")
    other, own = xs.RMF.read(golden), spectrum.rmf
    np.testing.assert_allclose(own.energies.value, other.energies.value, rtol=1e-6)
    np.testing.assert_allclose(own.channel_energies.value, other.channel_energies.value, rtol=1e-6, atol=1e-7)
    below = own.energies.value[:, 1] < 20  # above, the other matrix loses what is beyond the last channel
    difference = abs(own.matrix[below] - other.matrix[below])
    assert difference.max() < 1.2e-6  # both leave out what is below 1e-6


def test_matrix_conserves_photons_and_keeps_their_energy(spectrum):
    rmf = spectrum.rmf
    energy = rmf.energies.value.mean(axis=1)
    np.testing.assert_allclose(rmf.matrix.sum(axis=1), 1, atol=1e-4)
    middle = rmf.channel_energies.value.mean(axis=1)
    inside = (energy > 0.5) & (energy < 20)
    np.testing.assert_allclose((rmf.matrix @ middle)[inside], energy[inside], atol=4e-4)


def test_area_equals_one_made_elsewhere_away_from_edges(spectrum):
    other, own = xs.ARF.read(DATA / "spectral" / "nom.arf.gz"), spectrum.arf
    energy = own.energies.value.mean(axis=1)
    np.testing.assert_allclose(own.energies.value, other.energies.value, rtol=1e-6)
    on_axis = own.area_cm2 / own.header["ENCFRAC"]
    smooth = ((energy > 1) & (energy < 1.5)) | ((energy > 3.6) & (energy < 11))  # between edges of Al, Si and Au
    np.testing.assert_allclose(on_axis[smooth], other.area_cm2[smooth], rtol=0.04)
    assert np.interp(6.0, energy, on_axis) == pytest.approx(310, rel=0.01)


@pytest.mark.parametrize("arcmin", [0.5, 1.0, 2.0, 4.0])
def test_fraction_of_a_uniform_map_is_the_encircled_energy(spectrum, full, arcmin):
    request = spectrum.request.arf
    ra, dec = request.position
    circle = RegionSet("icrs", (Shape("circle", (ra, dec, arcmin / 60)),))
    request = replace(request, region=circle, exclude_calibration=False)
    exposed = np.ones((2430, 2430), np.float32)
    light = float(psf_eef(arcmin))
    assert enclosed_fraction(request, exposed, full.geometry) == pytest.approx(light, abs=0.004)
    assert enclosed_fraction(request, exposed / 2, full.geometry) == pytest.approx(
        float(psf_eef(arcmin)) / 2, abs=0.002
    )
    disc = replace(request, source_type="FLATCIRCLE", shape=(8.0,))
    assert enclosed_fraction(disc, exposed, full.geometry) == pytest.approx((arcmin / 8) ** 2, rel=0.03)
    with pytest.raises(EngineUnavailableError, match="BETAMODEL"):
        enclosed_fraction(replace(request, source_type="BETAMODEL"), exposed, full.geometry)
    on_det = RegionSet("DET", (Shape("circle", (733, 731, 34 * arcmin)),))
    with pytest.raises(RegionError, match="DET pixels cannot be used on the SKY grid"):
        enclosed_fraction(replace(request, region=on_det), exposed, full.geometry)


def test_gaps_and_bad_columns_lower_the_area(spectrum, full):
    fraction = spectrum.arf.header["ENCFRAC"]
    assert psf_eef(2.0) * 0.9 < fraction < psf_eef(2.0)


def test_nominal_is_written_everywhere(spectrum):
    for product in (spectrum.rmf, spectrum.arf):
        assert not product.calibrated
        assert "NOMINAL" in product.path.name
        assert type(product).read(product.path).calibrated is False
        with fits.open(product.path) as hdus:
            for hdu in hdus:
                assert hdu.header["CALSTAT"] == "NOMINAL"
                assert "nominal" in hdu.header["CREATOR"]
                assert any("NOT CALIBRATED" in str(line) for line in hdu.header["HISTORY"])
    assert spectrum.response_kind == "nominal"
    assert not spectrum.calibrated
    again = xs.Spectrum.read(spectrum.path)
    assert again.response_kind == "nominal"
    assert "NOMINAL" in again.header["RESPFILE"]


def test_what_is_written_is_ogip(spectrum):
    with fits.open(spectrum.rmf.path) as hdus:
        matrix, bounds = hdus["MATRIX"].header, hdus["EBOUNDS"].header
        number = hdus["MATRIX"].columns.names.index("F_CHAN") + 1
    assert (matrix["HDUCLAS1"], matrix["HDUCLAS2"], matrix["HDUCLAS3"]) == ("RESPONSE", "RSP_MATRIX", "REDIST")
    assert (matrix[f"TLMIN{number}"], matrix["DETCHANS"], bounds["DETCHANS"]) == (0, 4096, 4096)
    assert (bounds["HDUCLAS2"], bounds["TLMIN1"], bounds["TLMAX1"]) == ("EBOUNDS", 0, 4095)
    for header in (matrix, bounds, spectrum.arf.header, spectrum.header):
        assert (header["TELESCOP"], header["INSTRUME"], header["HDUCLASS"]) == ("XRISM", "XTEND", "OGIP")
        assert "FILTER" in header
    for keyword in ("EXPOSURE", "BACKSCAL", "AREASCAL", "CORRSCAL", "CHANTYPE", "POISSERR", "DETCHANS", "HDUCLAS2"):
        assert keyword in spectrum.header
    folder = spectrum.path.parent
    for keyword in ("BACKFILE", "RESPFILE", "ANCRFILE"):
        name = spectrum.header[keyword]
        assert (folder / name).is_file()
        assert "/" not in name
        assert len(name) <= 68


def test_counts_are_those_of_the_true_spectrum(spectrum):
    # simulated with 1 ct/s on axis within 0.5-10 keV: what the region encloses comes back
    grouped = spectrum.grouped("none", (0.5, 10) * u.keV)
    rate = grouped.net_counts.sum() / grouped.exposure
    expected = 1.0 * spectrum.arf.header["ENCFRAC"]
    assert abs(rate - expected) < 4 * np.sqrt(grouped.counts.sum()) / grouped.exposure


def test_calibrated_is_never_faked(star):
    with pytest.raises(ProductError, match=r"(?i)heasoft.*nominal"):
        star.spectra(response="calibrated", obs_id="900001010")[0].compute()
    bare = star.spectra(response=None, obs_id="900001010")[0]
    assert bare.response_kind == "none"
    with pytest.raises(CalibrationMissingError, match="nominal"):
        _ = bare.rmf
    assert bare.channel_energies[100, 0].to_value(u.eV) == pytest.approx(600)
