"""Exposure maps and BACKSCAL against HEASoft's own, at the tolerances of float32 maps of exact overlap."""

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.measure.attitude import attitude_bins
from xtendsrc.measure.backscal import backscal
from xtendsrc.measure.exposure import binned_mean, exposure_map
from xtendsrc.measure.focalplane import FocalPlane, focal_plane_of
from xtendsrc.regions import RegionSet


def compare(mine, golden, total, largest, rms):
    difference = (mine - golden) / total
    assert np.abs(difference).max() < largest
    assert np.sqrt(np.mean(difference**2)) < rms


@pytest.fixture(scope="module")
def steady_sky(steady):
    plane = focal_plane_of(steady.events, steady.attitude)
    return exposure_map(steady.attitude, steady.gti, steady.detector(), plane, "SKY")


@pytest.fixture(scope="module")
def wander_sky(wander):
    plane = focal_plane_of(wander.events, wander.attitude)
    return exposure_map(wander.attitude, wander.gti, wander.detector(), plane, "SKY", (0.5, 4))


def test_steady_sky_map_equals_the_task(steady, steady_sky):
    compare(steady_sky.data, steady.image("exp_SKY_cal0"), steady.gti.total, 1e-6, 1e-7)


def test_calibration_sources_kept_when_not_masked(steady):
    made = exposure_map(steady.attitude, steady.gti, steady.detector(False), FocalPlane(), "SKY")
    compare(made.data, steady.image("exp_SKY_cal1"), steady.gti.total, 1e-6, 1e-7)


@pytest.mark.parametrize(("mask", "name"), [(True, "exp_DET_cal0"), (False, "exp_DET_cal1")])
def test_det_maps_equal_the_task(steady, mask, name):
    made = exposure_map(steady.attitude, steady.gti, steady.detector(mask), FocalPlane(), "DET")
    compare(made.data, steady.image(name), steady.gti.total, 1e-7, 1e-7)


def test_foc_map_equals_the_task(steady):
    made = exposure_map(steady.attitude, steady.gti, steady.detector(), FocalPlane(), "FOC")
    compare(made.data, steady.image("exp_FOC_cal0"), steady.gti.total, 1e-6, 1e-7)


def test_wandering_sky_map_equals_the_task_at_equal_bins(wander, wander_sky):
    golden = wander.image("exp_SKY_cal0_rows")
    compare(wander_sky.data[1000:1400], golden, wander.gti.total, 1e-6, 1e-7)


@pytest.mark.parametrize("name", ["steady", "wander"])
def test_binned_maps_are_means(request, name):
    case, made = request.getfixturevalue(name), request.getfixturevalue(f"{name}_sky")
    compare(binned_mean(made.data, 4), case.image("bin4_avg"), case.gti.total, 1e-5, 1e-6)


@pytest.mark.parametrize("name", ["steady", "wander"])
@pytest.mark.parametrize("region", ["src", "bkg"])
def test_backscal_equals_ahbackscal_with_one_norm(request, name, region):
    case, made = request.getfixturevalue(name), request.getfixturevalue(f"{name}_sky")
    limits = ((1, 2430), (1, 2430))
    mask = RegionSet.read(case.path / f"{region}.reg").image_mask(limits)
    assert backscal(made.data, mask, made.exposure) == pytest.approx(case.backscal[region, "EXPOSURE"], rel=1e-6)
    assert backscal(made.data, mask, 10000.0) == pytest.approx(case.backscal[region, "10000.0"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "file", "width"), [("steady", "exp_SKY_cal0", (20, 1)), ("wander", "exp_SKY_cal0_rows", (0.5, 4))]
)
def test_attitude_histogram_equals_the_task(request, name, file, width):
    case = request.getfixturevalue(name)
    bins = attitude_bins(case.attitude, case.gti, *width)
    with fits.open(case.path / f"{file}.fits.gz") as hdus:
        table = hdus["OFFAXISHIST"].data
        assert len(table) == len(bins)
        for number, (one, row) in enumerate(zip(bins, table, strict=True), 1):
            golden = np.array(list(row))
            mine = np.array([*one.theta, *one.phi, one.seconds, one.seconds / case.gti.total, *one.pointing, *one.axis])
            if golden[2] < 1e-6:  # on the target, the azimuth is that of rounding errors
                golden[5] = mine[5]
            np.testing.assert_allclose(mine, golden, rtol=1e-9, atol=1e-7)
            spans = hdus[f"GTIEXP{number:03d}"].data
            np.testing.assert_allclose(spans["START"], one.start, rtol=0, atol=1e-6)
            np.testing.assert_allclose(spans["STOP"], one.stop, rtol=0, atol=1e-6)


def test_offsets_measured_from_the_events(steady, wander):
    for case in (steady, wander):
        plane = focal_plane_of(case.events, case.attitude)
        assert plane.offset == (-172.5, -174.5)
        assert plane.rotation == 0.0
        assert plane.rms == pytest.approx(np.sqrt(2 / 12), abs=0.01)  # two roundings to a pixel


@pytest.mark.parametrize("name", ["steady", "wander"])
@pytest.mark.parametrize("binning", [1, 2, 4, 7])
def test_no_pixel_holds_a_residue_of_rounding(request, name, binning):
    """The task's map has no negative pixel, none below 1e-10 of the longest exposure, and few below 1e-6."""
    made = request.getfixturevalue(f"{name}_sky")
    data = binned_mean(made.data, binning).astype(np.float32)
    assert data.min() == 0
    least = data[data > 0].min() * binning**2 / data.max()  # one pixel of a block may be all that is exposed
    assert least > 1e-11
    assert np.count_nonzero((data > 0) & (data < 1e-6 * data.max())) < 100
