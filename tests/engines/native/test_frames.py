"""Good time frame by frame: products equal those of HEASoft's extractor, and curves of sources exist in every mode."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.engines import native
from xtendsrc.engines.protocol import Job
from xtendsrc.errors import GTIError
from xtendsrc.events.selection import Selection
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet

FRAMES = Path(__file__).parents[2] / "data" / "frames"
CODES = {"full": "300000a0", "window": "31100010", "burst": "31300010"}
LIVE_SHARE = {"full": 0.99078, "window": 0.92627, "burst": 0.1212}
BAND = Selection(channels=(83, 1666))
CURVES = [("full", 200, 0), ("full", 64, 0.1), ("full", 64, 0.5), ("window", 200, 0), ("window", 64, 0.1)]
CURVES += [("burst", 200, 0), ("burst", 64, 0.1)]


@pytest.fixture
def make(tmp_path):
    """Make one product of a mode's golden events, or of others of the same mode."""
    opened = []

    def run(mode, kind, events=None, **options):
        request = kind(obs_id="900001010", dataclass=CODES[mode], **options)
        files = {"events": (str(events or FRAMES / mode / "events.fits.gz"),)}
        (made,) = native.make([Job(request=request, files=files)], tmp_path)
        if isinstance(made, Exception):
            raise made
        opened.append(fits.open(made.path, memmap=False))
        return opened[-1], made.warnings

    yield run
    for hdus in opened:
        hdus.close()


def golden(mode, name):
    return fits.open(FRAMES / mode / f"{name}.gz")


def region(mode):
    return RegionSet.read(FRAMES / mode / "src.reg")


@pytest.mark.parametrize("mode", CODES)
def test_image_and_spectrum(mode, make):
    ours, warnings = make(mode, ImageRequest, selection=BAND, binning=4)
    assert warnings == ()
    with golden(mode, "img_83_1666_b4.fits") as theirs:
        np.testing.assert_array_equal(ours[0].data, theirs[0].data)
        assert ours[0].header["EXPOSURE"] == pytest.approx(theirs[0].header["EXPOSURE"], rel=1e-12)
        np.testing.assert_array_equal(ours["GTI"].data["START"], theirs["GTI"].data["START"])
    ours, _ = make(mode, SpectrumRequest, selection=Selection(), region=region(mode))
    with golden(mode, "src.pha") as theirs:
        np.testing.assert_array_equal(ours["SPECTRUM"].data["COUNTS"], theirs["SPECTRUM"].data["COUNTS"])
        for name in ("EXPOSURE", "ONTIME"):
            assert ours["SPECTRUM"].header[name] == pytest.approx(theirs["SPECTRUM"].header[name], rel=1e-12)


@pytest.mark.parametrize(("mode", "width", "threshold"), CURVES)
def test_curve_of_a_data_class_has_the_task_s_threshold(mode, width, threshold, make):
    options = {"selection": BAND, "region": region(mode), "bin": width, "min_fraction": threshold}
    with golden(mode, f"src_83_1666_{width}_{threshold}.lc") as theirs:
        table, zero = theirs["RATE"].data, theirs["RATE"].header["TIMEZERO"]
        ours, _ = make(mode, LightCurveRequest, **options)
        np.testing.assert_allclose(ours["RATE"].data["TIME"], table["TIME"] + zero, rtol=0, atol=1e-6)
        for column in ("RATE", "ERROR", "FRACEXP"):
            np.testing.assert_allclose(ours["RATE"].data[column], table[column], rtol=3e-7, err_msg=column)


def test_half_of_a_bin_is_never_exposed_in_burst_mode(make):
    """Extractor writes an empty table there; an error says the same in words."""
    with pytest.raises(GTIError, match="No bin of 200 s"):
        make("burst", LightCurveRequest, selection=BAND, region=region("burst"), bin=200, min_fraction=0.5)


@pytest.mark.parametrize("mode", CODES)
def test_threshold_of_a_source_s_curve_is_of_the_live_time_it_could_have(mode, make):
    """Extractor's own exposed fractions, over the mode's live share, say which bins have enough of it."""
    with golden(mode, "src_83_1666_200_0.lc") as theirs:
        share = theirs["RATE"].data["FRACEXP"] / LIVE_SHARE[mode]
        times = theirs["RATE"].data["TIME"] + theirs["RATE"].header["TIMEZERO"]
    assert np.all(np.abs(share - 0.7) > 0.03), "no bin at the threshold, so that half a frame decides nothing"
    options = {"selection": BAND, "region": region(mode), "bin": 200, "min_fraction": 0.7}
    ours, warnings = make(mode, LightCurveRequest, fraction_of="reachable", **options)
    np.testing.assert_allclose(ours["RATE"].data["TIME"], times[share > 0.7], rtol=0, atol=1e-6)
    assert warnings == (), "200 s are a whole number of frames in every mode"
    assert ours["RATE"].header["MINREACH"] == 0.7


@pytest.mark.parametrize("mode", CODES)
def test_bins_in_the_middle_of_a_stretch_are_whole_in_every_mode(mode, make):
    options = {"selection": BAND, "region": region(mode), "bin": 200, "min_fraction": 1.0}
    ours, _ = make(mode, LightCurveRequest, fraction_of="reachable", **options)
    with golden(mode, "src_83_1666_200_0.lc") as theirs:
        whole = theirs["RATE"].data["FRACEXP"] > 0.999 * LIVE_SHARE[mode]
    assert len(ours["RATE"].data) == pytest.approx(whole.sum(), abs=1)


def coarse(mode, path, **keywords):
    """Write the golden events with coarse good time (stretches joined over the dead time), without a live fraction."""
    with fits.open(FRAMES / mode / "events.fits.gz") as hdus:
        start, stop = (np.array(hdus["GTI"].data[name]) for name in ("START", "STOP"))
        ends = np.flatnonzero(start[1:] - stop[:-1] > 5)
        columns = [("START", start[np.append(0, ends + 1)]), ("STOP", stop[np.append(ends, len(stop) - 1)])]
        columns = [fits.Column(name, "D", "s", array=values) for name, values in columns]
        header = hdus["GTI"].header
        hdus["GTI"] = fits.BinTableHDU.from_columns(columns, header=header, name="GTI")
        hdus["EVENTS"].header.update(keywords)
        hdus.writeto(path)
    return path


def test_coarse_burst_file_without_live_fraction_is_corrected_and_says_so(make, tmp_path):
    path = coarse("burst", tmp_path / "coarse.evt")
    ours, warnings = make("burst", SpectrumRequest, path, selection=Selection())
    header = ours["SPECTRUM"].header
    with golden("burst", "src.pha") as theirs:
        assert header["EXPOSURE"] == pytest.approx(theirs["SPECTRUM"].header["EXPOSURE"], rel=2e-3)
    assert header["ONTIME"] > 4000
    assert any("corrected with the live share" in warning for warning in warnings)


def test_coarse_window_file_is_taken_as_extractor_takes_it_with_a_warning(make, tmp_path):
    path = coarse("window", tmp_path / "coarse.evt")
    ours, warnings = make("window", SpectrumRequest, path, selection=Selection())
    assert ours["SPECTRUM"].header["EXPOSURE"] == ours["SPECTRUM"].header["ONTIME"]
    assert any("7.4 % of it is dead time" in warning for warning in warnings)
