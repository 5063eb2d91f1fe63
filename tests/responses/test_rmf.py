"""Redistribution matrices: equal to the task's, and right where the task is not."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from tests.responses.conftest import MANIFEST, RMF, RMF_CASES, dense, grids
from xtendsrc import errors, responses
from xtendsrc.responses.detectorweights import part_weights
from xtendsrc.responses.rmfparameters import read_map

SMALL = {"widths": [100] * u.eV, "bins": [120], "first_energy": 200 * u.eV}


@pytest.mark.parametrize("name", RMF_CASES)
def test_the_matrix_is_that_of_the_task(name, tmp_path):
    case = RMF / name
    made = responses.rmf(
        case / "in.pha.gz", parameters=case / "rmfparam.fits.gz", out=tmp_path / "a.rmf", mode="task", **grids(name)
    )
    expected_weights = [w for w in MANIFEST[name]["weights"] if w]
    assert sorted(made.weights[made.weights > 0].tolist()) == sorted(expected_weights)
    with fits.open(made.path, memmap=False) as ours, fits.open(case / "out.rmf.gz", memmap=False) as theirs:
        for column in ("E_MIN", "E_MAX", "CHANNEL"):
            np.testing.assert_array_equal(ours["EBOUNDS"].data[column], theirs["EBOUNDS"].data[column])
        a, b = ours["MATRIX"], theirs["MATRIX"]
        for column in ("ENERG_LO", "ENERG_HI", "N_GRP"):
            np.testing.assert_array_equal(a.data[column], b.data[column])
        for column in ("F_CHAN", "N_CHAN"):
            for mine, reference in zip(a.data[column], b.data[column], strict=True):
                np.testing.assert_array_equal(np.atleast_1d(mine), np.atleast_1d(reference))
        for keyword in ("NUMGRP", "NUMELT", "DETCHANS", "TLMIN4", "HDUCLAS2", "CHANTYPE"):
            assert a.header[keyword] == b.header[keyword], keyword
    ours, theirs = dense(made.path), dense(case / "out.rmf.gz")
    np.testing.assert_allclose(ours, theirs, rtol=2e-7)


def test_counts_go_to_the_rectangle_that_holds_them(rmf_inputs, edit):
    """The parts of this file are upright rectangles, so a plain comparison of coordinates finds the pixels."""
    spectrum, parameters = rmf_inputs
    with fits.open(parameters) as hdus:
        table = hdus[1].data[:36]
        corners = np.stack([table["CORNER_DETX"], table["CORNER_DETY"]], axis=-1).astype(float)
    edit(spectrum, lambda hdus: setattr(hdus[0], "data", hdus[0].data[:, :11].copy()))
    source = read_map(spectrum)
    weights = part_weights(source, corners, "right")
    with fits.open(spectrum) as hdus:
        image, header = hdus[0].data, hdus[0].header
    expected = np.zeros(36)
    for (row, column), counts in np.ndenumerate(image):
        if counts > 0:
            x, y = ((header[k] - 1 + i) * 8 + 1 for k, i in (("X-OFFSET", column), ("Y-OFFSET", row)))
            low, high = corners.min(axis=1), corners.max(axis=1)
            expected[((low <= (x, y)) & (high >= (x, y))).all(axis=1).argmax()] += counts
    np.testing.assert_array_equal(weights, expected)
    assert weights.sum() == image[image > 0].sum()


def test_the_line_through_an_edge_is_not_inside():
    """The task counts 31 000 of 10 000 counts where edges meet the map's pixels; none may count twice."""
    case = RMF / "edge_line"
    source = read_map(case / "in.pha.gz")
    with fits.open(case / "rmfparam.fits.gz") as hdus:
        table = hdus[1].data[:36]
        corners = np.stack([table["CORNER_DETX"], table["CORNER_DETY"]], axis=-1).astype(float)
    counts = source.counts[source.counts > 0].sum()
    assert part_weights(source, corners, "task").sum() > 2 * counts
    assert part_weights(source, corners, "right").sum() == counts


def test_detector_axes_may_be_swapped(rmf_inputs):
    """Exchanging x and y of map and parts alike changes nothing, in any quadrilateral."""
    source = read_map(rmf_inputs[0])
    rng = np.random.default_rng(5)
    centres = rng.uniform(680, 790, (6, 1, 2))
    angle = np.array([0.3, 1.9, 3.4, 5.0])[:, None] + rng.uniform(0, 1, (6, 1, 1))
    corners = centres + 30 * np.concatenate([np.cos(angle), np.sin(angle)], axis=-1)
    swapped = type(source)(source.path, source.header, source.counts.T, source.dety, source.detx)
    a = part_weights(source, corners, "right")
    np.testing.assert_array_equal(a, part_weights(swapped, corners[..., ::-1], "right"))
    assert np.count_nonzero(a) > 3


def test_fewer_channels_cut_the_matrix_and_change_nothing_else(tmp_path, rmf_inputs):
    spectrum, parameters = rmf_inputs
    common = {"parameters": parameters, "mode": "right", "threshold": 0.0, **SMALL}
    whole = dense(responses.rmf(spectrum, out=tmp_path / "a.rmf", **common).path)
    cut = dense(responses.rmf(spectrum, out=tmp_path / "b.rmf", channels=512, **common).path)
    np.testing.assert_allclose(cut, whole[:, :512], rtol=1e-6)
    task = dense(responses.rmf(spectrum, out=tmp_path / "c.rmf", channels=512, **common | {"mode": "task"}).path)
    assert task[33, -1] > 0.5  # photons of 3.5 keV on channels that end at 3.07 keV
    assert cut[33, -1] < 1e-3


def test_rows_of_the_default_grid_sum_to_one(tmp_path, rmf_inputs):
    made = responses.rmf(rmf_inputs[0], parameters=rmf_inputs[1], out=tmp_path / "a.rmf")
    with fits.open(made.path) as hdus:
        assert len(hdus["MATRIX"].data) == 6400
        assert hdus["MATRIX"].data["ENERG_HI"][[0, 5899, 6399]] == pytest.approx([0.202, 12.0, 24.0])
        assert hdus["EBOUNDS"].data["E_MAX"][-1] == pytest.approx(24.576)
        assert hdus["MATRIX"].header["CALSTAT"] == "CALIBRATED"
        assert "mode=right" in str(hdus["MATRIX"].header["HISTORY"])
    sums = np.bincount(np.repeat(np.arange(6400), made.groups.row_sizes), made.groups.elements, 6400)
    assert np.abs(sums[:6390] - 1).max() < 1e-5


def test_an_escape_line_below_zero_does_not_empty_the_row(tmp_path, rmf_inputs, edit):
    """The task's row is NaN and written empty; the photons of the other components must stay."""
    spectrum, parameters = rmf_inputs

    def far_below(hdus):
        hdus[1].data["ESCAPE_OFFSET"][:] = 5.0

    edit(parameters, far_below)
    common = {"parameters": parameters, **SMALL}
    task = dense(responses.rmf(spectrum, out=tmp_path / "a.rmf", mode="task", **common).path)
    right = dense(responses.rmf(spectrum, out=tmp_path / "b.rmf", mode="right", **common).path)
    assert (task[:20].sum(axis=1) == 0).all()
    np.testing.assert_allclose(right.sum(axis=1), 1, atol=1e-5)


def _set(name, value, hdu=1):
    return lambda hdus: hdus[hdu].header.__setitem__(name, value)


def _nan(hdus):
    hdus[1].data["SECONDARY_AMP"][40, 3] = np.nan


def _too_few(hdus):
    hdus[1].data = hdus[1].data[:30]


def _no_width(hdus):
    hdus[1].data["PRIMARY_FWHM"][:] = 0.0


def _no_column(hdus):
    hdus[1].columns.change_name("FLUOR_AMP", "FLUOR_AMPL")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_set("INSTRUME", "SXS"), errors.CalibrationError, "for the instrument SXS"),
        (_nan, errors.CalibrationError, "SECONDARY_AMP: row 41"),
        (_too_few, errors.CalibrationError, "30 rows at this epoch; NSUBREG demands 36"),
        (_no_width, errors.CalibrationError, "PRIMARY_FWHM is zero"),
        (_no_column, errors.MissingColumnError, "no column FLUOR_AMP .the nearest is FLUOR_AMPL"),
        (_set("CISTATUS", 0), errors.CalibrationError, "another charge injection"),
    ],
)
def test_bad_parameter_files_are_named(change, error, words, tmp_path, rmf_inputs, edit):
    spectrum, parameters = rmf_inputs
    edit(parameters, change)
    with pytest.raises(error, match=words):
        responses.rmf(spectrum, parameters=parameters, out=tmp_path / "a.rmf", **SMALL)
    assert not (tmp_path / "a.rmf").exists()


def _no_map(hdus):
    hdus[0].data = None


def _empty_map(hdus):
    hdus[0].data[:] = 0


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_no_map, errors.InputFileError, "no weighted map"),
        (_empty_map, errors.RegionError, "No count"),
        (_set("MTYPE1", "SKY", 0), errors.InputFileError, "SKY pixels"),
        (_set("DATAMODE", "TIMING", 0), errors.RequestError, "TIMING"),
        (_set("TSTOP", 0.0, 0), errors.CalibrationError, "valid from mission time 130000000"),
        (lambda hdus: hdus[0].header.remove("WMREBIN"), errors.MissingKeywordError, "WMREBIN"),
    ],
)
def test_bad_spectra_are_named(change, error, words, tmp_path, rmf_inputs, edit):
    spectrum, parameters = rmf_inputs
    edit(spectrum, change)
    with pytest.raises(error, match=words):
        responses.rmf(spectrum, parameters=parameters, out=tmp_path / "a.rmf", **SMALL)


def test_missing_and_torn_files_and_senseless_arguments(tmp_path, rmf_inputs):
    spectrum, parameters = rmf_inputs
    out = tmp_path / "a.rmf"
    with pytest.raises(errors.InputNotFoundError, match=r"nowhere\.fits"):
        responses.rmf(spectrum, parameters=tmp_path / "nowhere.fits", out=out)
    torn = tmp_path / "torn.fits"
    torn.write_bytes(parameters.read_bytes()[:40000])
    with pytest.raises(errors.CalibrationError, match=r"torn\.fits"):
        responses.rmf(spectrum, parameters=torn, out=out)
    with pytest.raises(errors.RequestError, match='did you mean "right"'):
        responses.rmf(spectrum, parameters=parameters, out=out, mode="rigth")
    with pytest.raises(errors.RequestError, match="1 widths"):
        responses.rmf(spectrum, parameters=parameters, out=out, widths=[2] * u.eV)
    with pytest.raises(errors.UnitsError, match="channel_width"):
        responses.rmf(spectrum, parameters=parameters, out=out, channel_width=6 * u.s)
