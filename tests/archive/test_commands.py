"""The commands search, download, process and products."""

from pathlib import Path

import pytest

from xtendsrc.cli import main

SMALL = "900003010"


def test_search(remote, position, capsys, tmp_path):
    assert main(["search", f"{position.ra.deg}", f"{position.dec.deg}", "--all"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("5 observations")
    assert "900005010" in text
    sexagesimal = position.to_string("hmsdms", sep=":", precision=1)
    sky, time, table = (str(tmp_path / n) for n in ("sky.png", "time.png", "table.ecsv"))
    words = ["--dataclass", "311*", "--save", table, "--plot", sky, "--timeline", time, "--offline"]
    assert main(["search", sexagesimal, *words]) == 0
    text = capsys.readouterr().out
    assert text.startswith("1 observation ")
    for path in (sky, time):
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert "900002010" in (tmp_path / "table.ecsv").read_text()


def test_the_whole_catalogue_and_nothing_found(remote, capsys):
    assert main(["search", "--all"]) == 0
    assert capsys.readouterr().out.startswith("500 observations")
    assert main(["search", "--exposure", "900 ks"]) == 1
    assert main(["search", "--exposure", "900"]) == 1
    assert "exposure" in capsys.readouterr().err


def test_names_that_cannot_be_resolved_offline(remote, capsys):
    assert main(["search", "LMC", "N132D", "--offline"]) == 1
    assert "not remembered" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--save", "no/t.ecsv"], ["--save", "t.xyz"], ["--plot", "p.xyz"]])
def test_files_that_cannot_be_written(remote, capsys, tmp_path, words):
    assert main(["search", "--all", words[0], str(tmp_path / words[1])]) == 1
    assert f"{words[1]} cannot be written" in capsys.readouterr().err


def test_names_of_letters_that_angles_have_too(remote, capsys):
    assert main(["search", "hd", "5980", "--offline"]) == 1
    assert "'hd 5980' is not remembered" in capsys.readouterr().err


def test_download(remote, position, local, capsys):
    words = [str(position.ra.deg), str(position.dec.deg), "--into", str(local), "--host", "heasarc"]
    assert main(["download", *words, "--dry-run"]) == 0
    assert "900002010" in capsys.readouterr().out
    assert not local.exists()
    assert main(["download", *words]) == 0
    assert sorted(p.name for p in local.iterdir()) == ["900001010", "900002010", SMALL]
    for path in local.iterdir():
        assert remote.arrived(local, path.name) == remote.tree(path.name, "auxil", "xtend")
    told = capsys.readouterr().out
    assert told.index("DownloadPlan") < told.index("DownloadReport")


def test_download_of_obsids_that_fails(remote, local, capsys):
    assert main(["download", SMALL, "900005010", "--into", str(local), "--host", "heasarc", "--what", "events"]) == 1
    assert "900005010" in capsys.readouterr().err
    assert (local / SMALL / "manifest.json").exists()


def test_process(archive, tmp_path, capsys):
    assert main(["process", str(archive), "--output", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["900001010", "900002010"]
    assert all("ready" in line for line in lines)


def test_products(archive, position, tmp_path, capsys):
    words = [str(position.ra.deg), str(position.dec.deg), "--archive", str(archive), "--output", str(tmp_path / "out")]
    assert main(["products", *words, "--name", "star", "--energy", "0.6 2", "--engine", "native"]) == 0
    made = [line for line in capsys.readouterr().out.splitlines() if line.endswith((".img", ".fits"))]
    assert len(made) >= 2
    for path in made:
        assert Path(path).read_bytes().startswith(b"SIMPLE")
    assert main(["products", *words, "--energy", "high"]) == 1
    assert "not understood" in capsys.readouterr().err
    assert main(["products", *words, "--kind", "lightcurves", "--bin", "long"]) == 1
    assert "number and a unit" in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit):
        main(["download", "--help"])
    assert "--into" in capsys.readouterr().out
