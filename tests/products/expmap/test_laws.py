"""What must hold for every exposure map, and the places where the HEASoft task is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtendsrc.errors import GTIError, ProductError, RegionError
from xtendsrc.events.gti import GTI
from xtendsrc.instrument import CCDS
from xtendsrc.measure.attitude import attitude_bins, choose_bins, pointing_on_sky
from xtendsrc.measure.backscal import backscal
from xtendsrc.measure.detector import (
    Detector,
    Flickering,
    with_calibration_sources,
    with_charge_injection,
)
from xtendsrc.measure.exposure import exposure_map
from xtendsrc.measure.focalplane import FocalPlane, fit_focal_plane, focal_plane_of
from xtendsrc.measure.overlap import Placement, Resampler, cell_overlaps


def block(size=1810):
    codes = np.full((size, size), -1, dtype=np.int16)
    codes[300:900, 400:1000] = 0
    codes[500:504] = np.where(codes[500:504] == 0, 2, -1)
    return Detector(codes)


@settings(max_examples=60, deadline=None)
@given(st.floats(-720, 720), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_overlaps_are_areas(angle, dx, dy):
    weights = cell_overlaps(np.array([dx]), np.array([dy]), angle)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights.min() > -1e-12


@pytest.mark.parametrize("angle", [0.0, 0.01, 17.0, 45.0, 90.0, 137.9, 264.6, -30.0])
def test_overlaps_against_points_in_the_square(angle):
    n = 1200
    p, q = (a.ravel() for a in np.meshgrid(*[(np.arange(n) + 0.5) / n - 0.5] * 2))
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    dx, dy = 0.31, -0.12
    i, j = np.rint(p * c - q * s + dx).astype(int) + 1, np.rint(p * s + q * c + dy).astype(int) + 1
    expected = np.bincount(j * 3 + i, minlength=9).reshape(3, 3) / n**2
    np.testing.assert_allclose(cell_overlaps(np.array([dx]), np.array([dy]), angle)[..., 0], expected, atol=2e-3)


def test_overlap_of_a_diamond_is_elementary():
    weights = cell_overlaps(np.zeros(1), np.zeros(1), 45.0)[..., 0]
    corner = (np.sqrt(0.5) - 0.5) ** 2  # triangle beyond each edge of the middle cell
    np.testing.assert_allclose(weights, [[0, corner, 0], [corner, 1 - 4 * corner, corner], [0, corner, 0]], atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 360), st.floats(-20, 20), st.floats(-20, 20), st.integers(0, 2**31))
def test_resampling_keeps_the_sum(angle, x, y, seed):
    values = np.random.default_rng(seed).integers(0, 3, (20, 30)).astype(float)
    image = np.zeros((120, 120))
    Resampler(values).add_to(image, Placement(angle, (15.0, 10.0), (60.0 + x, 60.0 + y)), 2.0)
    assert image.sum() == pytest.approx(2 * values.sum(), rel=1e-12)


def test_no_rotation_and_whole_shift_moves_pixels():
    values = np.arange(12.0).reshape(3, 4)
    image = np.zeros((10, 10))
    Resampler(values).add_to(image, Placement(0.0, (1.0, 1.0), (5.0, 3.0)), 1.0)
    np.testing.assert_array_equal(image[2:5, 4:8], values)
    assert image.sum() == values.sum()


@pytest.mark.parametrize("roll", [0.0, 33.0, 359.9])
def test_sky_sum_is_det_sum_is_pixels_times_time(make_pointing, thousand_seconds, roll):
    attitude = make_pointing(np.arange(0, 1001.0), roll=roll, nominal=(10.0, 0.0, roll))
    detector = block()
    maps = [exposure_map(attitude, thousand_seconds, detector, FocalPlane(), f) for f in ("SKY", "DET", "FOC")]
    for made in maps:
        assert made.data.sum() == pytest.approx(800 * detector.good.sum(), rel=1e-12)
        assert made.data.max() == pytest.approx(800, rel=1e-12)
        assert made.exposure == pytest.approx(800)


def test_bins_add_up_to_the_good_time(wander):
    for width in ((20, 1), (0.5, 4), (0.1, 6)):
        bins = attitude_bins(wander.attitude, wander.gti, *width)
        assert sum(b.seconds for b in bins) == pytest.approx(wander.gti.total, rel=1e-12)


def test_roll_and_ra_across_zero(make_pointing, thousand_seconds):
    time = np.arange(0, 1001.0)
    sign = np.where(time % 2 == 0, 1.0, -1.0)
    attitude = make_pointing(time, ra=(sign * 0.001) % 360, roll=(sign * 0.01) % 360, nominal=(0.0, 0.0, 0.0))
    (one,) = attitude_bins(attitude, thousand_seconds, 20, 1)
    assert abs((one.pointing[2] + 180) % 360 - 180) < 1e-3
    assert abs((one.pointing[0] + 180) % 360 - 180) < 1e-4
    straight = make_pointing(time, ra=0.0, nominal=(0.0, 0.0, 0.0))
    made, expected = (
        exposure_map(a, thousand_seconds, block(), FocalPlane(), "SKY", (20, 1)) for a in (attitude, straight)
    )
    assert np.abs(made.data - expected.data).max() < 0.05 * 800


def test_good_time_beyond_the_attitude_is_an_error(make_pointing):
    attitude = make_pointing(np.arange(0, 1001.0))
    with pytest.raises(GTIError, match="beyond the attitude"):
        attitude_bins(attitude, GTI([500.0], [1500.0]), 20, 1)
    with pytest.raises(GTIError, match="beyond the attitude"):
        attitude_bins(attitude, GTI([-500.0], [500.0]), 20, 1)


def test_gap_of_the_attitude_in_good_time_is_an_error(make_pointing):
    time = np.concatenate([np.arange(0, 400.0), np.arange(700, 1001.0)])
    attitude = make_pointing(time)
    with pytest.raises(GTIError, match="no attitude for"):
        attitude_bins(attitude, GTI([0.0], [1000.0]), 20, 1)
    assert attitude_bins(attitude, GTI([0.0, 700.0], [399.0, 1000.0]), 20, 1)[0].seconds == 699.0


def test_overlapping_intervals_count_once(make_pointing):
    attitude = make_pointing(np.arange(0, 1001.0))
    made = exposure_map(attitude, GTI([0.0, 300.0], [500.0, 1000.0]), block(), FocalPlane(), "DET")
    assert made.data.max() == 1000.0


def test_interval_shorter_than_the_step_of_the_attitude(make_pointing):
    attitude = make_pointing(np.arange(0, 1001.0, 8.0))
    (one,) = attitude_bins(attitude, GTI([17.0], [19.0]), 20, 1)
    assert one.seconds == 2.0


def test_all_spans_of_a_flickering_pixel_count(make_pointing, thousand_seconds):
    spans = Flickering(
        np.array([500, 500, 500, 700]),
        np.array([400, 400, 400, 600]),
        np.array([0.0, 50.0, 600.0, -100.0]),
        np.array([100.0, 200.0, 700.0, 2000.0]),
    )
    detector = Detector(block().codes, flickering=spans)
    made = exposure_map(make_pointing(np.arange(0, 1001.0)), thousand_seconds, detector, FocalPlane(), "DET")
    assert made.data[399, 499] == pytest.approx(800 - 200 - 100)
    assert made.data[599, 699] == 0.0
    assert made.data[399, 500] == 800.0


def test_pixels_that_flicker_from_one_moment_on_are_all_lost():
    y, x = (v.ravel() + 1 for v in np.indices((100, 100)))
    start = np.full(x.size, 150123456.7)
    spans = Flickering(x, y, start, start + 98765.4321)
    lost = spans.lost(GTI([start[0] + 100], [start[0] + 1100]), (100, 100))
    np.testing.assert_allclose(lost, 1000.0, atol=1e-3)


def test_wide_bins_are_enough_for_a_steady_pointing(make_pointing, thousand_seconds):
    assert choose_bins(make_pointing(np.arange(0, 1001.0)), thousand_seconds) == (20.0, 1)


@pytest.mark.slow
def test_chosen_bins_make_region_sums_right(wander):
    plane, detector = FocalPlane(), wander.detector()
    chosen = exposure_map(wander.attitude, wander.gti, detector, plane)
    fine = exposure_map(wander.attitude, wander.gti, detector, plane, width=(0.04, 12))
    assert len(fine.bins) > 2 * len(chosen.bins)
    y, x = np.indices(fine.data.shape)
    for cx, cy in ((1215, 1215), (900, 1000), (1300, 1500), (1000, 1400), (1500, 1200)):
        disc = np.hypot(x - cx, y - cy) < 68
        if fine.data[disc].sum() > 0:
            assert chosen.data[disc].sum() == pytest.approx(fine.data[disc].sum(), rel=1e-4)


def test_events_of_another_attitude_are_refused(steady, wander):
    with pytest.raises(ProductError, match="do not fit together"):
        focal_plane_of(steady.events, wander.attitude)


@pytest.mark.parametrize(("offset", "rotation"), [((-150.3, -160.1), 0.0), ((-172.5, -174.5), 0.3)])
def test_fit_finds_other_offsets(offset, rotation):
    rng = np.random.default_rng(5)
    true = rng.uniform(-600, 600, 20000) + 1j * rng.uniform(-600, 600, 20000)
    foc = (true - complex(*offset)) * np.exp(1j * np.radians(rotation))
    det, sky = (np.round(v.real) + 1j * np.round(v.imag) for v in (true, foc))
    plane = fit_focal_plane(det, sky)
    assert plane.fitted
    assert plane.offset == pytest.approx(offset, abs=0.02)
    assert plane.rotation == pytest.approx(rotation, abs=0.002)


def test_pointing_moves_the_grid_by_its_angle():
    x, y, angle = pointing_on_sky(np.array(10.0), np.array(0.01), np.array(5.0), (10.0, 0.0, 0.0))
    assert (x, angle) == (pytest.approx(0.0), pytest.approx(5.0))
    assert y == pytest.approx(0.01 * 3600 / 1.76798412, rel=1e-6)


def test_charge_injection_rows_are_added_only_where_the_image_has_none(steady):
    header = {"CIPERIOD": 80, "CIFIRST": 35, "CIOFFSET": 0, "CISTATUS": "ON"}
    golden = steady.detector().codes
    assert with_charge_injection(golden, header)[1] == ""
    bare = np.where(golden == 2, 0, golden)
    completed, note = with_charge_injection(bare, header)
    assert note
    rows = completed[912:1552, 258 + 35 - 1]  # CCD1, ACTY 35
    assert (rows[300:500] == 2).all()
    assert (completed == 2).sum() < (golden == 2).sum() * 1.1
    shifted = np.where(golden == 2, 0, golden)
    for ccd in CCDS:  # another phase than the keywords say: the image is believed
        shifted[ccd.dety[0] - 1 : ccd.dety[1], ccd.detx_of_row(np.arange(10, 640, 80)) - 1] = 2
    assert with_charge_injection(shifted, header)[1] == ""


def test_calibration_circles_are_added_only_where_the_image_has_none(steady):
    golden = steady.detector().codes
    assert with_calibration_sources(golden)[1] == ""
    completed, note = with_calibration_sources(np.where(golden == 1, 0, golden))
    assert note
    np.testing.assert_array_equal(completed, golden)


def test_region_without_exposure_is_an_error():
    data = np.zeros((10, 10))
    data[0, 0] = 5.0
    mask = np.zeros((10, 10), dtype=bool)
    mask[5, 5] = True
    with pytest.raises(RegionError, match="no exposure"):
        backscal(data, mask, 5.0)
    assert backscal(data, ~mask, 5.0) == 0.01
