"""What a registry promises to those who use it, in one process and in several."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.errors import InputFileError, ProductError, RegistryError
from xtendsrc.registry import Registry, files, fitsstamp, state_inputs, state_of

KEYS = [f"{n:064x}" for n in range(200)]


def test_what_is_committed_comes_back(reg, record, made):
    full = record(
        source="GK Per, «nova»",
        dataclass="31100010",
        inputs={"file events": "ab12"},
        engine="heasoft",
        versions={"extractor": "6.36"},
        parameters={"binlc": 200.0, "regionfile": "src.reg"},
        calls=("extractor filename='evt.fits' regionfile='src.reg'",),
        notes=("a note",),
        log="line one\nline two: 3σ\n",
        wall_time=1.5,
    )
    arrays = {"time": np.arange(50.0), "rate": np.ones(50, dtype=">f4"), "map": np.eye(4), "n": np.array(7)}
    entry = reg.commit(full, made(), "900001010/curve.lc", arrays)
    again = Registry(reg.root)
    assert again.entry(full.key) == entry
    assert again.entry(full.key).log == full.log
    assert again.entry(full.key).calls == full.calls
    assert again.status(full.key, "s0") == ("ready", "")
    for name, array in again.arrays(full.key).items():
        assert np.array_equal(array, arrays[name])
    assert again.arrays(full.key).keys() == arrays.keys()
    assert again.path(full.key) == reg.root / "900001010" / "curve.lc"


def test_the_file_carries_what_it_is_and_checksums_that_astropy_accepts(reg, record, made):
    source = made(3.25)
    reg.commit(record(source="O'Neill's \u03b2", calls=("x='&' " * 40,)), source, "a/b.fits")
    with fits.open(source) as before, fits.open(reg.path(KEYS[0]), checksum=True) as after:
        after.verify("exception")
        for old, new in zip(before, after, strict=True):
            assert (new.verify_datasum(), new.verify_checksum()) == (1, 1)
            ours = ("XTS", "LONGSTRN", "CHECKSUM", "DATASUM")
            assert [str(c) for c in new.header.cards if not c.keyword.startswith(ours)] == [
                str(c) for c in old.header.cards
            ]
        assert np.array_equal(before[1].data, after[1].data)
        header = after[0].header
        assert (header["XTSKEY"], header["XTSSTATE"], header["XTSKIND"]) == (KEYS[0], "s0", "lightcurve")
        assert json.loads(header["XTSREQ"]) == {"bin": 200, "n": 0}
        assert json.loads(header["XTSREC"])["source"] == "O'Neill's β"
        assert json.loads(header["XTSREC"])["calls"] == ["x='&' " * 40]


def test_a_file_with_an_odd_header_keeps_its_data_byte_for_byte(reg, record, tmp_path):
    """Scaled integers, a variable-length column, a header full to the block and cards after blanks stay as they are."""
    image = fits.PrimaryHDU(np.arange(30, dtype=np.uint16))
    for n in range(36 - len(image.header) - 1):
        image.header[f"FILL{n}"] = n
    rows = np.array([np.arange(n) for n in (1, 5, 0, 9)], dtype=object)
    table = fits.BinTableHDU.from_columns([fits.Column("V", "PJ()", array=rows)], name="VAR")
    path = tmp_path / "odd.fits"
    fits.HDUList([image, table]).writeto(path, checksum=True)
    reg.commit(record(), path, "odd.fits")
    with fits.open(path) as before, fits.open(reg.path(KEYS[0]), checksum=True) as after:
        for old, new in zip(before, after, strict=True):
            start, stop = (h.fileinfo()["datLoc"] for h in (old, new))
            length = old.fileinfo()["datSpan"]
            with path.open("rb") as f, reg.path(KEYS[0]).open("rb") as g:
                f.seek(start)
                g.seek(stop)
                assert f.read(length) == g.read(length)


@pytest.mark.parametrize("cut", [100, 2880, 5000, 8000])
def test_an_incomplete_file_is_refused_and_nothing_is_left(reg, record, made, cut):
    path = made()
    path.write_bytes(path.read_bytes()[:cut])
    if cut != 2880:  # at 2880 the file is a complete, empty primary HDU
        with pytest.raises(ProductError):
            reg.commit(record(), path, "a/b.fits")
        assert reg.status(KEYS[0], "s0").status == "missing"
        assert [p for p in reg.root.rglob("*") if p.is_file() and p.parent.name == "a"] == []


@pytest.mark.parametrize("relative", ["../x.fits", "/x.fits", ".registry/x.fits", "a/../../x.fits", ""])
def test_a_product_stays_inside_the_output_directory(reg, record, made, relative):
    with pytest.raises(RegistryError, match="cannot be the path"):
        reg.commit(record(), made(), relative)


def test_arrays_that_cannot_be_stored_leave_nothing_behind(reg, record, made):
    with pytest.raises(RegistryError, match="cannot be stored"):
        reg.commit(record(), made(), "a.fits", {"names": np.array(["x", "y"])})
    assert not (reg.root / "a.fits").exists()
    assert reg.entry(KEYS[0]) is None


def test_arrays_above_a_megapixel_are_left_to_the_file(reg, record, made):
    arrays = {"big": np.zeros(2**20 + 1, dtype=np.int8), "small": np.zeros(2**20, dtype=np.int8)}
    reg.commit(record(), made(), "a.fits", arrays)
    assert reg.arrays(KEYS[0]).keys() == {"small"}


# --- staleness ------------------------------------------------------------------------------------------------------


def test_status_names_what_changed(reg, record, made):
    before = state_inputs({"events evt.fits": "aa"}, {"expmap": "s1"}, schema=1, caldb="20240815")
    state = state_of({"events evt.fits": "aa"}, {"expmap": "s1"}, schema=1, caldb="20240815")
    reg.commit(record(state=state, inputs=before), made(), "a.fits")
    assert reg.status(KEYS[0], state, before) == ("ready", "")
    changes = {
        "events evt.fits changed": ({"events evt.fits": "bb"}, {"expmap": "s1"}, 1, "20240815"),
        "expmap changed": ({"events evt.fits": "aa"}, {"expmap": "s2"}, 1, "20240815"),
        "algorithm is 2, was 1": ({"events evt.fits": "aa"}, {"expmap": "s1"}, 2, "20240815"),
        "CALDB is 20250101": ({"events evt.fits": "aa"}, {"expmap": "s1"}, 1, "20250101"),
        "gti.fits is new": ({"events evt.fits": "aa", "gti.fits": "c"}, {"expmap": "s1"}, 1, "20240815"),
    }
    for words, now in changes.items():
        found = reg.status(KEYS[0], state_of(*now), state_inputs(*now))
        assert found.status == "stale"
        assert words in found.reason


def test_a_deleted_file_is_missing_and_an_edited_one_stale(reg, record, made):
    reg.commit(record(0), made(), "a.fits")
    reg.commit(record(1), made(), "b.fits")
    (reg.root / "a.fits").unlink()
    fits.setval(reg.root / "b.fits", "OBJECT", value="edited")
    for registry in (reg, Registry(reg.root)):
        assert registry.status(KEYS[0], "s0").status == "missing"
        assert "a.fits was deleted" in registry.status(KEYS[0], "s0").reason
        assert registry.status(KEYS[1], "s0").status == "stale"
        assert "b.fits was changed" in registry.status(KEYS[1], "s0").reason
        with pytest.raises(RegistryError, match=r"b\.fits"):
            registry.arrays(KEYS[1])


def test_a_copy_of_the_whole_directory_is_as_good(reg, record, made, tmp_path):
    for n in range(3):
        reg.commit(record(n), made(n), f"obs/{n}.fits", {"rate": np.full(3, n)})
    reg.fold()
    for path in sorted(reg.root.rglob("*")):
        target = tmp_path / "copy" / path.relative_to(reg.root)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())  # new times
    copy = Registry(tmp_path / "copy")
    assert [copy.status(KEYS[n], "s0").status for n in range(3)] == ["ready"] * 3
    assert np.array_equal(copy.arrays(KEYS[2])["rate"], [2, 2, 2])
    assert len(copy.verify()) == 0


def test_failures_are_remembered_with_their_log_until_a_success(reg, record, made):
    reg.fail(record(log="from the record"), "extractor found no events", log="the whole log")
    again = Registry(reg.root)
    assert again.status(KEYS[0], "s0") == ("failed", "extractor found no events")
    assert again.entry(KEYS[0]).log == "the whole log"
    assert again.status(KEYS[0], "other inputs").status == "missing"
    again.commit(record(), made(), "a.fits")
    assert reg.status(KEYS[0], "s0") == ("ready", "")
    assert reg.entry(KEYS[0]).status == "ready"


def test_a_failed_remake_leaves_the_old_product_in_place(reg, record, made):
    reg.commit(record(state="old"), made(), "a.fits")
    reg.fail(record(state="new"), "it broke")
    assert reg.status(KEYS[0], "new") == ("failed", "it broke")
    assert reg.status(KEYS[0], "old") == ("ready", "")
    assert list(reg.table()["status"]) == ["failed"]


def test_fingerprints_hash_once_and_are_remembered(reg, tmp_path, monkeypatch):
    path = tmp_path / "evt.fits"
    path.write_bytes(b"events")
    old = time.time_ns() - 3600 * 10**9
    os.utime(path, ns=(old, old))
    first = reg.fingerprint(path)
    assert first.sha256 == hashlib.sha256(b"events").hexdigest()
    reg.fold()
    read = []
    monkeypatch.setattr("xtendsrc.registry.fingerprint.hashlib.file_digest", lambda *a: read.append(a))
    assert Registry(reg.root).fingerprint(path) == first
    assert read == []


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_jumps_hides_no_change(reg, record, made, tmp_path, monkeypatch, years):
    path = tmp_path / "evt.fits"
    path.write_bytes(b"before")
    reg.commit(record(state="first"), made(1.0), "a.fits")
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + years * 31557600 * 10**9)
    monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9)
    first = reg.fingerprint(path)
    stat = path.stat()
    path.write_bytes(b"after!")
    if years < 0:  # seen from the past, the file is from the future: its time proves nothing
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert reg.fingerprint(path).sha256 != first.sha256
    reg.commit(record(state="second"), made(2.0), "a.fits")
    reg.fold()
    assert Registry(reg.root).status(KEYS[0], "second") == ("ready", "")
    assert fits.getdata(reg.path(KEYS[0]))["RATE"][0] == 2.0


# --- tables, tidying ------------------------------------------------------------------------------------------------


def test_table_and_select_filter(reg, record, made):
    for n in range(6):
        kind, source = ("image", "A") if n % 2 else ("lightcurve", "Größe")
        reg.commit(record(n, kind=kind, source=source, obs_id=f"90000{n % 3}010"), made(), f"{n}.fits")
        if n == 3:
            reg.fold()
    for registry in (reg, Registry(reg.root), Registry(reg.root, read_only=True)):
        assert len(registry.table()) == len(registry) == 6
        assert set(registry.table(kind="image")["source"]) == {"A"}
        assert len(registry.table(kind="image", obs_id="900001010")) == 1
        assert len(registry.table(source="Größe")) == 3
        assert len(registry.table(status="failed")) == 0
        assert {e.key for e in registry.select(source="A")} == {KEYS[1], KEYS[3], KEYS[5]}
        assert KEYS[1] in registry
        assert "nothing" not in registry


def test_a_shared_product_belongs_to_every_source_that_asked(reg, record, made, tmp_path):
    first = record(1, source="NGC 1")
    reg.ask({first.key: ["NGC 2"], record(2).key: ["NGC 1"]})  # before it is made
    reg.commit(first, made(), "a.fits")
    reg.commit(record(2, source="NGC 11"), made(), "b.fits")
    reg.ask({first.key: ["NGC 3", "NGC 1"]})

    def of(registry, name):
        return registry.table(source=name)["path"].tolist()

    for step in (reg.fold, reg.rebuild):
        for registry in (reg, Registry(tmp_path / "out")):
            assert [of(registry, f"NGC {n}") for n in (1, 2, 3, 11, 4)] == [
                ["a.fits", "b.fits"],
                ["a.fits"],
                ["a.fits"],
                ["b.fits"],
                [],
            ]
        step()
    reg.commit(record(1, "s1", source="NGC 5"), made(2.0), "a.fits")
    assert reg.table(source="NGC 2")["path"].tolist() == ["a.fits"]
    assert set(reg.table(source="NGC 5")["source"][0].split(", ")) == {"NGC 1", "NGC 2", "NGC 3", "NGC 5"}


def test_an_empty_registry_writes_nothing(tmp_path):
    registry = Registry(tmp_path / "new")
    assert len(registry.table()) == 0
    assert registry.table().colnames[:3] == ["key", "state", "status"]
    assert registry.status(KEYS[0], "s").status == "missing"
    assert len(registry.verify()) == 0
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_output_directory(tmp_path):
    (tmp_path / "notes.txt").write_text("not a directory")
    with pytest.raises(RegistryError, match=r"notes\.txt is not a directory.*Next step"):
        Registry(tmp_path / "notes.txt")


def test_a_product_that_was_removed_is_gone_for_everybody(reg, record, made):
    reg.commit(record(0), made(), "a.fits")
    other = Registry(reg.root)
    assert other.status(KEYS[0], "s0").status == "ready"
    reg.remove(KEYS[0])
    assert other.status(KEYS[0], "s0").status == "missing"
    assert len(other.table()) == 0
    reg.fold()
    assert len(Registry(reg.root).table()) == 0


# --- several at once --------------------------------------------------------------------------------------------------


def test_other_processes_commits_are_seen_at_once(reg, record, made):
    other = pickle.loads(pickle.dumps(reg))
    assert len(other.table()) == 0
    for n in range(3):
        reg.commit(record(n), made(), f"{n}.fits")
        assert other.status(KEYS[n], "s0").status == "ready"
        assert len(other.table()) == n + 1
    reg.commit(record(0, state="s1"), made(), "0.fits")
    assert other.status(KEYS[0], "s1") == ("ready", "")
    reg.fold()
    reg.commit(record(3), made(), "3.fits")
    assert len(other.table()) == 4
    other.commit(record(4), made(), "4.fits")
    other.fold()
    assert len(reg.table()) == 5


def test_threads_share_one_registry(reg, record, made):
    paths = [made(n, f"{n}.fits") for n in range(8)]
    barrier = threading.Barrier(8)

    def work(n: int) -> None:
        barrier.wait()
        for k in range(10):
            reg.commit(record(10 * n + k), paths[n], f"{n}/{k}.fits", {"rate": np.full(5, n)})
            reg.commit(record(199, state=f"{n}-{k}"), paths[n], "shared.fits")
            assert reg.status(KEYS[10 * n + k], "s0").status == "ready"
            if k % 3 == 0:
                reg.fold()
            reg.table()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    for registry in (reg, Registry(reg.root)):
        assert len(registry.table()) == 81
        assert len(registry.verify()) == 0
        for n in range(8):
            assert registry.arrays(KEYS[10 * n + 3])["rate"].tolist() == [n] * 5


def test_who_reads_while_a_product_is_committed_leaves_its_log_and_arrays_to_the_maker(reg, record, made, monkeypatch):
    """A product may be looked at between its rename and the end of its commit, here halted for as long as wanted."""
    renamed, go_on = threading.Event(), threading.Event()
    publish = files.publish

    def halting(part, final, **more):
        publish(part, final, **more)
        if final.suffix == ".fits" and not renamed.is_set():
            renamed.set()
            assert go_on.wait(30)

    monkeypatch.setattr(files, "publish", halting)
    other = pickle.loads(pickle.dumps(reg))
    with ThreadPoolExecutor(1) as pool:
        commit = pool.submit(reg.commit, record(0, log="all went well"), made(), "0.fits", {"rate": np.arange(5.0)})
        try:
            assert renamed.wait(30)
            assert other.status(KEYS[0], "s0").status == "ready"
            assert other.path(KEYS[0]).name == "0.fits"
            assert len(other.verify()) == 0
            assert not other.layout.product(KEYS[0]).exists()  # which would be without log and arrays
        finally:
            go_on.set()
        commit.result(30)
    for registry in (other, reg, Registry(reg.root)):
        assert registry.entry(KEYS[0]).log == "all went well"
        assert registry.arrays(KEYS[0])["rate"].tolist() == [0, 1, 2, 3, 4]


def test_a_file_that_is_replaced_while_it_is_read_is_taken_as_one_or_the_other(reg, record, made, monkeypatch):
    """What a file says of itself and the checksums of its content never come from two files."""
    entries = [reg.commit(record(0, state=f"s{n}"), made(float(n)), f"{n}.fits") for n in range(2)]
    old, new = (reg.root / entry.path for entry in entries)
    read_header, replaced = fitsstamp.read_header, []

    def replacing(f, name):
        cards = read_header(f, name)
        if not replaced:
            replaced.append(new.replace(old))
        return cards

    monkeypatch.setattr(fitsstamp, "read_header", replacing)
    stamp, datasum = fitsstamp.check(old)
    assert (stamp.state, stamp.mtime_ns, datasum) == (entries[0].state, entries[0].mtime_ns, entries[0].datasum)
    stamp, datasum = fitsstamp.check(old)
    assert (stamp.state, stamp.mtime_ns, datasum) == (entries[1].state, entries[1].mtime_ns, entries[1].datasum)


def start(registry, code: str, *args) -> subprocess.Popen:
    """Start another interpreter which has ``reg``, ``args`` and what the registry exports, and runs ``code``."""
    given = pickle.dumps((registry, args)).hex()
    head = f"import pickle, time; from xtendsrc.registry import *; reg, args = pickle.loads(bytes.fromhex({given!r}))\n"
    return subprocess.Popen([sys.executable, "-c", head + code], stdout=subprocess.PIPE)


def finish(workers: list[subprocess.Popen]) -> None:
    for worker in workers:
        worker.communicate()
        assert worker.returncode == 0


COMMIT_MANY = """
for k, record in enumerate(args[0]):
    reg.commit(record, args[1], f"{record.key[-3:]}.fits")
    if k % 7 == 0:
        reg.fold()
"""


def test_four_processes_lose_nothing(reg, record, made):
    path = made()
    finish([start(reg, COMMIT_MANY, [record(25 * w + k) for k in range(25)], path) for w in range(4)])
    assert len(reg.table()) == 100
    assert len(reg.verify()) == 0
    reg.fold()
    assert sorted((reg.root / ".registry" / "journal").iterdir()) == []
    assert len(Registry(reg.root).table()) == 100


MAKE_ONCE = """
record, made, calls = args
with reg.lock(record.key):
    if reg.status(record.key, "s0").status != "ready":
        with calls.open("a") as f:
            f.write("made ")
        time.sleep(0.1)
        reg.commit(record, made, "a.fits")
"""


COMMIT_HALTED = """
from pathlib import Path
from xtendsrc.registry import files
publish, (record, made) = files.publish, args

def say(name):
    (reg.root.parent / name).touch()

def wait_for(name):
    while not (reg.root.parent / name).exists():
        time.sleep(0.005)

def halting(part, final, **more):
    if final.suffix != ".fits":
        return publish(part, final, **more)
    say("numbered")
    wait_for("rename")
    publish(part, final, **more)
    say("renamed")
    wait_for("go on")

files.publish = halting
reg.commit(record, made, "0.fits")
"""


def test_of_two_makers_without_a_lock_the_later_rename_stands(reg, record, made):
    """The first maker numbers its commit, halts, is overtaken by the second, then renames and halts again."""
    signals = reg.root.parent

    def wait_for(name):
        begin = time.monotonic()
        while not (signals / name).exists():
            assert time.monotonic() - begin < 60
            time.sleep(0.005)

    first = start(reg, COMMIT_HALTED, record(0, state="first"), made(1.0, "first.fits"))
    try:
        wait_for("numbered")
        reg.commit(record(0, state="second"), made(2.0, "second.fits"), "0.fits")
        (signals / "rename").touch()
        wait_for("renamed")
        for reader in (Registry(reg.root), reg):
            assert reader.status(KEYS[0], "first") == ("ready", "")
            assert fits.getdata(reader.path(KEYS[0]))["RATE"][0] == 1.0
    finally:
        for name in ("rename", "go on"):
            (signals / name).touch()
        finish([first])
    for registry in (reg, Registry(reg.root)):
        assert registry.status(KEYS[0], "first") == ("ready", "")
        assert len(registry.verify()) == 0


@pytest.mark.parametrize("kind", ["native", "soft"])
def test_one_key_is_made_once_by_threads_and_processes(reg, record, made, tmp_path, kind):
    with xs.settings(lock=kind):
        reg = Registry(reg.root, durable=False)
    args = (record(), made(), tmp_path / "calls")
    workers = [start(reg, MAKE_ONCE, *args) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: exec(MAKE_ONCE, {"reg": reg, "args": args, "time": time}), range(4)))
    finish(workers)
    assert (tmp_path / "calls").read_text() == "made "
    if kind == "native":
        assert list((reg.root / ".registry" / "locks").iterdir()) == []


def test_a_lock_that_stays_held_is_an_error_with_a_time_limit(reg):
    def wait() -> None:
        with reg.lock(KEYS[0], timeout=0.05):
            pass

    with reg.lock(KEYS[0]), ThreadPoolExecutor(1) as pool:
        with pytest.raises(RegistryError, match=r"not free within 0\.05 s"):
            pool.submit(wait).result()
        with Registry(reg.root).lock(KEYS[1], timeout=0.05):
            pass


@pytest.mark.parametrize("kind", ["native", "soft"])
def test_a_lock_of_a_killed_process_is_free(reg, kind):
    with xs.settings(lock=kind):
        reg = Registry(reg.root)
    holder = start(reg, f"with reg.lock({KEYS[0]!r}):\n print('held', flush=True)\n time.sleep(60)")
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(RegistryError, match="another process"), reg.lock(KEYS[0], timeout=0.05):
        pass
    holder.kill()
    holder.communicate()
    with reg.lock(KEYS[0], timeout=10):
        pass


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_noticed(reg, tmp_path):
    path, old = tmp_path / "evt.fits", time.time_ns() - 3600 * 10**9
    for content in (b"before", b"after!"):
        other = tmp_path / "other"
        other.write_bytes(content)
        os.utime(other, ns=(old, old))
        other.replace(path)
        os.utime(path, ns=(old, old))
        assert reg.fingerprint(path).sha256 == hashlib.sha256(content).hexdigest()
        reg.fold()
        assert Registry(reg.root).fingerprint(path).sha256 == hashlib.sha256(content).hexdigest()


def test_what_is_no_regular_file_is_refused_at_once(reg, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", "/dev/zero", "/dev/full"):
        with pytest.raises(InputFileError, match="not a regular file"):
            reg.fingerprint(path)


def test_an_input_that_the_system_will_not_open_is_an_error_of_ours(reg, tmp_path, monkeypatch):
    path = tmp_path / "evt.fits"
    path.write_bytes(b"events")

    real = type(path).open

    def denied(self, *args, **kwargs):
        if self == path:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(type(path), "open", denied)
    with pytest.raises(InputFileError, match=r"evt\.fits cannot be read: Input/output error"):
        reg.fingerprint(path)
