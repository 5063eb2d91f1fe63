"""HDF5 files that are written whole and read whole, under a seal that shows any change.

HDF5 itself never touches the disk: a file is built in memory, sealed, and written by a rename; it is read as bytes,
checked against its seal, and opened from memory. So no file is ever open for writing, HDF5's own file locks (which
fail on some network file systems, and refuse readers beside writers elsewhere) are never taken, and a full disk
shows as an ordinary `OSError`. The seal is the user block of the file, a kilobyte that HDF5 leaves to applications:
schema, kind, name, length, the places of values (see `productfile`), and SHA-256 of these and all that follows.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from h5py import h5f, h5p

from xtendsrc.errors import RegistryError
from xtendsrc.registry.record import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEAL = 1024
_ROOM = SEAL - 80  # less the digest and its name
_PATTERN = re.compile(
    rb"(xtendsrc registry schema=(\d+) kind=(\w+) name=(\S*) bytes=(\d+) places=([^\n]*)) sha256=([0-9a-f]{64})\n\0+"
)
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
    """Content of a sealed file: what it is, its name for itself, the HDF5 image, and the places of values in it."""

    kind: str
    name: str
    image: bytes
    places: str


def seal(image: bytes, kind: str, name: str, places: str = "") -> bytes:
    """Put the seal before an HDF5 image; ``places``, if there is no room for it, is left out."""
    title = f"xtendsrc registry schema={SCHEMA} kind={kind} name={name} bytes={len(image)} places=".encode("ascii")
    if places.isascii() and len(title) + len(places) <= _ROOM:
        title += places.encode("ascii")
    head = b"%s sha256=%s\n" % (title, _digest(title, image))
    return head.ljust(SEAL, b"\0") + image


def _digest(title: bytes, image: bytes) -> bytes:
    digest = hashlib.sha256(title)
    digest.update(image)
    return digest.hexdigest().encode("ascii")


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
    image = data[SEAL:]
    if len(image) != int(match[5]) or _digest(match[1], image) != match[7]:
        raise DamagedError(f"{path} is damaged: its content does not fit its seal.")
    schema, found, name, _, places = (part.decode("ascii") for part in match.groups()[1:6])
    if int(schema) != SCHEMA:
        raise DamagedError(f"{path} has schema {schema}; this version of xtendsrc knows {SCHEMA}.")
    if found != kind:
        raise DamagedError(f"{path} is not of the kind {kind!r} but {found!r}.")
    return Sealed(found, name, image, places)


@functools.cache
def _in_memory() -> h5p.PropFAID:
    return _access()


def _access() -> h5p.PropFAID:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_core(block_size=1 << 16, backing_store=False)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_libver_bounds(h5f.LIBVER_EARLIEST, h5f.LIBVER_LATEST)  # HDF5 2 would take a later format
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
        f = h5f.create(_new_name(), h5f.ACC_TRUNC, fapl=_in_memory())
        try:
            yield f
        finally:
            f.close()


def image_of(f: h5f.FileID) -> bytes:
    """Return the bytes of a file in memory as they would be on disk."""
    h5f.flush(f)
    image: bytes = f.get_file_image()
    return image
