"""Processing: xtdpipeline of the stand-in HEASoft where cleaned events are absent or old."""

import contextlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.archive.layout import discover
from xtendsrc.cli import main
from xtendsrc.errors import EngineUnavailableError, RequestError, XtendsrcWarning
from xtendsrc.testing.heasoft import environment, install

FULL, PAIR = "900001010", "900002010"


@pytest.fixture(scope="session")
def standin(tmp_path_factory):
    return install(tmp_path_factory.mktemp("standin"))


@pytest.fixture
def heasoft(standin, monkeypatch):
    for name, value in environment(standin).items():
        monkeypatch.setenv(name, value if name != "PATH" else f"{value}:{os.environ['PATH']}")


@pytest.fixture
def bare(archive, tmp_path):
    """The two observations without their cleaned events."""
    top = tmp_path / "bare"
    for obs_id in (FULL, PAIR):
        shutil.copytree(archive / obs_id, top / obs_id, ignore=shutil.ignore_patterns("*_cl.evt*"))
    return top


def content(top):
    return {p.relative_to(top): p.stat().st_mtime_ns for p in top.rglob("*")}


def test_the_archive_s_events_are_used_where_they_are(archive, tmp_path):
    report = xs.process(xs.Observation(archive / FULL, output=tmp_path / "out"))  # needs no HEASoft
    (outcome,) = report.ready
    assert "archive's event_cl" in outcome.reason
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").rglob("*.evt"))


def test_without_heasoft_the_error_says_so(bare, tmp_path):
    with pytest.raises(EngineUnavailableError, match="xtdpipeline"):
        xs.process(bare / FULL, output=tmp_path / "out")


def test_absent_events_are_made_in_parallel_outside_the_archive(heasoft, bare, archive, tmp_path):
    before = content(bare)
    report = xs.process(bare / FULL, bare / PAIR, output=tmp_path / "out", jobs=2)
    assert {o.obs_id for o in report.made} == {FULL, PAIR}
    assert content(bare) == before
    pair = xs.Observation(bare / PAIR, output=tmp_path / "out")
    assert set(pair.dataclasses) == {"31100010", "32000010"}
    assert all(files.own for files in pair.files.dataclasses.values())
    made = xs.Observation(bare / FULL, output=tmp_path / "out").dataclasses["300000a0"]
    assert made.roles["events"][0].startswith(str(tmp_path / "out" / FULL))
    assert len(made.events) > 0
    assert not (tmp_path / "out/.processing" / FULL).exists()
    again = xs.process(bare / FULL, output=tmp_path / "out")
    assert "own processing" in again.ready[0].reason


def test_events_older_than_the_calibration_asked_for(heasoft, archive, tmp_path):
    with fits.open(next((archive / FULL / "xtend/event_cl").glob("*_cl.evt*"))) as hdus:
        stamp = str(hdus["EVENTS"].header.get("CALDBVER", ""))
    released = stamp.partition("xtd")[2][:8] or "0"
    observation = xs.Observation(archive / FULL, output=tmp_path / "out")
    if released != "0":
        assert xs.process(observation, caldb=released).ready
    report = xs.process(observation, caldb="20991231")
    assert "older than 20991231" in report.made[0].reason
    assert xs.Observation(archive / FULL, output=tmp_path / "out").files.dataclasses["300000a0"].own


def test_failures_are_listed_with_their_logs(heasoft, bare, tmp_path):
    (bare / PAIR / "auxil" / f"xa{PAIR}.att.gz").unlink()
    with pytest.warns(XtendsrcWarning, match=PAIR):
        report = xs.process(bare / FULL, bare / PAIR, output=tmp_path / "out", jobs=2)
    assert [o.obs_id for o in report.made] == [FULL]
    assert [o.obs_id for o in report.failed] == [PAIR]
    assert "att" in report.failed[0].reason


def test_a_pipeline_that_fails_leaves_its_log_and_no_events(heasoft, bare, tmp_path, monkeypatch):
    monkeypatch.setenv("XTENDSRC_STANDIN_FAULT", "xtdpipeline:exit-1")
    with xs.settings(runner="direct"), pytest.warns(XtendsrcWarning, match=FULL):
        report = xs.process(bare / FULL, output=tmp_path / "out")
    (failed,) = report.failed
    assert "xtdpipeline" in failed.reason
    assert not list((tmp_path / "out").rglob("*.evt"))
    assert Path(failed.log).name == "failed-xtdpipeline.log"


@pytest.mark.parametrize("survived", range(5))
def test_a_kill_while_results_are_moved_never_leaves_half_an_event_list(archive, tmp_path, monkeypatch, survived):
    from xtendsrc.generate import process as module

    (events,) = (archive / FULL / "xtend/event_cl").glob("*_cl.evt*")
    staging, home = tmp_path / "staging", tmp_path / "out" / FULL
    staging.mkdir()
    home.mkdir(parents=True)
    end = events.name.partition("_p0")[2]
    for name in (f"_p1{end}", f"_p2{end}", f"_p3{end}", "_p0300000a0.bimg"):
        shutil.copy(events, staging / f"xa{FULL}xtd{name}")
    moved = []

    def replace(source, target):
        if len(moved) == survived:
            raise KeyboardInterrupt
        moved.append(target)
        Path(source).rename(target)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr("os.replace", replace)
        sys.modules[module.__module__]._install(staging, home)
    files = discover(archive / FULL, tmp_path / "out").dataclasses["300000a0"]
    complete = survived >= 4
    assert (files.own and not files.missing) == complete
    assert files.missing or len(files.events) == (3 if complete else 1)


def test_what_makes_no_sense(archive, tmp_path):
    with pytest.raises(RequestError, match="No observation"):
        xs.process()
    with pytest.raises(RequestError, match="output"):
        xs.process(archive / FULL)
    with pytest.raises(RequestError, match="no date"):
        xs.process(archive / FULL, output=tmp_path, caldb="new")
    with pytest.raises(RequestError, match="archive's tree"):
        xs.process(archive / FULL, output=archive)
    report = None
    with pytest.warns(XtendsrcWarning, match="no such directory"):
        report = xs.process(tmp_path / "123456789", output=tmp_path / "out")
    assert len(report.failed) == 1


def test_what_waits_only_encrypted_is_said(bare, tmp_path):
    folder = bare / FULL / "xtend/event_uf"
    for path in folder.glob("*_uf.evt*"):
        path.rename(path.with_name(f"{path.name}.gpg"))
    with pytest.warns(XtendsrcWarning, match=FULL):
        report = xs.process(bare / FULL, output=tmp_path / "out")
    assert len(report.failed) == 1


def test_the_installed_release_is_that_of_the_link_to_the_newest_index(heasoft, archive, tmp_path, capsys):
    assert main(["process", str(archive / FULL), "--output", str(tmp_path), "--caldb", "installed"]) == 0
    assert "older than 20000101" in capsys.readouterr().out


def test_without_caldb_there_is_no_installed_release(archive, tmp_path):
    with pytest.raises(RequestError, match="no HEASoft with CALDB"):
        xs.process(archive / FULL, output=tmp_path, caldb="installed")
