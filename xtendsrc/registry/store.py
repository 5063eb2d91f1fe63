"""HDF5 files that are written whole and read whole, under a seal that shows any change.

HDF5 itself never touches the disk: a file is built in memory, sealed, and written by a rename; it is read as bytes,
checked against its seal, and opened from memory. So no file is ever open for writing, HDF5's own file locks (which
fail on some network file systems, and refuse readers beside writers elsewhere) are never taken, and a full disk
shows as an ordinary `OSError`. The seal is the 512-byte user block of the file, which HDF5 leaves to applications:
schema, kind, name, length, and SHA-256 of these and all that follows.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np
from h5py import h5d, h5f, h5g, h5p, h5s, h5t

from xtendsrc.errors import RegistryError
from xtendsrc.registry.record import SCHEMA, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SEAL = 512
MAX_ARRAY = 1 << 20
"""Arrays of more elements than this (a megapixel) are left to the FITS file."""
_COMPRESS_BYTES = 1 << 16
_PATTERN = re.compile(rb"xtendsrc registry schema=(\d+) kind=(\w+) name=(\S*) bytes=(\d+) sha256=([0-9a-f]{64})\n\0+")
_lock = threading.RLock()
_counter = itertools.count()


def _new_lock() -> None:
    global _lock  # a forked child must not inherit a lock some other thread held
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def _new_name() -> bytes:
    """Name a file in memory: to HDF5, two open ones of one name are the same file."""
    return b"image %d" % next(_counter)


class DamagedError(RegistryError):
    """An HDF5 file of the registry is damaged, foreign, or of a later schema."""


class Sealed(NamedTuple):
    """Content of a sealed file: what it is, its name for itself, and the HDF5 image."""

    kind: str
    name: str
    image: bytes


def seal(image: bytes, kind: str, name: str) -> bytes:
    """Put the seal before an HDF5 image."""
    title = f"xtendsrc registry schema={SCHEMA} kind={kind} name={name} bytes={len(image)}"
    head = f"{title} sha256={_digest(title, image)}\n"
    return head.encode("ascii").ljust(SEAL, b"\0") + image


def _digest(title: str, image: bytes) -> str:
    digest = hashlib.sha256(title.encode("ascii"))
    digest.update(image)
    return digest.hexdigest()


def unseal(path: Path, kind: str) -> Sealed:
    """Read a sealed file.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    DamagedError
        Saying what is wrong with it.
    """
    data = path.read_bytes()
    match = _PATTERN.fullmatch(data[:SEAL])
    if match is None:
        whose = "is damaged" if data[:8] == b"xtendsrc" else "was not written by this registry, or is damaged"
        raise DamagedError(f"{path} {whose}.")
    schema, found, name, length, digest = (part.decode("ascii") for part in match.groups())
    image = data[SEAL:]
    title = data[:SEAL].partition(b" sha256=")[0].decode("ascii")
    if len(image) != int(length) or _digest(title, image) != digest:
        raise DamagedError(f"{path} is damaged: its content does not fit its seal.")
    if int(schema) != SCHEMA:
        raise DamagedError(f"{path} has schema {schema}; this version of xtendsrc knows {SCHEMA}.")
    if found != kind:
        raise DamagedError(f"{path} is not of the kind {kind!r} but {found!r}.")
    return Sealed(found, name, image)


def _access() -> h5p.PropFAID:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_core(block_size=1 << 16, backing_store=False)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    return access


@contextmanager
def reading(image: bytes) -> Iterator[h5f.FileID]:
    """Open an HDF5 image from memory; one thread at a time, as HDF5 is not thread-safe."""
    with _lock:
        access = _access()
        access.set_file_image(image)
        f = h5f.open(_new_name(), h5f.ACC_RDONLY, access)
        try:
            yield f
        finally:
            f.close()


@contextmanager
def building() -> Iterator[h5f.FileID]:
    """Build an HDF5 file in memory, of the oldest format, which every viewer reads; see `image_of`."""
    with _lock:
        f = h5f.create(_new_name(), h5f.ACC_TRUNC, fapl=_access())
        try:
            yield f
        finally:
            f.close()


def image_of(f: h5f.FileID) -> bytes:
    """Give the bytes of a file in memory as they would be on disk."""
    h5f.flush(f)
    image: bytes = f.get_file_image()
    return image


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
    with building() as new:
        _write_text(new, b"entry", entry.to_json())
        if entry.log:
            _write_text(new, b"log", entry.log)
        if small:
            group = h5g.create(new, b"arrays")
            for name, array in _joined(small).items():
                _write_array(group, name, array)
        image = image_of(new)
    return seal(image, "product", sealed_name(entry.key, entry.state, entry.size, entry.mtime_ns))


def read_product(path: Path) -> tuple[str, Entry]:
    """Read the entry of a product's HDF5 file, and the name in its seal."""
    sealed = unseal(path, "product")
    with reading(sealed.image) as f:
        text = _read(f, b"entry").item().decode("utf-8")
        log = _read(f, b"log").item().decode("utf-8") if b"log" in h5g.open(f, b"/") else ""
    return sealed.name, Entry.from_json(text, log)


def read_arrays(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Read the arrays of a product's HDF5 file, and the name in its seal."""
    sealed = unseal(path, "product")
    found: dict[str, np.ndarray] = {}
    with reading(sealed.image) as f:
        group = h5g.open(f, b"arrays") if b"arrays" in h5g.open(f, b"/") else ()
        for name in group:
            value = _read(group, name)
            if name.startswith(_TABLE.encode()):
                found |= {column: np.ascontiguousarray(value[column]) for column in value.dtype.names or ()}
            else:
                found[name.decode("utf-8")] = value
    return sealed.name, found


_TABLE = "columns of length "


def _joined(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    lengths: dict[int, list[str]] = {}
    for name, array in arrays.items():
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


def _write_text(f: h5f.FileID, name: bytes, text: str) -> None:
    data = text.encode("utf-8")
    kind = h5t.C_S1.copy()
    kind.set_size(max(len(data), 1))
    kind.set_cset(h5t.CSET_UTF8)
    kind.set_strpad(h5t.STR_NULLPAD)
    dataset = h5d.create(f, name, kind, h5s.create(h5s.SCALAR))
    dataset.write(h5s.ALL, h5s.ALL, np.array(data, dtype=f"S{max(len(data), 1)}"), kind)


def _write_array(group: h5g.GroupID, name: str, array: np.ndarray) -> None:
    if array.dtype.hasobject or array.dtype.kind == "U":
        raise RegistryError(f"The array {name} of type {array.dtype} cannot be stored.", "store numbers only.")
    if array.nbytes > _COMPRESS_BYTES:
        options = {"chunks": True, "compression": "gzip", "compression_opts": 1, "shuffle": True}
        h5py.Group(group).create_dataset(name, data=array, **options)
        return
    # without h5py's comfortable layer, which takes longer than all the rest of a commit
    kind = h5t.py_create(array.dtype, logical=True)
    dataset = h5d.create(group, name.encode("utf-8"), kind, h5s.create_simple(array.shape))
    if array.size:
        dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(array).reshape(array.shape))


def _read(place: h5f.FileID | h5g.GroupID, name: bytes) -> np.ndarray:
    dataset = h5d.open(place, name)
    array = np.empty(dataset.shape, dataset.dtype)
    if array.size:
        dataset.read(h5s.ALL, h5s.ALL, array)
    return array
