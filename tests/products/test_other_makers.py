"""OGIP files as other makers write them, and what no such file can hold; every expected number is put in by hand."""

from __future__ import annotations

import logging

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from tests.events.test_fuzz import Layout, damaged
from tests.products.ogip import write_arf, write_rmf, write_spectrum
from xtendsrc.errors import InputFileError, MissingKeywordError, XtendsrcError

START = 150541417.0  # 2023-10-09T09:03:37 UTC in mission seconds
EPOCH = {"MJDREFI": 58484, "MJDREFF": 8.00740740741e-04, "TIMESYS": "TT"}
LOW = 0.1 + 0.1 * np.arange(8)


def lowered(path):
    """The same file with the names of its columns in lower case."""
    with fits.open(path) as hdus:
        for hdu in hdus[1:]:
            for key in list(hdu.header["TTYPE*"]):
                hdu.header[key] = hdu.header[key].lower()
        hdus.writeto(path.with_name(f"{path.name}.low"), overwrite=True)
    return path.with_name(f"{path.name}.low")


def changed(path, extension, change):
    """The same file after a change to one extension."""
    with fits.open(path) as hdus:
        change(hdus[extension])
        hdus.writeto(path.with_name(f"{path.name}.new"), overwrite=True)
    return path.with_name(f"{path.name}.new")


def write_curve(path, columns, gti=False, **keywords):
    """A light curve of ten bins of 100 s; ``columns`` are (name, format, unit, values)."""
    table = fits.BinTableHDU.from_columns([fits.Column(n, f, unit=x, array=v) for n, f, x, v in columns], name="RATE")
    table.header.update({k: v for k, v in (EPOCH | {"TIMEUNIT": "s"} | keywords).items() if v is not None})
    table.header["HDUCLAS1"] = "LIGHTCURVE"
    hdus = [fits.PrimaryHDU(), table]
    if gti:
        ends = [fits.Column(n, "D", unit="s", array=[v]) for n, v in (("START", START), ("STOP", START + 950))]
        hdus.append(fits.BinTableHDU.from_columns(ends, name="GTI"))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


TIMES = 50.0 + 100.0 * np.arange(10)
RATE = ("RATE", "E", "count/s", np.full(10, 2.0))
ERROR = ("ERROR", "E", "count/s", np.full(10, 0.14))
FORMS = {
    "in seconds": ([("TIME", "D", "s", TIMES), RATE, ERROR], {"TIMEZERO": START, "TIMEDEL": 100.0}),
    "lower case": ([("Time", "D", "s", TIMES), ("rate", *RATE[1:])], {"TIMEZERO": START, "TIMEDEL": 100.0}),
    "split zero": (
        [("TIME", "D", "s", TIMES), RATE],
        {"TIMEZERI": int(START), "TIMEZERF": START % 1, "TIMEDEL": 100.0},
    ),
    "in days": (
        [("TIME", "D", "d", TIMES / 86400), RATE],
        {"TIMEUNIT": "d", "TIMEZERO": START / 86400, "TIMEDEL": 100 / 86400},
    ),
    "in days, width in seconds": (
        [("TIME", "D", "d", TIMES / 86400), RATE],
        {"TIMEUNIT": "d", "TIMEZERO": START / 86400, "TIMEDEL": 100.0},
    ),
    "column of widths": (
        [("TIME", "D", "s", TIMES), ("TIMEDEL", "E", "s", np.full(10, 100.0)), RATE],
        {"TIMEZERO": START},
    ),
    "no width": ([("TIME", "D", "s", TIMES), RATE], {"TIMEZERO": START}),
    "start of bin": (
        [("TIME", "D", "s", TIMES - 50), RATE],
        {"TIMEZERO": START, "TIMEDEL": 100.0, "TIMEPIXR": 0.0},
    ),
    "absolute": ([("TIME", "D", "s", TIMES + START), RATE], {"TIMEDEL": 100.0}),
    "counts": (
        [("TIME", "D", "s", TIMES), ("COUNTS", "J", "", np.full(10, 200))],
        {"TIMEZERO": START, "TIMEDEL": 100.0},
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gti", [False, True])
def test_a_curve_says_the_same_in_every_form(tmp_path, form, gti):
    columns, keywords = FORMS[form]
    curve = xs.LightCurve.read(write_curve(tmp_path / "a.lc", columns, gti=gti, **keywords))
    np.testing.assert_allclose(curve.seconds, START + TIMES, atol=1e-4, rtol=0)
    assert curve.time[0].utc.iso == "2023-10-09 09:04:27.000"
    assert curve.bin.to_value(u.s) == pytest.approx(100)
    np.testing.assert_allclose(curve.rate.value, 2.0)
    axes = curve.view()
    assert axes.get_ylabel()
    plt.close(axes.figure)
    if gti:  # the last bin is cut in half by the good time
        np.testing.assert_allclose(curve.exposed.value, [*[100.0] * 9, 50.0], atol=1e-4)


def test_error_stands_for_both_errors_where_a_file_has_no_others(tmp_path):
    curve = xs.LightCurve.read(write_curve(tmp_path / "a.lc", FORMS["in seconds"][0], TIMEZERO=START, TIMEDEL=100.0))
    for error in (curve.error_lo, curve.error_hi):
        np.testing.assert_allclose(error.value, 0.14, rtol=1e-6)


def test_unequal_bins_have_widths_and_no_single_one(tmp_path):
    widths = np.array([10.0, 20.0, 30.0])
    columns = [("TIME", "D", "s", [5.0, 20.0, 45.0]), ("TIMEDEL", "D", "s", widths), ("RATE", "E", "", np.ones(3))]
    curve = xs.LightCurve.read(write_curve(tmp_path / "a.lc", columns, TIMEZERO=START))
    np.testing.assert_array_equal(curve.widths.value, widths)
    with pytest.raises(InputFileError, match="differ in width"):
        _ = curve.bin
    plt.close(curve.view().figure)
    columns.pop(1)
    with pytest.raises(MissingKeywordError, match=r"b\.lc has neither a keyword nor a column TIMEDEL"):
        _ = xs.LightCurve.read(write_curve(tmp_path / "b.lc", columns, TIMEZERO=START)).seconds


@pytest.mark.parametrize("case", [str, "lower"])
def test_names_of_columns_count_in_any_case(tmp_path, small, case):
    paths = [
        write_rmf(tmp_path / "a.rmf", *small),
        write_arf(tmp_path / "a.arf", small[1], small[2], np.full(40, 300.0)),
        write_spectrum(tmp_path / "a.pi", np.arange(50), [("QUALITY", "I", np.zeros(50))]),
    ]
    rmf, arf, spectrum = [lowered(p) for p in paths] if case == "lower" else paths
    np.testing.assert_allclose(xs.RMF.read(rmf).matrix.toarray(), small[0])
    np.testing.assert_allclose(xs.ARF.read(arf).area_cm2, 300)
    assert xs.Spectrum.read(spectrum).counts.sum() == 49 * 50 / 2


def test_several_matrices_add_up_on_one_grid_and_only_there(tmp_path, small):
    first = write_rmf(tmp_path / "a.rmf", 0.7 * small[0], *small[1:])
    second = write_rmf(tmp_path / "b.rmf", 0.3 * small[0][:, ::-1], *small[1:])
    with fits.open(first) as one, fits.open(second) as two:
        two["MATRIX"].ver = 2
        fits.HDUList([*one, two["MATRIX"]]).writeto(tmp_path / "both.rmf")
        two["MATRIX"].data["ENERG_HI"] *= 1.5
        two["MATRIX"].data["ENERG_LO"] *= 1.5
        fits.HDUList([*one, two["MATRIX"]]).writeto(tmp_path / "apart.rmf")
    expected = 0.7 * small[0] + 0.3 * small[0][:, ::-1]
    np.testing.assert_allclose(xs.RMF.read(tmp_path / "both.rmf").matrix.toarray(), expected, rtol=1e-6)
    with pytest.raises(InputFileError, match=r"apart\.rmf: its MATRIX extensions are on different energies"):
        _ = xs.RMF.read(tmp_path / "apart.rmf").matrix


def _set(column, value, rows=slice(None)):
    def change(hdu):
        hdu.data[column][rows] = value

    return change


def _reverse(hdu):
    low, high = hdu.data["ENERG_LO"].copy(), hdu.data["ENERG_HI"].copy()
    hdu.data["ENERG_LO"], hdu.data["ENERG_HI"] = low[::-1], high[::-1]


@pytest.mark.parametrize(
    ("kind", "extension", "change", "reason"),
    [
        ("arf", "SPECRESP", _set("SPECRESP", np.nan, 3), "not finite"),
        ("arf", "SPECRESP", _set("SPECRESP", -1.0, 3), "negative in 1 bins"),
        ("arf", "SPECRESP", _set("ENERG_HI", 0.0), "do not rise"),
        ("arf", "SPECRESP", _reverse, "do not rise"),
        ("rmf", "MATRIX", _reverse, "do not rise"),
        ("rmf", "MATRIX", _set("N_GRP", -1, 0), "negative"),
        ("rmf", "MATRIX", _set("N_GRP", 30, 0), "row 1 of F_CHAN has"),
        ("rmf", "EBOUNDS", _set("E_MAX", 0.0), "ends"),
        ("rmf", "EBOUNDS", _set("CHANNEL", 3), "rise by one"),
        ("rmf", "EBOUNDS", _set("E_MIN", np.inf, 0), "not finite"),
    ],
)
def test_a_response_that_cannot_be_is_refused(tmp_path, small, kind, extension, change, reason):
    if kind == "arf":
        path = write_arf(tmp_path / "a.arf", small[1], small[2], np.full(40, 300.0))
    else:
        path = write_rmf(tmp_path / "a.rmf", *small)
    reader = {"arf": xs.ARF, "rmf": xs.RMF}[kind]
    with pytest.raises(InputFileError, match=reason) as caught:
        _ = reader.read(changed(path, extension, change)).content
    assert f"a.{kind}.new" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, -0.5])
def test_a_matrix_of_impossible_values_is_refused(tmp_path, small, value):
    matrix = small[0].copy()
    path = write_rmf(tmp_path / "a.rmf", matrix, *small[1:])
    with fits.open(path) as hdus:
        hdus["MATRIX"].data["MATRIX"][5][0] = value
        hdus.writeto(tmp_path / "b.rmf")
    with pytest.raises(InputFileError, match="negative or not finite"):
        _ = xs.RMF.read(tmp_path / "b.rmf").matrix


@pytest.mark.parametrize("size", [0, 6, 2880, -2880, -5760])
@pytest.mark.parametrize("kind", ["RMF", "ARF", "Spectrum", "LightCurve"])
def test_a_file_cut_anywhere_is_an_error_of_ours(tmp_path, small, size, kind):
    writers = {
        "RMF": lambda p: write_rmf(p, *small),
        "ARF": lambda p: write_arf(p, small[1], small[2], np.full(40, 300.0)),
        "Spectrum": lambda p: write_spectrum(p, np.arange(50)),
        "LightCurve": lambda p: write_curve(p, FORMS["absolute"][0], TIMEDEL=100.0),
    }
    whole = writers[kind](tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:size])
    with pytest.raises(XtendsrcError, match="cut"):
        _ = getattr(xs, kind).read(tmp_path / "cut").content


def test_scales_of_zero_count_where_the_channel_is_good(tmp_path):
    scale = np.full(50, 0.02)
    scale[-5:] = 0
    background = write_spectrum(tmp_path / "b.pi", np.full(50, 4))
    for name, quality in (("bad", (scale == 0).astype(int)), ("good", np.zeros(50))):
        columns = [("BACKSCAL", "E", scale), ("QUALITY", "I", quality)]
        write_spectrum(tmp_path / f"{name}.pi", np.full(50, 10), columns)
    bad = xs.Spectrum.read(tmp_path / "bad.pi", background=background)
    assert bad.backscal == pytest.approx(0.02)
    grouped = bad.grouped("constant 9")
    np.testing.assert_allclose(grouped.net_counts, 9 * (10 - 2 * 4), rtol=1e-6)  # 5 groups of 9 good channels
    assert len(grouped) == 5
    with pytest.raises(InputFileError, match="channels of good quality"):
        xs.Spectrum.read(tmp_path / "good.pi", background=background).grouped("constant 9")


def test_a_response_beside_the_spectrum_is_found_when_its_directory_is_gone(tmp_path, small, caplog):
    write_rmf(tmp_path / "src.rmf", *small)
    path = write_spectrum(
        tmp_path / "src.pi", np.arange(50), RESPFILE="/long/gone/src.rmf", ANCRFILE="/long/gone/no.arf"
    )
    with caplog.at_level(logging.WARNING, "xtendsrc"):
        assert xs.Spectrum.read(path).rmf.path == tmp_path / "src.rmf"
    assert "/long/gone/src.rmf" in caplog.text
    with pytest.raises(XtendsrcError, match=r"/long/gone/no\.arf.*nor beside it"):
        _ = xs.Spectrum.read(path).arf


@pytest.mark.parametrize("name", ["src.rmf[MATRIX]", "src.rmf{1}", "/long/gone/src.rmf[1]", "C:\\data\\src.rmf"])
def test_what_stands_behind_or_before_the_name_of_a_response_does_not_count(tmp_path, small, name):
    write_rmf(tmp_path / "src.rmf", *small)
    path = write_spectrum(tmp_path / "src.pi", np.arange(50), RESPFILE=name)
    assert xs.Spectrum.read(path).rmf.path == tmp_path / "src.rmf"


def write_image(path):
    """An image on a celestial grid."""
    hdu = fits.PrimaryHDU(np.arange(60, dtype=np.int32).reshape(6, 10))
    for key, values in (("CTYPE", ("RA---TAN", "DEC--TAN")), ("CRPIX", (5.0, 3.0)), ("CRVAL", (81.0, -69.0))):
        hdu.header[f"{key}1"], hdu.header[f"{key}2"] = values
    hdu.header["CDELT1"], hdu.header["CDELT2"], hdu.header["EXPOSURE"] = -5e-4, 5e-4, 1000.0
    hdu.writeto(path)
    return path


CURVE = ("seconds", "widths", "time", "rate", "exposed", "gti")
READERS = {
    "rmf": (lambda p, small: write_rmf(p, *small), lambda p: xs.RMF.read(p).matrix),
    "arf": (lambda p, small: write_arf(p, small[1], small[2], np.full(40, 300.0)), lambda p: xs.ARF.read(p).area),
    "spectrum": (
        lambda p, small: write_spectrum(p, np.arange(50), [("QUALITY", "I", np.zeros(50))]),
        lambda p: xs.Spectrum.read(p).grouped("constant 5"),
    ),
    "curve": (
        lambda p, small: write_curve(p, FORMS["in seconds"][0], gti=True, TIMEZERO=START, TIMEDEL=100.0),
        lambda p: [getattr(xs.LightCurve.read(p), name) for name in CURVE],
    ),
    "image": (lambda p, small: write_image(p), lambda p: (xs.Image.read(p).data, xs.Image.read(p).wcs)),
    "map": (lambda p, small: write_image(p), lambda p: (xs.ExpMap.read(p).data, xs.ExpMap.read(p).exposure)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_file_is_read_or_refused_by_an_error_of_ours(tmp_path, small, kind):
    writer, reader = READERS[kind]
    whole = writer(tmp_path / "whole", small)
    assert reader(whole) is not None
    layout, refused = Layout.of(whole), 0
    for seed in range(60):
        (tmp_path / "damaged").write_bytes(damaged(whole.read_bytes(), layout, seed))
        try:
            reader(tmp_path / "damaged")
        except XtendsrcError:
            refused += 1
    assert 5 < refused < 60
