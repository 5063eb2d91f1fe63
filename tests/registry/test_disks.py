"""Disks that are full, closed, or keep no locks."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import xtendsrc as xs
from xtendsrc.errors import RegistryError
from xtendsrc.registry import Registry, lock_kind_for
from xtendsrc.registry.locks import file_system

KEYS = [f"{n:064x}" for n in range(400)]


def in_child(task) -> str:
    """Run a task in a forked child, whose limits and rights it may change; give what it returns, or its error."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child runs nothing but the task
        pid = os.fork()
    if pid == 0:
        try:
            said = task()
        except BaseException as err:  # noqa: BLE001  (handed to the parent)
            said = f"{type(err).__name__}: {err}"
        os.write(write, str(said).encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as f:  # noqa: PTH123  (a file descriptor)
        said = f.read().decode()
    os.waitpid(pid, 0)
    return said


@pytest.fixture
def open_directory():
    """A directory that other users can reach, unlike pytest's."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_directory_that_may_only_be_read_is_read_and_says_so_on_writing(open_directory, record, made):
    root = open_directory / "out"
    reg = Registry(root)
    reg.commit(record(0), made(), "a.fits", {"rate": np.arange(3)})
    reg.fold()
    scratch = shutil.copy(made(), open_directory / "made.fits")
    for path in (root, *root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def task() -> str:
        if os.geteuid() == 0:
            os.setuid(65534)
        reg = Registry(root)
        assert reg.status(KEYS[0], "s0").status == "ready"
        assert len(reg.table()) == 1
        assert len(reg.verify()) == 0
        assert reg.arrays(KEYS[0])["rate"].tolist() == [0, 1, 2]
        reg.fingerprint(scratch)
        reg.commit(record(1), scratch, "b.fits")
        return "committed"

    said = in_child(task)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)
    assert said.startswith(
        f"RegistryError: The output directory {root} cannot be written to. Next step: choose another"
    )


def test_a_write_that_the_system_refuses_leaves_the_old_product(reg, record, made):
    """A limit on the size of files stands for a full disk: writing fails part of the way."""
    reg.commit(record(0), made(1.0), "a.fits")
    big = made(2.0)
    big.write_bytes(big.read_bytes() + _image_extension(200_000))

    def task() -> str:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        reg.commit(record(0, state="s1"), big, "a.fits")
        return "committed"

    said = in_child(task)
    assert said.startswith("RegistryError: Writing the product")
    assert "a.fits" in said
    assert "Next step:" in said
    assert list(reg.root.rglob("*.part")) == []
    assert Registry(reg.root).status(KEYS[0], "s0") == ("ready", "")
    assert len(Registry(reg.root).verify()) == 0


def _image_extension(n: int) -> bytes:
    cards = ["XTENSION= 'IMAGE   '", "BITPIX  =                    8", "NAXIS   =                    1"]
    cards += [f"NAXIS1  = {n:>20}", "PCOUNT  =                    0", "GCOUNT  =                    1", "END"]
    header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    return header + bytes(-(-n // 2880) * 2880)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte, where the test may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "mount") or libc.mount(b"none", bytes(place), b"tmpfs", 0, b"size=1m") != 0:
        pytest.skip("mounting a small file system needs more rights")
    yield place
    libc.umount(bytes(place))


def test_a_disk_that_fills_up_keeps_everything_that_was_committed(small_disk, record, made):
    root = small_disk / "out"
    reg = Registry(root)
    done: list[int] = []

    def fill() -> None:
        for n in range(400):
            reg.commit(record(n), made(), f"{n}.fits", {"rate": np.arange(100.0) + n})
            done.append(n)

    with pytest.raises(RegistryError, match=r"No space left on device\. Next step: free some space"):
        fill()
    assert len(done) > 10
    again = Registry(root)
    for n in done:
        assert again.status(KEYS[n], "s0") == ("ready", "")
        assert again.arrays(KEYS[n])["rate"][0] == n
    assert list(root.rglob("*.part")) == []
    assert len(again.verify()) == 0
    with pytest.raises(RegistryError, match="Next step"):
        again.fold()
    again.remove(KEYS[done[0]])
    again.remove(KEYS[done[1]])
    assert Registry(root).status(KEYS[done[2]], "s0") == ("ready", "")


def test_lock_kind_follows_the_file_system_and_the_setting(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\n"
        "server:/home /home nfs4 rw 0 0\n"
        "scratch /lustre/with\\040space lustre rw 0 0\n"
        "/dev/sdb1 /home/local xfs rw 0 0\n"
    )
    kinds = {"/tmp/x": "ext4", "/home/me/out": "nfs4", "/lustre/with space/a": "lustre", "/home/local/out": "xfs"}
    for path, kind in kinds.items():
        assert file_system(Path(path), mounts) == kind
    monkeypatch.setattr("xtendsrc.registry.locks.file_system", lambda path: kinds[str(path)])
    assert [lock_kind_for(path) for path in kinds] == ["native", "soft", "soft", "native"]
    with xs.settings(lock="soft"):
        assert lock_kind_for("/tmp/x") == "soft"
    with xs.settings(lock="native"):
        assert lock_kind_for("/home/me/out") == "native"
