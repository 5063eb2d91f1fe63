"""The blocks of a FITS file, read as cheaply as the file allows.

A plain file is memory-mapped, so that a column costs the bytes of that column; a ``.gz`` file is decompressed once in
memory, and everybody who has it open shares the bytes. Headers alone are read by decompressing no more than the
blocks they sit in. A file that ends too early is an error here, before any number is taken from it.

The layout (2880-byte blocks, sizes from NAXISn, PCOUNT and GCOUNT, TFORMn of binary tables) is that of the FITS
standard 4.0, sections 3, 4 and 7.3.
"""

from __future__ import annotations

import gzip
import importlib
import math
import threading
import weakref
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.errors import (
    EncryptedFileError,
    InputFileError,
    InputNotFoundError,
    MissingColumnError,
    TruncatedFileError,
)
from xtendsrc.events.fitstable import CODES, HDU, Column, decode

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 2880
GZIP_MAGIC = b"\x1f\x8b"
ENCRYPTED_SUFFIXES = (".gpg", ".pgp")
DOWNLOAD_AGAIN = "fetch the file again and compare its size with the archive's."


class FitsFile:
    """An open FITS file: its HDUs and the bytes behind them.

    Use `open_fits`, which shares files that are open already.

    Attributes
    ----------
    path : str
        The file.
    hdus : tuple of HDU
        Every header-data unit of the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._bytes = _load(Path(path))
        reader = _Reader(self._bytes)
        self.hdus = tuple(_walk(reader, self.path))

    def __repr__(self) -> str:
        return f"<FitsFile {self.path}: {', '.join(h.name or '?' for h in self.hdus)}>"

    def find(self, *names: str) -> HDU | None:
        """First HDU with one of the names, the names tried in the order given."""
        for name in names:
            for hdu in self.hdus:
                if hdu.name == name.upper():
                    return hdu
        return None

    def column(self, hdu: HDU, name: str) -> np.ndarray:
        """Values of one column in the byte order of this machine.

        Parameters
        ----------
        hdu : HDU
            A binary table of this file.
        name : str
            Column name, in any case.

        Returns
        -------
        numpy.ndarray
            Shape (rows,) or (rows, repeat); bit columns (``nX``) are bool of shape (rows, n), the first being bit 1.

        Raises
        ------
        MissingColumnError
            If the table has no such column.
        InputFileError
            If its values are of variable length or complex.
        """
        column = hdu.columns.get(name.upper())
        if column is None:
            raise MissingColumnError(
                f"{self.path}: {hdu.name} has no column {name.upper()}; it has {', '.join(hdu.columns)}.",
                "run `xtendsrc inspect` on the observation to see what else differs from an Xtend event file.",
            )
        if column.code == "P":
            raise InputFileError(
                f"{self.path}: column {column.name} of {hdu.name} has values of variable length or complex.",
                "use astropy.io.fits for this column.",
            )
        return decode(self._raw(hdu, column, column.offset, column.width), column)

    def byte(self, hdu: HDU, column: Column, number: int) -> np.ndarray:
        """One byte of every row of a column, as uint8 of shape (rows,)."""
        return self._raw(hdu, column._replace(code="B", repeat=1), column.offset + number, 1).copy()

    def image(self, hdu: HDU) -> np.ndarray:
        """Return the image of an HDU, shape (ny, nx), in the byte order of this machine."""
        with fits.open(self.path, memmap=False) as hdul:
            return np.asarray(hdul[self.hdus.index(hdu)].data)

    def _raw(self, hdu: HDU, column: Column, offset: int, width: int) -> np.ndarray:
        kind = f"S{width}" if column.code == "A" else CODES[column.code]
        dtype = np.dtype(kind)
        items = width // dtype.itemsize if width else 0
        shape, strides = (hdu.rows, items), (int(hdu.header["NAXIS1"]), dtype.itemsize)
        if not hdu.rows or not items:
            return np.empty(shape if items != 1 else (hdu.rows,), dtype)
        array = np.ndarray(shape, dtype, buffer=self._bytes, offset=hdu.offset + offset, strides=strides)
        return array[:, 0] if items == 1 and column.code != "X" else array


_open_files: weakref.WeakValueDictionary[tuple[str, int, int], FitsFile] = weakref.WeakValueDictionary()
_opening: dict[tuple[str, int, int], threading.Lock] = {}
_guard = threading.Lock()


def open_fits(path: str | Path) -> FitsFile:
    """Open a FITS file, plain or gzipped, sharing it with whoever has the same file open.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; ``.gz`` is recognised by content, not by name.

    Returns
    -------
    FitsFile
        The open file; it is released when nobody holds it any more.

    Raises
    ------
    InputNotFoundError
        If there is no such file.
    EncryptedFileError
        If the file is a ``.gpg`` file.
    TruncatedFileError
        If the file ends before its content does.
    InputFileError
        If it is not a FITS file.
    """
    check_exists(path)
    stat = Path(path).stat()
    key = (str(Path(path).resolve()), stat.st_size, stat.st_mtime_ns)
    with _guard:
        lock = _opening.setdefault(key, threading.Lock())
    try:
        with lock:
            opened = _open_files.get(key)
            if opened is None:
                opened = FitsFile(path)
                _open_files[key] = opened
    finally:
        with _guard:
            _opening.pop(key, None)
    return opened


def read_header(path: str | Path, name: str | None = None) -> fits.Header:
    """Header of one HDU, reading no more of the file than needed.

    Parameters
    ----------
    path : str or pathlib.Path
        A FITS file, plain or gzipped.
    name : str, optional
        Name of the extension (``EXTNAME``); the primary header if not given.

    Returns
    -------
    astropy.io.fits.Header
        The header.

    Raises
    ------
    InputFileError
        If the file has no such extension, or is not a readable FITS file.
    """
    check_exists(path)
    names = []
    with Path(path).open("rb") as file:
        stream: IO[bytes] = _stream(file)
        for hdu in _walk(stream, str(path), skip_last=name):
            names.append(hdu.name)
            if name is None or hdu.name == name.upper():
                return hdu.header
    raise InputFileError(
        f"{path}: there is no extension {name}; the file has {', '.join(n or 'PRIMARY' for n in names)}.",
        "check that this is the file you meant.",
    )


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
    if path.is_file():
        return
    for suffix in ENCRYPTED_SUFFIXES:
        if path.with_name(path.name + suffix).is_file():
            raise encrypted(path.with_name(path.name + suffix))
    what = "is a directory, not a file" if path.is_dir() else "does not exist"
    raise InputNotFoundError(f"{path}: {what}.", "check the path.")


def encrypted(path: str | Path) -> EncryptedFileError:
    """Return the error for a file that is still encrypted."""
    return EncryptedFileError(
        f"{path}: the file is still encrypted (proprietary data).",
        "decrypt it with the key sent to the principal investigator, or wait for its public date "
        "(`public_date` in the catalogue xrismmastr, one year after the observation as a rule) and download it again.",
    )


class _Reader:
    """Just enough of a file object over bytes in memory, without copying them."""

    def __init__(self, buffer: np.ndarray) -> None:
        self._buffer, self._at = buffer, 0

    def read(self, size: int) -> bytes:
        data = bytes(self._buffer[self._at : self._at + size])
        self._at += len(data)
        return data

    def skip(self, size: int) -> int:
        start, self._at = self._at, min(self._at + size, len(self._buffer))
        return self._at - start


class _Stream:
    """The same over a (compressed) file, read forwards only."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def skip(self, size: int) -> int:
        left = size
        while left > 0:
            data = self._file.read(min(left, 1 << 20))
            if not data:
                break
            left -= len(data)
        return size - left


def _stream(file: IO[bytes]) -> Any:
    magic = file.read(2)
    file.seek(0)
    return _Stream(gzip.GzipFile(fileobj=file) if magic == GZIP_MAGIC else file)


def _load(path: Path) -> np.ndarray:
    """Return the bytes of a file: mapped if plain, decompressed if gzipped."""
    with path.open("rb") as file:
        magic = file.read(2)
        if magic != GZIP_MAGIC:
            empty = path.stat().st_size == 0
            return np.empty(0, np.uint8) if empty else np.memmap(path, np.uint8, mode="r")
        file.seek(0)
        compressed = file.read()
    try:
        return np.frombuffer(_decompress(compressed), np.uint8)
    except (EOFError, zlib.error, OSError, ValueError) as error:
        raise TruncatedFileError(f"{path}: the gzip stream is cut or damaged ({error}).", DOWNLOAD_AGAIN) from error


def _decompress(data: bytes) -> bytes:
    try:
        igzip = importlib.import_module("isal.igzip")
    except ImportError:
        return gzip.decompress(data)
    return igzip.decompress(data)


def _walk(reader: Any, path: str, skip_last: str | None = None) -> Iterator[HDU]:
    """Each HDU of a file; data are skipped, but must be there."""
    offset, first = 0, True
    while True:
        header, used = _header(reader, path, first)
        if header is None:
            return
        offset += used
        size = _data_size(header)
        name = str(header.get("EXTNAME", "PRIMARY" if first else "")).strip().upper()
        yield HDU(name, header, offset, size)
        if skip_last is not None and name == skip_last.upper():
            return
        padded = -(-size // BLOCK) * BLOCK
        got = _guarded(reader.skip, padded, path)
        if got < size:
            raise TruncatedFileError(f"{path}: the data of {name} end after {got} of {size} bytes.", DOWNLOAD_AGAIN)
        offset, first = offset + padded, False


def _header(reader: Any, path: str, first: bool) -> tuple[fits.Header | None, int]:
    """Return the next header and its length in bytes; None at the end of the file."""
    text, used = [], 0
    while True:
        block = _guarded(reader.read, BLOCK, path)
        if not block and first and not used:
            raise TruncatedFileError(f"{path}: the file is empty.", DOWNLOAD_AGAIN)
        if not used and not first and not block.startswith(b"XTENSION"):
            return None, 0  # end of the file, or special records after the last HDU
        if not used and first and not block.startswith(b"SIMPLE  ="):
            raise InputFileError(f"{path}: this is not a FITS file.", "check the path and how the file was made.")
        if len(block) < BLOCK:
            raise TruncatedFileError(f"{path}: the file ends within a header.", DOWNLOAD_AGAIN)
        text.append(block.decode("ascii", "replace").replace("\ufffd", "?"))  # headers are ASCII, for astropy too
        used += BLOCK
        if any(text[-1][i : i + 80].rstrip() == "END" for i in range(0, BLOCK, 80)):
            return fits.Header.fromstring("".join(text)), used


def _guarded(read: Any, size: int, path: str) -> Any:
    try:
        return read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TruncatedFileError(f"{path}: the gzip stream is cut or damaged ({error}).", DOWNLOAD_AGAIN) from error


def _data_size(header: fits.Header) -> int:
    axes = [int(header[f"NAXIS{i}"]) for i in range(1, int(header.get("NAXIS", 0)) + 1)]
    if not axes:
        return 0
    bits = abs(int(header["BITPIX"])) * int(header.get("GCOUNT", 1))
    return bits * (int(header.get("PCOUNT", 0)) + math.prod(axes)) // 8
