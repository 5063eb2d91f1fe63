"""Files cut short or with a bit turned are found out every time, and nothing wrong is served."""

from __future__ import annotations

import json
import os
import random
import warnings

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.errors import RegistryError, RegistryWarning
from xtendsrc.registry import Record, Registry, fitsstamp

KEYS = [f"{n:064x}" for n in range(3)]
PATHS = [f"obs/image{n}.fits" for n in range(3)]


def pixels(n: int) -> np.ndarray:
    return np.arange(40, dtype=np.float64).reshape(5, 8) * (n + 1)


@pytest.fixture
def out(tmp_path):
    registry = Registry(tmp_path / "out", durable=False)
    for n, (key, path) in enumerate(zip(KEYS, PATHS, strict=True)):
        table = fits.BinTableHDU.from_columns([fits.Column("TIME", "1D", array=np.arange(9.0))], name="RATE")
        fits.HDUList([fits.PrimaryHDU(pixels(n)), table]).writeto(tmp_path / "made.fits", overwrite=True)
        record = Record(key=key, state=f"s{n}", kind="image", request=json.dumps({"n": n}), source="β Cas", log="a log")
        registry.commit(record, tmp_path / "made.fits", path, {"data": pixels(n), "t": np.arange(9.0), "v": np.ones(9)})
    registry.fold()
    return tmp_path / "out"


def torn(data: bytes, rng: random.Random) -> bytes:
    """Cut a file short, turn one bit, or overwrite a stretch, at a random place."""
    at = rng.randrange(len(data))
    how = rng.random()
    if how < 0.3:
        return data[:at]
    if how < 0.8:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    stretch = bytes(255 - b for b in data[at : at + 100])
    return data[:at] + stretch + data[at + len(stretch) :]


def assert_all_right(registry: Registry) -> None:
    assert sorted(zip(registry.table()["key"], registry.table()["state"], strict=True)) == [
        (key, f"s{n}") for n, key in enumerate(KEYS)
    ]
    for n, key in enumerate(KEYS):
        assert registry.status(key, f"s{n}") == ("ready", "")
        entry = registry.entry(key)
        assert (entry.path, entry.source, json.loads(entry.request)) == (PATHS[n], "β Cas", {"n": n})
        for name, array in registry.arrays(key).items():
            assert np.array_equal(array, {"data": pixels(n), "t": np.arange(9.0), "v": np.ones(9)}[name])
        assert np.array_equal(fits.getdata(registry.path(key)), pixels(n))


@pytest.mark.parametrize("seed", range(25))
def test_a_torn_index_is_set_aside_and_made_again(out, seed):
    index = out / "registry.h5"
    damaged = torn(index.read_bytes(), random.Random(seed))
    index.write_bytes(damaged)
    with pytest.warns(RegistryWarning, match="made again from the products"):
        assert len(Registry(out).table()) == 3
    assert_all_right(Registry(out))
    (aside,) = out.glob("registry.damaged-2*.h5")
    assert aside.read_bytes() == damaged
    Registry(out).fold()
    assert_all_right(Registry(out))


@pytest.mark.parametrize("seed", range(25))
def test_a_torn_product_cache_is_set_aside_and_made_again_from_the_fits_file(out, seed):
    rng = random.Random(seed)
    key = rng.choice(KEYS)
    cache = out / ".registry" / key[:2] / f"{key}.h5"
    cache.write_bytes(torn(cache.read_bytes(), rng))
    registry = Registry(out)
    with pytest.warns(RegistryWarning, match="made again from the FITS file"):
        assert registry.arrays(key) == {}
    assert_all_right(registry)
    assert len(list(cache.parent.glob(f"{key}.damaged-*.h5"))) == 1
    assert_all_right(Registry(out))


@pytest.mark.parametrize("keeps_time", [False, True], ids=["new time", "old time"])
@pytest.mark.parametrize("seed", range(20))
def test_a_torn_fits_file_is_found_and_not_served(out, seed, keeps_time):
    rng = random.Random(seed)
    n = rng.randrange(3)
    path = out / PATHS[n]
    before = path.stat()
    path.write_bytes(torn(path.read_bytes(), rng))
    if keeps_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    registry = Registry(out)
    with pytest.raises(RegistryError, match=path.name) as caught:
        registry.path(KEYS[n])
    assert caught.value.next_step
    assert registry.status(KEYS[n], f"s{n}").status == "stale"
    (problem,) = Registry(out).verify()
    assert (problem["key"], problem["path"]) == (KEYS[n], PATHS[n])
    assert problem["problem"].split(":")[0] in ("truncated", "edited")
    assert KEYS[n] not in Registry(out).rebuild()["key"]


def test_every_single_bit_of_a_fits_file_counts(out):
    """A ones-complement sum changes with every single bit; 1500 of them are tried."""
    path = out / PATHS[0]
    data = bytearray(path.read_bytes())
    rng = random.Random(1)
    victim = out.parent / "victim.fits"
    for _ in range(1500):
        at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        data[at] ^= bit
        victim.write_bytes(data)
        data[at] ^= bit
        with pytest.raises(fitsstamp.NotFITSError):
            fitsstamp.check(victim)
    victim.write_bytes(data)
    assert fitsstamp.check(victim).datasum == Registry(out).entry(KEYS[0]).datasum


def test_zeros_that_became_ones_are_seen(out):
    """To a ones-complement sum 32 zeros and 32 ones are the same number."""
    path = out / PATHS[0]
    data = path.read_bytes()
    at = data.index(bytes(4), 2880) // 4 * 4 + 4
    assert data[at : at + 4] == bytes(4)
    path.write_bytes(data[:at] + b"\xff" * 4 + data[at + 4 :])
    with pytest.raises(fitsstamp.NotFITSError, match="XTSCRC"):
        fitsstamp.check(path)


@pytest.mark.parametrize("seed", range(10))
def test_a_torn_journal_loses_no_product(tmp_path, out, seed):
    rng = random.Random(seed)
    (out / "registry.h5").unlink()
    registry = Registry(out, durable=False)
    registry.rebuild()
    record = Record(key="f" * 64, state="new", kind="image", request="{}")
    registry.commit(record, tmp_path / "made.fits", "obs/new.fits")
    (journal,) = (out / ".registry" / "journal").iterdir()
    journal.write_bytes(torn(journal.read_bytes(), rng))
    again = Registry(out)
    assert again.status("f" * 64, "new") == ("ready", "")
    again.verify()
    assert len(again.table()) == 4


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", "other HDF5", "later schema"])
def test_a_foreign_or_later_index_is_set_aside(out, content):
    index = out / "registry.h5"
    if content == "other HDF5":
        content = index.read_bytes()[512:]
    elif content == "later schema":
        content = index.read_bytes().replace(b"schema=1", b"schema=2", 1)
    index.write_bytes(content)
    with pytest.warns(RegistryWarning, match=r"registry\.damaged-\d{8}T\d{6}"):
        assert len(Registry(out).table()) == 3
    assert_all_right(Registry(out))


def test_read_only_sets_nothing_aside(out):
    index = out / "registry.h5"
    index.write_bytes(index.read_bytes()[:1000])
    names = sorted(out.rglob("*"))
    with pytest.warns(RegistryWarning, match="left where it is"):
        assert len(Registry(out, read_only=True).table()) == 3
    assert sorted(out.rglob("*")) == names


def test_without_any_of_its_own_files_everything_comes_back_from_the_fits_files(out):
    for path in sorted(out.rglob("*.h5")):
        path.unlink()
    registry = Registry(out)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(registry.rebuild()) == 3
    assert_all_right(registry)
    assert len(registry.verify()) == 0
