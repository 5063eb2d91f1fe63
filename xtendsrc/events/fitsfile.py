"""The blocks of a FITS file, read as cheaply as the file allows.

A plain file is memory-mapped, so that a column costs the bytes of that column; a ``.gz`` file is decompressed once in
memory, and everybody who has it open shares the bytes. Headers alone are read by decompressing no more than the
blocks they sit in. A file that ends too early is an error here, before any number is taken from it.

The layout (2880-byte blocks, sizes from NAXISn, PCOUNT and GCOUNT, TFORMn of binary tables) is that of the FITS
standard 4.0, sections 3, 4 and 7.3.
"""

from __future__ import annotations

import gzip
import math
import threading
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.errors import InputFileError, MissingColumnError, TruncatedFileError
from xtendsrc.events.filebytes import DOWNLOAD_AGAIN, MemoryReader, check_exists, load, reader_of, release, unreadable
from xtendsrc.events.fitstable import CHECK, CODES, HDU, VARIABLE, Column, decode, finite, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 2880
LONGEST_HEADER = 5000
"""Blocks of a header, 180 000 lines; one without an END card would otherwise be read to the end of the file."""

BITPIX = {8: "B", 16: "I", 32: "J", 64: "K", -32: "E", -64: "D"}
"""Column format of the values of an image."""


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
        self._bytes = load(Path(path))
        reader = MemoryReader(self._bytes)
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

    def column(self, hdu: HDU, name: str, rows: slice | None = None) -> np.ndarray:
        """Values of one column in the byte order of this machine.

        Parameters
        ----------
        hdu : HDU
            A binary table of this file.
        name : str
            Column name, in any case.
        rows : slice, optional
            Only these rows, without a step; the memory that a mapped file took for them is given back.

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
        column = self._column(hdu, name)
        if column.code not in CODES:
            raise InputFileError(
                f"{self.path}: column {column.name} of {hdu.name} has values of variable length or complex.",
                "use astropy.io.fits for this column.",
            )
        raw = self._raw(hdu, column, column.offset, column.width)
        if rows is None:
            return decode(raw, column)
        values = decode(raw[rows], column)
        release(self._bytes, hdu.offset + rows.start * hdu.row_bytes, hdu.offset + rows.stop * hdu.row_bytes)
        return values

    def variable(self, hdu: HDU, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Values of a column of one or more numbers a row, of fixed or of variable length.

        Parameters
        ----------
        hdu : HDU
            A binary table of this file.
        name : str
            Column name, in any case.

        Returns
        -------
        lengths : ndarray of int64, (rows,)
            How many values each row has.
        values : ndarray
            The values of all rows, one after the other.

        Raises
        ------
        MissingColumnError
            If the table has no such column.
        InputFileError
            If it does not hold real numbers, or its descriptors lead out of the table.
        """
        column = self._column(hdu, name)
        if column.code in "BIJKED":
            values = decode(self._raw(hdu, column, column.offset, column.width), column)
            return np.full(hdu.rows, column.repeat, np.int64), values.reshape(-1)
        if column.code not in VARIABLE or column.repeat != 1 or column.element not in tuple("BIJKED"):
            raise InputFileError(f"{self.path}: column {column.name} of {hdu.name} holds no real numbers.", CHECK)
        long = column._replace(code="K" if column.code == "Q" else "J", repeat=2, scale=1.0, zero=0.0)
        lengths, starts = decode(self._raw(hdu, long, column.offset, column.width), long).astype(np.int64).T
        return lengths, self._heap(hdu, column._replace(code=column.element, repeat=1), lengths, starts)

    def _heap(self, hdu: HDU, column: Column, lengths: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Values behind the descriptors of a variable-length column, whose byte offsets count from the heap's start."""
        begin = hdu.integer("THEAP", hdu.row_bytes * hdu.rows, high=hdu.size)
        dtype = np.dtype(CODES[column.code])
        room = hdu.size - begin
        used = lengths > 0
        ends = starts[used] + lengths[used] * dtype.itemsize
        if lengths.min(initial=0) < 0 or starts[used].min(initial=0) < 0 or ends.max(initial=0) > room:
            raise InputFileError(
                f"{self.path}: rows of column {column.name} of {hdu.name} lie outside of its heap.", DOWNLOAD_AGAIN
            )
        total = int(lengths.sum())
        if not total:
            return np.empty(0, dtype.newbyteorder("="))
        within = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = np.repeat(starts, lengths) + within * dtype.itemsize
        anywhere = np.ndarray((room - dtype.itemsize + 1,), dtype, self._bytes, hdu.offset + begin, strides=(1,))
        return decode(anywhere[at], column)

    def _column(self, hdu: HDU, name: str) -> Column:
        column = hdu.columns.get(name.upper())
        if column is None:
            raise MissingColumnError(
                f"{self.path}: {hdu.name} has no column {name.upper()}; it has {', '.join(hdu.columns)}.",
                "check that this is the file you meant; `xtendsrc inspect` shows what an observation's files lack.",
            )
        return column

    def byte(self, hdu: HDU, column: Column, number: int) -> np.ndarray:
        """One byte of every row of a column, as uint8 of shape (rows,)."""
        return self._raw(hdu, column._replace(code="B", repeat=1), column.offset + number, 1).copy()

    def image(self, hdu: HDU) -> np.ndarray:
        """Return the image of an HDU, shape (ny, nx), in the byte order of this machine; BSCALE and BZERO applied.

        Raises
        ------
        InputFileError
            If the HDU holds no image of numbers.
        """
        code = BITPIX.get(hdu.integer("BITPIX", low=-64, high=64))
        axes = [hdu.integer(f"NAXIS{i}") for i in range(hdu.integer("NAXIS", high=999), 0, -1)]
        if code is None or hdu.is_table or not axes:
            raise InputFileError(f"{self.path}: {hdu.name} is no image.", "check that this is the file you meant.")
        scale, zero = finite(hdu.header, "BSCALE", self.path, 1.0), finite(hdu.header, "BZERO", self.path, 0.0)
        raw = np.ndarray(axes, np.dtype(CODES[code]), self._bytes, hdu.offset)
        return decode(raw, Column(hdu.name, code, 1, 0, raw.dtype.itemsize, "", scale, zero))

    def _raw(self, hdu: HDU, column: Column, offset: int, width: int) -> np.ndarray:
        kind = f"S{width}" if column.code == "A" else CODES[column.code]
        dtype = np.dtype(kind)
        items = width // dtype.itemsize if width else 0
        shape, strides = (hdu.rows, items), (hdu.row_bytes, dtype.itemsize)
        if not hdu.rows or not items:
            return np.empty(shape if items != 1 else (hdu.rows,), dtype)
        array = np.ndarray(shape, dtype, buffer=self._bytes, offset=hdu.offset + offset, strides=strides)
        return array[:, 0] if items == 1 and column.code != "X" else array


_Key = tuple[str, int, int, int]
_open_files: weakref.WeakValueDictionary[_Key, FitsFile] = weakref.WeakValueDictionary()
_opening: dict[_Key, threading.Lock] = {}
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
    key = (str(Path(path).resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
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
    try:
        with Path(path).open("rb") as file:
            for hdu in _walk(reader_of(file), str(path), skip_last=name):
                names.append(hdu.name)
                if name is None or hdu.name == name.upper():
                    return hdu.header
    except OSError as error:
        if isinstance(error, InputFileError):
            raise
        raise unreadable(path, error) from error
    raise InputFileError(
        f"{path}: there is no extension {name}; the file has {', '.join(n or 'PRIMARY' for n in names)}.",
        "check that this is the file you meant.",
    )


def _walk(reader: Any, path: str, skip_last: str | None = None) -> Iterator[HDU]:
    """Each HDU of a file; data are skipped, but must be there."""
    offset, first = 0, True
    while True:
        header, used = _header(reader, path, first)
        if header is None:
            return
        offset += used
        size = _data_size(header, path)
        name = str(header.get("EXTNAME", "PRIMARY" if first else "")).strip().upper()
        yield HDU(name, header, offset, size, path)
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
            if block.strip(b"\0 \n"):
                raise InputFileError(f"{path}: what follows its last extension is no FITS extension.", CHECK)
            return None, 0
        if not used and first and not block.startswith(b"SIMPLE  ="):
            raise InputFileError(f"{path}: this is not a FITS file.", "check the path and how the file was made.")
        if len(block) < BLOCK:
            raise TruncatedFileError(f"{path}: the file ends within a header.", DOWNLOAD_AGAIN)
        text.append(block.decode("ascii", "replace").replace("\ufffd", "?"))  # headers are ASCII, for astropy too
        used += BLOCK
        if any(text[-1][i : i + 80].rstrip() == "END" for i in range(0, BLOCK, 80)):
            return _parsed("".join(text), path), used
        if len(text) > LONGEST_HEADER:
            raise InputFileError(f"{path}: a header has no end within {LONGEST_HEADER} blocks.", CHECK)


def _parsed(text: str, path: str) -> fits.Header:
    """Return a header whose every card can be read: a value that is none of FITS's stays as the text it is."""
    try:
        header = fits.Header.fromstring(text)
        for card in header.cards:
            _readable(card)
    except (fits.VerifyError, ValueError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise InputFileError(f"{path}: a line of a header cannot be read: {reason}", CHECK) from error
    return header


def _readable(card: fits.Card) -> None:
    try:
        _ = card.value
    except fits.VerifyError:
        card.verify("silentfix")
        _ = card.value


def _guarded(read: Any, size: int, path: str) -> Any:
    try:
        return read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TruncatedFileError(f"{path}: the gzip stream is cut or damaged ({error}).", DOWNLOAD_AGAIN) from error


def _data_size(header: fits.Header, path: str) -> int:
    """Bytes of the data behind a header (FITS standard 4.0, equations 1 and 2)."""
    bits = whole(header, "BITPIX", path, low=-64, high=64)
    if bits not in BITPIX:
        raise InputFileError(f"{path}: BITPIX is {bits}, which no FITS file has.", CHECK)
    axes = [whole(header, f"NAXIS{i}", path) for i in range(1, whole(header, "NAXIS", path, 0, high=999) + 1)]
    if not axes:
        return 0
    groups = abs(bits) * whole(header, "GCOUNT", path, 1)
    return groups * (whole(header, "PCOUNT", path, 0) + math.prod(axes)) // 8
