"""The HDF5 file of a product: what goes in is what HDF5 itself reads, whichever way it was written and is read."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from xtendsrc.errors import RegistryError
from xtendsrc.registry import productfile, store
from xtendsrc.registry.record import Entry

RANDOM = np.random.default_rng(5)
FLAGS = np.array([True, False, True])
PAIRS = np.array([(1, 2.5), (3, -4.0)], dtype=[("a", "<i2"), ("b", ">f8")])
NESTED = np.zeros(2, dtype=[("a", "<i2"), ("b", [("c", "<f4"), ("d", "<f4", (2,))])])


def entry(log: str = "", **more) -> Entry:
    return Entry(key="a" * 64, state="b" * 64, kind="image", request=json.dumps({"n": 1}), log=log, **more)


def written(tmp_path, one: Entry, arrays):
    path = tmp_path / "product.h5"
    path.write_bytes(productfile.product_bytes(one, arrays))
    return path


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"one": RANDOM.random(7)},
        {"time": RANDOM.random(40), "rate": RANDOM.random(40).astype("<f4"), "counts": np.arange(40, dtype=">i4")},
        {"map": RANDOM.integers(0, 255, (6, 5)).astype(np.uint8), "flags": FLAGS, "same length": FLAGS[::-1]},
        {"pairs": PAIRS},
        {"nested": NESTED},
        {"nothing": np.zeros(0), "nothing of integers": np.zeros(0, int), "no rows": np.zeros((0, 3))},
        {"number": np.array(3.5)},
        {"image": RANDOM.poisson(3, (200, 300)).astype(np.int32), "row": np.arange(3)},
        {f"column {n} with quite a long name, for the seal to have no room": np.arange(n) for n in range(1, 40)},
        {"größe": np.arange(4), "naïve": np.arange(4.0)},
    ],
    ids=["none", "one", "columns", "2-d", "structured", "nested", "empty", "scalar", "compressed", "many", "unicode"],
)
def test_hdf5_reads_what_was_written(tmp_path, arrays):
    path = written(tmp_path, entry("what the task said\n"), arrays)
    with h5py.File(path) as f:
        assert json.loads(f["entry"][()])["kind"] == "image"
        assert f["log"].asstr()[()] == "what the task said\n"
        read = {}
        for name, dataset in f["arrays"].items() if arrays else ():
            value = dataset[()]
            read |= {n: value[n] for n in value.dtype.names} if name.startswith("columns of length") else {name: value}
    name, ours = productfile.read_arrays(path)
    assert name == f"{'a' * 64}:{'b' * 64}:0:0"
    assert set(read) == set(ours) == set(arrays)
    for name, array in arrays.items():
        for found in (read[name], ours[name]):
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)
        assert ours[name].flags.writeable


@pytest.mark.parametrize("log", ["", "a line\n", "umlauts äöü and 日本\n", "x" * 255, "x" * 256, "x" * 200_000])
def test_texts_of_any_length(tmp_path, log):
    one = entry(log, notes=("größer",), reason="because")
    assert productfile.read_product(written(tmp_path, one, {}))[1] == one


def test_products_of_one_layout_keep_their_own_values(tmp_path):
    for n in range(3):
        arrays = {"time": np.full(9, float(n)), "rate": np.full(9, -float(n))}
        path = written(tmp_path, entry(f"log {n}", seq=n), arrays)
        with h5py.File(path) as f:
            assert f["log"].asstr()[()] == f"log {n}"
            np.testing.assert_array_equal(f["arrays/columns of length 9"]["rate"], arrays["rate"])
        assert productfile.read_product(path)[1].seq == n
        np.testing.assert_array_equal(productfile.read_arrays(path)[1]["time"], arrays["time"])


def test_places_are_under_the_seal(tmp_path):
    path = written(tmp_path, entry(), {"time": np.arange(9.0), "rate": np.arange(9.0)})
    data = path.read_bytes()
    assert data.count(b'"arrays/columns of length 9":[') == 1
    path.write_bytes(data.replace(b'"arrays/columns of length 9":[', b'"arrays/columns of length 8":['))
    with pytest.raises(store.DamagedError, match="does not fit its seal"):
        productfile.read_arrays(path)


def test_large_arrays_are_left_to_the_file(tmp_path):
    path = written(tmp_path, entry(), {"large": np.zeros((1025, 1024), np.uint8), "small": np.arange(3)})
    assert list(productfile.read_arrays(path)[1]) == ["small"]


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([object()])])
def test_what_cannot_be_stored_is_said(array):
    with pytest.raises(RegistryError, match=r"The array odd of type .* cannot be stored"):
        productfile.product_bytes(entry(), {"odd": array})
