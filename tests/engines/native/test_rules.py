"""What the golden files do not show: other keywords, other selections, and what is refused."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from xtendsrc import instrument
from xtendsrc.engines import native
from xtendsrc.engines.protocol import Job
from xtendsrc.errors import (
    EngineUnavailableError,
    GTIError,
    InputFileError,
    MissingKeywordError,
    RegionError,
    RequestError,
)
from xtendsrc.events.eventlist import EventList
from xtendsrc.events.selection import Selection
from xtendsrc.measure.grid import Grid, flat_index
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet, Shape

SOURCE = RegionSet("SKY", (Shape("circle", (1215.5, 1215.5, 67.868)),))
ALL = Selection()


def in_gti(times, pairs):
    return np.any([(times >= a) & (times <= b) for a, b in pairs], axis=0)


def curve(about, **given):
    return LightCurveRequest(**about, **({"selection": ALL, "bin": 200.0} | given))


def counts_of(hdus):
    rate = hdus["RATE"]
    return (rate.data["RATE"].astype(float) * rate.data["FRACEXP"] * rate.header["TIMEDEL"]).sum()


# --- times ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "shift"),
    [
        ({"TIMEZERO": 1500.5}, 1500.5),
        ({"TIMEPIXR": 0.0}, 2.0),
        ({"TIMEPIXR": None}, 2.0),
        ({"TIMEPIXR": 1.0, "TIMEDEL": 0.5}, -0.25),
    ],
)
def test_event_times_are_the_middles_of_frames(make, changed, about, columns, header, shift):
    expected = in_gti(columns["TIME"] + shift, columns["gti"])
    with make(ImageRequest(**about, selection=ALL), events=changed(header=header)) as hdus:
        assert hdus[0].header["TOTCTS"] == hdus[0].data.sum() == expected.sum()


@pytest.mark.parametrize("step", [2, 7, 1000])
def test_events_without_a_time_are_left_out_and_only_they(make, changed, about, columns, step):
    times = columns["TIME"].copy()
    times[::step] = np.nan
    with make(ImageRequest(**about, selection=ALL), events=changed(TIME=times)) as hdus:
        assert hdus[0].header["TOTCTS"] == in_gti(times, columns["gti"]).sum()


@pytest.mark.parametrize("kind", ["image", "lightcurve", "spectrum"])
@pytest.mark.parametrize(("key", "value"), [("OBS_ID", "900002010"), ("DATACLAS", "31100010")])
def test_file_of_another_observation_or_data_class_is_refused(make, changed, about, kind, key, value):
    kinds = {"image": ImageRequest(**about, selection=ALL), "spectrum": SpectrumRequest(**about, selection=ALL)}
    request = kinds.get(kind) or curve(about)
    (error,) = make(request, events=changed("swapped.evt", header={key: value}), opened=False)
    assert isinstance(error, InputFileError)
    assert f"swapped.evt: its header says {key} = {value}" in str(error)
    assert error.next_step


def test_epoch_in_one_keyword(make, changed, about):
    """MJDREFI without MJDREFF says nothing beside a whole MJDREF."""
    whole = {"MJDREFF": None, "MJDREF": 58484 + 69.184 / 86400}
    with make(ImageRequest(**about, selection=ALL), events=changed(header=whole)) as hdus:
        header = hdus[0].header
        assert (header["MJDREFI"], header["MJDREFF"]) == (58484, pytest.approx(69.184 / 86400, abs=1e-10))


def test_float_positions_that_lie_nowhere_are_in_no_pixel():
    odd = np.array([np.nan, np.inf, -np.inf, 1e12, 2.0**32 + 5, -(2.0**32) + 5, 2.4, 2.5])
    index = flat_index(odd, np.full(odd.size, 3.0), Grid((1, 10), (1, 10)))
    np.testing.assert_array_equal(index, [-1] * 6 + [21, 22])


def test_missing_timepixr_is_told(make, changed, about):
    (made,) = make(ImageRequest(**about, selection=ALL), events=changed(header={"TIMEPIXR": None}), opened=False)
    assert any("TIMEPIXR" in warning for warning in made.warnings)


def test_good_time_of_the_user_is_anded(make, about, columns):
    first, second = columns["gti"][:2]
    window = ((first[0] + 100, first[1] - 100.5), (second[0] - 50, second[0] + 30))
    expected = [window[0], (second[0], second[0] + 30)]
    ontime = sum(b - a for a, b in expected)
    with make(SpectrumRequest(**about, selection=Selection(gti=window))) as hdus:
        header = hdus["SPECTRUM"].header
        assert header["TOTCTS"] == in_gti(columns["TIME"], expected).sum()
        assert header["ONTIME"] == header["EXPOSURE"] == pytest.approx(ontime, abs=1e-6)
        assert [tuple(row) for row in hdus["GTI"].data] == expected
        assert (header["TSTART"], header["TSTOP"]) == (expected[0][0], expected[-1][1])


def test_no_good_time_left_is_an_error(make, about):
    (error,) = make(ImageRequest(**about, selection=Selection(gti=((0.0, 10.0),))), opened=False)
    assert isinstance(error, GTIError)
    assert "events.fits.gz" in str(error)
    assert error.next_step


def test_origin_of_bins_is_the_file_not_the_window(make, about, columns):
    """With good time given, bins stay in phase with those of the whole file."""
    start = columns["gti"][0][0]
    with make(curve(about, selection=Selection(gti=((start + 250, start + 900),)))) as hdus:
        np.testing.assert_array_equal(hdus["RATE"].data["TIME"] - start, [300, 500, 700, 900])
        np.testing.assert_allclose(hdus["RATE"].data["FRACEXP"], [0.75, 1, 1, 0.5])


def test_events_before_the_start_are_in_no_bin(make, about, columns):
    start = columns["gti"][0][0] + 500.0
    good = columns["TIME"][in_gti(columns["TIME"], columns["gti"])]
    with make(curve(about, start=start, bin=200.0)) as hdus:
        assert hdus["RATE"].data["TIME"][0] == start + 100
        assert hdus["RATE"].header["TSTART"] == start
        assert counts_of(hdus) == pytest.approx((good >= start).sum(), abs=0.01)


def test_start_after_all_good_time_is_an_error(make, about, columns):
    (error,) = make(curve(about, start=columns["gti"][-1][1] + 1000), opened=False)
    assert isinstance(error, GTIError)


# --- bins -------------------------------------------------------------------------------------------------------


def test_bin_below_the_frame_time_is_refused(make, about):
    (error,) = make(curve(about, bin=3.0), opened=False)
    assert isinstance(error, RequestError)
    assert "frame time, 4 s" in str(error)


def test_bin_that_is_no_multiple_of_the_frame_is_told(make, about):
    odd, even = make(curve(about, bin=50.0), curve(about, bin=48.0), opened=False)
    assert any("multiple of the frame time" in warning for warning in odd.warnings)
    assert even.warnings == ()


def test_half_second_frames_allow_half_second_bins(make, changed, about, columns):
    path = changed(header={"TIMEDEL": 0.5})
    with make(curve(about, bin=0.5), events=path) as hdus:
        expected = in_gti(columns["TIME"], columns["gti"]).sum()
        assert counts_of(hdus) == pytest.approx(expected, abs=2)
        empty = hdus["RATE"].data[hdus["RATE"].data["RATE"] == 0]
        whole = empty["FRACEXP"] == 1
        np.testing.assert_allclose(empty["ERROR_HI"][whole], 1.841 / 0.5, rtol=1e-3)
        assert not empty["ERROR_LO"].any()


# --- dead time --------------------------------------------------------------------------------------------------


def test_dead_time_is_in_exposure_but_not_in_rates(make, changed, about):
    plain = make(curve(about, region=SOURCE), SpectrumRequest(**about, selection=ALL, region=SOURCE))
    path = changed(header={"DEADC": 0.0152, "EXPOSURE": 99.0})
    burst = make(curve(about, region=SOURCE), SpectrumRequest(**about, selection=ALL, region=SOURCE), events=path)
    np.testing.assert_array_equal(burst[0]["RATE"].data["RATE"], plain[0]["RATE"].data["RATE"])
    header = burst[0]["RATE"].header
    assert (header["DEADC"], header["DEADAPP"]) == (0.0152, False)
    ontime = plain[1]["SPECTRUM"].header["ONTIME"]
    for name in ("EXPOSURE", "LIVETIME"):
        assert burst[1]["SPECTRUM"].header[name] == pytest.approx(0.0152 * ontime, rel=1e-12)
    assert burst[1]["SPECTRUM"].header["ONTIME"] == ontime


# --- regions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ["SKY", "DET"])
def test_region_outside_the_grid_is_an_error(make, about, frame):
    outside = RegionSet(frame, (Shape("circle", (5000.0, 5000.0, 50.0)),))
    spectrum, light = make(
        SpectrumRequest(**about, selection=ALL, region=outside), curve(about, region=outside), opened=False
    )
    assert isinstance(spectrum, RegionError)
    assert isinstance(light, RegionError)
    assert "events.fits.gz" in str(spectrum)


def test_region_without_events_is_fine(make, about, columns):
    """Corners of SKY hold no detector, hence no event; the spectrum is empty and complete."""
    corner = RegionSet("SKY", (Shape("circle", (60.0, 60.0, 20.0)),))
    with make(SpectrumRequest(**about, selection=ALL, region=corner)) as hdus:
        header = hdus["SPECTRUM"].header
        assert hdus["SPECTRUM"].data["COUNTS"].sum() == header["TOTCTS"] == 0
        assert header["BACKSCAL"] == pytest.approx(np.pi * 20**2 / 2430**2, rel=0.01)
    with make(curve(about, region=corner)) as hdus:
        assert not hdus["RATE"].data["RATE"].any()


def test_region_smaller_than_a_map_bin_keeps_its_place(make, about, columns):
    x, y, u, v = (columns[name].astype(int) for name in ("X", "Y", "DETX", "DETY"))
    chosen = (x == 1215) & (y == 1216)
    assert chosen.any()
    tiny = RegionSet("SKY", (Shape("circle", (1215.0, 1216.0, 0.7)),))
    with make(SpectrumRequest(**about, selection=ALL, region=tiny)) as hdus:
        first = hdus[0].header["X-OFFSET"], hdus[0].header["Y-OFFSET"]
        marked = {(first[0] + i, first[1] + j) for j, i in np.argwhere(hdus[0].data >= 0)}
    bins = {((a - 1) // 8 + 1, (b - 1) // 8 + 1) for a, b in zip(u[chosen], v[chosen], strict=True)}
    assert marked == bins


def test_events_without_detector_position_do_not_turn_the_map(make, changed, about, columns):
    """Null positions (-999) must not enter the fit of the rotation."""
    detx = columns["DETX"].copy()
    detx[::50] = -999
    with make(SpectrumRequest(**about, selection=ALL, region=SOURCE), events=changed(DETX=detx)) as hdus:
        assert hdus[0].header["EXTTHETA"] == pytest.approx(np.radians(360 - 264.638), abs=1e-3)


def test_region_on_the_detector(make, about, columns):
    """DET regions select on DETX, DETY; BACKSCAL is then a part of the DET grid, and the map needs no rotation."""
    disc = RegionSet("DET", (Shape("circle", (700.0, 720.0, 90.0)),))
    u, v = columns["DETX"].astype(float), columns["DETY"].astype(float)
    chosen = ((u - 700) ** 2 + (v - 720) ** 2 <= 90**2) & in_gti(columns["TIME"], columns["gti"])
    with make(SpectrumRequest(**about, selection=ALL, region=disc)) as hdus:
        assert hdus["SPECTRUM"].header["TOTCTS"] == chosen.sum()
        assert hdus["SPECTRUM"].header["BACKSCAL"] == pytest.approx(np.pi * 90**2 / 1810**2, rel=2e-3)
        ny, nx = np.nonzero(hdus[0].data >= 0)
        detx = 8 * (nx + hdus[0].header["X-OFFSET"]) - 3.5
        dety = 8 * (ny + hdus[0].header["Y-OFFSET"]) - 3.5
        distance = np.hypot(detx - 700, dety - 720)
        assert np.all((distance <= 90) | (hdus[0].data[ny, nx] > 0))  # bins with counts are kept
        assert distance.max() < 90 + 8
        assert hdus[0].data[ny, nx].sum() == chosen.sum()


def test_whole_field(make, about, columns):
    good = in_gti(columns["TIME"], columns["gti"])
    with make(SpectrumRequest(**about, selection=ALL)) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SPECTRUM", "GTI"]
        assert hdus["SPECTRUM"].header["BACKSCAL"] == 1
        assert hdus["SPECTRUM"].data["COUNTS"].sum() == (good & (columns["PI"] >= 0)).sum()
        first = hdus[0].header["X-OFFSET"], hdus[0].header["Y-OFFSET"]
        u, v = ((columns[name][good].astype(int) - 1) // 8 + 1 for name in ("DETX", "DETY"))
        kept = (u >= 1) & (u <= 226) & (v >= 1) & (v <= 226)
        assert first == (u[kept].min(), v[kept].min())  # cut out around the counts
        assert hdus[0].data.shape == (v[kept].max() - first[1] + 1, u[kept].max() - first[0] + 1)
        assert (hdus[0].data.sum(), hdus[0].data.min(), hdus[0].header["WMAPFIX"]) == (kept.sum(), 0, False)
    with make(curve(about)) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "RATE", "GTI"]
        assert counts_of(hdus) == pytest.approx(good.sum(), abs=0.01)


@pytest.mark.parametrize("frame", ["SKY", "DET"])
def test_calibration_sources_are_taken_out(make, about, columns, frame):
    shape = Shape("circle", (1215.5, 1215.5, 1200.0) if frame == "SKY" else (905.5, 905.5, 900.0))
    region = RegionSet(frame, (shape,))
    with_them, without = make(
        SpectrumRequest(**about, selection=ALL, region=region),
        SpectrumRequest(**about, selection=ALL, region=region, exclude_calibration=True),
    )
    dropped = with_them["SPECTRUM"].header["TOTCTS"] - without["SPECTRUM"].header["TOTCTS"]
    near, far = (
        sum(
            np.hypot(columns["DETX"] - disc.x, columns["DETY"] - disc.y) <= disc.radius + margin
            for disc in instrument.CALIBRATION_SOURCES
        ).astype(bool)
        & in_gti(columns["TIME"], columns["gti"])
        for margin in (-1.5, 1.5)
    )
    assert near.sum() <= dropped <= far.sum()
    assert without["SPECTRUM"].header["BACKSCAL"] < with_them["SPECTRUM"].header["BACKSCAL"]
    assert sum(name.startswith("!") for name in without["REG00101"].data["SHAPE"]) == 2


def test_sky_region_follows_the_observation(make, about, golden):
    """The same region in degrees and in pixels of this observation takes the same events."""
    wcs = EventList.read(golden / "events.fits.gz", ["X"]).wcs("SKY")
    degrees = SOURCE.to_sky(wcs)
    sky, pixel = make(
        SpectrumRequest(**about, selection=ALL, region=degrees), SpectrumRequest(**about, selection=ALL, region=SOURCE)
    )
    np.testing.assert_array_equal(sky["SPECTRUM"].data["COUNTS"], pixel["SPECTRUM"].data["COUNTS"])


# --- other keywords ---------------------------------------------------------------------------------------------


def test_rotated_grid_keeps_its_sky(make, changed, about):
    """An image of a rotated sky grid has each event's sky position at its pixel."""
    path = changed(header={"TCROT8": 31.5})
    events = EventList.read(path, ["X", "Y"])
    for binning in (1, 4, 7):
        with make(ImageRequest(**about, selection=ALL, binning=binning), events=path) as hdus:
            header = hdus[0].header
            picked = {k: header[k] for k in header if k[:5] in ("CTYPE", "CRPIX", "CRVAL", "CDELT") and k[-1] != "P"}
            image = WCS(fits.Header(picked | {"CROTA2": header["CROTA2"]}))
        x, y = np.array([1.0, 1000.0, 2401.0]), np.array([300.0, 1215.5, 1.0])
        sky = events.wcs("SKY").wcs_pix2world(x, y, 1)
        place = image.wcs_world2pix(*sky, 1)
        np.testing.assert_allclose(
            place, [(v - 1) / binning + (binning + 1) / (2 * binning) for v in (x, y)], atol=1e-6
        )


def test_grid_limits_come_from_the_file(make, changed, about, columns):
    path = changed(header={"TLMIN7": 101, "TLMAX7": 2300, "TLMIN8": 201})
    with make(ImageRequest(**about, selection=ALL, binning=5), events=path) as hdus:
        assert hdus[0].data.shape == (446, 440)
        x, y = columns["X"].astype(int), columns["Y"].astype(int)
        good = in_gti(columns["TIME"], columns["gti"])
        assert hdus[0].data[10, 20] == (good & (x >= 201) & (x <= 205) & (y >= 251) & (y <= 255)).sum()
        inside = good & (x >= 101) & (x <= 2300) & (y >= 201) & (y <= 2430)
        assert hdus[0].data.sum() == inside.sum()
        assert hdus[0].header["CRVAL1P"] == 103
        assert hdus[0].header["CRVAL2P"] == 203


@pytest.mark.parametrize("missing", ["TLMIN7", "TLMAX8", "TCRVL7"])
def test_missing_grid_keyword_is_refused(make, changed, about, missing):
    path = changed(header={missing: None})
    (error,) = make(ImageRequest(**about, selection=ALL), events=path, opened=False)
    assert isinstance(error, MissingKeywordError)
    assert missing in str(error)
    assert "events.evt" in str(error)


def test_missing_channel_limits_are_refused(make, changed, about):
    path = changed(header={"TLMIN9": None})
    (error,) = make(SpectrumRequest(**about, selection=ALL), events=path, opened=False)
    assert isinstance(error, MissingKeywordError)


def test_grades(make, about, columns):
    good = in_gti(columns["TIME"], columns["gti"])
    kept = tuple(np.unique(columns["GRADE"])[:2].tolist())
    selection = Selection(grades=kept, channels=(83, 1666))
    with make(ImageRequest(**about, selection=selection)) as hdus:
        band = (columns["PI"] >= 83) & (columns["PI"] <= 1666)
        assert hdus[0].data.sum() == (good & band & np.isin(columns["GRADE"], kept)).sum()


def test_energies_of_the_channels_are_in_the_header(make, about):
    with make(ImageRequest(**about, selection=Selection(channels=(100, 332)))) as hdus:
        assert (hdus[0].header["E_MIN"], hdus[0].header["E_MAX"]) == pytest.approx((0.6, 1.998))


# --- the batch --------------------------------------------------------------------------------------------------


def test_each_event_list_is_read_once(make, about, monkeypatch):
    read = []
    original = EventList.read.__func__

    def counting(cls, *args, **kwargs):
        read.append(args)
        return original(cls, *args, **kwargs)

    monkeypatch.setattr(EventList, "read", classmethod(counting))
    make(ImageRequest(**about, selection=ALL), curve(about), SpectrumRequest(**about, selection=ALL), opened=False)
    assert len(read) == 1


def test_one_failure_stops_no_other_and_order_is_kept(make, about):
    requests = [curve(about, bin=1.0), ImageRequest(**about, selection=ALL, binning=8), curve(about, bin=2.0)]
    made = make(*requests, opened=False)
    assert [isinstance(one, Exception) for one in made] == [True, False, True]
    assert fits.getdata(made[1].path).shape == (303, 303)


def test_a_kind_it_does_not_make_is_refused(tmp_path, about, monkeypatch):
    request = SpectrumRequest(**about, selection=ALL)
    monkeypatch.setattr(SpectrumRequest, "recipe", lambda self, engine: None)
    (error,) = native.make([Job(request=request, files={})], tmp_path)
    assert isinstance(error, EngineUnavailableError)
    assert "makes no spectrum" in str(error)


def test_files_are_valid_fits(make, about):
    products = make(
        ImageRequest(**about, selection=ALL, binning=4),
        curve(about, region=SOURCE),
        SpectrumRequest(**about, selection=ALL, region=SOURCE),
    )
    for hdus in products:
        hdus.verify("exception")
        for hdu in hdus:
            keywords = [key for key in hdu.header if key not in ("COMMENT", "HISTORY", "")]
            assert len(set(keywords)) == len(keywords)
