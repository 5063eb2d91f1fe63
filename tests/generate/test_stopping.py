"""Ctrl-C, a signal to one process, a dead parent: all ends within three seconds, and only what was running is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

import xtendsrc as xs
from xtendsrc.generate.run import WEIGHT_OF_A_UNIT, _parts
from xtendsrc.generate.stopping import WorkerThreads
from xtendsrc.testing.heasoft import environment, install

SECONDS = 3.0 if os.getloadavg()[0] < 2 * (os.cpu_count() or 1) else 10.0
"""Three, unless others keep this machine busy."""

MAKE = """
import sys, threading, time
import xtendsrc as xs
from xtendsrc.generate import executors, run

archive, out, how = sys.argv[1:4]
executors.WORTH_A_PROCESS = 0.0 if how == "spawned" else 1e9
if how == "thread":
    first = threading.Event()
    def one_and_then_for_ever(unit, real=run.run_unit):
        if not first.is_set():
            first.set()
            return real(unit)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.01)
    run.run_unit = one_and_then_for_ever
run.WEIGHT_OF_A_UNIT = 4.0
xs.settings.runner = "heasoftpy" if how == "heasoftpy" else "direct"
engine = "heasoft" if how in ("direct", "heasoftpy") else "native"
dc = xs.Observation(archive + "/900001010", output=out).dataclasses["300000a0"]
images = dc.images(channels=[(low, low + 50) for low in range(83, 1583, 5)])
print("go", flush=True)
xs.compute(images, engine=engine, jobs=2, progress=False, quiet=True)
"""


@pytest.fixture(scope="module")
def headas(tmp_path_factory):
    return install(tmp_path_factory.mktemp("headas"))


def start(archive, tmp_path, how, env):
    scratch = tmp_path / "s"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", MAKE, str(archive), str(tmp_path / "out"), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env, "TMPDIR": str(scratch)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def when_it_runs(process, out, how):
    """Wait until products are made, and give the processes that make them."""
    end = time.monotonic() + 40
    while time.monotonic() < end:
        children = psutil.Process(process.pid).children(recursive=True)
        made = any((out / "900001010").glob("*.fits"))
        if how in ("direct", "heasoftpy"):
            if any(map(_runs_extractor, children)):
                return children
        elif made:
            return children
        time.sleep(0.02)
    raise AssertionError(f"nothing was made: {process.communicate(timeout=5)}")


def _runs_extractor(process):
    try:
        return any("extractor" in word for word in process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.parametrize(
    ("sign", "how"),
    [
        (signal.SIGINT, "thread"),
        (signal.SIGINT, "spawned"),
        (signal.SIGINT, "direct"),
        (signal.SIGINT, "heasoftpy"),
        (signal.SIGTERM, "direct"),
        (signal.SIGKILL, "spawned"),
        (signal.SIGKILL, "heasoftpy"),
    ],
)
def test_a_signal_to_one_process_ends_all_in_three_seconds(sign, how, archive, tmp_path, headas):
    env = (
        {**environment(headas), "XTENDSRC_STANDIN_FAULT": "extractor:slow:1"} if how in ("direct", "heasoftpy") else {}
    )
    process = start(archive, tmp_path, how, env)
    children = when_it_runs(process, tmp_path / "out", how)
    begin = time.monotonic()
    process.send_signal(sign)
    _, errors = process.communicate(timeout=30)
    _, alive = psutil.wait_procs(children, timeout=max(0.0, SECONDS - (time.monotonic() - begin)))
    assert time.monotonic() - begin < SECONDS
    assert not alive
    registry = xs.Registry(tmp_path / "out")
    assert len(registry.verify()) == 0
    assert not len(registry.table(status="failed"))  # what was stopped has not failed
    if how in ("thread", "spawned"):
        assert len(registry.table(status="ready")) >= 1
    if sign == signal.SIGINT:
        assert errors.rstrip().endswith("KeyboardInterrupt")
        assert not [p for p in (tmp_path / "s").rglob("*") if p.is_file()]


def test_a_thread_that_cannot_be_asked_is_interrupted():
    ended = threading.Event()

    def work(seconds):
        try:
            for _ in range(int(seconds * 100)):
                time.sleep(0.01)
        finally:
            ended.set()

    threads = WorkerThreads(1)
    running, waiting = threads.submit(work, 60), threads.submit(work, 60)
    time.sleep(0.05)
    begin = time.monotonic()
    threads.close(cancel=True)
    assert time.monotonic() - begin < SECONDS
    assert ended.is_set()
    assert isinstance(running.exception(timeout=1), KeyboardInterrupt)
    assert waiting.cancelled()


def test_an_interrupted_batch_leaves_nothing_waiting_in_an_executor_of_the_users_own(full, monkeypatch):
    """One thread makes the first unit while Ctrl-C comes; the other units never start."""
    started = []

    def slow(unit):
        started.append(unit)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(0.5)
        return []

    monkeypatch.setattr("xtendsrc.generate.run.run_unit", slow)
    monkeypatch.setattr("xtendsrc.generate.run.WEIGHT_OF_A_UNIT", 1.0)
    images = full.images(channels=[(n, n + 10) for n in range(83, 103)], binning=8)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            xs.compute(images, executor=pool)
        assert pool.submit(len, "the executor is still open").result() > 0
    assert len(started) == 1


def test_units_are_small_and_hold_every_step_once(full):
    from xtendsrc.generate.plan import build

    steps = build([*full.images(channels=[(n, n + 10) for n in range(83, 323)]), full.expmap()]).todo
    parts = list(_parts(steps))
    assert [step for part in parts for step in part] == steps
    assert len(steps) == 241
    assert max(len(part) for part in parts) <= WEIGHT_OF_A_UNIT
    assert len(parts) >= 5


def test_the_bar_moves_within_one_data_class_and_names_source_and_product(source, monkeypatch):
    seen = []

    class Bar:
        def __init__(self, **options):
            self.total = options["total"]

        def set_postfix_str(self, text, refresh):
            seen.append(text)

        def update(self):
            seen[-1] = (seen[-1], time.monotonic())

        def close(self):
            seen.append(self.total)

    monkeypatch.setattr("tqdm.tqdm", Bar)
    monkeypatch.setattr("xtendsrc.generate.run.WEIGHT_OF_A_UNIT", 2.0)
    images = source.images(obs_id="900001010", channels=[(n, n + 10) for n in range(83, 91)], binning=4)
    with xs.settings(progress=True):
        xs.compute(images, jobs=1)
    *moves, total = seen
    assert total == len(moves) == 8
    assert moves[0][0].startswith("star image_")
    assert moves[-1][1] > moves[0][1]
