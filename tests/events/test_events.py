"""Event lists: columns as astropy reads them, the clock, split files, and every bad input by name."""

from __future__ import annotations

import logging
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.errors import (
    DeadTimeError,
    EncryptedFileError,
    GTIError,
    InputFileError,
    InputNotFoundError,
    MissingColumnError,
    MissingGTIError,
    MissingKeywordError,
    NotXtendError,
    TruncatedFileError,
)
from xtendsrc.events import filebytes
from xtendsrc.events.eventlist import EventList, read_header
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.instrument import Geometry


@pytest.fixture
def plain(tmp_path, files):
    return files.write(tmp_path / "xa900001010xtd_p0300000a0_cl.evt")


@pytest.fixture
def packed(tmp_path, files):
    return files.write(tmp_path / "packed" / "xa900001010xtd_p0300000a0_cl.evt.gz")


def told(path, reason):
    """Pattern of a message that names the file, the reason and a next step."""
    return rf"(?s){path.name}.*{reason}.*Next step: \w+"


@pytest.mark.parametrize("which", ["plain", "packed"])
def test_columns_are_what_astropy_reads(which, request):
    path = request.getfixturevalue(which)
    events = EventList.read(path)
    with fits.open(path) as hdul:
        table = hdul["EVENTS"].data
        assert events.columns == table.names
        for name in events.columns:
            assert np.array_equal(events[name], table[name])
            assert events[name].dtype.isnative
        assert np.array_equal(events.gti.start, hdul["GTI"].data["START"])
    assert len(events) == 2000


def test_scaled_unsigned_string_and_vector_columns(tmp_path, files):
    data = files.columns(50)
    data["L32TI"] = np.arange(50, dtype="u4") + 2**31
    data["VOLTS"] = np.arange(-25, 25, dtype="i2")
    data["PHAS"] = np.arange(450, dtype="i2").reshape(50, 9)
    data["NAME"] = np.array([f"e{i}" for i in range(50)])
    data["FLAG"] = np.arange(50) % 3 == 0
    cols = [
        fits.Column("TIME", "1D", array=data["TIME"]),
        fits.Column("L32TI", "1J", bzero=2**31, array=data["L32TI"]),
        fits.Column("VOLTS", "1I", array=data["VOLTS"]),
        fits.Column("PHAS", "9I", array=data["PHAS"]),
        fits.Column("NAME", "4A", array=data["NAME"]),
        fits.Column("LIST", "PJ()", array=np.array([np.arange(i % 4) for i in range(50)], dtype=object)),
        fits.Column("FLAG", "1L", array=data["FLAG"]),
    ]
    hdu = fits.BinTableHDU.from_columns(cols, name="EVENTS")
    hdu.header.update(files.HEADER | {"QSCAL3": 0.001, "QZERO3": 0.5})
    path = tmp_path / "odd.evt"
    fits.HDUList([fits.PrimaryHDU(), hdu, files.gti_hdu(files.GTIS)]).writeto(path)
    path.write_bytes(path.read_bytes().replace(b"QSCAL3", b"TSCAL3").replace(b"QZERO3", b"TZERO3"))
    events = EventList.read(path)
    assert np.array_equal(events["L32TI"], data["L32TI"])
    assert np.allclose(events["VOLTS"], data["VOLTS"] * 0.001 + 0.5, rtol=1e-12)
    assert np.array_equal(events["PHAS"], data["PHAS"])
    assert events["NAME"].astype(str).tolist() == data["NAME"].tolist()
    assert np.array_equal(events["FLAG"], data["FLAG"])
    with pytest.raises(InputFileError, match=told(path, "LIST.*variable length")):
        events["LIST"]


def test_float_positions_stay_float(tmp_path, files):
    data = files.columns(30)
    data["X"] = data["X"] + 0.25
    path = files.write(tmp_path / "float.evt", data, formats={"X": "1E"})
    assert np.array_equal(EventList.read(path)["X"], data["X"].astype("f4"))


def test_status_bits_count_from_the_first(tmp_path, files):
    data = files.columns(40)
    data["STATUS"][3, 1] = data["STATUS"][5, 8] = data["STATUS"][7, 47] = True
    events = EventList.read(files.write(tmp_path / "bits.evt", data))
    for bit in range(1, 49):
        assert np.array_equal(events.status_bit(bit), data["STATUS"][:, bit - 1])


def test_event_time_is_the_middle_of_the_frame(tmp_path, files):
    header = {"TIMEZERO": 100.0, "TIMEPIXR": 0.0, "TIMEDEL": 0.5}
    path = files.write(tmp_path / "clock.evt", header=header, gti_header={"TIMEZERO": 100.0})
    events = EventList.read(path)
    assert np.array_equal(events.times, events["TIME"] + 100.0 + 0.25)
    assert events.gti.pairs == tuple((a + 100.0, b + 100.0) for a, b in files.GTIS)


def test_missing_timepixr_counts_as_the_start_of_the_frame_and_is_logged(tmp_path, files, caplog):
    events = EventList.read(files.write(tmp_path / "pixr.evt", drop=["TIMEPIXR"]))
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        assert np.array_equal(events.times, events["TIME"] + 2.0)
    assert "pixr.evt" in caplog.text
    assert "TIMEPIXR" in caplog.text


def test_events_outside_the_gtis_and_pi_out_of_range_are_counted_and_not_good(tmp_path, files):
    data = files.columns(100)
    data["TIME"][:7] = 4000.0
    data["TIME"][-1] = 6000.0  # on the very end of an interval: inside
    data["PI"][10:15] = -999
    data["PI"][20] = 5000
    events = EventList.read(files.write(tmp_path / "out.evt", data))
    assert events.summary == {"events": 100, "outside_gti": 7, "pi_negative": 5, "pi_above": 1}
    assert np.count_nonzero(events.good) == 93


def test_pieces_of_a_split_file_are_joined(tmp_path, files):
    one = files.write(tmp_path / "p1.evt", files.columns(30, [(1000.0, 2000.0)], 1), gti=[(1000.0, 2000.0)])
    two = files.write(tmp_path / "p2.evt.gz", files.columns(50, [(1900.0, 3000.0)], 2), gti=[(1900.0, 3000.0)])
    both, a, b = EventList.read([one, two]), EventList.read(one), EventList.read(two)
    assert len(both) == 80
    for name in both.columns:
        assert np.array_equal(both[name], np.concatenate([a[name], b[name]]))
    assert both.gti.pairs == ((1000.0, 3000.0),)
    assert both.ontime == 2000.0


def test_each_piece_keeps_its_own_clock(tmp_path, files):
    one = files.write(tmp_path / "p1.evt")
    two = files.write(tmp_path / "p2.evt", header={"TIMEZERO": 50.0})
    both = EventList.read([one, two])
    assert np.array_equal(both.times[:2000], both["TIME"][:2000])
    assert np.array_equal(both.times[2000:], both["TIME"][2000:] + 50.0)


@pytest.mark.parametrize(("key", "value"), [("DATACLAS", "30000010"), ("PA_NOM", 90.0)])
def test_files_that_are_not_pieces_of_one_are_refused(tmp_path, files, key, value):
    one, two = files.write(tmp_path / "p1.evt"), files.write(tmp_path / "p2.evt", header={key: value})
    with pytest.raises(InputFileError, match=told(two, f"{key}.*p1.evt")):
        EventList.read([one, two])


def test_live_fraction_keywords_in_order(tmp_path, files):
    def deadc(name, drop=(), **header):
        return EventList.read(files.write(tmp_path / name, header=header, drop=drop)).deadc

    assert deadc("a.evt", DEADC=0.9, DTCOR=0.8) == 0.9
    assert deadc("b.evt", ["DEADC"], DTCOR=0.8) == 0.8
    assert deadc("c.evt", ["DEADC"], ONTIME=3000.0, LIVETIME=360.0) == pytest.approx(0.12)
    assert deadc("d.evt", ["DEADC"]) == 1.0
    with pytest.raises(DeadTimeError, match=r"e.evt.*1.7.*Next step"):
        deadc("e.evt", DEADC=1.7)


def test_exposure_is_the_gtis_times_deadc_whatever_the_keywords_say(tmp_path, files):
    events = EventList.read(files.write(tmp_path / "e.evt", header={"DEADC": 0.5, "EXPOSURE": 1.0}))
    assert events.ontime == 3000.0
    assert events.exposure == 1500.0


def test_sky_coordinates_of_the_reference_and_of_a_step_north(plain):
    wcs = EventList.read(plain).wcs("SKY")
    assert np.allclose(wcs.wcs_pix2world([[1215.5, 1215.5]], 1), [[81.259, -69.644]], atol=1e-12)
    (_, north), (east, _) = wcs.wcs_pix2world([[1215.5, 1225.5], [1205.5, 1215.5]], 1)
    assert north == pytest.approx(-69.644 + 10 * 4.91106681541e-4, abs=1e-9)
    assert east > 81.259
    assert EventList.read(plain).wcs("DET").wcs_pix2world([[12.0, 34.0]], 1).tolist() == [[12.0, 34.0]]


def test_rotation_of_the_table_is_obeyed(tmp_path, files):
    path = files.write(tmp_path / "rot.evt", header={"TCROT8": 90.0})
    ra, dec = EventList.read(path).wcs().wcs_pix2world([[1225.5, 1215.5]], 1)[0]
    assert ra == pytest.approx(81.259, abs=1e-9)
    assert abs(dec + 69.644) == pytest.approx(10 * 4.91106681541e-4, abs=1e-9)


def test_columns_named_at_once_let_go_of_the_file_and_others_still_come(packed):
    events = EventList.read(packed, columns=("TIME", "PI"))
    assert not events._files
    assert np.array_equal(events["X"], EventList.read(packed)["X"])


def test_a_gzipped_file_is_decompressed_once_for_many_threads(packed, monkeypatch):
    calls = []
    real = filebytes._decompress
    monkeypatch.setattr(filebytes, "_decompress", lambda data: calls.append(1) or real(data))
    start, found = threading.Barrier(8), []

    def read():
        start.wait()
        found.append(EventList.read(packed))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 8
    assert len(calls) == 1


def test_an_event_list_travels_to_another_process(plain):
    events = pickle.loads(pickle.dumps(EventList.read(plain)))
    assert np.array_equal(events["PI"], EventList.read(plain)["PI"])


def test_a_header_costs_no_decompression_of_the_events(packed):
    cut = packed.with_name("cut.evt.gz")
    cut.write_bytes(packed.read_bytes()[:12000])
    assert read_header(cut)["OBS_ID"] == "900001010"
    with pytest.raises(TruncatedFileError):
        EventList.read(cut)


# --- bad input ------------------------------------------------------------------------------------------------------


def test_encrypted_file(tmp_path):
    path = tmp_path / "xa900001010xtd_p0300000a0_cl.evt.gz.gpg"
    path.write_bytes(b"\x85\x02\x0c")
    for asked in (path, path.with_suffix("")):
        with pytest.raises(EncryptedFileError, match=rf"{path.name}: .*encrypted.*Next step: .*public date"):
            EventList.read(asked)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_truncated_gzip(packed, keep):
    data = packed.read_bytes()
    packed.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(TruncatedFileError, match=told(packed, "cut or damaged")):
        EventList.read(packed)


def test_damaged_gzip(packed):
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 0xFF
    packed.write_bytes(data)
    with pytest.raises(TruncatedFileError, match=told(packed, "damaged")):
        EventList.read(packed)


@pytest.mark.parametrize("size", [0, 1000, 2880 + 1000, 60_000])
def test_truncated_plain_file(plain, size):
    plain.write_bytes(plain.read_bytes()[:size])
    with pytest.raises(TruncatedFileError, match=told(plain, "(empty|end)")):
        EventList.read(plain)


def test_not_a_fits_file(tmp_path):
    path = tmp_path / "page.evt"
    path.write_text("<html>404 not found</html>" * 200)
    with pytest.raises(InputFileError, match=told(path, "not a FITS file")):
        EventList.read(path)


def test_no_such_file(tmp_path):
    with pytest.raises(InputNotFoundError, match=told(tmp_path / "no.evt", "does not exist")):
        EventList.read(tmp_path / "no.evt")


def test_missing_column(tmp_path, files):
    path = files.write(tmp_path / "c.evt", drop=["PI"])
    with pytest.raises(MissingColumnError, match=told(path, "no column PI; it has TIME")):
        EventList.read(path)["PI"]
    path = files.write(tmp_path / "t.evt", drop=["TIME"])
    with pytest.raises(MissingColumnError, match=told(path, "no column TIME")):
        EventList.read(path)


def test_missing_keyword(tmp_path, files):
    for key in ("MJDREFI", "MJDREFF"):
        path = files.write(tmp_path / f"{key}.evt", drop=[key])
        with pytest.raises(MissingKeywordError, match=told(path, "MJDREFI and MJDREFF")):
            EventList.read(path)
    path = files.write(tmp_path / "l.evt", limits={})
    with pytest.raises(MissingKeywordError, match=told(path, "TLMIN7.*column X")):
        EventList.read(path).limits("X")
    path = files.write(tmp_path / "d.evt", drop=["TIMEPIXR", "TIMEDEL"])
    with pytest.raises(MissingKeywordError, match=told(path, "TIMEDEL")):
        _ = EventList.read(path).times
    path = files.write(tmp_path / "w.evt", drop=["TCRVL7"])
    with pytest.raises(MissingKeywordError, match=told(path, "TCRVL7")):
        EventList.read(path).wcs()
    path = files.write(tmp_path / "i.evt", drop=["INSTRUME"])
    with pytest.raises(MissingKeywordError, match=told(path, "INSTRUME")):
        read_header(path)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"TIMESYS": "TDB"}, "TIMESYS is 'TDB', not 'TT'"),
        ({"TIMEUNIT": "d"}, "TIMEUNIT is 'd', not 's'"),
        ({"MJDREFI": 51910, "MJDREFF": 7.428703703703703e-4}, "from MJD 51910.*XRISM's from 58484"),
    ],
)
def test_times_that_are_not_mission_time(tmp_path, files, header, reason):
    path = files.write(tmp_path / "clock.evt", header=header)
    with pytest.raises(InputFileError, match=told(path, reason)):
        EventList.read(path)


def test_column_of_times_that_is_not_in_seconds(tmp_path, files):
    path = files.write(tmp_path / "unit.evt")
    path.write_bytes(path.read_bytes().replace(b"TUNIT1  = 's", b"TUNIT1  = 'd", 1))
    with pytest.raises(InputFileError, match=told(path, "TIME is in 'd'")):
        EventList.read(path)


@pytest.mark.parametrize("value", ["none", 0, -5])
def test_limits_that_are_none(tmp_path, files, value):
    path = files.write(tmp_path / "lim.evt", header={"TLMAX7": value})
    with pytest.raises(InputFileError, match=told(Path("lim.evt"), "TLMAX7")):
        EventList.read(path).limits("X")


def test_scale_and_unit_may_be_left_unsaid(tmp_path, files):
    assert len(EventList.read(files.write(tmp_path / "e.evt", drop=["TIMESYS", "TIMEUNIT"]))) == 2000


@pytest.mark.parametrize("key", ["TIMEPIXR", "TIMEDEL", "DEADC"])
def test_a_word_for_a_number(tmp_path, files, key):
    path = files.write(tmp_path / "w.evt", header={"TIMEPIXR": 0.0, key: "unknown"})
    with pytest.raises(InputFileError, match=told(Path("w.evt"), f"{key} is 'unknown', not a number")):
        EventList.read(path)


@pytest.mark.parametrize("header", [{"RADECSYS": "GAPPT"}, {"EQUINOX": 1950.0}, {"EQUINOX": "J2000"}])
def test_sky_grid_of_another_frame(tmp_path, files, header):
    events = EventList.read(files.write(tmp_path / "f.evt", header=header))
    for read in (events.wcs, lambda: Geometry.from_header(events.header)):
        with pytest.raises(InputFileError, match=next(iter(header))):
            read()


def test_columns_after_ones_that_are_not_read(tmp_path, files):
    """Complex and variable-length columns have their width in a row, too."""
    path = files.write(tmp_path / "p.evt")
    with fits.open(path) as hdus:
        odd = [
            fits.Column("C", "1C", array=np.zeros(2000, "c8")),
            fits.Column("M", "3M", array=np.zeros((2000, 3), "c16")),
            fits.Column("V", "PI()", array=[np.arange(2, dtype="i2")] * 2000),
        ]
        fits.BinTableHDU.from_columns([*odd, *hdus["EVENTS"].columns], name="EVENTS").writeto(tmp_path / "odd.fits")
    file, astropy = open_fits(tmp_path / "odd.fits"), fits.getdata(tmp_path / "odd.fits", "EVENTS")
    for name in ("TIME", "PI", "GRADE"):
        assert np.array_equal(file.column(file.find("EVENTS"), name), astropy[name])


def test_header_that_is_not_ascii(tmp_path, files):
    path = files.write(tmp_path / "latin.evt", header={"OBJECT": "Muller"})
    path.write_bytes(path.read_bytes().replace(b"'Muller", b"'M\xfcller"))
    assert EventList.read(path).header["OBJECT"] == "M?ller"


@pytest.mark.parametrize("header", [{"INSTRUME": "RESOLVE"}, {"TELESCOP": "HITOMI", "INSTRUME": "SXI"}])
def test_another_instrument(tmp_path, files, header):
    path = files.write(tmp_path / "xa000154000rsl_p0px1000_cl.evt", header=header)
    for read in (EventList.read, read_header):
        with pytest.raises(NotXtendError, match=told(path, f"{header['INSTRUME']}.*not of XRISM XTEND")):
            read(path)


def test_event_file_without_gti(tmp_path, files):
    path = files.write(tmp_path / "nogti.evt", gti=None)
    with pytest.raises(MissingGTIError, match=told(path, "no extension of good time intervals")):
        EventList.read(path)
    path = files.write(tmp_path / "empty.evt", gti=[])
    with pytest.raises(MissingGTIError, match=told(path, "not one interval")):
        EventList.read(path)


def test_gti_fall_back_and_overlaps(tmp_path, files):
    path = files.write(tmp_path / "std.evt", gti=[(1000.0, 2000.0), (1500.0, 2500.0)], gti_name="STDGTI")
    assert EventList.read(path).gti.pairs == ((1000.0, 2500.0),)


def test_reversed_gti_names_the_file(tmp_path, files):
    path = files.write(tmp_path / "rev.evt", gti=[(2000.0, 1000.0)])
    with pytest.raises(GTIError, match=told(path, "reversed")):
        EventList.read(path)


def test_no_events_extension(tmp_path):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(path)
    with pytest.raises(InputFileError, match=told(path, "no EVENTS table")):
        EventList.read(path)
    with pytest.raises(InputFileError, match=told(path, "no extension EVENTS")):
        read_header(path)
