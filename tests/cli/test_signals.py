"""Signals to a running command: everything it started ends, and its exit code says why."""

import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from xtendsrc.testing.heasoft import environment, install

SECONDS = 3.0 if os.getloadavg()[0] < 2 * (os.cpu_count() or 1) else 10.0
"""Three, unless others keep this machine busy."""


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_pipeline_is_stopped_with_its_command(sign, code, archive, tmp_path):
    """xtdpipeline takes a minute here; both observations run it, in threads."""
    for obs_id in ("900001010", "900002010"):
        shutil.copytree(archive / obs_id, tmp_path / "bare" / obs_id, ignore=shutil.ignore_patterns("*_cl.evt*"))
    (tmp_path / "s").mkdir()
    env = {**os.environ, **environment(install(tmp_path / "headas")), "TMPDIR": str(tmp_path / "s")}
    env["XTENDSRC_STANDIN_FAULT"] = "xtdpipeline:slow:60"
    words = ["process", str(tmp_path / "bare"), "--output", str(tmp_path / "out"), "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "xtendsrc", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    children = _running(process, "xtdpipeline", 2)
    begin = time.monotonic()
    process.send_signal(sign)
    process.communicate(timeout=30)
    _, alive = psutil.wait_procs(children, timeout=SECONDS)
    assert time.monotonic() - begin < SECONDS
    assert not alive
    assert process.returncode == code
    assert not [p for p in (tmp_path / "s").rglob("*") if p.is_file()]
    assert not list((tmp_path / "out").rglob("*_cl.evt*"))


def _running(process, task, number):
    """Wait until so many processes run a task, and give all children."""
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        if sum(_runs(child, task) for child in children) >= number:
            return children
        time.sleep(0.05)
    raise AssertionError(f"{task} was not started: {process.communicate(timeout=5)}")


def _runs(process, task):
    try:
        return any(word.endswith(f"/{task}") for word in process.cmdline())
    except psutil.Error:
        return False
