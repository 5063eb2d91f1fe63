"""Public files of other instruments: what is in them, as their headers and other programs say."""

import logging

import astropy.units as u
import numpy as np
import pytest

import xtendsrc as xs
from tests.products.ogip import REAL
from xtendsrc.errors import InputFileError

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the public mission files are not beside this checkout")


def test_asca_matrix_without_tlmin(caplog):
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        folder = REAL / "asca_sis"
        spectrum = xs.Spectrum.read(folder / "sis0.pha.gz", rmf=folder / "sis0.rmf.gz", arf=folder / "sis0.arf.gz")
        assert spectrum.rmf.first_channel == 1
    assert "TLMIN4" in caplog.text
    assert spectrum.counts.sum() == 50389
    assert spectrum.weighted_map.shape[0] == 29
    # the matrix puts the peak of a line where EBOUNDS has its energy
    matrix, energies = spectrum.rmf.matrix, spectrum.rmf.energies.value.mean(axis=1)
    row = int(np.searchsorted(energies, 6.0))
    channel = int(matrix[[row]].toarray().argmax())
    low, high = spectrum.rmf.channel_energies[channel].value
    assert low - 0.05 < energies[row] < high + 0.05
    assert 0.1 < spectrum.rmf.fwhm()[row].value < 0.3
    grouped = spectrum.grouped("min 20", (1, 8) * u.keV)
    assert grouped.counts[grouped.complete].min() >= 20
    spectrum.rmf.fold(np.ones(energies.size), spectrum.arf)


def test_xmm_pn_with_its_background_and_grouping(caplog):
    folder = REAL / "xmm_pn"
    links = {name: folder / f"pn.{name}.gz" for name in ("rmf", "arf")}
    spectrum = xs.Spectrum.read(folder / "pn_spec.fits.gz", background=folder / "pn_backspec.fits.gz", **links)
    assert (spectrum.counts.sum(), spectrum.background.counts.sum()) == (48907, 1581)
    np.testing.assert_allclose(spectrum.background_scale, 22091.81 * 12082730 / (22091.848772265 * 4526400), rtol=1e-9)
    assert set(np.unique(spectrum.grouping)) <= {-1, 0, 1}
    assert spectrum.quality.max() == 2
    kept = spectrum.grouped()
    assert kept.counts.sum() == spectrum.counts[spectrum.quality == 0].sum()
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        spectrum.rmf.check_grid(spectrum.arf)
    assert "first energy bin starts at 0.001 keV" in caplog.text
    np.testing.assert_allclose(spectrum.rmf.matrix.sum(axis=1), 1, atol=1e-6)


def test_resolve_spectrum_and_area():
    spectrum = xs.Spectrum.read(REAL / "xrism_resolve" / "xa_merged_p0px1000_Hp.pi.gz")
    assert spectrum.channels.size == 60000
    assert spectrum.counts.sum() == 228716
    assert spectrum.exposure.to_value("s") == pytest.approx(100325.905108273)
    assert spectrum.header["OBS_ID"].strip() == "000154000"
    assert spectrum.background is None
    with pytest.raises(InputFileError, match="no RMF"):
        _ = spectrum.channel_energies
    arf = xs.ARF.read(REAL / "xrism_resolve" / "resolve_pnt_heasim_noGV_20190701.arf.gz")
    assert arf.area_cm2.size == 50000
    middle = arf.energies.value.mean(axis=1)
    # gold M edge: the area falls between 2.1 and 2.4 keV
    assert np.interp(2.4, middle, arf.area_cm2) < 0.8 * np.interp(2.1, middle, arf.area_cm2)
