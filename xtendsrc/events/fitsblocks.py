"""FITS HDUs as bytes, for products that are written by the dozen.

A batch writes the same two hundred header lines over and over. astropy formats each line here too, but only once: a
line with the same keyword, value and comment is remembered. (One file of three HDUs through astropy's own writer takes
some 25 ms, most of it in headers; this takes 2 ms.)
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.io import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CardValues = tuple[str, Any, str]

BLOCK = 2880  # bytes: headers and data fill whole blocks (FITS standard 4.0, section 3.1)
_BITPIX = {"i4": 32, "i8": 64, "f4": -32, "f8": -64, "u1": 8, "i2": 16}
_FORMATS = {"D": ">f8", "E": ">f4", "J": ">i4", "I": ">i2"}
_COMMENTARY = ("HISTORY", "COMMENT")


class Column(NamedTuple):
    """One column of a table: name, FITS format (a single D, E, J or I), unit, values."""

    name: str
    format: str
    unit: str
    values: np.ndarray


def unique_cards(cards: Iterable[CardValues]) -> list[CardValues]:
    """Return each keyword once: in its first place, with its last value. History and comments stay, at the end."""
    last: dict[str, CardValues] = {}
    many: list[CardValues] = []
    for card in cards:
        if card[0] in _COMMENTARY:
            many.append(card)
        else:
            last[card[0]] = card
    return [*last.values(), *many]


@lru_cache(maxsize=4096, typed=True)
def _line(keyword: str, value: Any, comment: str) -> str:
    return str(fits.Card(keyword, value, comment).image)


def header_bytes(structure: Iterable[CardValues], cards: Iterable[CardValues]) -> bytes:
    """Header of one HDU: the mandatory keywords in their order, the others, END, filled up with blanks."""
    lines = [_line(*card) for card in (*structure, *unique_cards(cards))]
    lines.append("END".ljust(80))
    text = "".join(lines).encode("ascii")
    return text + b" " * (-len(text) % BLOCK)


def image_bytes(data: np.ndarray | None, cards: Iterable[CardValues]) -> list[bytes | memoryview]:
    """Primary HDU with an image, or without data, as pieces to be written in order.

    Parameters
    ----------
    data : ndarray or None
        The image, of an integer or floating-point type.
    cards : iterable of (keyword, value, comment)
        Further keywords.
    """
    shape = () if data is None else data.shape
    bitpix = 8 if data is None else _BITPIX[data.dtype.str[1:]]
    structure: list[CardValues] = [
        ("SIMPLE", True, "file conforms to FITS standard"),
        ("BITPIX", bitpix, "bits per data value"),
        ("NAXIS", len(shape), "number of axes"),
        *((f"NAXIS{n}", size, f"length of axis {n}") for n, size in enumerate(reversed(shape), 1)),
        ("EXTEND", True, "extensions may follow"),
    ]
    header = header_bytes(structure, cards)
    if data is None:
        return [header]
    big = np.ascontiguousarray(data, dtype=data.dtype.newbyteorder(">"))
    return [header, big.reshape(-1).view(np.uint8).data, b"\0" * (-big.nbytes % BLOCK)]


def table_bytes(name: str, columns: Sequence[Column], cards: Iterable[CardValues]) -> bytes:
    """Binary-table HDU of scalar columns.

    Parameters
    ----------
    name : str
        EXTNAME.
    columns : sequence of Column
        All of the same length.
    cards : iterable of (keyword, value, comment)
        Further keywords.
    """
    rows = np.empty(len(columns[0].values), dtype=[(c.name, _FORMATS[c.format]) for c in columns])
    for column in columns:
        rows[column.name] = column.values
    structure: list[CardValues] = [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "8-bit bytes"),
        ("NAXIS", 2, "two-dimensional table"),
        ("NAXIS1", rows.dtype.itemsize, "bytes of a row"),
        ("NAXIS2", len(rows), "number of rows"),
        ("PCOUNT", 0, "no special data area"),
        ("GCOUNT", 1, "one data group"),
        ("TFIELDS", len(columns), "number of columns"),
    ]
    for n, column in enumerate(columns, 1):
        structure += [(f"TTYPE{n}", column.name, "name of the column"), (f"TFORM{n}", column.format, "its format")]
        if column.unit:
            structure.append((f"TUNIT{n}", column.unit, "its unit"))
    structure.append(("EXTNAME", name, "name of this extension"))
    data = rows.tobytes()
    return header_bytes(structure, cards) + data + b"\0" * (-len(data) % BLOCK)


def hdu_bytes(hdu: fits.BinTableHDU) -> bytes:
    """The bytes of an astropy extension HDU."""
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    return buffer.getvalue()[BLOCK:]  # the empty primary HDU is one block


def write_file(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write pieces one after the other to a file that does not exist yet."""
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)
