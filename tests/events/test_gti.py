"""Good time intervals against a second, naive way: asking of every half second whether it is good."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from xtendsrc.errors import GTIError, MissingColumnError, MissingGTIError
from xtendsrc.events.gti import GTI

# ends on whole seconds, samples in between: no sample meets an end
interval = st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda p: (float(p[0]), float(p[0] + p[1])))
intervals = st.lists(interval, max_size=8)
SAMPLES = np.arange(0.25, 90, 0.5)


def sampled(pairs) -> np.ndarray:
    return np.array([any(a <= t <= b for a, b in pairs) for t in SAMPLES])


@given(intervals)
def test_intervals_are_sorted_disjoint_and_hold_what_was_given(pairs):
    gti = GTI.from_pairs(pairs)
    assert np.all(gti.stop > gti.start)
    assert np.all(gti.start[1:] > gti.stop[:-1])
    assert np.array_equal(gti.contains(SAMPLES), sampled(pairs))
    assert gti.total == sampled(pairs).sum() * 0.5


@given(intervals, intervals)
def test_and_or_as_sampled(a, b):
    one, two = GTI.from_pairs(a), GTI.from_pairs(b)
    assert np.array_equal((one & two).contains(SAMPLES), sampled(a) & sampled(b))
    assert np.array_equal((one | two).contains(SAMPLES), sampled(a) | sampled(b))
    assert (one & two) == (two & one)
    assert (one & two).total + (one | two).total == pytest.approx(one.total + two.total)


@given(intervals, st.lists(interval, min_size=1, max_size=6))
def test_overlap_as_sampled(pairs, bins):
    gti = GTI.from_pairs(pairs)
    lo, hi = np.array(bins).T
    naive = [np.sum(sampled(pairs) & np.array([a < t < b for t in SAMPLES])) * 0.5 for a, b in bins]
    assert np.array_equal(gti.overlap(lo, hi), naive)


@given(st.floats(1e8, 2e8), st.floats(0.1, 1000), st.integers(1, 30))
def test_a_bin_wholly_inside_is_exactly_its_own_length(start, width, n):
    gti = GTI.from_pairs([(start - 1e4, start + 1e5)])
    lo = start + np.arange(n) * width
    assert np.array_equal(gti.overlap(lo, lo + width), (lo + width) - lo)


@given(intervals)
def test_gaps_fill_what_the_intervals_leave(pairs):
    gti = GTI.from_pairs(pairs)
    if len(gti):
        assert (gti | gti.gaps) == GTI([gti.start[0]], [gti.stop[-1]])
        assert (gti & gti.gaps).total == 0


def test_both_ends_belong_to_an_interval():
    gti = GTI.from_pairs([(10.0, 20.0)])
    times = [10.0, 20.0, np.nextafter(10.0, 0), np.nextafter(20.0, 30), np.nan]
    assert gti.contains(times).tolist() == [True, True, False, False, False]


def test_intervals_do_not_change():
    gti = GTI.from_pairs([(0.0, 1.0)])
    with pytest.raises(ValueError, match="read-only"):
        gti.start[0] = 5
    with pytest.raises(AttributeError, match="does not change"):
        gti.start = np.zeros(1)


@pytest.mark.parametrize("pairs", [[(0.0, 1.0), (7.0, 3.0)], [(0.0, 1.0), (np.nan, 3.0)], [(0.0, 1.0), (2.0, np.inf)]])
def test_reversed_or_infinite_intervals_are_refused_by_number(pairs):
    with pytest.raises(GTIError, match=r"interval 2 .* Next step"):
        GTI.from_pairs(pairs)


def test_a_table_read_back_is_the_same(tmp_path):
    gti = GTI.from_pairs([(1.5e8 + 1 / 3, 1.5e8 + 100), (1.5e8 + 300, 1.5e8 + 400.1)])
    path = tmp_path / "my.gti"
    gti.to_hdu("MYGTI", fits.Header({"OBS_ID": "900001010", "TIMEZERO": 7.0})).writeto(path)
    assert GTI.read(path) == gti
    header = fits.getheader(path, "MYGTI")
    assert (header["HDUCLAS1"], header["OBS_ID"], header["TIMEZERO"]) == ("GTI", "900001010", 0.0)
    assert header["ONTIME"] == pytest.approx(gti.total)
    assert pickle.loads(pickle.dumps(gti)) == gti
    assert hash(gti) == hash(GTI.read(path))


def test_the_extension_s_own_timezero_is_added(tmp_path, files):
    hdu = files.gti_hdu([(10.0, 20.0)], TIMEZERO=1000.0)
    assert GTI.from_hdu(hdu).pairs == ((1010.0, 1020.0),)
    path = tmp_path / "zero.gti"
    hdu.writeto(path)
    assert GTI.read(path).pairs == ((1010.0, 1020.0),)


def test_several_gti_extensions_need_a_name(tmp_path, files):
    path = tmp_path / "xa900001010_gen.gti"
    fits.HDUList([fits.PrimaryHDU(), *(files.gti_hdu([(0.0, 9.0)], n) for n in ("GTIPOINT", "GTISLEW"))]).writeto(path)
    assert GTI.read(path, "GTIPOINT").total == 9.0
    with pytest.raises(MissingGTIError, match=r"xa900001010_gen.gti: .*GTIPOINT, GTISLEW.* Next step"):
        GTI.read(path)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"MJDREFI": 51910, "MJDREFF": 7.428703703703703e-4}, "51910"),
        ({"TIMESYS": "UTC"}, "TIMESYS is 'UTC', not 'TT'"),
        ({"TIMEUNIT": "d"}, "TIMEUNIT is 'd', not 's'"),
    ],
)
def test_another_clock_is_refused(tmp_path, files, header, reason):
    path, hdu = tmp_path / "other.gti", files.gti_hdu([(0.0, 9.0)], **header)
    hdu.writeto(path)
    with pytest.raises(GTIError, match=rf"other.gti.*{reason}.* Next step"):
        GTI.read(path)
    with pytest.raises(GTIError, match=rf"GTI.*{reason}.* Next step"):
        GTI.from_hdu(hdu)


def test_a_table_without_the_columns_is_refused():
    hdu = fits.BinTableHDU.from_columns([fits.Column("BEGIN", "1D", array=[1.0])], name="GTI")
    with pytest.raises(MissingColumnError, match=r"START and STOP.*BEGIN"):
        GTI.from_hdu(hdu)


def test_times_in_days_are_refused(tmp_path):
    cols = [fits.Column(n, "1D", unit="d", array=[v]) for n, v in (("START", 1.0), ("STOP", 2.0))]
    path = tmp_path / "days.gti"
    fits.BinTableHDU.from_columns(cols, name="GTI").writeto(path)
    with pytest.raises(GTIError, match=r"days.gti.*in d, not in seconds.*Next step"):
        GTI.read(path)
