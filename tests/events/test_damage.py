"""Files that open and cannot be: refused as a whole, by file and fault, before a number is taken from them."""

from __future__ import annotations

import gzip
import os
import shutil

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.errors import InputFileError, XtendsrcError
from xtendsrc.events import filebytes
from xtendsrc.events.eventlist import EventList
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.events.gti import GTI
from xtendsrc.measure.detector import detector_of
from xtendsrc.measure.ehk import read_attitude
from xtendsrc.measure.grid import Grid, count, flat_index


def card(path, key, value, extension="EVENTS"):
    """Overwrite the value of one card in place, whatever it makes of the file."""
    with fits.open(path) as hdus:
        start, stop = hdus[extension]._header_offset, hdus[extension]._data_offset
    data = bytearray(path.read_bytes())
    (at,) = (p for p in range(start, stop, 80) if data[p : p + 8].decode().strip() == key)
    data[at : at + 80] = f"{key:8s}= {value:>20s}".ljust(80).encode()
    path.write_bytes(data)
    return path


def read(path):
    events = EventList.read(path)
    return events.times, events["X"], events.deadc


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("TFORM2", "'1C'", "take 40 bytes of rows of 33"),
        ("TFORM1", "'2D'", "take 41 bytes of rows of 33"),
        ("TFORM7", "'abc'", "format 'abc'"),
        ("TFIELDS", "20", "format ''"),
        ("TFIELDS", "3", "bytes of rows"),
        ("TTYPE3", "'X'", "two columns X"),
        ("NAXIS2", "'abc'", "NAXIS2 is 'abc'"),
        ("NAXIS2", "-5", "NAXIS2 is -5"),
        ("NAXIS2", "99999999999", "the data of EVENTS end"),
        ("BITPIX", "'a'", "BITPIX is 'a'"),
        ("BITPIX", "7", "BITPIX is 7"),
        ("TIMEDEL", "NaN", "TIMEDEL is 'NaN', not a number"),
        ("TIMEDEL", "-4.0", "TIMEDEL is -4"),
        ("DEC_NOM", "1.0 x", "DEC_NOM is '1.0 x', not a number"),
        ("DEC_NOM", "-95.0", "DEC_NOM is -95"),
        ("TCDLT8", "0.0", "TCDLT8"),
        ("TCDLT8", "'x'", "TCDLT8 is 'x', not a number"),
        ("TLMAX7", "2000000000", "TLMAX"),
        ("MJDREFI", "'x'", "MJDREFI is 'x', not a number"),
    ],
)
def test_a_header_that_cannot_be_is_refused_by_file_and_card(tmp_path, files, key, value, reason):
    path = card(files.write(tmp_path / "bad.evt"), key, value)
    with pytest.raises(InputFileError, match=reason) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["TIME", "PI", "X"])
def test_a_column_of_vectors_is_no_column_of_events(tmp_path, files, name):
    data = files.columns()
    data[name] = np.column_stack([data[name], data[name]])
    path = files.write(tmp_path / "bad.evt", data, formats={name: "2D" if name == "TIME" else "2J"})
    with pytest.raises(InputFileError, match=rf"column {name} of EVENTS has the format 2\w, not one number a row"):
        read(path)


@pytest.mark.parametrize(("time", "told"), [(np.inf, "inf"), (1e300, "1e+300"), (-5.0, "-5 s"), (1e9, "1e+09")])
def test_absurd_times_are_refused_and_counted(tmp_path, files, time, told):
    data = files.columns()
    data["TIME"] = data["TIME"] + 1e6
    data["TIME"][[7, 9]] = time
    path = files.write(
        tmp_path / "bad.evt", data, header={"TSTART": 1.001e6, "TSTOP": 1.006e6}, gti=[(1.001e6, 1.006e6)]
    )
    with pytest.raises(InputFileError, match=r"2 of 2000 events have a TIME that cannot be; that of row 8") as caught:
        read(path)
    assert told in str(caught.value)


def test_good_time_beyond_the_span_of_the_events_is_refused(tmp_path, files):
    header = {"TSTART": 1000.0, "TSTOP": 6000.0}
    assert read(files.write(tmp_path / "good.evt", header=header))
    with pytest.raises(XtendsrcError, match=r"bad\.evt: its good time.*beyond TSTART and TSTOP"):
        read(files.write(tmp_path / "bad.evt", header=header, gti=[(1000.0, 9000.0)]))


def test_integers_beyond_32_bits_are_outside_of_every_image():
    x = np.array([100, 100 + 2**32, -(2**62), 2**31], np.int64)
    image = count(flat_index(x, np.full(4, 100, np.int64), Grid((1, 2430), (1, 2430))), (2430, 2430))
    assert image.sum() == 1 == image[99, 99]
    unsigned = np.array([100, 2**32 - 1], np.uint32)
    assert count(flat_index(unsigned, unsigned, Grid((1, 2430), (1, 2430))), (2430, 2430)).sum() == 1


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", "/dev/zero", tmp_path):
        for reader in (EventList.read, open_fits, GTI.read):
            with pytest.raises(XtendsrcError, match="not a file"):
                reader(path)


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10_000_000)))
    monkeypatch.setattr(filebytes, "LARGEST", 1_000_000)
    with pytest.raises(InputFileError, match="unpacks to more than"):
        open_fits(tmp_path / "bomb.gz")


def test_attitude_that_cannot_be_is_refused(tmp_path, files):
    for name, value, reason in (("DEC", 1e30, "DEC reaches"), ("RA", -1e5, "RA reaches"), ("TIME", 0.0, "goes back")):
        path = files.ehk(tmp_path / name / "x.ehk")
        with fits.open(path) as hdus:
            hdus["EHK"].data[name][100] = value
            hdus["EHK"].header.update({k: files.HEADER[k] for k in ("RA_NOM", "DEC_NOM", "PA_NOM")})
            hdus.writeto(path, overwrite=True)
        with pytest.raises(InputFileError, match=rf"x\.ehk.*{reason}"):
            read_attitude(path)


def test_pixels_without_a_number_are_bad_and_told_of(tmp_path, files):
    image = np.zeros((1810, 1810), np.float32)
    image[100:110, 100:110] = np.nan
    image[200, 200] = 1e30
    detector = detector_of(files.bimg(tmp_path / "x.bimg", image), files.HEADER, mask_calibration=False)
    assert not detector.good[100:110, 100:110].any()
    assert not detector.good[200, 200]
    assert any("101 pixels in it have no code" in note for note in detector.notes)


def test_a_map_without_its_list_of_flickering_pixels_says_so(full):
    complete = full.expmap(binning=10).compute()
    assert not any("flickering" in note for note in complete.provenance["notes"])
    assert complete.header["FLICKER"] is True


@pytest.fixture
def pair(archive, tmp_path, position):
    """A windowed pair of data classes of which the files may be changed."""
    shutil.copytree(archive / "900002010", tmp_path / "XRISM" / "900002010")
    return xs.PointSource(position, archive=tmp_path / "XRISM", output=tmp_path / "out", radius=1 * u.arcmin)


@pytest.mark.parametrize("code", ["31100010", "32000010"])
def test_a_damaged_data_class_hides_no_other(pair, tmp_path, archive, code):
    where = xs.Observation(archive / "900002010", output=tmp_path / "whole").pointing
    path = next(tmp_path.rglob(f"*{code}_cl.evt.gz"))
    path.write_bytes(path.read_bytes()[:300])
    observation = xs.Observation(tmp_path / "XRISM" / "900002010", output=tmp_path / "out")
    assert observation.pointing.separation(where) < 0.1 * u.arcsec
    if code == "32000010":  # the source is in the window of the other
        assert [dc.code for dc in pair.dataclasses()] == ["31100010"]


def test_a_missing_list_of_flickering_pixels_is_a_warning_in_the_product(pair, tmp_path):
    next(tmp_path.rglob("*31100010.fpix*")).unlink()
    product = pair.expmap(dataclass="31100010", binning=10)
    report = xs.compute(product, quiet=True)
    assert any("flickering pixels" in warning for outcome in report.made for warning in outcome.warnings)
    assert any("flickering pixels" in note for note in product.provenance["notes"])
    assert product.header["FLICKER"] is False
