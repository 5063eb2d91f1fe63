"""The HDF5 file of one product: its entry, its log and its arrays.

HDF5 takes most of a millisecond to lay out a file, however small. Files of one layout (the same names, types and
shapes) differ in nothing but the values, so a layout is made once, as a mould, and filled in for each product; and
the seal says where the values are, so that they are read without HDF5 taking another half millisecond. Both ways give
what HDF5 gives: where a value is compressed, or the seal has no room, HDF5 itself writes and reads the file.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np
from h5py import h5d, h5g, h5s, h5t

from xtendsrc.errors import RegistryError
from xtendsrc.registry import store
from xtendsrc.registry.record import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from h5py import h5f

MAX_ARRAY = 1 << 20
"""Arrays of more elements than this (a megapixel) are left to the FITS file."""
_COMPRESS_BYTES = 1 << 16
_TEXT_STEP = 256
_ARRAYS = "arrays/"
_TABLE = "columns of length "

Layout = tuple[tuple[str, np.dtype, tuple[int, ...]], ...]
"""Name, type and shape of each dataset."""


class _Place(NamedTuple):
    """Where in an HDF5 image the values of a dataset are."""

    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]


class _Mould(NamedTuple):
    """An HDF5 image, and where in it the values of each dataset belong."""

    image: bytes
    offsets: dict[str, int]
    places: str


def sealed_name(key: str, state: str, size: int, mtime_ns: int) -> str:
    """Name that ties a product's HDF5 file to the very FITS file it describes."""
    return f"{key}:{state}:{size}:{mtime_ns}"


def product_bytes(entry: Entry, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Give the sealed HDF5 file of one product.

    Parameters
    ----------
    entry : Entry
        Goes into the scalar datasets ``entry`` (JSON) and ``log``.
    arrays : mapping
        Goes into the group ``arrays``; one-dimensional arrays of one length are the columns of one compound dataset.
        Arrays of more than a megapixel are left out.
    """
    small = {name: np.asarray(a) for name, a in arrays.items() if np.size(a) <= MAX_ARRAY}
    values = {"entry": _text(entry.to_json())}
    if entry.log:
        values["log"] = _text(entry.log)
    values |= {_ARRAYS + name: array for name, array in _joined(small).items()}
    compressed = any(map(_is_compressed, values.values()))
    image, places = (_built(values), "") if compressed else _cast(values)
    return store.seal(image, "product", sealed_name(entry.key, entry.state, entry.size, entry.mtime_ns), places)


def read_product(path: Path) -> tuple[str, Entry]:
    """Read the entry of a product's HDF5 file, and the name in its seal."""
    sealed = store.unseal(path, "product")
    values = _values(sealed, of_arrays=False)
    log = values["log"].item().decode("utf-8") if "log" in values else ""
    return sealed.name, Entry.from_json(values["entry"].item().decode("utf-8"), log)


def read_arrays(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Read the arrays of a product's HDF5 file, and the name in its seal."""
    sealed = store.unseal(path, "product")
    found: dict[str, np.ndarray] = {}
    for name, value in _values(sealed, of_arrays=True).items():
        if name.startswith(_TABLE):
            found |= {column: value[column].copy() for column in value.dtype.names or ()}
        else:
            found[name] = value.copy()
    return sealed.name, found


def _values(sealed: store.Sealed, *, of_arrays: bool) -> dict[str, np.ndarray]:
    """Give the datasets beside the arrays, or the arrays, by name."""
    if sealed.places:
        return {
            name.removeprefix(_ARRAYS): np.ndarray(place.shape, place.dtype, sealed.image, place.offset)
            for name, place in _parsed(sealed.places).items()
            if name.startswith(_ARRAYS) == of_arrays
        }
    with store.reading(sealed.image) as f:
        place = h5g.open(f, b"/")
        if of_arrays and b"arrays" not in place:
            return {}
        if of_arrays:
            place = h5g.open(place, b"arrays")
        return {name.decode("utf-8"): _read(place, name) for name in place if name != b"arrays"}


@functools.lru_cache(maxsize=4096)
def _parsed(places: str) -> dict[str, _Place]:
    found = {}
    for name, (offset, kind, shape) in json.loads(places).items():
        dtype = np.dtype(kind if isinstance(kind, str) else [(field, code) for field, code in kind])
        found[name] = _Place(offset, dtype, tuple(shape))
    return found


def _text(text: str) -> np.ndarray:
    """Give a text as a scalar with some room after it, so that texts of about one length have one layout."""
    data = text.encode("utf-8")
    return np.array(data, dtype=f"S{-(-max(len(data), 1) // _TEXT_STEP) * _TEXT_STEP}")


def _joined(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    lengths: dict[int, list[str]] = {}
    for name, array in arrays.items():
        if array.dtype.hasobject or array.dtype.kind == "U":
            raise RegistryError(f"The array {name} of type {array.dtype} cannot be stored.", "store numbers only.")
        if array.ndim == 1 and array.dtype.names is None:
            lengths.setdefault(array.size, []).append(name)
    tables = {n: names for n, names in lengths.items() if len(names) > 1}
    done = {name for names in tables.values() for name in names}
    joined = {name: array for name, array in arrays.items() if name not in done}
    for length, names in tables.items():
        table = np.empty(length, [(name, arrays[name].dtype) for name in names])
        for name in names:
            table[name] = arrays[name]
        joined[f"{_TABLE}{length}"] = table
    return joined


def _is_compressed(array: np.ndarray) -> bool:
    return array.nbytes > _COMPRESS_BYTES and array.ndim > 0


def _cast(values: Mapping[str, np.ndarray]) -> tuple[bytes, str]:
    mould = _mould(tuple((name, array.dtype, array.shape) for name, array in values.items()))
    image = bytearray(mould.image)
    for name, start in mould.offsets.items():
        image[start : start + values[name].nbytes] = values[name].tobytes()
    return bytes(image), mould.places


@functools.lru_cache(maxsize=64)
def _mould(layout: Layout) -> _Mould:
    blank = {name: np.zeros(shape, dtype) for name, dtype, shape in layout}
    image = _built(blank)
    with store.reading(image) as f:
        offsets = {name: h5d.open(f, name.encode("utf-8")).get_offset() for name, array in blank.items() if array.size}
    kinds = {name: _kind(dtype) for name, dtype, _ in layout}
    if None in kinds.values():
        return _Mould(image, offsets, "")
    places = {name: (offsets.get(name, 0), kinds[name], shape) for name, _, shape in layout}
    return _Mould(image, offsets, json.dumps(places, separators=(",", ":")))


def _kind(dtype: np.dtype) -> str | list[tuple[str, str]] | None:
    """Give a type as `_parsed` reads it: a code, or names and codes of columns; None for what is more involved."""
    if dtype.names is None:
        return dtype.str
    columns = [(name, dtype[name].str) for name in dtype.names]
    return columns if np.dtype(columns) == dtype else None


def _built(values: Mapping[str, np.ndarray]) -> bytes:
    with store.building() as new:
        if any(name.startswith(_ARRAYS) for name in values):
            h5g.create(new, _ARRAYS.encode())
        for name, array in values.items():
            _write(new, name, array)
        return store.image_of(new)


def _write(f: h5f.FileID, name: str, array: np.ndarray) -> None:
    if _is_compressed(array):
        options = {"chunks": True, "compression": "gzip", "compression_opts": 1, "shuffle": True}
        h5py.File(f).create_dataset(name, data=array, **options)
        return
    if array.dtype.kind == "S":
        kind = h5t.py_create(h5py.string_dtype("utf-8", array.dtype.itemsize), logical=True)
    else:
        kind = h5t.py_create(array.dtype, logical=True)
    space = h5s.create_simple(array.shape) if array.shape else h5s.create(h5s.SCALAR)
    dataset = h5d.create(f, name.encode("utf-8"), kind, space)
    if array.size:
        dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(array).reshape(array.shape), kind)


def _read(place: h5f.FileID | h5g.GroupID, name: bytes) -> np.ndarray:
    dataset = h5d.open(place, name)
    array = np.empty(dataset.shape, dataset.dtype)
    if array.size:
        dataset.read(h5s.ALL, h5s.ALL, array)
    return array
