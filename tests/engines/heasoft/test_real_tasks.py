"""What real tasks of HEASoft 6.20 were seen to do: codes, files edited in place, lists, names, angles across zero."""

from __future__ import annotations

import shutil
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

import xtendsrc as xs
from xtendsrc import simulate
from xtendsrc.engines import heasoft, native
from xtendsrc.engines.heasoft import extractor
from xtendsrc.engines.heasoft.runners import Execution, HeasoftpyRunner
from xtendsrc.engines.heasoft.task import check_execution
from xtendsrc.engines.protocol import Job
from xtendsrc.errors import MissingColumnError, TaskError
from xtendsrc.events.selection import Selection
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet
from xtendsrc.testing.heasoft import environment, install

DATA = Path(__file__).parents[2] / "data" / "full_window"
WHERE = {"obs_id": "900001010", "dataclass": "300000a0"}
BAND = Selection(channels=(83, 1666))


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    return install(tmp_path_factory.mktemp("standin"))


@pytest.fixture
def on(standin, monkeypatch):
    """Run a test with the stand-in's HEASoft in the environment."""
    for name, value in environment(standin).items():
        monkeypatch.setenv(name, value)
    with xs.settings(runner="direct"):
        yield


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "my long event file.evt.gz"
    shutil.copy(DATA / "events.fits.gz", path)
    return path


def made(request, paths, folder, engine=heasoft):
    folder.mkdir()
    job = Job(request=request, files={"events": tuple(map(str, paths))})
    result = heasoft.make(job, folder) if engine is heasoft else next(iter(native.make([job], folder)))
    if isinstance(result, Exception):
        raise result
    return result


# --- codes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [104, 202, 219, 255])
def test_a_code_above_128_is_a_code(code):
    """CFITSIO's own codes reach beyond 128: 202 is a missing keyword, 219 a missing column."""
    with pytest.raises(TaskError, match=f"failed with code {code}"):
        check_execution("extractor", Execution(code, "no"))


def test_a_negative_code_is_a_signal():
    with pytest.raises(TaskError, match="crashed with signal SIGSEGV"):
        check_execution("extractor", Execution(-11, ""))


# --- users' own calls ------------------------------------------------------------------------------------------------


def test_a_task_that_edits_in_place_edits_the_user_s_file(on, tmp_path):
    path = tmp_path / "copy of it.pha"
    with fits.open(DATA / "src.pha.gz") as hdus:
        hdus.writeto(path)
    result = heasoft.task("fthedit")(infile=f"{path}[1]", keyword="OBSERVER", operation="add", value="me")
    assert fits.getheader(path, 1)["OBSERVER"] == "me"
    assert str(path) in result.command.replace("'", "")


def test_an_edit_that_fails_leaves_the_file_alone(on, tmp_path):
    path = tmp_path / "a.pha"
    shutil.copy(DATA / "src.reg", path)
    before = path.read_bytes()
    with pytest.raises(TaskError):
        heasoft.task("fthedit")(infile=str(path), keyword="A", operation="add", value="1")
    assert path.read_bytes() == before


def test_files_named_inside_an_expression_are_found(on, events, tmp_path):
    """A region file in another directory, with a blank in its name, inside regfilter()."""
    place = tmp_path / "my regions"
    place.mkdir()
    shutil.copy(DATA / "src.reg", place / "the source.reg")
    expression = f'regfilter("{place / "the source.reg"}",X,Y)'
    result = heasoft.task("ftselect")(
        infile=f"{events}[EVENTS]", outfile=str(tmp_path / "in.evt"), expression=expression
    )
    with fits.open(result.outputs["outfile"]) as hdus, fits.open(events) as whole:
        x, y = (np.asarray(whole["EVENTS"].data[name], float) for name in ("X", "Y"))
        inside = RegionSet.read(DATA / "src.reg").mask(x, y)
        assert len(hdus["EVENTS"].data) == inside.sum()
    assert "the source.reg" in result.command


def test_output_parameters_are_learnt(on):
    """With ``mode=h`` a task does not write back what it found."""
    result = heasoft.task("coordpnt")(
        input="905.5,905.5", outfile="NONE", telescop="XRISM", instrume="XTEND", ra=81.0, dec=-69.0, roll=0.0,
        startsys="DET", stopsys="SKY",
    )  # fmt: skip
    assert result.parameters["mode"] == "hl"
    assert float(result.parameters["outx"]) != 0


# --- products --------------------------------------------------------------------------------------------------------


def test_pieces_of_a_file_with_region_and_grades(on, events, tmp_path):
    paths = []
    with fits.open(events) as hdus:
        half = len(hdus["EVENTS"].data) // 2
        for number, rows in enumerate((np.s_[:half], np.s_[half:])):
            table = fits.BinTableHDU(hdus["EVENTS"].data[rows], hdus["EVENTS"].header, name="EVENTS")
            paths.append(tmp_path / f"piece{number}.evt")
            fits.HDUList([hdus[0], table, hdus["GTI"]]).writeto(paths[-1])
    request = SpectrumRequest(**WHERE, selection=Selection(grades=(0, 2, 3)), region=RegionSet.read(DATA / "src.reg"))
    both = [made(request, paths, tmp_path / e.__name__.rpartition(".")[2], e) for e in (heasoft, native)]
    theirs, ours = (fits.getdata(one.path, "SPECTRUM")["COUNTS"] for one in both)
    assert ours.sum() > 100
    np.testing.assert_array_equal(theirs, ours)
    header = fits.getheader(both[0].path, "SPECTRUM")
    assert [header["FILIN001"], header["FILIN002"]] == ["piece0.evt", "piece1.evt"]


def test_calls_and_files_speak_of_the_user_s_names(on, events, tmp_path):
    result = made(ImageRequest(**WHERE, selection=BAND, binning=4), [events], tmp_path / "made")
    header = fits.getheader(result.path)
    assert header["FILIN001"] == events.name
    assert header["RADESYS"] == header["RADECSYS"]
    assert all(str(events) in call for call in result.calls)


def test_a_curve_that_starts_later_agrees(on, events, tmp_path):
    start = float(fits.getdata(events, "GTI")["START"][0]) + 1234.5
    request = LightCurveRequest(**WHERE, selection=BAND, bin=100.0, start=start)
    both = [made(request, [events], tmp_path / e.__name__.rpartition(".")[2], e) for e in (heasoft, native)]
    theirs, ours = (fits.getdata(one.path, "RATE") for one in both)
    for column in ("TIME", "RATE", "FRACEXP"):
        np.testing.assert_allclose(theirs[column], ours[column], rtol=1e-6, err_msg=column)


def test_curves_of_a_source_in_burst_mode_agree(on, tmp_path):
    """extractor knows thresholds of FRACEXP only, which is 0.12 at most there."""
    frames = DATA.parent / "frames" / "burst"
    about = {"obs_id": "900001010", "dataclass": "31300010", "region": RegionSet.read(frames / "src.reg")}
    request = LightCurveRequest(**about, selection=BAND, bin=200.0, min_fraction=0.7, fraction_of="reachable")
    both = [
        made(request, [frames / "events.fits.gz"], tmp_path / e.__name__.rpartition(".")[2], e)
        for e in (heasoft, native)
    ]
    theirs, ours = (fits.getdata(one.path, "RATE") for one in both)
    assert len(ours) > 10
    for column in ("TIME", "RATE", "ERROR_HI", "FRACEXP"):
        np.testing.assert_allclose(theirs[column], ours[column], rtol=1e-5, err_msg=column)
    assert fits.getheader(both[0].path, "RATE")["MINREACH"] == 0.7


def test_an_image_whose_pixels_moved_is_refused(on, events, tmp_path, monkeypatch):
    whole = extractor.extract

    def shifted(bench, *args, **kwargs):
        whole(bench, *args, **kwargs)
        path = bench.path("image.fits")
        with fits.open(path, mode="update") as hdus:
            hdus[0].data = np.roll(hdus[0].data, 1, axis=1)

    monkeypatch.setattr(extractor, "extract", shifted)
    with pytest.raises(TaskError, match="pixels hold other counts"):
        made(ImageRequest(**WHERE, selection=BAND, binning=4), [events], tmp_path / "made")


def test_a_spectrum_needs_detector_coordinates(on, events, tmp_path):
    path = tmp_path / "short.evt"
    with fits.open(events) as hdus:
        columns = [c for c in hdus["EVENTS"].columns if c.name != "DETX"]
        table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
        for card in hdus["EVENTS"].header.cards:
            if not card.keyword.startswith("T") or card.keyword.startswith(("TIME", "TEL", "TST")):
                table.header.setdefault(card.keyword, card.value)
        for number, name in enumerate(table.columns.names, 1):
            limits = {"X": (1, 2430), "Y": (1, 2430), "DETY": (1, 1810), "PI": (0, 4095)}.get(name)
            if limits:
                table.header[f"TLMIN{number}"], table.header[f"TLMAX{number}"] = limits
        fits.HDUList([hdus[0], table, hdus["GTI"]]).writeto(path)
    for number, engine in enumerate((heasoft, native)):
        with pytest.raises(MissingColumnError, match="DETX"):
            made(SpectrumRequest(**WHERE, selection=Selection()), [path], tmp_path / f"made{number}", engine)


@pytest.fixture(scope="module")
def across_zero(tmp_path_factory):
    """A pointing whose roll wanders about 0."""
    root = tmp_path_factory.mktemp("zero")
    conditions = simulate.Conditions(wander_roll=0.05)
    centre = SkyCoord(81.259, -69.644, unit="deg")
    simulate.observation(
        root / "XRISM", "900001010", centre, exposure=4 * u.ks, roll=0 * u.deg, conditions=conditions, seed=1
    )
    return root


def test_a_map_that_the_task_gets_wrong_is_made_natively_and_says_so(on, across_zero, tmp_path):
    dc = xs.Observation(across_zero / "XRISM" / "900001010", output=tmp_path / "out").dataclasses["300000a0"]
    product = dc.expmap(binning=8).compute()
    entry = product.target.registry.entry(product.key)
    assert entry.engine == "native"
    assert any("roll crosses 0/360" in note for note in entry.notes)
    assert product.data.max() == pytest.approx(dc.gti.total, rel=1e-3)
    thin = dc.expmap(binning=8, gti=xs.GTI(dc.gti.start[::7], dc.gti.stop[::7])).compute()
    assert thin.target.registry.entry(thin.key).engine == "native"
    other = dc.expmap(binning=4, engine="heasoft")
    report = xs.compute(other, progress=False, quiet=True)
    assert len(report.failed) == 1
    assert "crosses 0/360" in report.failed[0].reason


def test_idle_interpreters_of_another_scratch_directory_are_left(tmp_path, monkeypatch):
    class Fake:
        def __init__(self, installed, base):
            from xtendsrc.engines.heasoft.workspace import Workspace, make_root

            self.place, self.version, self.running = Workspace(make_root(base)), "1", self
            self.process = self

        def poll(self):
            return None

        def close(self):
            pass

    monkeypatch.setattr("xtendsrc.engines.heasoft.runners._Interpreter", Fake)
    runner = HeasoftpyRunner(None)
    roots = {}
    for name in ("a", "b"):
        folder = Path("/tmp") / f"xtendsrc-test-{tmp_path.name[-20:]}-{name}"
        folder.mkdir(exist_ok=True)
        try:
            with xs.settings(scratch=str(folder)), runner.workspace() as place:
                roots[name] = place.root.parent
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    assert roots["a"].name.endswith("-a")
    assert roots["b"].name.endswith("-b")
    assert len(runner._idle) == 2


def test_simulated_files_have_what_searchflickpix_and_barycen_need(on, across_zero, tmp_path):
    """Coordinates of ACTX and ACTY; Keplerian elements in the extension PAR_ORBIT."""
    events, orbit = (next(across_zero.rglob(f"*{suffix}.gz")) for suffix in ("_cl.evt", ".orb"))
    search = heasoft.task("searchflickpix")
    found = search(infile=str(events), outfile=str(tmp_path / "flick.evt"), cellsize=0, bthresh=1)
    assert len(fits.getdata(found.outputs["outfile"], "PIXELS")) > 0
    centred = heasoft.task("barycen")(
        infile=str(events), outfile=str(tmp_path / "bary.evt"), orbfile=str(orbit), ra=81.259, dec=-69.644
    )
    assert fits.getheader(centred.outputs["outfile"], "EVENTS")["TIMESYS"] == "TDB"
