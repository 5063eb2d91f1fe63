"""The bytes behind a FITS file: mapped where it is plain, unpacked where it is gzipped, and never those of a device.

Only regular files are opened: a FIFO would wait for ever, and a device has no end. What a gzip file may unpack to is
bounded, so that a small file cannot fill the memory.
"""

from __future__ import annotations

import gzip
import importlib
import io
import mmap
import stat
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from xtendsrc.errors import EncryptedFileError, InputFileError, InputNotFoundError, TruncatedFileError

GZIP_MAGIC = b"\x1f\x8b"
ENCRYPTED_SUFFIXES = (".gpg", ".pgp")
DOWNLOAD_AGAIN = "fetch the file again and compare its size with the archive's."

LARGEST = 16 << 30
"""Bytes that a gzip file may unpack to; event files of the archive are cut at 2 GB."""

DEFLATE_LIMIT = 1032
"""Deflate makes nothing shorter than by this factor (zlib's technical details), so most files need no watching."""


def check_exists(path: str | Path) -> None:
    """Refuse a file that is not there, or that is encrypted.

    Raises
    ------
    EncryptedFileError
        If the name is that of an encrypted file, or only the encrypted form of the file is there.
    InputNotFoundError
        If there is no such file.
    """
    path = Path(path)
    if path.suffix.lower() in ENCRYPTED_SUFFIXES:
        raise encrypted(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        for suffix in ENCRYPTED_SUFFIXES:
            if path.with_name(path.name + suffix).is_file():
                raise encrypted(path.with_name(path.name + suffix)) from error
        leads = f"is a link to {path.readlink()}, which is not there" if path.is_symlink() else "does not exist"
        raise InputNotFoundError(f"{path}: {leads}.", "check the path.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(mode):
        kind = next((text for test, text in _SPECIAL if test(mode)), "a special file")
        raise InputNotFoundError(f"{path}: is {kind}, not a file.", "check the path.")


_SPECIAL = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def unreadable(path: str | Path, error: OSError) -> InputFileError:
    """Return the error for a file that the system does not let us read."""
    return InputFileError(
        f"{path}: the file cannot be read ({error.strerror or error}).", "check its permissions and its disk."
    )


def encrypted(path: str | Path) -> EncryptedFileError:
    """Return the error for a file that is still encrypted."""
    return EncryptedFileError(
        f"{path}: the file is still encrypted (proprietary data).",
        "decrypt it with the key sent to the principal investigator, or wait for its public date "
        "(`public_date` in the catalogue xrismmastr, one year after the observation as a rule) and download it again.",
    )


class MemoryReader:
    """Just enough of a file object over bytes in memory, without copying them."""

    def __init__(self, buffer: np.ndarray) -> None:
        self._buffer, self._at = buffer, 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer at the end."""
        data = bytes(self._buffer[self._at : self._at + size])
        self._at += len(data)
        return data

    def skip(self, size: int) -> int:
        """Pass over bytes; give how many there were."""
        start, self._at = self._at, min(self._at + size, len(self._buffer))
        return self._at - start


class StreamReader:
    """The same over a (compressed) file, read forwards only."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer at the end."""
        data: bytes = self._file.read(size)
        return data

    def skip(self, size: int) -> int:
        """Pass over bytes; give how many there were."""
        left = size
        while left > 0:
            data = self._file.read(min(left, 1 << 20))
            if not data:
                break
            left -= len(data)
        return size - left


def reader_of(file: IO[bytes]) -> StreamReader:
    """Return a reader of a plain or gzipped file that goes forwards only."""
    magic = file.read(2)
    file.seek(0)
    return StreamReader(gzip.GzipFile(fileobj=file) if magic == GZIP_MAGIC else file)


def load(path: Path) -> np.ndarray:
    """Return the bytes of a file: mapped if plain, decompressed if gzipped.

    Raises
    ------
    InputFileError
        If it cannot be read, or unpacks to more than `LARGEST` bytes.
    TruncatedFileError
        If its gzip stream is cut or damaged.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(2)
            if magic != GZIP_MAGIC:
                empty = path.stat().st_size == 0
                return np.empty(0, np.uint8) if empty else np.memmap(path, np.uint8, mode="r")
            file.seek(0)
            compressed = file.read()
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        data = _decompress(compressed) if len(compressed) * DEFLATE_LIMIT <= LARGEST else _bounded(compressed)
    except (EOFError, zlib.error, OSError, ValueError) as error:
        raise TruncatedFileError(f"{path}: the gzip stream is cut or damaged ({error}).", DOWNLOAD_AGAIN) from error
    if len(data) > LARGEST:
        raise InputFileError(
            f"{path}: the file unpacks to more than {LARGEST >> 30} GB.", "unpack it yourself if that is what it holds."
        )
    return np.frombuffer(data, np.uint8)


def release(data: np.ndarray, start: int, stop: int) -> None:
    """Give back the memory of a span of a mapped file; nothing is lost, and what was not mapped stays as it is.

    Pages of a mapped file count as memory of the process until the system needs them elsewhere.

    Parameters
    ----------
    data : ndarray of uint8
        What `load` gave.
    start, stop : int
        First byte, and the one after the last.
    """
    mapped: object = data.base
    advice = getattr(mmap, "MADV_DONTNEED", None)  # not on every system
    first = start // mmap.PAGESIZE * mmap.PAGESIZE
    if isinstance(mapped, mmap.mmap) and advice is not None and stop > first:
        mapped.madvise(advice, first, stop - first)


def _gzip_module() -> Any:
    """The fast gzip of the package isal where it is installed, else Python's own."""
    try:
        return importlib.import_module("isal.igzip")
    except ImportError:
        return gzip


def _decompress(data: bytes) -> bytes:
    unpacked: bytes = _gzip_module().decompress(data)
    return unpacked


def _bounded(data: bytes) -> bytes:
    """Unpack until the end, or until there is a byte too many."""
    with _gzip_module().open(io.BytesIO(data)) as stream:
        unpacked: bytes = stream.read(LARGEST + 1)
    return unpacked
