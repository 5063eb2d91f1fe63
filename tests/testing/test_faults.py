"""The documented faults: each must be there, or code that survives them is not tested."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from astropy.io import fits

from xtendsrc.testing.heasoft import parfile
from xtendsrc.testing.heasoft.runtime import TASKS


def test_unknown_or_repeated_parameter_gives_nothing_and_status_zero(child, work):
    done = child("extractor", imgfile="a.img", nosuch="1")
    assert done.returncode == 0
    assert "Parameter name not found: nosuch" in done.stdout
    assert not Path("a.img").exists()
    assert child("extractor", "imgfile=a.img", imgfile="b.img").returncode == 0
    assert not list(work.glob("*.img"))


@pytest.mark.parametrize(
    "text",
    [None, "", 'galactic\ncircle(280,-33,60")\n', "physical\nblob(1,2,3)\n", "physical\ncircle(1,2,3);circle(4,5,6)\n"],
)
def test_a_bad_region_means_the_whole_field(text, child, work):
    if text is not None:
        Path("bad.reg").write_text(text)
    done = child("extractor", phafile="a.pha", regionfile="bad.reg", wtmapb="no")
    assert done.returncode == 0
    assert "No region information read" in done.stdout
    assert "Ignoring region filtering" in done.stdout
    with fits.open("a.pha") as hdus:
        assert hdus["SPECTRUM"].header["BACKSCAL"] == 1.0
        assert "REG00101" not in hdus
        assert hdus["SPECTRUM"].header["TOTCTS"] == 39094  # every event in the good times


def test_include_zero_is_ignored_and_bare_sky_radii_are_pixels(child, work):
    Path("a.reg").write_text("physical\ncircle(1215.5,1215.5,68)\n")
    Path("b.reg").write_text("physical\ncircle(1215.5,1215.5,68)\ncircle(1993.5,954.7,92) # include=0\n")
    Path("c.reg").write_text("fk5\ncircle(81.259,-69.644,0.0334)\n")
    Path("d.reg").write_text('fk5\ncircle(81.259,-69.644,120.22")\n')
    counts = {}
    for name in "abcd":
        child("extractor", phafile=f"{name}.pha", regionfile=f"{name}.reg", wtmapb="no")
        counts[name] = fits.getval(f"{name}.pha", "TOTCTS", "SPECTRUM")
    assert counts["b"] > counts["a"]
    assert counts["c"] == 0
    assert counts["d"] == counts["a"]
    assert fits.getval("c.pha", "BACKSCAL", "SPECTRUM") == 1.0  # nothing inside: 1, not 0


def test_a_region_file_of_comments_crashes(child, work):
    Path("a.reg").write_text("# nothing\nglobal color=green\n")
    assert child("extractor", phafile="a.pha", regionfile="a.reg").returncode == -signal.SIGSEGV


def test_long_command_line_crashes_fortran_tasks(child, work):
    assert child("extractor", imgfile="a.img", qdpfile="x" * 900).returncode == -signal.SIGSEGV
    assert child("extractor", imgfile="a.img", qdpfile="x" * 100).returncode == 0


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"filename": "none.fits"}, 104),
        ({"filename": "ev.fits[NOEVENTS]"}, 107),
        ({"filename": "ev.fits[PI>=100&&PI<=334]"}, 3),
        ({"filename": "ev.fits[PI=5000:6000]"}, 101),
        ({"xcolf": "NOX"}, 219),
        ({"imgfile": "nowhere/a.img"}, 105),
    ],
)
def test_extractor_statuses(parameters, status, child, work):
    done = child("extractor", **{"imgfile": "a.img", **parameters})
    assert done.returncode == status
    assert not Path("a.img").exists()


def test_a_long_region_path_is_cut_off_and_ignored(child, work):
    deep = Path("d" * 200)
    deep.mkdir()
    for name, ignored in (("a.reg", False), ("b" * 60 + ".reg", True)):
        (deep / name).write_text("physical\ncircle(1215.5,1215.5,68)\n")
        done = child("extractor", phafile="a.pha", regionfile=deep / name, wtmapb="no")
        assert ("Ignoring region filtering" in done.stdout) == ignored
        assert done.returncode == 0


def test_calibrated_tasks_need_a_caldb(child, work):
    done = child("coordpnt", env={"CALDB": None}, input="1,1", ra=1, dec=1, startsys="DET", stopsys="SKY")
    assert done.returncode == 1
    assert "CALDB" in done.stdout


def test_existing_output_without_clobber(child, work):
    Path("a.img").write_text("mine")
    assert child("extractor", imgfile="a.img", clobber="no").returncode == 105
    assert Path("a.img").read_text() == "mine"


def test_a_missing_filter_column_still_writes_files(child, work):
    assert child("extractor", filename="ev.fits[NOPE=1:2]", imgfile="a.img").returncode == 1
    assert fits.getdata("a.img").sum() == 0


def test_c_shell_tasks_always_end_with_zero(child, work):
    assert child("fimgbin", infile="none.fits", outfile="b.fits", xbinsize=2).returncode == 0
    assert child("lcmath", infile="none", bgfile="none", outfile="b.lc").returncode == 0
    assert child("grppha", infile="none", outfile="b.pha", comm="group min 1").returncode == 0
    assert not list(work.glob("b.*"))


def test_hea_tasks_refuse_unknown_names_and_bad_values(child, work):
    assert child("xaarfgen", numphotons=100).returncode != 0
    assert child("xaexpmap", delta="wide").returncode != 0


def test_missing_parameters_are_asked_for(child, work):
    done = child("fimgbin", env={"HEADASNOQUERY": None}, stdin="ev.img\n", infile="a.img", outfile="b.img")
    assert "Bin size in X" in done.stdout
    closed = child("xaexpmap", env={"HEADASNOQUERY": None}, ehkfile="x")
    assert closed.returncode == 1
    assert "Unable to get parameter: gtifile" in closed.stdout


def test_values_are_learned(child, work, tmp_path):
    child("extractor", imgfile="a.img", binf=8)
    learned = {p.name: p.value for p in parfile.read_lines(tmp_path / "pfiles/extractor.par")}
    assert (learned["imgfile"], learned["binf"]) == ("a.img", "1")  # queried ones are, hidden ones are not
    Path("a.img").unlink()
    assert (
        subprocess.run([os.environ["HEADAS"] + "/bin/extractor"], check=False, stdout=subprocess.DEVNULL).returncode
        == 0
    )
    assert fits.getdata("a.img").shape == (2430, 2430)
    child("punlearn", "extractor")
    assert child("pget", "extractor", "imgfile").stdout.strip() == "none"


@pytest.mark.parametrize(
    ("fault", "status"), [("crash", -11), ("crash-after", -11), ("no-output", 0), ("exit-1", 1), ("ask-stdin", 1)]
)
def test_injected_faults(fault, status, child, work):
    done = child("extractor", imgfile="a.img", env={"XTENDSRC_STANDIN_FAULT": f"fimgbin:hang,extractor:{fault}"})
    assert done.returncode == status


@pytest.mark.parametrize("fault", ["garbage-output", "truncated-output"])
def test_spoiled_outputs(fault, child, work):
    assert child("extractor", imgfile="a.img", env={"XTENDSRC_STANDIN_FAULT": f"*:{fault}"}).returncode == 0
    block = Path("a.img").read_bytes()
    whole = 2430 * 2430 * 4
    assert len(block) < whole
    assert block.startswith(b"SIMPLE") == (fault == "truncated-output")


def test_hang_leaves_a_child(headas, work):
    process = subprocess.Popen(
        [headas / "bin/extractor"],
        env={**os.environ, "XTENDSRC_STANDIN_FAULT": "extractor:hang"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        waiting = int(process.stdout.readline().split()[1])
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    for _ in range(100):
        if not Path(f"/proc/{waiting}").exists() or "Z" in Path(f"/proc/{waiting}/stat").read_text().split()[2]:
            return
        time.sleep(0.05)
    raise AssertionError("the child outlived its group")


def test_every_task_is_installed(headas):
    for task in TASKS:
        assert os.access(headas / "bin" / task, os.X_OK)
        names = [p.name for p in parfile.read_lines(headas / "syspfiles" / f"{task}.par")]
        assert names[-1] == "mode"
        assert len(set(names)) == len(names)
    assert "-circle(920.0,1530.0,92.0)" in (headas / "refdata/calsrc_XTD_det.reg").read_text()
