"""The same requests through both engines: the tasks of a HEADAS on one side, NumPy on the other."""

import itertools
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.engines import heasoft, native
from xtendsrc.engines.protocol import Job
from xtendsrc.errors import (
    CalibrationMissingError,
    EngineUnavailableError,
    InputFileError,
    TaskError,
    TaskTimeoutError,
)
from xtendsrc.events.selection import Selection
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.kinds import available
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.rmf.request import RMFRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet
from xtendsrc.settings import settings
from xtendsrc.testing.heasoft import environment, install

DATA = Path(__file__).parents[2] / "data"
EVENTS = DATA / "full_window/events.fits.gz"
BAND = Selection(channels=(83, 1666))
WHERE = {"obs_id": "900001010", "dataclass": "300000a0"}


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    return install(tmp_path_factory.mktemp("standin"))


@pytest.fixture
def on(standin, monkeypatch):
    """Run a test with the stand-in's HEASoft in the environment."""
    for name, value in environment(standin).items():
        monkeypatch.setenv(name, value)
    with settings(runner="direct"):
        yield


@pytest.fixture
def make(tmp_path, on):
    numbers = itertools.count()

    def run(request, engine="heasoft", files=None, needs=None):
        scratch = tmp_path / f"{engine}{next(numbers)}"
        scratch.mkdir()
        job = Job(request=request, files=files or {"events": (str(EVENTS),)}, needs=needs or {})
        made = heasoft.make(job, scratch) if engine == "heasoft" else next(iter(native.make([job], scratch)))
        if isinstance(made, Exception):
            raise made
        return made

    return run


@pytest.fixture
def source():
    return RegionSet.read(DATA / "full_window/src.reg")


@pytest.fixture
def both(make):
    """Make one request with both engines and open the two files: HEASoft's first."""
    with ExitStack() as stack:

        def run(request, **kwargs):
            made = [make(request, engine, **kwargs) for engine in ("heasoft", "native")]
            return [stack.enter_context(fits.open(m.path, memmap=False)) for m in made]

        yield run


@pytest.mark.parametrize(("binning", "frame"), [(1, "SKY"), (4, "SKY"), (7, "SKY"), (2, "DET")])
def test_images(both, binning, frame):
    theirs, ours = both(ImageRequest(selection=BAND, binning=binning, frame=frame, **WHERE))
    assert np.array_equal(theirs[0].data, ours[0].data)
    for name in ("CRPIX1", "CRPIX2", "CDELT1", "CRVAL1", "LTV1", "EXPOSURE"):
        if name in theirs[0].header:
            assert theirs[0].header[name] == pytest.approx(ours[0].header[name], rel=1e-9), name


def test_images_of_grades_and_times(both):
    with fits.open(EVENTS) as hdus:
        start = float(hdus["GTI"].data["START"][0])
    selection = Selection(channels=(100, 332), grades=(0, 2, 3, 6), gti=((start + 500.0, start + 9000.5),))
    theirs, ours = both(ImageRequest(selection=selection, binning=4, **WHERE))
    assert ours[0].data.sum() > 100
    assert np.array_equal(theirs[0].data, ours[0].data)


@pytest.mark.parametrize("exclude", [False, True])
def test_spectra(both, source, exclude):
    request = SpectrumRequest(selection=Selection(), region=source, exclude_calibration=exclude, **WHERE)
    theirs, ours = both(request)
    assert np.array_equal(theirs["SPECTRUM"].data["COUNTS"], ours["SPECTRUM"].data["COUNTS"])
    for name in ("EXPOSURE", "BACKSCAL"):
        assert theirs["SPECTRUM"].header[name] == pytest.approx(ours["SPECTRUM"].header[name], rel=1e-6)
    assert np.array_equal(theirs[0].data, ours[0].data)


def test_a_spectrum_of_everything_but_the_calibration_sources(both):
    theirs, ours = both(SpectrumRequest(selection=Selection(), region=None, exclude_calibration=True, **WHERE))
    assert np.array_equal(theirs["SPECTRUM"].data["COUNTS"], ours["SPECTRUM"].data["COUNTS"])


@pytest.mark.parametrize(("width", "fraction", "shift"), [(200.0, 0.0, None), (64.0, 0.5, None), (100.0, 0.0, -37.5)])
def test_light_curves(both, source, width, fraction, shift):
    with fits.open(EVENTS) as hdus:
        start = None if shift is None else float(hdus["GTI"].data["START"][0]) + shift
    request = LightCurveRequest(selection=BAND, region=source, bin=width, min_fraction=fraction, start=start, **WHERE)
    theirs, ours = both(request)
    for name in ("RATE", "ERROR", "FRACEXP", "ERROR_LO", "ERROR_HI"):
        assert theirs["RATE"].data[name] == pytest.approx(ours["RATE"].data[name], rel=2e-6), name
    times = [h["RATE"].data["TIME"] + h["RATE"].header["TIMEZERO"] for h in (theirs, ours)]
    assert times[0] == pytest.approx(times[1], abs=1e-4)


def test_pieces_of_a_split_file_are_one_event_list(both, tmp_path, source):
    pieces = []
    with fits.open(EVENTS, memmap=False) as hdus:
        table, gti = hdus["EVENTS"].data, hdus["GTI"].data
        cut = float(gti["STOP"][len(gti) // 2]) + 1.0
        for number, keep, good in (
            (0, table["TIME"] < cut, gti["STOP"] < cut),
            (1, table["TIME"] >= cut, gti["STOP"] > cut),
        ):
            path = tmp_path / f"xa900001010xtd_p{number}300000a0_cl.evt"
            parts = [hdus[0], fits.BinTableHDU(table[keep], hdus["EVENTS"].header, name="EVENTS")]
            fits.HDUList([*parts, fits.BinTableHDU(gti[good], hdus["GTI"].header, name="GTI")]).writeto(path)
            pieces.append(str(path))
    request = ImageRequest(selection=BAND, binning=4, **WHERE)
    theirs, ours = both(request, files={"events": tuple(pieces)})
    assert np.array_equal(theirs[0].data, ours[0].data)


def test_both_calls_are_in_the_provenance(make):
    made = make(ImageRequest(selection=BAND, binning=4, **WHERE))
    assert made.engine == "heasoft"
    assert made.versions["heasoft"] == "6.36"
    assert made.calls[0].startswith("extractor ")
    assert made.calls[1].startswith("heasoftpy.HSPTask('extractor')(")
    assert "binf=4" in made.calls[0]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("extractor:crash", "signal SIG"),
        ("extractor:crash-after", "signal SIG"),
        ("extractor:no-output", "did not write"),
        ("extractor:exit-1", "code 1"),
        ("extractor:garbage-output", "."),
        ("extractor:truncated-output", "."),
    ],
)
def test_faults_end_in_an_error(make, monkeypatch, fault, error):
    monkeypatch.setenv("XTENDSRC_STANDIN_FAULT", fault)
    with pytest.raises(TaskError, match=error):
        make(ImageRequest(selection=BAND, binning=4, **WHERE))


@pytest.mark.parametrize("fault", ["hang", "hang-deaf"])
def test_hanging_tasks_end_in_time(make, monkeypatch, fault):
    monkeypatch.setenv("XTENDSRC_STANDIN_FAULT", f"extractor:{fault}")
    with settings(task_timeout=1.5, runner="direct"), pytest.raises(TaskTimeoutError):
        make(ImageRequest(selection=BAND, binning=4, **WHERE))


def test_a_question_does_not_hang(make, monkeypatch):
    monkeypatch.setenv("XTENDSRC_STANDIN_FAULT", "extractor:ask-stdin")
    with settings(task_timeout=20.0, runner="direct"):
        try:
            made = make(ImageRequest(selection=BAND, binning=4, **WHERE))
        except TaskTimeoutError:
            pytest.fail("it waited for an answer")
        except TaskError:
            return
        assert fits.getdata(made.path).sum() > 0


def test_an_ignored_region_is_found(make, monkeypatch, source):
    """A region file that the task does not understand must not give the spectrum of the whole field."""
    real = RegionSet.write

    def broken(self, path, *args, **kwargs):
        real(self, path, *args, **kwargs)
        Path(path).write_text("galactic\ncircle(10,10,5)\n")
        return path

    monkeypatch.setattr(RegionSet, "write", broken)
    monkeypatch.setattr(RegionSet, "read", classmethod(lambda cls, path, frame="SKY": source))
    with pytest.raises(TaskError, match=r"[Rr]egion"):
        make(SpectrumRequest(selection=Selection(), region=source, **WHERE))


@pytest.mark.parametrize("runner", ["direct", "heasoftpy"])
def test_both_runners_give_the_same(make, source, runner):
    with settings(runner=runner):
        made = make(SpectrumRequest(selection=Selection(), region=source, **WHERE))
    with fits.open(made.path) as theirs, fits.open(DATA / "full_window/src.pha.gz") as golden:
        assert np.array_equal(theirs["SPECTRUM"].data["COUNTS"], golden["SPECTRUM"].data["COUNTS"])


def test_calibrated_products_need_caldb(make, monkeypatch):
    monkeypatch.delenv("CALDB")
    able, reason = available("rmf", "heasoft")
    assert not able
    assert "CALDB is not set" in reason
    with pytest.raises(CalibrationMissingError, match="CALDB is not set"):
        make(RMFRequest(spectrum=SpectrumRequest(selection=Selection(), **WHERE), **WHERE))


def test_threads_through_heasoftpy_do_not_mix(standin, on, tmp_path):
    """Process-wide PFILES and cwd are heasoftpy's way; each call must still get its own."""
    bands = [(100 + 50 * n, 149 + 50 * n) for n in range(8)]

    def one(band):
        scratch = tmp_path / f"band{band[0]}"
        scratch.mkdir()
        request = ImageRequest(selection=Selection(channels=band), binning=4, **WHERE)
        with settings(runner="heasoftpy"):
            return fits.getdata(heasoft.make(Job(request=request, files={"events": (str(EVENTS),)}), scratch).path)

    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(one, bands))
    pi = fits.getdata(EVENTS, "EVENTS")["PI"]
    sums = [int(image.sum()) for image in images]
    assert len(set(sums)) > 4
    assert all(s <= np.count_nonzero((pi >= lo) & (pi <= hi)) for s, (lo, hi) in zip(sums, bands, strict=True))


def test_a_broken_heasoftpy_is_no_obstacle(standin, on, tmp_path, monkeypatch, caplog):
    broken = tmp_path / "headas"
    shutil.copytree(standin, broken)
    (broken / "lib/python/heasoftpy/__init__.py").write_text("raise ImportError('half installed')\n")
    monkeypatch.setenv("HEADAS", str(broken))
    monkeypatch.setenv("PYTHONPATH", str(broken / "lib/python"))
    place = tmp_path / "made"
    place.mkdir()
    request = ImageRequest(selection=BAND, binning=4, **WHERE)
    with settings(runner="auto"):
        made = heasoft.make(Job(request=request, files={"events": (str(EVENTS),)}), place)
    assert "runner" not in made.versions
    assert "half installed" in caplog.text
    with settings(runner="heasoftpy"), pytest.raises(EngineUnavailableError, match="half installed"):
        heasoft.make(Job(request=request, files={"events": (str(EVENTS),)}), tmp_path)


def test_a_forked_process_does_not_share_interpreters(make, tmp_path):
    """Two processes on one pipe would mix their answers; the copy must start its own interpreter."""
    code = (
        "import os, sys, pathlib\n"
        "from xtendsrc.engines import heasoft\n"
        "from xtendsrc.settings import settings\n"
        "settings.runner = 'heasoftpy'\n"
        "fversion = heasoft.task('fversion')\n"
        "assert 'V6.36' in fversion().output\n"
        "if (child := os.fork()) == 0:\n"
        "    os._exit(0 if 'V6.36' in fversion().output else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert 'V6.36' in fversion().output\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


OTHERS = pytest.mark.parametrize(("keyword", "value"), [("DATACLAS", "31100010"), ("OBS_ID", "000128000")])


@OTHERS
def test_events_of_something_else_are_refused(make, source, tmp_path, keyword, value):
    other = tmp_path / "xa900001010xtd_p0300000a0_cl.evt"
    with fits.open(EVENTS, memmap=False) as hdus:
        for hdu in hdus:
            hdu.header[keyword] = value
        hdus.writeto(other)
    files = {role: (str(DATA / f"expmap/steady/{role}.fits.gz"),) for role in ("ehk", "bimg")} | {
        "events": (str(other),)
    }
    requests = [
        ImageRequest(selection=BAND, **WHERE),
        SpectrumRequest(selection=Selection(), region=source, **WHERE),
        LightCurveRequest(selection=BAND, region=source, bin=200.0, **WHERE),
        ExpMapRequest(**WHERE),
    ]
    for request in requests:
        with pytest.raises(InputFileError, match=f"{keyword} = {value}"):
            make(request, files=files)


@OTHERS
@pytest.mark.parametrize("engine", ["heasoft", "native"])
def test_a_bad_pixel_image_of_something_else_is_refused(make, tmp_path, engine, keyword, value):
    steady = DATA / "expmap/steady"
    other = tmp_path / "xa900001010xtd_p0300000a0.bimg"
    with fits.open(steady / "bimg.fits.gz", memmap=False) as hdus:
        hdus[0].header[keyword] = value
        hdus.writeto(other)
    files = {role: (str(steady / f"{role}.fits.gz"),) for role in ("events", "ehk")} | {"bimg": (str(other),)}
    with pytest.raises(InputFileError, match=f"bimg: .*{keyword} = {value}"):
        make(ExpMapRequest(**WHERE), engine, files=files)
