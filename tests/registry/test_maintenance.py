"""Looking after a registry: what is wrong with it, clearing away, taking products out of it and in."""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile

import h5py
import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.errors import RegistryError
from xtendsrc.registry import Registry, maintenance

KEYS = [f"{n:064x}" for n in range(200)]


def test_verify_sees_inputs_and_needed_products_change(reg, record, made, tmp_path):
    events = tmp_path / "evt.fits"
    events.write_bytes(b"events")
    digest = reg.fingerprint(events).sha256
    gone = str(tmp_path / "gone.fits")
    reg.commit(record(0, state="map"), made(), "map.fits")
    reg.commit(record(1, inputs={"file e": digest}, paths={"e": str(events)}), made(), "good.fits")
    reg.commit(record(2, inputs={"file e": "other"}, paths={"e": str(events)}), made(), "old.fits")
    reg.commit(record(3, inputs={"product expmap": "earlier"}, needs={"expmap": KEYS[0]}), made(), "needs.fits")
    reg.commit(record(4, inputs={"file e": "x"}, paths={"e": gone}), made(), "gone.fits")
    found = {row["path"]: row["problem"] for row in reg.verify()}
    assert found.keys() == {"old.fits", "needs.fits", "gone.fits"}
    assert found["old.fits"].startswith("stale")
    assert str(events) in found["old.fits"]
    assert found["needs.fits"].startswith("stale")
    assert "expmap" in found["needs.fits"]
    assert found["gone.fits"] == f"input gone: {gone}"


def test_prune_does_what_it_says(reg, record, made, tmp_path):
    events = tmp_path / "evt.fits"
    events.write_bytes(b"events")
    names = ["good", "missing", "edited", "stale", "gone"]
    paths = {"stale": {"e": str(events)}, "gone": {"e": str(tmp_path / "gone.fits")}}
    for n, name in enumerate(names):
        reg.commit(record(n, inputs={"file e": "x"}, paths=paths.get(name, {})), made(), f"{name}.fits")
    (reg.root / "missing.fits").unlink()
    fits.setval(reg.root / "edited.fits", "OBJECT", value="edited")
    part = reg.root / "x.fits.999999999.0.part"
    fresh = reg.root / "y.fits.999999999.0.part"
    for path in (part, fresh):
        path.write_bytes(b"left over")
    os.utime(part, (time.time() - 90000,) * 2)
    before = sorted(reg.root.rglob("*.fits*"))
    assert len(reg.prune(dry_run=True)) == 5
    assert sorted(reg.root.rglob("*.fits*")) == before
    done = {row["path"]: row["done"] for row in reg.prune()}
    assert done["missing.fits"] == "entry deleted"
    assert done["edited.fits"].startswith("set aside as edited.damaged-")
    assert done["stale.fits"] == "deleted"
    assert done["gone.fits"] == "kept"
    assert (part.exists(), fresh.exists()) == (False, True)
    assert set(Registry(reg.root).table()["path"]) == {"good.fits", "gone.fits"}
    assert (reg.root / done["edited.fits"].removeprefix("set aside as ")).exists()
    assert not (reg.root / "stale.fits").exists()
    assert [row["problem"].split(":")[0] for row in Registry(reg.root).verify()] == ["input gone"]


def test_prune_sets_a_damaged_file_of_another_registry_aside(reg, record, made, tmp_path):
    elsewhere = Registry(tmp_path / "elsewhere", durable=False)
    elsewhere.commit(record(1), made(), "copied.fits")
    reg.commit(record(0), made(), "good.fits")
    data = bytearray((elsewhere.root / "copied.fits").read_bytes())
    data[-3000] ^= 1
    (reg.root / "copied.fits").write_bytes(data)
    assert [row["path"] for row in reg.verify()] == ["copied.fits"]
    (done,) = reg.prune()["done"]
    assert not (reg.root / "copied.fits").exists()
    assert (reg.root / done.removeprefix("set aside as ")).read_bytes() == data
    assert len(reg.verify()) == 0
    assert reg.table()["path"].tolist() == ["good.fits"]


def test_prune_keeps_what_was_made_again_meanwhile(reg, record, made, monkeypatch):
    for n, name in enumerate(["missing", "edited"]):
        reg.commit(record(n), made(), f"{name}.fits")
    (reg.root / "missing.fits").unlink()
    fits.setval(reg.root / "edited.fits", "OBJECT", value="edited")
    look = maintenance.problems

    def look_then_make(registry, holdings):
        yield from list(look(registry, holdings))
        for n, name in enumerate(["missing", "edited"]):
            Registry(reg.root).commit(record(n), made(), f"{name}.fits")

    monkeypatch.setattr(maintenance, "problems", look_then_make)
    assert set(reg.prune()["done"]) == {"kept: it was made again meanwhile"}
    monkeypatch.undo()
    assert len(reg.verify()) == 0
    assert len(reg.table()) == 2


def test_products_copied_without_their_registry_are_found(reg, record, made, tmp_path):
    for n in range(3):
        reg.commit(record(n), made(float(n)), f"900001010/{n}.lc")
    reg.fold()
    shutil.copytree(reg.root / "900001010", tmp_path / "copy" / "900001010")
    copy = Registry(tmp_path / "copy", durable=False)
    assert {copy.status(key, "s0").status for key in KEYS[:3]} == {"ready"}
    assert list(copy.table()["key"]) == KEYS[:3]
    assert len(Registry(tmp_path / "copy", read_only=True).table()) == 3
    (reg.root / "registry.h5").unlink()
    assert len(Registry(reg.root).table()) == 3


def test_a_moved_and_an_unknown_file_are_adopted(reg, record, made, tmp_path):
    reg.commit(record(0), made(), "a.fits")
    reg.commit(record(1), made(), "b.fits")
    (reg.root / "moved").mkdir()
    (reg.root / "a.fits").rename(reg.root / "moved" / "a.fits")
    elsewhere = Registry(tmp_path / "elsewhere")
    elsewhere.commit(record(2), made(), "c.fits")
    (reg.root / "c.fits").write_bytes((elsewhere.root / "c.fits").read_bytes())
    (reg.root / "b copy.fits").write_bytes((reg.root / "b.fits").read_bytes())
    made(name="not ours.fits").rename(reg.root / "not ours.fits")
    assert len(reg.verify()) == 0
    assert set(reg.table()["path"]) == {"moved/a.fits", "b.fits", "c.fits"}
    assert [reg.status(KEYS[n], "s0").status for n in range(3)] == ["ready"] * 3


@pytest.mark.parametrize("target", ["t.ecsv", "t.zip", "folder"])
def test_export(reg, record, made, tmp_path, target):
    reg.commit(record(0), made(), "obs/a.fits")
    reg.commit(record(1, kind="image"), made(), "obs/b.fits")
    out = reg.export(tmp_path / target, kind="image")
    if target == "t.ecsv":
        assert KEYS[1] in out.read_text()
        assert KEYS[0] not in out.read_text()
    elif target == "t.zip":
        with zipfile.ZipFile(out) as archive:
            assert archive.namelist() == ["products.ecsv", "obs/b.fits"]
            assert archive.read("obs/b.fits") == (reg.root / "obs/b.fits").read_bytes()
    else:
        assert (out / "obs/b.fits").read_bytes() == (reg.root / "obs/b.fits").read_bytes()
        assert Registry(out).rebuild()["key"].tolist() == [KEYS[1]]
    if target != "folder":
        with pytest.raises(RegistryError, match="exists already"):
            reg.export(tmp_path / target)


def test_any_hdf5_viewer_can_walk_the_index(reg, record, made):
    for n in range(3):
        reg.commit(record(n), made(), f"{n}.fits", {"time": np.arange(4.0), "rate": np.full(4, n)})
        reg.fold()
    with h5py.File(reg.root / "registry.h5") as f:
        assert f.attrs["schema"] == 1
        assert sorted(k.decode() for k in f["index"]["key"]) == KEYS[:3]
        assert sorted(f[f"products/{KEYS[0][:2]}"]) == KEYS[:3]
        product = f[f"products/{KEYS[2][:2]}/{KEYS[2]}"]
        assert json.loads(product["entry"][()])["path"] == "2.fits"
        (columns,) = product["arrays"].values()
        assert columns["rate"].tolist() == [2, 2, 2, 2]
    reg.remove(KEYS[0])
    reg.fold()
    with h5py.File(reg.root / "registry.h5") as f:
        assert sorted(f[f"products/{KEYS[0][:2]}"]) == KEYS[1:3]
