"""Keywords and columns that readers of OGIP files rely on, as the memos name them."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time


@pytest.fixture(scope="module")
def spectrum(star):
    return star.spectra(response="nominal", obs_id="900001010")[0]


def test_channel_columns_of_a_matrix_are_variable_arrays(spectrum):
    """CAL/GEN/92-002: F_CHAN and N_CHAN hold one element a group of channels; gammapy and others index them."""
    with fits.open(spectrum.rmf.path) as hdus:
        matrix = hdus["MATRIX"]
        assert [matrix.columns[name].format for name in ("F_CHAN", "N_CHAN")] == ["PI(1)", "PI(1)"]
        rows = zip(matrix.data["N_CHAN"], matrix.data["MATRIX"], strict=True)
        assert all(len(number) == 1 and int(number[0]) == len(values) for number, values in rows)
        assert matrix.header[f"TLMIN{matrix.columns.names.index('F_CHAN') + 1}"] == 0


def test_responses_name_the_detector(spectrum):
    for product, name in ((spectrum.rmf, "MATRIX"), (spectrum.rmf, "EBOUNDS"), (spectrum.arf, "SPECRESP")):
        assert fits.getheader(product.path, name)["DETNAM"] == "CCD"


def test_a_background_says_that_it_is_one(spectrum):
    """OGIP/92-007: HDUCLAS2 is TOTAL for a source with its background, BKG for a background."""
    assert fits.getheader(spectrum.path, "SPECTRUM")["HDUCLAS2"] == "TOTAL"
    assert fits.getheader(spectrum.background.path, "SPECTRUM")["HDUCLAS2"] == "BKG"


def test_every_extension_has_both_names_of_the_celestial_frame(spectrum, star):
    for product in (spectrum, star.image(obs_id="900001010"), star.lightcurve(obs_id="900001010")):
        with fits.open(product.path) as hdus:
            for hdu in hdus:
                assert hdu.header["RADESYS"] == hdu.header["RADECSYS"] == "FK5", hdu.name


def test_times_of_a_curve_are_right_for_readers_that_know_no_timezero(star):
    curve = star.lightcurve(obs_id="900001010", bin=200 * u.s)
    with fits.open(curve.path) as hdus:
        header, table = hdus["RATE"].header, hdus["RATE"].data
        names = ("TIMVERSN", "EUNIT", "TIERRELA", "TIERABSO", "HDUVERS")
        assert [name for name in names if name not in header] == []
        assert (header["TIMEZERO"], header["TIMEPIXR"]) == (0, 0.5)
        days = header["MJDREFI"] + header["MJDREFF"] + np.array(table["TIME"], dtype=float) / 86400
    year = Time(days, format="mjd", scale="tt").utc.datetime[0].year
    assert year == Time(header["DATE-OBS"]).datetime.year
