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
_COLUMNS = " columns"
_FITS_FILE = "@fits_file"
_ABOUT = (
    "A copy, for quick reading, of what the FITS file of a product of xtendsrc holds; that file, whose path below the "
    "output directory is 'fits_file', is the product itself. 'entry' is JSON: what was asked for, from which files it "
    "was made, how, and when; 'log' is what the tasks printed. 'arrays' holds the image or the table of the FITS file, "
    "with units in its attributes, and 'arrays/header' the header of its extension as text, a card a line."
)

Layout = tuple[tuple[str, np.dtype, tuple[int, ...], tuple[str, ...]], ...]
"""Name, type, shape and units of each dataset."""


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
    """Return the sealed HDF5 file of one product.

    Parameters
    ----------
    entry : Entry
        Goes into the scalar datasets ``entry`` (JSON) and ``log``.
    arrays : mapping
        Goes into the group ``arrays``; one-dimensional arrays of one length are the columns of one compound dataset,
        those called ``RATE.TIME``, ``RATE.ERROR`` of one called ``RATE columns``. ``header``, a FITS header as text,
        gives columns and ``image`` their units. Arrays of more than a megapixel are left out.
    """
    small = {name: np.asarray(a) for name, a in arrays.items() if np.size(a) <= MAX_ARRAY}
    values = {"entry": _text(entry.to_json())}
    if entry.log:
        values["log"] = _text(entry.log)
    values[_FITS_FILE] = _text(entry.path)
    values |= {_ARRAYS + name: array for name, array in _joined(small).items()}
    units = _units(values)
    compressed = any(map(_is_compressed, values.values()))
    image, places = (_built(values, units), "") if compressed else _cast(values, units)
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
        elif name.endswith(_COLUMNS) and value.dtype.names:
            table = name.removesuffix(_COLUMNS)
            found |= {f"{table}.{column}": value[column].copy() for column in value.dtype.names}
        else:
            found[name] = value.copy()
    return sealed.name, found


def _values(sealed: store.Sealed, *, of_arrays: bool) -> dict[str, np.ndarray]:
    """Return the datasets beside the arrays, or the arrays, by name."""
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
    """Return a text as a scalar with some room after it, so that texts of about one length have one layout."""
    data = text.encode("utf-8")
    return np.array(data, dtype=f"S{-(-max(len(data), 1) // _TEXT_STEP) * _TEXT_STEP}")


def _joined(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Make compound datasets of the columns of tables, and of other arrays that have one length."""
    tables: dict[str, dict[str, str]] = {}
    for name, array in arrays.items():
        if array.dtype.hasobject or array.dtype.kind == "U":
            raise RegistryError(f"The array {name} of type {array.dtype} cannot be stored.", "store numbers only.")
        if array.ndim == 1 and array.dtype.names is None:
            table, dot, column = name.partition(".")
            found = tables.setdefault(f"{table}{_COLUMNS}" if dot else f"{_TABLE}{array.size}", {})
            found[column if dot else name] = name
    for table, columns in tuple(tables.items()):
        lengths = {arrays[name].size for name in columns.values()}
        if len(lengths) > 1 or (len(columns) == 1 and table.startswith(_TABLE)):
            del tables[table]
    done = {name for columns in tables.values() for name in columns.values()}
    joined = {name: array for name, array in arrays.items() if name not in done}
    for table, columns in tables.items():
        first = arrays[next(iter(columns.values()))]
        joined[table] = np.empty(first.size, [(column, arrays[name].dtype) for column, name in columns.items()])
        for column, name in columns.items():
            joined[table][column] = arrays[name]
    return joined


def _units(values: Mapping[str, np.ndarray]) -> dict[str, tuple[str, ...]]:
    """Units of the image and of each column of the tables, from the FITS header kept with them; empty where unsaid."""
    header = values.get(f"{_ARRAYS}header")
    if header is None or header.dtype.kind != "S":
        return {}
    lines = header.item().decode("ascii", "replace").split("\n")
    texts = {line[:8].rstrip(): line.split("'")[1].strip() for line in lines if line[10:11] == "'"}
    of_columns = {texts[key]: texts.get(f"TUNIT{key[5:]}", "") for key in texts if key.startswith("TTYPE")}
    units = {
        name: tuple(of_columns.get(column, "") for column in array.dtype.names)
        for name, array in values.items()
        if name.endswith(_COLUMNS) and array.dtype.names
    }
    return {f"{_ARRAYS}image": (texts["BUNIT"],), **units} if "BUNIT" in texts else units


def _is_compressed(array: np.ndarray) -> bool:
    return array.nbytes > _COMPRESS_BYTES and array.ndim > 0


def _cast(values: Mapping[str, np.ndarray], units: Mapping[str, tuple[str, ...]]) -> tuple[bytes, str]:
    mould = _mould(tuple((name, array.dtype, array.shape, units.get(name, ())) for name, array in values.items()))
    image = bytearray(mould.image)
    for name, start in mould.offsets.items():
        image[start : start + values[name].nbytes] = values[name].tobytes()
    return bytes(image), mould.places


@functools.lru_cache(maxsize=64)
def _mould(layout: Layout) -> _Mould:
    blank = {name: np.zeros(shape, dtype) for name, dtype, shape, _ in layout}
    token = (b"\1place of the name\2" * 20)[: blank[_FITS_FILE].dtype.itemsize]  # an attribute has no offset to ask for
    blank[_FITS_FILE] = np.array(token, blank[_FITS_FILE].dtype)
    image = _built(blank, {name: units for name, _, _, units in layout if units})
    with store.reading(image) as f:
        offsets = {
            name: h5d.open(f, name.encode("utf-8")).get_offset()
            for name, array in blank.items()
            if array.size and name != _FITS_FILE
        }
    offsets[_FITS_FILE] = image.index(token)
    kinds = {name: _kind(dtype) for name, dtype, _, _ in layout if name != _FITS_FILE}
    if None in kinds.values():
        return _Mould(image, offsets, "")
    places = {name: (offsets.get(name, 0), kinds[name], shape) for name, _, shape, _ in layout if name in kinds}
    return _Mould(image, offsets, json.dumps(places, separators=(",", ":")))


def _kind(dtype: np.dtype) -> str | list[tuple[str, str]] | None:
    """Return a type as `_parsed` reads it: a code, or names and codes of columns; None for what is more involved."""
    if dtype.names is None:
        return dtype.str
    columns = [(name, dtype[name].str) for name in dtype.names]
    return columns if np.dtype(columns) == dtype else None


def _built(values: Mapping[str, np.ndarray], units: Mapping[str, tuple[str, ...]]) -> bytes:
    with store.building() as new:
        if any(name.startswith(_ARRAYS) for name in values):
            h5g.create(new, _ARRAYS.encode())
        f = h5py.File(new)
        f.attrs["about"] = _ABOUT
        for name, array in values.items():
            if name == _FITS_FILE:
                kind = h5py.string_dtype("utf-8", array.dtype.itemsize)
                f.attrs.create(name.removeprefix("@"), array, dtype=kind)
            else:
                _write(new, name, array)
        for name, texts in units.items():
            if name in f:
                f[name].attrs["units"] = texts[0] if len(texts) == 1 else list(texts)
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
