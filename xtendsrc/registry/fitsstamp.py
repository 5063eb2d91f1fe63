"""Stamp a FITS file with its key, state, provenance and checksums, and check them again.

Only header blocks are rewritten; data are copied byte for byte, whatever task wrote them. Checksums follow the FITS
Standard 4.0, 4.4.2.7 and appendix J (ones-complement sums of 32-bit words); long strings follow 4.2.1.2 (CONTINUE).
Such sums do not see zeros that became ones, or words in another order, and editors of headers keep them right; so
XTSCRC holds a CRC-32 of all data and all header cards but the checksums themselves.
"""

from __future__ import annotations

import json
import math
import os
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from xtendsrc.errors import ProductError
from xtendsrc.registry.record import SCHEMA, Entry, dumps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BLOCK = 2880
CHUNK = 364 * BLOCK
_MAX_HEADER = 20_000 * BLOCK
_ALL_ONES = 0xFFFFFFFF
_STAMP = (b"XTSKEY", b"XTSSTATE", b"XTSKIND", b"XTSENG", b"XTSVER", b"XTSNHDU", b"XTSCRC", b"XTSREQ", b"XTSREC")
_SUMS = (b"DATASUM", b"CHECKSUM")
_NOT_IN_CRC = (b"DATASUM ", b"CHECKSUM", b"XTSCRC  ")
_ZEROS = "0" * 16
_IN_HEADER = ("source", "obs_id", "dataclass", "inputs", "paths", "needs", "versions", "parameters", "calls", "notes",
              "wall_time", "created")  # fmt: skip
# punctuation that appendix J keeps out of CHECKSUM
_EXCLUDED = frozenset([*range(0x3A, 0x41), *range(0x5B, 0x61)])


class NotFITSError(ProductError):
    """A file is not FITS, or ends before its content does."""


@dataclass(frozen=True)
class Stamp:
    """What a FITS product says about itself in its primary header, with size and time of the file it was read from.

    A name may lead to another file at any moment: what belongs together is read from one open file.
    """

    key: str
    state: str
    kind: str
    engine: str
    request: str
    schema: int
    n_hdus: int
    crc: str
    extra: dict[str, Any]
    size: int
    mtime_ns: int

    def entry(self, **found: Any) -> Entry:
        """Return the registry entry of this file; ``found`` are path, datasum and log."""
        extra = {**self.extra, "calls": tuple(self.extra["calls"]), "notes": tuple(self.extra["notes"])}
        return Entry(key=self.key, state=self.state, kind=self.kind, engine=self.engine, request=self.request,
                     size=self.size, mtime_ns=self.mtime_ns, **{**extra, **found})  # fmt: skip


class Whole(NamedTuple):
    """A file that was read through and is whole: its stamp, and DATASUM of each HDU, joined by commas."""

    stamp: Stamp
    datasum: str


def ones_sum(data: bytes | bytearray, start: int = 0) -> int:
    """Ones-complement sum of big-endian 32-bit words; the length is a multiple of four."""
    total = start + int(np.frombuffer(data, dtype=">u4").sum(dtype=np.uint64))
    while total > _ALL_ONES:
        total = (total & _ALL_ONES) + (total >> 32)
    return total


def encode_checksum(total: int) -> str:
    """Encode the complement of a sum as 16 letters and digits (FITS Standard 4.0, appendix J)."""
    value = _ALL_ONES - total
    ascii_ = bytearray(16)
    for i in range(4):
        quotient, rest = divmod(value >> (24 - 8 * i) & 0xFF, 4)
        four = [quotient + rest + 0x30, *[quotient + 0x30] * 3]
        while not _EXCLUDED.isdisjoint(four):
            for j in (0, 2):
                if four[j] in _EXCLUDED or four[j + 1] in _EXCLUDED:
                    four[j] += 1
                    four[j + 1] -= 1
        for j in range(4):
            ascii_[4 * j + i] = four[j]
    return (ascii_[-1:] + ascii_[:-1]).decode("ascii")


def string_cards(keyword: str, value: str) -> list[bytes]:
    """Return the cards of a string of any length, continued by the CONTINUE convention."""
    if "'" in value or not (value.isascii() and value.isprintable()):
        raise ProductError(f"{keyword} cannot hold {value[:60]!r} in a FITS header.", "use printable ASCII there.")
    if len(value) <= 68:
        return [f"{keyword:<8}= '{value:<8}'".ljust(80).encode("ascii")]
    pieces = [value[i : i + 67] for i in range(0, len(value), 67)]
    starts = [f"{keyword:<8}= ", *["CONTINUE  "] * (len(pieces) - 1)]
    ends = [*["&"] * (len(pieces) - 1), ""]
    return [f"{s}'{p}{e}'".ljust(80).encode("ascii") for s, p, e in zip(starts, pieces, ends, strict=True)]


def _stamp_cards(entry: Entry, n_hdus: int) -> list[bytes]:
    extra = {name: getattr(entry, name) for name in _IN_HEADER}
    cards = [f"{'XTSVER':<8}= {SCHEMA:>20}".ljust(80).encode(), f"{'XTSNHDU':<8}= {n_hdus:>20}".ljust(80).encode()]
    texts = {"XTSKEY": entry.key, "XTSSTATE": entry.state, "XTSKIND": entry.kind, "XTSENG": entry.engine}
    texts |= {"XTSREQ": entry.request, "XTSREC": dumps(extra)}
    return cards + [card for name, text in texts.items() for card in string_cards(name, text)]


def read_header(f: BinaryIO, name: object) -> list[bytes] | None:
    """Read one header's cards, up to END; None at the end of the file."""
    cards: list[bytes] = []
    while block := f.read(BLOCK):
        if len(block) < BLOCK:
            raise NotFITSError(f"{name} ends within a header.")
        if not cards and not block.startswith((b"SIMPLE  =", b"XTENSION=")):
            raise NotFITSError(f"{name} is not a FITS file, or something follows its last HDU.")
        new = [block[i : i + 80] for i in range(0, BLOCK, 80)]
        for i, card in enumerate(new):
            if card.startswith(b"END     "):
                return cards + new[:i]
        cards += new
        if len(cards) * 80 > _MAX_HEADER:
            break
    if cards:
        raise NotFITSError(f"{name} has a header without END.")
    return None


def _numbers(cards: Sequence[bytes]) -> dict[bytes, int]:
    wanted = re.compile(rb"(BITPIX|NAXIS\d*|PCOUNT|GCOUNT) *= +(-?\d+)[ /]")
    return {m[1]: int(m[2]) for card in cards if (m := wanted.match(card))}


def data_bytes(cards: Sequence[bytes], name: object) -> int:
    """Length of an HDU's data, filled up to whole blocks (FITS Standard 4.0, equations 1 and 2)."""
    n = _numbers(cards)
    try:
        axes = [n[b"NAXIS%d" % i] for i in range(1, n[b"NAXIS"] + 1)]
        bits = abs(n[b"BITPIX"]) * n.get(b"GCOUNT", 1)
    except KeyError as err:
        raise NotFITSError(f"{name} has a header without {err.args[0].decode()}.") from err
    if axes[:1] == [0] and any(card.startswith(b"GROUPS  =") for card in cards):
        axes = axes[1:]
    length = bits * (n.get(b"PCOUNT", 0) + math.prod(axes)) // 8 if axes else 0
    if length < 0:
        raise NotFITSError(f"{name} has a header with a negative length.")
    return -(-length // BLOCK) * BLOCK


def _without(cards: Sequence[bytes], keywords: Sequence[bytes]) -> list[bytes]:
    kept: list[bytes] = []
    dropping = False
    for card in cards:
        if not (dropping and card.startswith(b"CONTINUE")):
            dropping = card[:8].rstrip() in keywords
        if not dropping:
            kept.append(card)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _header_bytes(cards: Sequence[bytes]) -> int:
    """Length of the header that `_summed_header` makes: the cards, two checksums and END, in whole blocks."""
    return -(-(len(cards) + 3) * 80 // BLOCK) * BLOCK


def _summed_header(cards: Sequence[bytes], datasum: int) -> bytes:
    sums = (f"CHECKSUM= '{_ZEROS}'   / HDU checksum", f"DATASUM = '{datasum:010d}'         / data unit checksum", "END")
    text = bytearray(b"".join([*cards, *(s.ljust(80).encode("ascii") for s in sums)]).ljust(_header_bytes(cards)))
    start = len(cards) * 80 + len("CHECKSUM= '")
    text[start : start + len(_ZEROS)] = encode_checksum(ones_sum(text, datasum)).encode("ascii")
    return bytes(text)


class _Sums:
    """Checksums of a file, counted as its data pass by."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.data: list[int] = []
        self.crc = 0

    def pass_on(self, cards: Sequence[bytes], source: BinaryIO, length: int, target: BinaryIO | None = None) -> None:
        """Count one HDU's cards, read its data, and write these on."""
        total = 0
        self.crc = zlib.crc32(b"".join([card for card in cards if not card.startswith(_NOT_IN_CRC)]), self.crc)
        while length:
            chunk = source.read(min(CHUNK, length))
            if not chunk or len(chunk) % 4:
                raise NotFITSError(f"{self.name} ends within its data.")
            total = ones_sum(chunk, total)
            self.crc = zlib.crc32(chunk, self.crc)
            length -= len(chunk)
            if target is not None:
                target.write(chunk)
        self.data.append(total)

    def __str__(self) -> str:
        return ",".join(map(str, self.data))


class _HDU(NamedTuple):
    """Header of one HDU, and where its data are."""

    cards: list[bytes]
    start: int
    length: int


def read_hdus(f: BinaryIO, name: str) -> list[_HDU]:
    """Read every header of a file, and see that it ends where its last HDU does."""
    found: list[_HDU] = []
    size = os.fstat(f.fileno()).st_size
    while (cards := read_header(f, name)) is not None:
        found.append(_HDU(cards, f.tell(), data_bytes(cards, name)))
        if f.seek(found[-1].length, os.SEEK_CUR) > size:
            raise NotFITSError(f"{name} ends within its data.")
    if not found:
        raise NotFITSError(f"{name} is empty.")
    return found


def stamp(made: Path, out: BinaryIO, entry: Entry) -> str:
    """Copy a FITS file into ``out`` with an entry's keywords in its primary header and checksums in every HDU.

    Parameters
    ----------
    made : Path
        A complete FITS file; it is not changed.
    out : binary file
        Open for writing, at its start.
    entry : Entry
        What to write.

    Returns
    -------
    str
        DATASUM of each HDU, joined by commas.

    Raises
    ------
    ProductError
        If ``made`` is not a complete FITS file.
    """
    sums = _Sums(made.name)
    with made.open("rb") as f:
        hdus = read_hdus(f, made.name)
        headers = [_without(hdu.cards, _SUMS) for hdu in hdus]
        headers[0] = _primary_cards(headers[0], entry, len(hdus))
        starts = []
        for cards, hdu in zip(headers, hdus, strict=True):
            starts.append(out.tell())
            out.seek(_header_bytes(cards), os.SEEK_CUR)
            f.seek(hdu.start)
            sums.pass_on(cards, f, hdu.length, out)
    headers[0] = [_crc_card(sums.crc) if card.startswith(b"XTSCRC  ") else card for card in headers[0]]
    for start, cards, datasum in zip(starts, headers, sums.data, strict=True):
        out.seek(start)
        out.write(_summed_header(cards, datasum))
    return str(sums)


def _primary_cards(cards: Sequence[bytes], entry: Entry, n_hdus: int) -> list[bytes]:
    kept = _without(cards, _STAMP + _SUMS)
    if not any(card.startswith(b"LONGSTRN") for card in kept):
        kept.append(b"LONGSTRN= 'OGIP 1.0'           / The OGIP long string convention is used".ljust(80))
    return [*kept, _crc_card(0), *_stamp_cards(entry, n_hdus)]


def _crc_card(crc: int) -> bytes:
    return f"{'XTSCRC':<8}= '{crc:08x}'".ljust(80).encode("ascii")


def _strings(cards: Sequence[bytes]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    current = b""
    for card in cards:
        keyword = card[:8].rstrip()
        if keyword in _STAMP:
            current = keyword
            found[current] = ""
        elif keyword != b"CONTINUE" or not current:
            current = b""
            continue
        value = card[10:].decode("ascii", "replace").strip()
        if match := re.match(r"'((?:[^']|'')*)'", value):
            value = match[1].replace("''", "'")
        found[current] = found[current].removesuffix("&") + value
    return found


def read_stamp(path: Path) -> Stamp | None:
    """Read what a file says about itself; None for a file that carries no (whole) stamp of ours."""
    with path.open("rb") as f:
        try:
            cards = read_header(f, path.name)
        except NotFITSError:
            return None
        return _stamp_in(cards or [], os.fstat(f.fileno()))


def _stamp_in(cards: Sequence[bytes], found: os.stat_result) -> Stamp | None:
    try:
        values = _strings(cards)
        get = {name.decode(): values[name].rstrip() for name in _STAMP}
        extra = json.loads(get["XTSREC"])
        if set(_IN_HEADER) - extra.keys():
            return None
        return Stamp(get["XTSKEY"], get["XTSSTATE"], get["XTSKIND"], get["XTSENG"], get["XTSREQ"],
                     int(get["XTSVER"]), int(get["XTSNHDU"]), get["XTSCRC"],
                     {name: extra[name] for name in _IN_HEADER}, found.st_size, found.st_mtime_ns)  # fmt: skip
    except (KeyError, ValueError):
        return None


def check(path: Path) -> Whole:
    """Read a stamped file through and compare every checksum.

    Raises
    ------
    NotFITSError
        Saying what is wrong, if anything is.
    """
    sums = _Sums(path.name)
    own: Stamp | None = None
    with path.open("rb") as f:
        while True:
            start = f.tell()
            if (cards := read_header(f, path.name)) is None:
                break
            after = f.tell()
            f.seek(start)
            header = ones_sum(f.read(after - start))
            own = own if start else _stamp_in(cards, os.fstat(f.fileno()))
            sums.pass_on(cards, f, data_bytes(cards, path.name))
            written = [int(m[1]) for card in cards if (m := re.match(rb"DATASUM = '(\d+) *'", card))]
            if written != [sums.data[-1]] or ones_sum(b"", header + sums.data[-1]) != _ALL_ONES:
                where = f"HDU {len(sums.data) - 1} of {path.name}"
                raise NotFITSError(f"the checksums of {where} do not fit its content.")
    if own is None or own.n_hdus != len(sums.data):
        raise NotFITSError(f"{path.name} has lost its stamp or an HDU.")
    if own.crc != f"{sums.crc:08x}":
        raise NotFITSError(f"the checksum XTSCRC of {path.name} does not fit its content.")
    return Whole(own, str(sums))
