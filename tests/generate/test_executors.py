"""The same batch on every kind of executor gives the same registry; a worker that dies costs one retry."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import astropy.units as u
import numpy as np
import pytest

import xtendsrc as xs
from xtendsrc.generate import executors


def batch(archive, out):
    found = []
    for obs_id, code in (("900001010", "300000a0"), ("900002010", "31100010"), ("900002010", "32000010")):
        dc = xs.Observation(archive / obs_id, output=out).dataclasses[code]
        found.append(dc.images([(0.5, 2), (2, 10)] * u.keV, binning=8))
        found.append(dc.lightcurve(bin=200 * u.s))
    return found


def contents(out):
    """Keys, states and checksums of everything in a registry."""
    table = xs.Registry(out).table()
    return sorted(zip(table["key"], table["status"], table["datasum"], strict=True))


@pytest.fixture(scope="module")
def reference(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("serial")
    report = xs.compute(batch(archive, out), executor="serial", progress=False)
    assert len(report.made) == 9
    return contents(out)


def data_of(products):
    return [p.data if hasattr(p, "data") else p.table["RATE"].data for group in products for p in np.atleast_1d(group)]


@pytest.mark.parametrize("kind", ["default", "threads", "processes", "spawned by default"])
def test_same_contents(kind, archive, tmp_path, reference, monkeypatch):
    if kind == "spawned by default":
        monkeypatch.setattr(executors, "WORTH_A_PROCESS", 0.0)
    if kind in ("default", "spawned by default"):
        report = xs.compute(batch(archive, tmp_path), jobs=2)
    elif kind == "threads":
        with ThreadPoolExecutor(2) as pool:
            report = xs.compute(batch(archive, tmp_path), executor=pool)
    else:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            report = xs.compute(batch(archive, tmp_path), executor=pool)
    assert (len(report.made), len(report.failed)) == (9, 0)
    assert [row[:2] for row in contents(tmp_path)] == [row[:2] for row in reference]


def test_dask_gives_the_same_contents_even_when_a_worker_is_killed(archive, tmp_path, reference):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.scheduler_info()["workers"].values()))["name"]
        pid = cluster.workers[victim].pid
        killer = threading.Timer(0.4, os.kill, (pid, signal.SIGKILL))
        killer.start()
        report = xs.compute(batch(archive, tmp_path), executor=client)
        killer.join()
        assert (len(report.failed), len(report.made) + len(report.ready)) == (0, 9)
    assert [row[:2] for row in contents(tmp_path)] == [row[:2] for row in reference]


def test_a_killed_pool_worker_costs_one_retry(archive, tmp_path, reference, monkeypatch):
    monkeypatch.setattr(executors, "WORTH_A_PROCESS", 0.0)
    seen = set()
    stop = threading.Event()

    def kill_one():
        while not stop.is_set() and not seen:
            for pid in children():
                os.kill(pid, signal.SIGKILL)
                seen.add(pid)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one)
    killer.start()
    report = xs.compute(batch(archive, tmp_path), jobs=2)
    stop.set()
    killer.join()
    assert seen
    assert not report.failed
    assert [row[:2] for row in contents(tmp_path)] == [row[:2] for row in reference]


def children():
    """Spawned workers of this process."""
    import psutil

    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # ended meanwhile, as others of this process may
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


def test_a_script_without_a_main_guard_is_not_run_again(archive, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import xtendsrc as xs\n"
        "from xtendsrc.generate import executors\n"
        "executors.WORTH_A_PROCESS = 0.0\n"
        "print('start')\n"
        f"obs = [xs.Observation('{archive}/' + o, output='{tmp_path}/out') for o in ('900001010', '900002010')]\n"
        "images = [dc.image(binning=8) for o in obs for dc in o.dataclasses.values()]\n"
        "print(len(xs.compute(images, jobs=2, progress=False).made))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["start", "3"]


def test_kill_of_the_parent_then_the_same_call_completes_without_debris(archive, tmp_path, reference):
    script = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from pathlib import Path\n"
        "import xtendsrc as xs\n"
        "from test_executors import batch\n"
        "print('go', flush=True)\n"
        "xs.compute(batch(Path(sys.argv[1]), Path(sys.argv[2])), jobs=2, progress=False)\n"
    )
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    here = os.path.dirname(__file__)  # noqa: PTH120 - a string for sys.path
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(archive), str(out), here],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    scratch.mkdir()
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.25)
    child.kill()
    child.wait()
    child.stdout.close()
    with xs.settings(scratch=scratch):
        report = xs.compute(batch(archive, out))
    assert not report.failed
    assert len(report.made) + len(report.ready) == 9
    assert [row[:2] for row in contents(out)] == [row[:2] for row in reference]
    assert len(xs.Registry(out).verify()) == 0
    assert not [p for p in scratch.rglob("*") if p.is_file()]
