"""What is installed, and what its absence disables."""

import argparse

import pytest

from xtendsrc.cli import doctor
from xtendsrc.engines import heasoft
from xtendsrc.engines.heasoft.caldb import find_caldb
from xtendsrc.errors import EngineUnavailableError
from xtendsrc.products.kinds import available

INDEX = "XRISM XTEND CALDB data/xrism/xtend caldb.indx CALDB data/xrism/xtend\n"


@pytest.fixture
def caldb(tmp_path):
    root = tmp_path / "caldb"
    (root / "data/xrism/xtend/index").mkdir(parents=True)
    (root / "software/tools").mkdir(parents=True)
    (root / "software/tools/caldb.config").write_text(f"# comment\nNUSTAR FPM CALDB data/n caldb.indx CALDB d\n{INDEX}")
    (root / "data/xrism/xtend/index/caldb.indx20260815").write_text("index")
    (root / "data/xrism/xtend/caldb.indx").symlink_to("index/caldb.indx20260815")
    return root


def test_nothing_there(monkeypatch, tmp_path):
    monkeypatch.delenv("HEADAS", raising=False)
    assert heasoft.find_installation() is None
    assert available("image", "heasoft") == (False, "HEASoft was not found (HEADAS)")
    with pytest.raises(EngineUnavailableError, match="HEADAS is not set"):
        heasoft.installation()
    with pytest.raises(EngineUnavailableError, match="holds no HEASoft"):
        heasoft.installation(tmp_path)


def test_version_and_tasks(headas):
    found = heasoft.installation()
    assert (found.version, found.release) == ("6.36.1", (6, 36, 1))
    assert found.has("prober")
    assert found.missing("prober", "xaarfgen") == ("xaarfgen",)
    able, reason = available("image", "heasoft")
    assert not able
    assert "extractor is not installed" in reason


def test_an_explicit_directory_wins(headas, monkeypatch):
    monkeypatch.setenv("HEADAS", "/nowhere")
    assert heasoft.installation(headas).headas == headas


@pytest.mark.parametrize(("version", "able"), [("6.35.2", False), ("6.36", True), ("6.37.1", True), ("7.0", True)])
def test_arfs_need_636_and_nothing_else_does(headas, new_task, caldb, monkeypatch, version, able):
    for task in ("xaarfgen", "xtdrmf"):
        new_task(task, "mode,s,h,h,,,\n", "#!/bin/sh\n")
    new_task("fversion", "mode,s,h,h,,,\n", f"#!/bin/sh\necho 01Jan2026_V{version}\n")
    monkeypatch.setenv("CALDB", str(caldb))
    assert available("arf", "heasoft")[0] is able
    assert available("rmf", "heasoft") == (True, "")
    if not able:
        assert "6.36 or later" in available("arf", "heasoft")[1]


def test_local_caldb(caldb):
    found = find_caldb({"CALDB": str(caldb)})
    assert found.usable
    assert found.version == "xtend 20260815"
    (caldb / "data/xrism/xtend/caldb.indx").unlink()
    assert "no index" in find_caldb({"CALDB": str(caldb)}).problem


def test_remote_caldb_needs_a_local_configuration(caldb):
    remote = "https://nasa-heasarc.s3.amazonaws.com/caldb"
    assert "CALDBCONFIG" in find_caldb({"CALDB": remote}).problem
    found = find_caldb({"CALDB": remote, "CALDBCONFIG": str(caldb / "software/tools/caldb.config")})
    assert (found.kind, found.usable) == ("remote", True)
    assert found.index == f"{remote}/data/xrism/xtend/caldb.indx"


def test_heasoftpy_is_found_without_being_imported(headas):
    import sys

    package = headas / "lib/python/heasoftpy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    assert heasoft.installation().heasoftpy == str(headas / "lib/python")
    assert "heasoftpy" not in sys.modules


def test_the_doctor_says_what_is_missing(headas, tmp_path, capsys):
    assert doctor.run(argparse.Namespace(headas=str(headas), output=str(tmp_path))) == 0
    text = capsys.readouterr().out
    for words in ("6.36.1", "CALDB is not set", "extractor is not installed", "runner=", "file locks", "xtdpipeline"):
        assert words in text


def test_the_doctor_without_heasoft(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("HEADAS", raising=False)
    assert doctor.run(argparse.Namespace(headas=None, output=str(tmp_path))) == 0
    assert "install HEASoft" in capsys.readouterr().out
