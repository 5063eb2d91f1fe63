"""Writers are killed at random moments; nothing that was reported done may be lost, nothing half done may show.

Each product says in its data which version it is, so that whatever is read can be compared with what it claims.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.registry import Record, Registry

WRITERS, READERS, KEYS = 4, 2, 5
SHARED = ["5" * 62 + f"{n:02d}" for n in range(3)]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def own_keys(writer: int) -> list[str]:
    return [f"{writer:02d}{n:062x}" for n in range(KEYS)]


def truth(key: str, version: int) -> np.ndarray:
    return (np.arange(2000, dtype=np.int64) * (version + 1) + sum(map(ord, key))).astype(np.int32)


def make_file(path: Path, key: str, version: int) -> None:
    image = fits.PrimaryHDU(truth(key, version))
    image.header["VERSION"] = version
    table = fits.BinTableHDU.from_columns([fits.Column("V", "1J", array=[version])], name="V")
    fits.HDUList([image, table]).writeto(path, overwrite=True)


def record(key: str, version: int) -> Record:
    return Record(key=key, state=f"version{version}", kind="image", request=json.dumps({"key": key}))


def write_forever(root: Path, writer: int, seed: int) -> None:
    rng = random.Random(seed)
    registry = Registry(root, durable=rng.random() < 0.15)
    made = root.parent / f"made{writer}.fits"
    said = os.open(root.parent / f"said{writer}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    version = seed
    while True:
        version += 1
        key = rng.choice(own_keys(writer) + SHARED)
        make_file(made, key, version)
        arrays = {"data": truth(key, version), "version": np.array([version])}
        os.write(said, f"try {key} {version}\n".encode())
        registry.commit(record(key, version), made, f"obs{writer % 2}/image_{key[:2]}_{key[-8:]}.fits", arrays)
        os.write(said, f"done {key} {version}\n".encode())
        if rng.random() < 0.1:
            registry.fold()


def read_forever(root: Path, reader: int) -> None:
    rng = random.Random(reader)
    registry = Registry(root, read_only=True)
    while True:
        if rng.random() < 0.2:
            registry = Registry(root, read_only=True)
        for key in registry.table()["key"]:
            read_file(registry, str(key))
            if arrays := registry.arrays(str(key)):
                version = int(arrays["version"][0])
                assert np.array_equal(arrays["data"], truth(str(key), version)), f"{key} version {version} is wrong"


def read_file(registry: Registry, key: str) -> None:
    """What the index says of a file must be what is in it, unless it was replaced between the two looks."""
    state, size, mtime_ns = registry.stamp(key)
    with registry.path(key).open("rb") as f:
        found = os.fstat(f.fileno())
        if (found.st_size, found.st_mtime_ns) == (size, mtime_ns):
            with fits.open(f) as hdus:
                assert hdus[0].header["XTSSTATE"] == state == f"version{hdus[0].header['VERSION']}"
                assert np.array_equal(hdus[0].data, truth(key, hdus[0].header["VERSION"]))


def start(task, *args) -> int:
    with warnings.catch_warnings():
        # the children run nothing but the task, so threads that the numerical libraries started do not matter
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            task(*args)
        except BaseException as err:  # noqa: BLE001  (kept in a file, which the parent looks for after each kill)
            (args[0].parent / f"error{os.getpid()}").write_text(f"{task.__name__}: {type(err).__name__}: {err}")
        finally:
            os._exit(1)
    return pid


@contextlib.contextmanager
def halted(processes: list[int]):
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in processes:
        os.kill(pid, signal.SIGCONT)


def said(root: Path, writer: int) -> tuple[dict[str, int], dict[str, set[int]]]:
    """Last version reported done, and all that were tried since, by key."""
    done: dict[str, int] = {}
    tried: dict[str, set[int]] = {}
    path = root.parent / f"said{writer}"
    for line in path.read_text().splitlines() if path.exists() else []:
        what, key, version = line.split(" ")
        if what == "done":
            done[key] = int(version)
            tried[key] = set()
        else:
            tried.setdefault(key, set()).add(int(version))
    return done, tried


def check_resting(root: Path, writer: int) -> int:
    """Everything of a writer that was killed: the last version reported, or the one it was at, and nothing else."""
    registry = Registry(root)
    done, tried = said(root, writer)
    adopted = 0
    for key in own_keys(writer):
        entry = registry.entry(key)
        if entry is None:
            assert key not in done, f"{key} was reported done and is lost"
            continue
        version = int(entry.state.removeprefix("version"))
        assert version in tried.get(key, set()) | {done.get(key)}
        assert registry.status(key, entry.state) == ("ready", "")
        with fits.open(registry.path(key)) as hdus:
            assert hdus[0].header["XTSKEY"] == key
            assert hdus[0].header["XTSSTATE"] == entry.state
            assert np.array_equal(hdus[0].data, truth(key, version))
            assert hdus[0].header["VERSION"] == version == hdus["V"].data["V"][0]
        if arrays := registry.arrays(key):
            assert np.array_equal(arrays["data"], truth(key, version))
        else:
            adopted += 1
    return adopted


def run_kills(root: Path, kills: int, seed: int) -> dict[str, float]:
    rng = random.Random(seed)
    begin = time.perf_counter()
    figures = {"kills": kills, "writers": WRITERS, "readers": READERS, "adopted from the FITS file": 0}
    writers = {n: start(write_forever, root, n, n) for n in range(WRITERS)}
    readers = [start(read_forever, root, n) for n in range(READERS)]
    try:
        time.sleep(0.3)
        for kill in range(kills):
            time.sleep(rng.uniform(0.0, 0.03))
            victim = rng.randrange(WRITERS)
            os.kill(writers[victim], signal.SIGKILL)
            os.waitpid(writers[victim], 0)
            del writers[victim]
            # most times the others are halted wherever they are, so that the check has the machine for itself
            with halted([] if kill % 5 == 0 else [*writers.values(), *readers]):
                figures["adopted from the FITS file"] += check_resting(root, victim)
                problems = Registry(root).verify()
                assert len(problems) == 0, str(problems)
            assert (errors := [p.read_text() for p in root.parent.glob("error*")]) == [], errors
            writers[victim] = start(write_forever, root, victim, 100_000 * (kill + 1))
    finally:
        for pid in [*writers.values(), *readers]:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
    for n in range(WRITERS):
        check_resting(root, n)
        lines = (root.parent / f"said{n}").read_text()
        figures["products reported done"] = figures.get("products reported done", 0) + lines.count("done ")
    figures["temporary files left"] = len(list(root.rglob("*.part")))
    figures["files set aside"] = len(list(root.rglob("*.damaged-*")))
    figures["seconds"] = round(time.perf_counter() - begin, 1)
    return figures


@pytest.fixture
def scratch():
    """A directory in memory if there is one: a kill is as sudden there, and the disk is spared."""
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def root(request, scratch):
    tmp_path = request.getfixturevalue("tmp_path") if request.node.get_closest_marker("soak") else scratch
    root = tmp_path / "out"
    # everything a writer uses is loaded and used once before it is forked
    make_file(tmp_path / "made.fits", SHARED[0], 0)
    registry = Registry(root)
    registry.commit(record(SHARED[0], 0), tmp_path / "made.fits", f"obs0/image_{SHARED[0][:2]}_{SHARED[0][-8:]}.fits")
    registry.fold()
    assert len(registry.verify()) == 0
    return root


def finish(root: Path, figures: dict[str, float]) -> None:
    sys.stdout.write("\n" + ", ".join(f"{name}: {value}" for name, value in figures.items()) + "\n")
    registry = Registry(root)
    for row in registry.table():  # what a killed writer had renamed but not written down is found when it is asked for
        registry.status(row["key"], row["state"])
    before = {(row["key"], row["state"]) for row in registry.table()}
    assert figures["files set aside"] == 0
    assert len(registry.verify()) == 0
    assert {(row["key"], row["state"]) for row in registry.rebuild()} == before
    for path in list(root.rglob("*.part")):
        os.utime(path, (time.time() - 2 * 86400,) * 2)
    registry.prune()
    assert list(root.rglob("*.part")) == []


def test_nothing_reported_done_is_lost_by_50_kills(root):
    finish(root, run_kills(root, 50, seed=20230907))


@pytest.mark.soak
def test_nothing_reported_done_is_lost_by_thousands_of_kills(root):
    finish(root, run_kills(root, int(os.environ.get("XTENDSRC_SOAK_KILLS", "5000")), seed=int(time.time())))
