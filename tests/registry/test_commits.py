"""Products committed together: on disk before they have a name, named before they are told of; one may fail alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from xtendsrc.errors import ProductError, RegistryError
from xtendsrc.registry import Registry

KEYS = [f"{n:064x}" for n in range(3)]


@pytest.fixture
def calls(monkeypatch):
    """Every fsync and rename that is asked of the system, in order, with the files' names at that time."""
    made: list[tuple[str, Path]] = []
    fsync, rename = os.fsync, os.replace

    def noted_fsync(fd):
        fsync(fd)
        made.append(("fsync", Path(f"/proc/self/fd/{fd}").readlink()))

    def noted_rename(old, new):
        rename(old, new)
        made.append((str(old), Path(new)))

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_rename)
    return made


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="names open files by way of /proc")
def test_files_reach_the_disk_before_their_names_and_these_before_the_journal(tmp_path, record, made, calls):
    """POSIX promises a file after a power cut that was synchronised, and a name whose directory was, later."""
    reg = Registry(tmp_path / "out")
    with reg.commits() as commits:
        for n in range(3):
            commits.add(record(n), made(float(n), f"{n}.fits"), f"obs/{n}.fits", lambda: {"rate": np.ones(3)})
        commits.settle()
    renames = {new: (number, Path(old)) for number, (old, new) in enumerate(calls) if old != "fsync"}
    synced = {path: number for number, (what, path) in enumerate(calls) if what == "fsync"}
    assert len(renames) == 6
    for final, (number, part) in renames.items():
        assert synced[part] < number
        assert synced[final.parent] > number
    what, last = calls[-1]
    assert what == "fsync"
    assert last.suffix == ".jsonl"
    below = [path for what, path in calls if what == "fsync" and path.is_relative_to(reg.root)]
    assert len(below) == 6 + 2 + 1  # files, directories, journal


def test_nothing_shows_before_it_is_settled(reg, record, made):
    with reg.commits() as commits:
        commits.add(record(0), made(), "a.fits", dict)
        other = Registry(reg.root)
        assert other.status(KEYS[0], "s0").status == "missing"
        assert not (reg.root / "a.fits").exists()
        (entry,) = commits.settle()
        assert other.status(KEYS[0], "s0") == ("ready", "")
        assert other.entry(KEYS[0]) == entry
        assert commits.settle() == []


def test_one_that_cannot_be_written_fails_alone(reg, record, made):
    cut = made(name="cut.fits")
    cut.write_bytes(cut.read_bytes()[:8000])
    with reg.commits() as commits:
        commits.add(record(0), made(), "a.fits", dict)
        commits.add(record(1), cut, "b.fits", dict)
        commits.add(record(2), made(name="c.fits"), "c.fits", lambda: {"names": np.array(["x"])})
        first, second, third = commits.settle()
    assert first.path == "a.fits"
    assert isinstance(second, ProductError)
    assert isinstance(third, RegistryError)
    assert [Registry(reg.root).status(key, "s0").status for key in KEYS] == ["ready", "missing", "missing"]
    assert list(reg.root.rglob("*.part")) == []
    assert len(Registry(reg.root).verify()) == 0


def test_what_was_not_settled_is_dropped(reg, record, made):
    def interrupted():
        with reg.commits() as commits:
            commits.add(record(0), made(), "a.fits", dict)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path for path in reg.root.rglob("*") if path.is_file() and path.suffix != ".jsonl"] == []
    assert Registry(reg.root).status(KEYS[0], "s0").status == "missing"
