"""Inspection: silent on a file as assumed, and naming each thing changed in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from xtendsrc.archive.inspect import inspect
from xtendsrc.cli import inspect as command

GOLDEN = Path(__file__).parents[1] / "data"


def found(top, severity=None):
    return {f.subject: f for f in inspect(top) if severity in (None, f.severity)}


def test_a_file_as_assumed_has_no_error_and_no_warning(files, tmp_path):
    top = files.observation(tmp_path)
    assert not [f for f in inspect(top) if f.severity != "note"]
    absent = {"fpix file of 300000a0", "ONTIME", "EXPOSURE", "STATUS bit 2"}
    assert {f.subject for f in inspect(top)} == absent


@pytest.mark.parametrize(
    ("change", "severity", "subject"),
    [
        ({"drop": ["PI"]}, "error", "column PI"),
        ({"drop": ["STATUS"]}, "warning", "column STATUS"),
        ({"formats": {"X": "1E"}}, "note", "type of X"),
        ({"limits": {"X": (1, 2430), "Y": (1, 2430), "PI": (0, 4095)}}, "error", "TLMIN, TLMAX of DETX"),
        ({"limits": {"X": (0, 2429), "Y": (1, 2430), "PI": (0, 4095)}}, "warning", "TLMIN, TLMAX of X"),
        ({"header": {"TIMEDEL": 8.0}}, "warning", "TIMEDEL"),
        ({"header": {"TIMEDEL": 2.7}}, "note", "clock"),
        ({"header": {"PA_NOM": 121.25}}, "error", "PA_NOM"),
        ({"header": {"DEADC": 0.5}}, "warning", "live fraction"),
        ({"header": {"ONTIME": 3000.0, "LIVETIME": 1500.0}}, "error", "LIVETIME"),
        ({"header": {"DATAMODE": "WINDOW2"}}, "warning", "DATAMODE"),
        ({"header": {"DATACLAS": "30000010"}}, "error", "DATACLAS"),
        ({"header": {"CIFIRST": 40}}, "warning", "charge-injection rows"),
        ({"header": {"TCRPX7": 1215.0}}, "warning", "TCRPX7 (X)"),
        ({"header": {"TIMEZERO": 1.0}, "gti_header": {"TIMEZERO": 1.0}}, "note", "TIMEZERO"),
        ({"header": {"INSTRUME": "RESOLVE"}}, "error", "INSTRUME"),
        ({"drop": ["CIPERIOD"]}, "error", "charge-injection rows"),
        ({"drop": ["RA_NOM"]}, "error", "RA_NOM"),
        ({"gti": [(1000.0, 3000.0), (2900.0, 6000.0)]}, "warning", "GTIs"),
        ({"gti": [(1000.0, 2000.0)]}, "note", "events outside the GTIs"),
        ({"gti": None}, "error", "GTIs"),
    ],
)
def test_one_change_is_named(files, tmp_path, change, severity, subject):
    data = files.columns(20_000)
    top = files.observation(tmp_path, data=data, **change)
    finding = found(top, severity)[subject]
    assert "900001010" in finding.file
    assert finding.assumed
    assert finding.found
    assert finding.consequence


@pytest.mark.parametrize(
    ("name", "edit", "severity", "subject"),
    [
        ("PI", lambda v: np.where(v > 4000, -999, v), "note", "PI out of range"),
        ("GRADE", lambda v: np.where(v == 6, 7, v), "warning", "GRADE"),
        ("DETX", lambda v: v + 4, "warning", "DET -> SKY offset"),
        ("DETX", lambda v: v + 4, "warning", "place of CCD1"),
        ("DETX", lambda v: 1811 - v, "warning", "DET -> SKY"),
        ("X", lambda v: 1215 + (v - 1215) // 2, "warning", "DET -> SKY"),
        ("STATUS", lambda v: v | (np.arange(48) == 0), "warning", "STATUS bit 1"),
        ("STATUS", lambda v: v | (np.arange(48) == 1), "warning", "calibration-source circles"),
        ("CCD_ID", lambda v: np.where(v == 3, 7, v), "error", "CCD_ID"),
    ],
)
def test_events_elsewhere_than_assumed_are_named(files, tmp_path, name, edit, severity, subject):
    data = files.columns(20_000)
    data[name] = edit(data[name]).astype(data[name].dtype)
    assert subject in found(files.observation(tmp_path, data=data), severity)


def test_the_fitted_angle_is_the_true_one(files, tmp_path):
    top = files.observation(tmp_path, data=files.columns(20_000), header={"PA_NOM": 31.75})
    assert found(top)["PA_NOM"].found == "31.250 deg"


def test_the_fitted_offset_is_the_true_one(files, tmp_path):
    data = files.columns(20_000)
    data["DETX"] = data["DETX"] + 5
    data["DETY"] = data["DETY"] - 3
    x, y = (float(v) for v in found(files.observation(tmp_path, data=data))["DET -> SKY offset"].found.split(", "))
    assert (x, y) == pytest.approx((-172.5 + 5, -174.5 - 3), abs=0.1)


def test_a_window_where_it_is_not(files, tmp_path):
    header = {"DATACLAS": "31100010", "DATAMODE": "WINDOW2", "DETNAM": "CCD12", "WIN_ST": 436, "WIN_SIZE": 80}
    top = files.observation(tmp_path, code="31100010", header=header | {"TIMEDEL": 0.5})
    errors = found(top, "error")
    assert errors["window"].assumed == "ACTY 436..515"
    assert "also [2, 3]" in errors["CCD_ID"].found


def test_bad_pixel_image_and_housekeeping(files, tmp_path):
    top = files.observation(tmp_path)
    image, ehk = next(top.glob("xtend/event_uf/*.bimg")), next(top.glob("auxil/*.ehk"))
    image.unlink()
    files.bimg(image, np.full((1810, 1810), 5, "i2"))
    ehk.unlink()
    files.ehk(ehk, stop=5500.0, roll=90.0)
    findings = found(top)
    assert "also 5" in findings["codes"].found
    assert findings["good pixels"].severity == "error"
    assert findings["TIME"].severity == "error"
    assert findings["ROLL"].found == "90.000 deg"
    image.unlink()
    files.bimg(image, np.zeros((640, 640), "i2"))
    assert found(top, "error")["size"].found == "640 x 640"


def test_missing_encrypted_and_unknown_files(files, tmp_path):
    top = files.observation(tmp_path)
    next(top.glob("auxil/*.ehk")).unlink()
    next(top.glob("xtend/event_uf/*.bimg")).unlink()
    (top / "xtend/event_cl/xa900001010xtd_p031100010_cl.evt.gz.gpg").touch()
    (top / "xtend/event_cl/strange.fits").touch()
    findings = found(top)
    assert findings["ehk file"].severity == "warning"
    assert findings["bimg file of 300000a0"].severity == "warning"
    assert findings["encryption"].file.endswith(".gpg")
    assert findings["name"].found == "strange.fits"


@pytest.mark.parametrize("case", ["full_window", "expmap/steady"])
def test_reference_event_lists_hold_no_surprise(tmp_path, case):
    source = GOLDEN / case / "events.fits.gz"
    if not source.exists():
        pytest.skip(f"tests/data/{case} is not there")
    target = tmp_path / "900001010/xtend/event_cl/xa900001010xtd_p0300000a0_cl.evt.gz"
    target.parent.mkdir(parents=True)
    shutil.copyfile(source, target)
    findings = inspect(tmp_path / "900001010")
    assert {f.subject for f in findings if f.severity != "note"} == {"ehk file", "bimg file of 300000a0"}


def test_the_command(files, tmp_path, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())

    def run(*args):
        parsed = parser.parse_args(["inspect", *map(str, args)])
        return parsed.run(parsed), capsys.readouterr().out

    top = files.observation(tmp_path / "good")
    status, text = run(top)
    assert status == 0
    for piece in ("ObsID 900001010", "300000a0", "3000.0 s live", "2000 events", "xa900001010.ehk", "0 errors"):
        assert piece in text
    assert run(top.parent) == (status, text)
    status, text = run(files.observation(tmp_path / "bad", drop=["PI"]))
    assert status == 1
    assert "column PI" in text
    cut = next(top.glob("xtend/event_cl/*.gz"))
    cut.write_bytes(cut.read_bytes()[:-500])
    status, text = run(top)
    assert status == 1
    assert "cut or damaged" in text
    status, text = run(tmp_path / "good/900001010/auxil")
    assert status == 1
    assert "Next step" in text
