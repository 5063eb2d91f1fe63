"""Spectra: every spelling of the memo is read, everything impossible refused with file, reason and next step."""

import gzip
import logging
import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from tests.products.ogip import write_arf, write_rmf, write_spectrum
from xtendsrc.errors import GridMismatchError, InputFileError, InputNotFoundError, MissingColumnError

COUNTS = np.arange(50)


def read(path):
    return xs.Spectrum.read(path).counts


def test_counts_are_whole_where_the_file_has_whole_counts(tmp_path):
    spectrum = xs.Spectrum.read(write_spectrum(tmp_path / "a.pi", COUNTS))
    assert spectrum.counts.dtype == np.int64
    assert spectrum.exposure == 1000 * u.s
    assert spectrum.backscal == 0.01
    np.testing.assert_array_equal(spectrum.channels, np.arange(50))
    np.testing.assert_allclose(spectrum.rate.to_value("ct/s"), COUNTS / 1000)
    assert read(write_spectrum(tmp_path / "b.pi", COUNTS.astype(float))).dtype == np.int64
    halves = read(write_spectrum(tmp_path / "c.pi", COUNTS + 0.5))
    np.testing.assert_array_equal(halves, COUNTS + 0.5)


def test_rates_and_their_errors_become_counts(tmp_path):
    errors = ("STAT_ERR", "D", np.full(50, 0.002))
    path = write_spectrum(tmp_path / "a.pi", COUNTS / 1000, [errors], name="RATE", POISSERR=False)
    spectrum = xs.Spectrum.read(path)
    np.testing.assert_allclose(spectrum.counts, COUNTS)
    np.testing.assert_allclose(spectrum.stat_error, 2.0)


def test_statistical_errors_of_a_poissonian_file_are_not_taken(tmp_path):
    errors = ("STAT_ERR", "D", np.full(50, 2.0))
    assert xs.Spectrum.read(write_spectrum(tmp_path / "a.pi", COUNTS, [errors])).stat_error is None
    own = xs.Spectrum.read(write_spectrum(tmp_path / "b.pi", COUNTS, [errors], POISSERR=False))
    np.testing.assert_array_equal(own.stat_error, 2.0)


def test_columns_take_the_place_of_keywords(tmp_path):
    scale = np.linspace(0.1, 0.2, 50)
    flags = [("QUALITY", "I", np.arange(50) % 3), ("GROUPING", "I", np.where(np.arange(50) % 5, -1, 1))]
    spectrum = xs.Spectrum.read(write_spectrum(tmp_path / "a.pi", COUNTS, [("BACKSCAL", "D", scale), *flags]))
    np.testing.assert_array_equal(spectrum.backscal_of_channels, scale)
    np.testing.assert_array_equal(spectrum.quality, flags[0][2])
    np.testing.assert_array_equal(spectrum.grouping, flags[1][2])
    with pytest.raises(InputFileError, match="backscal_of_channels"):
        _ = spectrum.backscal
    plain = xs.Spectrum.read(write_spectrum(tmp_path / "b.pi", COUNTS, QUALITY=0, GROUPING=0))
    assert not plain.quality.any()
    assert not plain.grouping.any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"drop": ("EXPOSURE",)}, "no EXPOSURE"),
        ({"EXPOSURE": 0.0}, "EXPOSURE of .* is 0 s"),
        ({"EXPOSURE": "long"}, "EXPOSURE of .*'long'"),
        ({"BACKSCAL": "x"}, "BACKSCAL of .*'x'"),
        ({"drop": ("CHANNEL",)}, "no CHANNEL column"),
        ({"drop": ("COUNTS",)}, "neither COUNTS nor RATE"),
    ],
)
def test_what_cannot_be_a_spectrum_is_refused(tmp_path, change, words):
    path = write_spectrum(tmp_path / "odd.pi", COUNTS, **change)
    with pytest.raises(InputFileError, match=words) as caught:
        read(path)
    assert "odd.pi" in str(caught.value)
    assert caught.value.next_step


def test_odd_tables_are_refused(tmp_path):
    with pytest.raises(InputFileError, match="type II"):
        read(write_spectrum(tmp_path / "a.pi", np.ones((3, 50), np.int32), [("SPEC_NUM", "I", [1, 2, 3])]))
    with pytest.raises(InputFileError, match="type II"):
        read(write_spectrum(tmp_path / "b.pi", np.ones((3, 50), np.int32)))
    with pytest.raises(InputFileError, match="not finite"):
        read(write_spectrum(tmp_path / "c.pi", np.array([1.0, np.nan])))
    with pytest.raises(InputFileError, match="no rows"):
        read(write_spectrum(tmp_path / "d.pi", np.array([], int)))
    with pytest.raises(InputFileError, match=r"no SPECTRUM extension; it has PRIMARY, SPECRESP"):
        read(write_arf(tmp_path / "e.arf", [1.0], [2.0], [3.0]))
    (tmp_path / "f.pi").write_text("nothing")
    with pytest.raises(InputFileError, match=r"f\.pi: this is not a FITS file"):
        read(tmp_path / "f.pi")


def test_a_missing_scale_is_one_and_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        assert xs.Spectrum.read(write_spectrum(tmp_path / "a.pi", COUNTS, drop=("BACKSCAL",))).backscal == 1
    assert "no BACKSCAL" in caplog.text


# --- links ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path, small):
    """A spectrum in a folder of its own that names a background, a matrix and an area."""
    folder = tmp_path / "with space"
    folder.mkdir()
    write_rmf(folder / "a.rmf", *small)
    write_arf(folder / "a.arf", small[1], small[2], np.ones(40))
    write_spectrum(folder / "b.pi", COUNTS, EXPOSURE=4000.0, BACKSCAL=0.05)
    return write_spectrum(folder / "a.pi", COUNTS, BACKFILE="b.pi", RESPFILE="a.rmf", ANCRFILE="a.arf")


def test_links_are_relative_to_the_spectrum(linked, monkeypatch, tmp_path, small):
    monkeypatch.chdir(tmp_path)
    spectrum = xs.Spectrum.read(linked.relative_to(tmp_path))
    assert spectrum.background.exposure == 4000 * u.s
    np.testing.assert_allclose(spectrum.rmf.matrix.toarray(), small[0])
    assert spectrum.arf.area_cm2.sum() == 40
    np.testing.assert_allclose(spectrum.background_scale, 1000 * 0.01 / (4000 * 0.05))
    np.testing.assert_allclose(spectrum.channel_energies.value[:, 0], small[3])
    assert spectrum.background is spectrum.background
    assert spectrum.response_kind == "calibrated"


def test_links_to_gzipped_files_are_followed(linked):
    plain = linked.parent / "b.pi"
    plain.with_name("b.pi.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert xs.Spectrum.read(linked).background.path.name == "b.pi.gz"
    fits.setval(linked, "ANCRFILE", value="a.arf.gz", extname="SPECTRUM")
    assert xs.Spectrum.read(linked).arf.path.name == "a.arf"


def test_a_link_to_nothing_is_an_error_with_the_keyword(linked):
    (linked.parent / "b.pi").unlink()
    with pytest.raises(InputNotFoundError, match=r"a\.pi names b\.pi as its BACKFILE"):
        _ = xs.Spectrum.read(linked).background


def test_files_given_take_the_place_of_links(linked, tmp_path):
    other = write_spectrum(tmp_path / "other.pi", COUNTS, EXPOSURE=7.0)
    spectrum = xs.Spectrum.read(linked, background=other)
    assert spectrum.background.exposure == 7 * u.s
    assert pickle.loads(pickle.dumps(spectrum)).background.exposure == 7 * u.s
    with pytest.raises(InputNotFoundError, match=r"gone\.rmf to be the rmf"):
        xs.Spectrum.read(linked, rmf=tmp_path / "gone.rmf")


def test_what_is_not_named_is_not_there(tmp_path):
    spectrum = xs.Spectrum.read(write_spectrum(tmp_path / "a.pi", COUNTS, BACKFILE="NONE", RESPFILE="  "))
    assert spectrum.background is None
    assert spectrum.response_kind == "none"
    assert not spectrum.calibrated
    assert not spectrum.background_scale.any()
    with pytest.raises(InputNotFoundError, match=r"no RESPFILE.*rmf=") as caught:
        _ = spectrum.rmf
    assert "a.pi" in str(caught.value)


def test_energies_without_a_response_are_known_for_xtend_only(tmp_path):
    xtend = xs.Spectrum.read(write_spectrum(tmp_path / "a.pi", np.zeros(4096, int)))
    np.testing.assert_allclose(xtend.channel_energies[100].to_value("eV"), [600, 606])
    other = xs.Spectrum.read(write_spectrum(tmp_path / "b.pi", np.zeros(4096, int), INSTRUME="EPN"))
    with pytest.raises(InputFileError, match="no RMF"):
        _ = other.channel_energies


def test_channels_that_are_not_those_of_the_matrix_are_refused(linked):
    odd = write_spectrum(linked.parent / "c.pi", COUNTS, first=1, RESPFILE="a.rmf")
    with pytest.raises(GridMismatchError, match="50 channels from 1 and its RMF 50 from 0"):
        _ = xs.Spectrum.read(odd).channel_energies
    short = write_spectrum(linked.parent / "d.pi", COUNTS[:-1], BACKFILE="b.pi")
    with pytest.raises(GridMismatchError, match="49 channels and its background 50"):
        _ = xs.Spectrum.read(short).background_scale
    empty = write_spectrum(linked.parent / "e.pi", COUNTS, BACKFILE="b.pi", BACKSCAL=0.0)
    with pytest.raises(InputFileError, match="not positive"):
        _ = xs.Spectrum.read(empty).background_scale


def test_a_nominal_response_makes_a_nominal_spectrum(linked):
    fits.setval(linked.parent / "a.arf", "CALSTAT", value="NOMINAL", extname="SPECRESP")
    spectrum = xs.Spectrum.read(linked)
    assert spectrum.rmf.calibrated
    assert not spectrum.arf.calibrated
    assert spectrum.response_kind == "nominal"


def test_a_missing_column_is_told_from_a_bad_file(tmp_path):
    with pytest.raises(MissingColumnError):
        read(write_spectrum(tmp_path / "a.pi", COUNTS, drop=("CHANNEL",)))
