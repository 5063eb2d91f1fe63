"""Several processes at once, interrupted or killed: nothing lost, nothing corrupt, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import xtendsrc as xs
from xtendsrc.testing.heasoft import environment, install

MAKE = """
import sys
import xtendsrc as xs
archive, out, engine = sys.argv[1:4]
dc = xs.Observation(archive + "/900001010", output=out).dataclasses["300000a0"]
images = dc.images(channels=[(83, 332), (333, 999), (1000, 1666)], binning=(4, 8))
print("go", flush=True)
report = xs.compute(images, engine=engine, progress=False, quiet=True)
print(len(report.made), len(report.failed), flush=True)
"""


@pytest.fixture(scope="module")
def headas(tmp_path_factory):
    return install(tmp_path_factory.mktemp("headas"))


def start(archive, out, engine="native", **env):
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, str(archive), str(out), engine],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )


def images(archive, out):
    dc = xs.Observation(archive / "900001010", output=out).dataclasses["300000a0"]
    return dc.images(channels=[(83, 332), (333, 999), (1000, 1666)], binning=(4, 8))


def leftovers(*places):
    return [p for place in places for p in Path(place).rglob("*") if p.is_file() and ".part" in p.name]


def test_eight_processes_make_each_product_once(archive, tmp_path):
    running = [start(archive, tmp_path / "out") for _ in range(8)]
    made = 0
    for process in running:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        counts = [int(n) for n in output.split()[1:]]
        made += counts[0]
        assert counts[1] == 0
    assert made == 6
    registry = xs.Registry(tmp_path / "out")
    assert len(registry.table(status="ready")) == 6
    assert len(registry.verify()) == 0
    assert not leftovers(tmp_path)


def is_extractor(process):
    try:
        return any(word.endswith("/extractor") for word in process.cmdline())
    except psutil.Error:  # it has just ended
        return False


def wait_for_task(process, seconds=20.0):
    """Wait until the batch runs a task, and give its processes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tasks = psutil.Process(process.pid).children(recursive=True)
        if any(is_extractor(task) for task in tasks):
            return tasks
        time.sleep(0.02)
    raise AssertionError("no task was started")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_heasoft_batch(stop, archive, tmp_path, headas):
    scratch = tmp_path / "s"
    scratch.mkdir()
    env = {**environment(headas), "XTENDSRC_STANDIN_FAULT": "extractor:slow:1", "TMPDIR": str(scratch)}
    process = start(archive, tmp_path / "out", "heasoft", **env)
    assert process.stdout is not None
    process.stdout.readline()
    tasks = wait_for_task(process)
    process.send_signal(stop)
    process.communicate(timeout=30)
    if stop == signal.SIGINT:
        _, alive = psutil.wait_procs(tasks, timeout=10)
        assert not alive
        assert not [p for p in scratch.rglob("*") if p.is_file()]
    else:
        psutil.wait_procs(tasks, timeout=10)
    assert not leftovers(tmp_path / "out")
    del env["XTENDSRC_STANDIN_FAULT"]
    again = start(archive, tmp_path / "out", "heasoft", **env)
    output, errors = again.communicate(timeout=120)
    assert output.split()[-1] == "0", errors
    assert {p.status for p in images(archive, tmp_path / "out")} == {"ready"}
    assert len(xs.Registry(tmp_path / "out").verify()) == 0
    assert not [p for p in scratch.rglob("*") if p.is_file()]


def test_heasoft_and_native_give_the_same_images(archive, tmp_path, headas):
    process = start(archive, tmp_path / "h", "heasoft", **environment(headas))
    output, errors = process.communicate(timeout=120)
    assert output.split()[1:] == ["6", "0"], errors
    theirs = images(archive, tmp_path / "h")
    ours = images(archive, tmp_path / "n")
    xs.compute(ours)
    for a, b in zip(theirs, ours, strict=True):
        assert a.status == "ready"
        assert a.provenance["engine"] == "heasoft"
        assert a.provenance["calls"]
        assert (a.data == b.data).all()
