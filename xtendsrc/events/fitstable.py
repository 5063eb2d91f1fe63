"""The layout of a FITS table: where each column sits in a row, and how its bytes become values.

FITS standard 4.0, section 7.3 (TFORMn, TSCALn, TZEROn; bits are counted from the first, most significant one;
descriptors of variable-length columns, 7.3.5). A table whose columns do not add up to its rows is refused as a whole:
one flipped bit in a format would shift every column after it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xtendsrc.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.io import fits

TFORM = re.compile(r"\s*(\d{0,9})([LXBIJKAED])\s*$")
OPAQUE = re.compile(r"\s*(\d{0,9})([PQCM])([LXBIJKAED]?)")
OPAQUE_BYTES = {"P": 8, "Q": 16, "C": 8, "M": 16}
VARIABLE = ("P", "Q")
CHECK = "fetch the file again, or see with a FITS verifier (ftverify) what is wrong with it."
CODES = {"L": "i1", "X": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "A": "S"}
UNSIGNED = {("I", 2**15): "u2", ("J", 2**31): "u4", ("K", 2**63): "u8", ("B", -(2**7)): "i1"}


class Column(NamedTuple):
    """One column of a binary table: where it sits in a row and how its values are written.

    ``element`` is the format of the values behind the descriptors of a variable-length column (code P or Q).
    """

    name: str
    code: str
    repeat: int
    offset: int
    width: int
    unit: str
    scale: float
    zero: float
    element: str = ""

    @property
    def is_numbers(self) -> bool:
        """Whether it holds one real number a row."""
        return self.repeat == 1 and self.code in "BIJKED"


@dataclass(frozen=True, eq=False)
class HDU:
    """One header-data unit: its header and where its data sit in the (decompressed) file."""

    name: str
    header: fits.Header
    offset: int
    size: int
    path: str = ""

    def integer(self, key: str, default: int | None = None, low: int = 0, high: int = 2**62) -> int:
        """Value of a keyword of the file's structure, a whole number within limits.

        Raises
        ------
        InputFileError
            If it is missing without a default, no whole number, or out of its limits.
        """
        return whole(self.header, key, self.path, default, low, high)

    @property
    def is_table(self) -> bool:
        """Whether this is a binary table."""
        return str(self.header.get("XTENSION", "")).strip() == "BINTABLE"

    @property
    def rows(self) -> int:
        """Number of rows of a table."""
        return self.integer("NAXIS2", 0)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a table."""
        return self.integer("NAXIS1", 0)

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Columns by upper-case name, in the order of the file; none of what is no table.

        Raises
        ------
        InputFileError
            If a format is none, two columns share a name, or their widths do not add up to the row.
        """
        found: dict[str, Column] = {}
        if not self.is_table:
            return found
        offset = 0
        for i in range(1, self.integer("TFIELDS", 0, high=999) + 1):
            column = self._column(i, offset)
            if column.name in found:
                raise InputFileError(f"{self.path}: {self.name} has two columns {column.name}.", "rename one of them.")
            found[column.name] = column
            offset += column.width
        if offset != self.row_bytes:
            raise InputFileError(
                f"{self.path}: the columns of {self.name} take {offset} bytes of rows of {self.row_bytes}.", CHECK
            )
        return found

    def numbers(self, *names: str) -> None:
        """Make sure that columns, where they are there, hold one real number a row.

        Raises
        ------
        InputFileError
            If one holds text, vectors, flags or nothing.
        """
        for name in names:
            column = self.columns.get(name)
            if column is not None and not column.is_numbers:
                form = str(self.header.get(f"TFORM{self.index(name)}", "")).strip()
                raise InputFileError(
                    f"{self.path}: column {name} of {self.name} has the format {form}, not one number a row.", CHECK
                )

    def index(self, name: str) -> int | None:
        """1-based number of a column, as in ``TTYPEn``; None if it is not there."""
        names = list(self.columns)
        return names.index(name.upper()) + 1 if name.upper() in names else None

    def _column(self, number: int, offset: int) -> Column:
        header = self.header
        name = str(header.get(f"TTYPE{number}", f"COL{number}")).strip().upper()
        form = str(header.get(f"TFORM{number}", ""))
        match = TFORM.match(form)
        unit = str(header.get(f"TUNIT{number}", "")).strip()
        scale = finite(header, f"TSCAL{number}", self.path, 1.0)
        zero = finite(header, f"TZERO{number}", self.path, 0.0)
        if scale == 0.0:
            raise InputFileError(f"{self.path}: TSCAL{number} of {self.name} is 0, so {name} has no values.", CHECK)
        if match is None:
            return self._opaque(name, form, offset)._replace(unit=unit, scale=scale, zero=zero)
        repeat, code = int(match[1] or 1), match[2]
        width = -(-repeat // 8) if code == "X" else repeat * (1 if code == "A" else np.dtype(CODES[code]).itemsize)
        return Column(name, code, repeat, offset, width, unit, scale, zero)

    def _opaque(self, name: str, form: str, offset: int) -> Column:
        """A column that is not in the rows, or not of real numbers: those after it begin beyond it."""
        match = OPAQUE.match(form)
        if match is None:
            raise InputFileError(
                f"{self.path}: column {name} of {self.name} has the format {form!r}, which no FITS table has.", CHECK
            )
        repeat, code = int(match[1] or 1), match[2]
        return Column(name, code, repeat, offset, repeat * OPAQUE_BYTES[code], "", 1.0, 0.0, match[3])


def whole(header: fits.Header, key: str, path: str, default: int | None = None, low: int = 0, high: int = 2**62) -> int:
    """Value of a keyword that must be a whole number; see `HDU.integer`."""
    value = header.get(key, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputFileError(f"{path}: {key} is {value!r}, which no FITS file has there.", CHECK)
    return value


def finite(header: fits.Header, key: str, path: str, default: float) -> float:
    """Value of a keyword that must be a finite number, or the default where it is absent.

    Raises
    ------
    InputFileError
        If it is something else.
    """
    value = header.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputFileError(f"{path}: {key} is {value!r}, not a number.", CHECK)
    return float(value)


def decode(raw: np.ndarray, column: Column) -> np.ndarray:
    """Values in the byte order of this machine from the raw bytes of a column, scaled as TSCAL and TZERO say."""
    if column.code == "X":
        return np.unpackbits(raw, axis=1)[:, : column.repeat].astype(bool)
    if column.code == "L":
        flags: np.ndarray = raw == ord("T")
        return flags
    if column.code == "A":
        return raw.copy()
    native = raw.astype(raw.dtype.newbyteorder("="))
    if column.scale == 1.0 and column.zero == 0.0:
        return native
    unsigned = UNSIGNED.get((column.code, int(column.zero))) if column.scale == 1.0 else None
    if unsigned:
        found: np.ndarray = (
            native.view(f"u{native.itemsize}") ^ np.array(abs(int(column.zero)), f"u{native.itemsize}")
        ).view(unsigned)
        return found
    return native * column.scale + column.zero
