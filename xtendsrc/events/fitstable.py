"""The layout of a FITS table: where each column sits in a row, and how its bytes become values.

FITS standard 4.0, section 7.3 (TFORMn, TSCALn, TZEROn; bits are counted from the first, most significant one).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xtendsrc.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.io import fits

TFORM = re.compile(r"\s*(\d*)([LXBIJKAED])\s*")
OPAQUE = re.compile(r"\s*(\d*)([PQCM])")
OPAQUE_BYTES = {"P": 8, "Q": 16, "C": 8, "M": 16}
CODES = {"L": "i1", "X": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "A": "S"}
UNSIGNED = {("I", 2**15): "u2", ("J", 2**31): "u4", ("K", 2**63): "u8", ("B", -(2**7)): "i1"}


class Column(NamedTuple):
    """One column of a binary table: where it sits in a row and how its values are written."""

    name: str
    code: str
    repeat: int
    offset: int
    width: int
    unit: str
    scale: float
    zero: float


@dataclass(frozen=True, eq=False)
class HDU:
    """One header-data unit: its header and where its data sit in the (decompressed) file."""

    name: str
    header: fits.Header
    offset: int
    size: int

    @property
    def is_table(self) -> bool:
        """Whether this is a binary table."""
        return str(self.header.get("XTENSION", "")).strip() == "BINTABLE"

    @property
    def rows(self) -> int:
        """Number of rows of a table."""
        return int(self.header.get("NAXIS2", 0))

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Columns by upper-case name, in the order of the file."""
        found, offset = {}, 0
        for i in range(1, int(self.header.get("TFIELDS", 0)) + 1):
            column = _column(self.header, i, offset)
            found[column.name] = column
            offset += column.width
        return found

    def index(self, name: str) -> int | None:
        """1-based number of a column, as in ``TTYPEn``; None if it is not there."""
        names = list(self.columns)
        return names.index(name.upper()) + 1 if name.upper() in names else None


def _column(header: fits.Header, number: int, offset: int) -> Column:
    form = str(header[f"TFORM{number}"])
    match = TFORM.match(form)
    name = str(header.get(f"TTYPE{number}", f"COL{number}")).strip().upper()
    if match is None:
        return Column(name, "P", 1, offset, _opaque_width(name, form), "", 1.0, 0.0)
    repeat, code = int(match[1] or 1), match[2]
    if code == "X":
        width = -(-repeat // 8)
    elif code == "A":
        width = repeat
    else:
        width = repeat * np.dtype(CODES[code]).itemsize
    unit = str(header.get(f"TUNIT{number}", "")).strip()
    scale, zero = float(header.get(f"TSCAL{number}", 1)), float(header.get(f"TZERO{number}", 0))
    return Column(name, code, repeat, offset, width, unit, scale, zero)


def _opaque_width(name: str, form: str) -> int:
    """Bytes of a column that is not read (variable length, complex): the columns after it begin beyond them."""
    match = OPAQUE.match(form)
    if match is None:
        raise InputFileError(
            f"Column {name} has the format {form!r}, which no FITS table has.", "check how the file was made."
        )
    return int(match[1] or 1) * OPAQUE_BYTES[match[2]]


def decode(raw: np.ndarray, column: Column) -> np.ndarray:
    """Values in the byte order of this machine from the raw bytes of a column, scaled as TSCAL and TZERO say."""
    if column.code == "X":
        return np.unpackbits(raw, axis=1)[:, : column.repeat].astype(bool)
    if column.code == "L":
        return raw == ord("T")
    if column.code == "A":
        return raw.copy()
    native = raw.astype(raw.dtype.newbyteorder("="))
    if column.scale == 1.0 and column.zero == 0.0:
        return native
    unsigned = UNSIGNED.get((column.code, int(column.zero))) if column.scale == 1.0 else None
    if unsigned:
        return (native.view(f"u{native.itemsize}") ^ np.array(abs(int(column.zero)), f"u{native.itemsize}")).view(
            unsigned
        )
    return native * column.scale + column.zero
