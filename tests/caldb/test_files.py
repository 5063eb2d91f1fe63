"""Calibration files found in a directory, fetched into a cache, checked."""

import json

import pytest
from astropy.time import Time

import xtendsrc as xs
from tests.caldb.conftest import ROWS, WHERE, row, write_index
from xtendsrc import caldb, errors
from xtendsrc.cli import main

NOW = caldb.Situation(time=Time("2025-01-01"))


def test_a_directory_of_the_user(installed):
    found = caldb.require(("rmf", "arf"), NOW)
    assert found["parameters"] == installed / WHERE / "rmfparam.fits"
    assert found["contamination"].name == "contam.fits"
    assert caldb.find_place().kind == "directory"
    with pytest.raises(errors.RequestError, match="which is not changed"):
        caldb.fetch("rmf", NOW)


def test_settings_come_before_the_environment(tree, tmp_path, monkeypatch):
    monkeypatch.setenv("CALDB", str(tmp_path))
    assert caldb.find_place().root == tmp_path
    with xs.settings(caldb=tree):
        assert caldb.find_place().root == tree
    with (
        xs.settings(caldb=tmp_path / "nowhere"),
        pytest.raises(errors.InputNotFoundError, match=r"settings\.caldb names"),
    ):
        caldb.find_place()
    with xs.settings(caldb="https://example.invalid/caldb"):
        place = caldb.find_place()
    assert (place.kind, place.remote) == ("cache", "https://example.invalid/caldb")


def test_time_and_mode_choose(installed):
    window2 = caldb.Situation(time=Time("2025-01-01"), datamode="WINDOW2")
    (file,) = caldb.files("rmf", window2)
    assert file.entry.file == "rmfparam2.fits"
    assert not file.present
    with pytest.raises(errors.CalibrationMissingError, match="first is valid from 2023-09-01"):
        caldb.files("arf", caldb.Situation(time=Time("2023-01-01")))
    (found,) = [f for f in caldb.files("arf", caldb.Situation(time=Time("2027-06-01"))) if f.role == "contamination"]
    assert found.entry.file == "contam2.fits"


def test_missing_files_are_named(installed):
    (installed / WHERE / "qe.fits").unlink()
    with pytest.raises(errors.CalibrationMissingError, match=r"1 calibration files are not in .*qe\.fits"):
        caldb.require("arf", NOW)
    assert caldb.check("arf", NOW) == [f"arf: {WHERE}/qe.fits is missing"]
    with pytest.raises(errors.CalibrationMissingError, match="no MIRROR"):
        caldb.require("raytrace", NOW)
    with pytest.raises(errors.RequestError, match="did you mean 'arf'"):
        caldb.files("arfs", NOW)


def test_files_are_fetched_one_by_one(served, hasty):
    with pytest.raises(errors.CalibrationMissingError, match="no index of XRISM XTEND"):
        caldb.require("rmf", NOW)
    size = (served.caldb / WHERE / "rmfparam.fits").stat().st_size
    with pytest.raises(errors.CalibrationMissingError, match=rf"\({size / 1e6:.1f} MB\): {WHERE}/rmfparam.fits"):
        caldb.require("rmf", NOW, offline=False, policy=hasty)
    found = caldb.fetch(("rmf", "arf"), NOW, policy=hasty)
    assert {f.path.read_bytes() == (served.caldb / WHERE / f.entry.file).read_bytes() for f in found} == {True}
    served.forget()
    caldb.fetch(("rmf", "arf"), NOW, policy=hasty)
    assert caldb.require("rmf", NOW)["parameters"].is_file()
    assert served.gets() == []
    assert caldb.check(("rmf", "arf"), NOW) == []


def test_a_transfer_that_breaks_off_goes_on(served, hasty):
    served.fault("drop", "rmfparam", after=30000)
    caldb.fetch("rmf", NOW, policy=hasty)
    (first, second) = served.gets("rmfparam")
    assert first[2] == 30000
    assert second[1] == "bytes=30000-"
    whole = (served.caldb / WHERE / "rmfparam.fits").read_bytes()
    assert caldb.require("rmf", NOW)["parameters"].read_bytes() == whole


def test_a_pinned_index_stays_until_it_is_updated(served, hasty):
    caldb.fetch("rmf", NOW, policy=hasty)
    before = caldb.version(NOW)
    newer = [*ROWS, row("RMF_PARAMETERS", "qe.fits", start="2024-12-01", bounds=("CISTATUS(1)",))]
    write_index(served.caldb / "data/xrism/xtend/caldb.indx", newer)
    write_index(served.caldb / "data/xrism/xtend/index/caldb.indx20230101", ROWS[:1])
    caldb.fetch("rmf", NOW, policy=hasty)
    assert caldb.version(NOW) == before
    (file,) = caldb.fetch("rmf", NOW, update=True, policy=hasty)
    assert file.entry.file == "qe.fits"
    assert caldb.version(NOW) != before
    caldb.fetch("rmf", NOW, version="20230101", policy=hasty)
    assert len(caldb.catalogue(NOW, offline=True).entries) == 1
    with pytest.raises(errors.CalibrationMissingError, match="20200101 is not there"):
        caldb.fetch("rmf", NOW, version="20200101", policy=hasty)


def test_changed_and_shortened_files_are_found(served, hasty):
    (file,) = caldb.fetch("rmf", NOW, policy=hasty)
    noted = json.loads((caldb.find_place().root / "fetched.json").read_text())["files"][file.entry.path]
    assert noted["size"] == file.size
    assert noted["address"] == f"{served.url}/FTP/caldb/{file.entry.path}"
    content = file.path.read_bytes()
    file.path.write_bytes(content[:-1] + b"x")
    assert caldb.check("rmf", NOW) == [f"{file.entry.path} was changed after it was fetched"]
    file.path.write_bytes(content[:100])
    assert caldb.check("rmf", NOW) == [f"{file.entry.path} has 100 bytes; {len(content)} were fetched"]
    caldb.fetch("rmf", NOW, policy=hasty)
    assert file.path.read_bytes() == content


def test_an_index_that_leaves_the_database_is_refused(served, hasty):
    write_index(
        served.caldb / "data/xrism/xtend/caldb.indx", [row("QE_OBL", "passwd", CAL_DIR="../../../etc"), *ROWS[3:]]
    )
    with pytest.raises(errors.ArchiveError, match="not a name of the archive"):
        caldb.fetch("arf", NOW, policy=hasty)


def test_the_command(served, capsys):
    arguments = ["rmf", "arf", "--date", "2025-01-01"]
    assert main(["caldb", "list", *arguments]) == 1
    assert "missing" in capsys.readouterr().out
    assert main(["caldb", "fetch", *arguments]) == 0
    listed = capsys.readouterr().out
    assert f"{WHERE}/rmfparam.fits" in listed
    assert "missing" not in listed
    assert main(["caldb", "check", *arguments]) == 0
    assert "nothing is missing" in capsys.readouterr().out
    assert main(["caldb", "fetch", "rmf", "--offline"]) == 1
    assert main(["caldb", "list", "rmf", "--date", "soon"]) == 1
    assert "'soon' is not a date" in capsys.readouterr().err


def test_the_doctor_names_the_files_of_each_product(installed, tmp_path, capsys):
    assert main(["doctor", "--output", str(tmp_path)]) == 0
    lines = {line[:25].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert "rmfparam.fits" in lines["calibration of rmf"]
    assert "qe.fits, contam.fits, areas.fits, coarse.fits" in lines["calibration of arf"]
    assert "no MIRROR" in lines["calibration of raytrace"]


def test_heasoft_gets_the_database_of_the_settings(installed, tmp_path, monkeypatch):
    from xtendsrc.engines.heasoft.discovery import find_installation

    for name in ("bin", "syspfiles"):
        (tmp_path / "headas" / name).mkdir(parents=True)
    monkeypatch.setenv("CALDB", "/another/place")
    monkeypatch.setenv("CALDBCONFIG", "/another/place/caldb.config")
    found = find_installation(tmp_path / "headas")
    assert found.caldb.usable
    env = found.environment("pfiles", "scratch")
    assert env["CALDB"] == str(installed)
    assert env["CALDBCONFIG"] == str(installed / "software/tools/caldb.config")
