"""Read and write FITS files with NumPy alone.

The executables of the stand-in start once per product; importing a full FITS package would take longer than
most tasks.  What is here is the part of the FITS standard 4.0 that X-ray event files, images, spectra and
responses use: images, binary tables, variable-length arrays, gzip on reading.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .fitsheader import STRUCTURAL, FitsError, Header, format_card, parse_value

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "HDU",
    "FitsError",
    "Header",
    "extension",
    "image",
    "parse_value",
    "read",
    "select",
    "split_name",
    "table",
    "write",
]

BLOCK = 2880
_TYPES = {"L": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
_SIZES = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}


class HDU:
    """One header and its data: an image array, a structured array of table rows, or nothing."""

    def __init__(self, header: Header, data: np.ndarray | None = None, heap: bytes = b"") -> None:
        self.header = header
        self.data = data
        self.heap = heap

    @property
    def name(self) -> str:
        """The EXTNAME, upper case."""
        return str(self.header.get("EXTNAME", "")).strip().upper()

    @property
    def is_table(self) -> bool:
        """Whether this is a binary table."""
        found: bool = self.header.get("XTENSION") == "BINTABLE"
        return found

    def rows(self) -> np.ndarray:
        """Return the table rows; an HDU without a table is an error."""
        if self.data is None or not self.is_table:
            raise FitsError(227, f"HDU {self.name} is not a binary table")
        return self.data

    def column_number(self, name: str) -> int:
        """Return the 1-based number of a column, 0 when there is none."""
        for number in range(1, int(self.header.get("TFIELDS", 0)) + 1):
            if str(self.header.get(f"TTYPE{number}", "")).strip().upper() == name.upper():
                return number
        return 0

    def column(self, name: str) -> np.ndarray:
        """Return a column in native byte order, scaled by TSCAL and TZERO."""
        number = self.column_number(name)
        if not number:
            raise FitsError(219, f"column {name} not found in {self.name}")
        rows = self.rows()
        assert rows.dtype.names is not None
        raw = rows[rows.dtype.names[number - 1]]
        values = raw.astype(raw.dtype.newbyteorder("="))
        zero, scale = self.header.get(f"TZERO{number}", 0), self.header.get(f"TSCAL{number}", 1)
        return values * scale + zero if (zero, scale) != (0, 1) else values

    def strings(self, name: str) -> list[str]:
        """Return a character column as a list of stripped strings."""
        return [bytes(value).decode("ascii", "replace").strip() for value in self.column(name)]

    def arrays(self, name: str) -> list[np.ndarray]:
        """Return a variable-length column as one native array per row."""
        number = self.column_number(name)
        form = str(self.header.get(f"TFORM{number}", ""))
        values = self.column(name)
        match = re.match(r"\d*[PQ]([A-Z])", form)
        if not match:
            return [np.atleast_1d(row) for row in values]
        kind = np.dtype(_TYPES[match.group(1)])
        found = []
        for length, offset in values:
            piece = np.frombuffer(self.heap, kind, int(length), int(offset))
            found.append(piece.astype(kind.newbyteorder("=")))
        return found


def field_format(form: str) -> Any:
    """Return the NumPy format of a TFORM value."""
    match = re.match(r"(\d*)([A-Z])", form.strip())
    if not match:
        raise FitsError(261, f"illegal TFORM {form!r}")
    count = int(match.group(1) or 1)
    letter = match.group(2)
    if letter == "A":
        return f"S{count}"
    if letter == "X":
        return ("u1", ((count + 7) // 8,))
    if letter in "PQ":
        return (">i4" if letter == "P" else ">i8", (2 * count,))
    return _TYPES[letter] if count == 1 else (_TYPES[letter], (count,))


def _row_type(header: Header) -> np.dtype[Any]:
    fields = []
    for number in range(1, int(header.get("TFIELDS", 0)) + 1):
        fields.append((f"c{number}", field_format(str(header.get(f"TFORM{number}")))))
    dtype = np.dtype([(name, *form) if isinstance(form, tuple) else (name, form) for name, form in fields])
    if dtype.itemsize != header.get("NAXIS1"):
        raise FitsError(241, "row length does not agree with the columns")
    return dtype


def _read_header(block: bytes, start: int) -> tuple[Header, int]:
    cards = []
    position = start
    while True:
        card = block[position : position + 80].decode("ascii", "replace")
        position += 80
        if len(card) < 80:
            raise FitsError(107, "end of file in a header")
        if card[:8] == "END     ":
            break
        cards.append(card)
    return Header(cards), start + -(-(position - start) // BLOCK) * BLOCK


def _data_size(header: Header) -> int:
    axes = [int(header.get(f"NAXIS{n}")) for n in range(1, int(header.get("NAXIS", 0)) + 1)]
    if not axes:
        return 0
    count = int(np.prod(axes)) + int(header.get("PCOUNT", 0))
    return abs(int(header.get("BITPIX"))) // 8 * count * int(header.get("GCOUNT", 1))


def _read_data(header: Header, raw: memoryview) -> tuple[np.ndarray | None, bytes]:
    if not len(raw):
        return None, b""
    if header.get("XTENSION") == "BINTABLE":
        length = int(header.get("NAXIS1")) * int(header.get("NAXIS2"))
        rows = np.frombuffer(raw[:length], _row_type(header))
        start = int(header.get("THEAP", length))
        return rows, bytes(raw[start:])
    kinds = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
    shape = [int(header.get(f"NAXIS{n}")) for n in range(int(header.get("NAXIS")), 0, -1)]
    kind = np.dtype(kinds[int(header.get("BITPIX"))])
    image = np.frombuffer(raw, kind, int(np.prod(shape))).reshape(shape).astype(kind.newbyteorder("="))
    scale, zero = header.get("BSCALE", 1), header.get("BZERO", 0)
    return (image * scale + zero if (scale, zero) != (1, 0) else image), b""


def read(path: str | Path) -> list[HDU]:
    """Read every HDU of a file, gzipped or not."""
    try:
        block = Path(path).read_bytes()
    except OSError as error:
        raise FitsError(104, f"could not open the named file: {path}") from error
    if block[:2] == b"\x1f\x8b":
        try:
            block = gzip.decompress(block)
        except (OSError, EOFError) as error:
            raise FitsError(104, f"damaged gzip file: {path}") from error
    if block[:6] != b"SIMPLE":
        raise FitsError(252, f"not a FITS file: {path}")
    found, position = [], 0
    view = memoryview(block)
    while position < len(block) and block[position : position + 8].strip():
        header, start = _read_header(block, position)
        size = _data_size(header)
        if start + size > len(block):
            raise FitsError(107, f"file is cut short: {path}")
        data, heap = _read_data(header, view[start : start + size])
        if data is None and header.get("XTENSION") == "BINTABLE":
            data = np.zeros(0, _row_type(header))
        found.append(HDU(header, data, heap))
        position = start + -(-size // BLOCK) * BLOCK
    return found


def extension(hdus: Sequence[HDU], *names: str) -> HDU | None:
    """Return the first HDU that has one of the names, in the order of the names."""
    for name in names:
        for hdu in hdus:
            if hdu.name == name.upper():
                return hdu
    return None


def split_name(text: str) -> tuple[str, list[str]]:
    """Separate a file name from its ``[...]`` qualifiers."""
    parts = re.findall(r"\[([^\]]*)\]", text)
    return text.split("[", maxsplit=1)[0].lstrip("!").strip(), [part.strip() for part in parts]


def _structure(header: Header, cards: Sequence[tuple[str, Any]]) -> Header:
    rest = [card for card in header.cards if not STRUCTURAL.match(card[:8].strip() or "x")]
    return Header([format_card(key, value) for key, value in cards] + rest)


def image(data: np.ndarray | None, header: Header | None = None, name: str = "") -> HDU:
    """Make an image HDU; it becomes primary or extension by its place in the file."""
    hdu = HDU((header or Header()).copy(), data)
    if name:
        hdu.header.set("EXTNAME", name)
    hdu.header.drop("XTENSION")
    return hdu


def table(name: str, columns: Sequence[tuple[str, str, str, Any]], header: Header | None = None) -> HDU:
    """Make a table HDU of (name, TFORM, unit, values); a P format takes a list of arrays."""
    made = Header()
    fields: list[Any] = []
    for number, (title, form, unit, _) in enumerate(columns, 1):
        made.set(f"TTYPE{number}", title)
        made.set(f"TFORM{number}", form)
        if unit:
            made.set(f"TUNIT{number}", unit)
        kind = field_format(form)
        fields.append((f"c{number}", *kind) if isinstance(kind, tuple) else (f"c{number}", kind))
    made.set("EXTNAME", name)
    rows = np.zeros(len(columns[0][3]), np.dtype(fields))
    heap = b""
    for number, (_, form, _, values) in enumerate(columns, 1):
        if re.match(r"\d*P", form):
            rows[f"c{number}"], heap = _pack(values, form, heap)
        else:
            rows[f"c{number}"] = values
    full = Header(
        [format_card("XTENSION", "BINTABLE"), format_card("TFIELDS", len(columns))]
        + made.cards
        + (header.describing().cards if header else [])
    )
    return HDU(full, rows, heap)


def _pack(values: Sequence[np.ndarray], form: str, heap: bytes) -> tuple[np.ndarray, bytes]:
    match = re.match(r"\d*P([A-Z])", form)
    assert match is not None
    kind = np.dtype(_TYPES[match.group(1)])
    lengths = np.array([len(value) for value in values], int)
    starts = len(heap) + kind.itemsize * np.concatenate([[0], np.cumsum(lengths)[:-1]])
    joined = np.concatenate([np.asarray(value) for value in values]) if len(values) else np.zeros(0)
    return np.column_stack([lengths, starts]), heap + joined.astype(kind).tobytes()


def select(hdu: HDU, keep: np.ndarray) -> HDU:
    """Return a table HDU with only the chosen rows."""
    return HDU(hdu.header.copy(), hdu.rows()[keep], hdu.heap)


def _table_bytes(hdu: HDU) -> tuple[Header, bytes]:
    rows = hdu.rows()
    cards = [
        ("XTENSION", "BINTABLE"),
        ("BITPIX", 8),
        ("NAXIS", 2),
        ("NAXIS1", rows.dtype.itemsize),
        ("NAXIS2", len(rows)),
        ("PCOUNT", len(hdu.heap)),
        ("GCOUNT", 1),
        ("TFIELDS", len(rows.dtype.names or ())),
    ]
    return _structure(hdu.header, cards), rows.tobytes() + hdu.heap


def _image_bytes(hdu: HDU, primary: bool) -> tuple[Header, bytes]:
    first: tuple[str, Any] = ("SIMPLE", True) if primary else ("XTENSION", "IMAGE")
    data = hdu.data
    if data is None:
        cards: list[tuple[str, Any]] = [first, ("BITPIX", 8), ("NAXIS", 0)]
        body = b""
    else:
        kind = data.dtype.str[1:] if data.dtype.kind != "b" else "u1"
        cards = [first, ("BITPIX", _SIZES[kind]), ("NAXIS", data.ndim)]
        cards += [(f"NAXIS{n + 1}", size) for n, size in enumerate(reversed(data.shape))]
        body = data.astype(np.dtype(kind).newbyteorder(">")).tobytes()
    cards += [("EXTEND", True)] if primary else [("PCOUNT", 0), ("GCOUNT", 1)]
    return _structure(hdu.header, cards), body


def to_bytes(hdus: Sequence[HDU]) -> bytes:
    """Return the bytes of a whole file; the first HDU is written as primary."""
    parts = []
    for number, hdu in enumerate(hdus):
        header, body = _table_bytes(hdu) if hdu.is_table else _image_bytes(hdu, primary=number == 0)
        text = "".join(header.cards) + "END".ljust(80)
        parts.append(text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii", "replace"))
        parts.append(body.ljust(-(-len(body) // BLOCK) * BLOCK, b"\0"))
    return b"".join(parts)


def write(path: str | Path, hdus: Sequence[HDU], clobber: bool = True) -> None:
    """Write a file; an existing one without clobber, or a missing directory, gives status 105."""
    target = Path(str(path).lstrip("!"))
    if len(str(target)) > 255:
        raise FitsError(105, f"file name too long: {target}")
    if target.exists() and not clobber and not str(path).startswith("!"):
        raise FitsError(105, f"file exists: {target}")
    block = gzip.compress(to_bytes(hdus), 1) if target.suffix == ".gz" else to_bytes(hdus)
    try:
        target.write_bytes(block)
    except OSError as error:
        raise FitsError(105, f"could not create the file: {target}") from error
