"""FITS header cards: parse, set, write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

STRUCTURAL = re.compile(
    r"^(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|TFIELDS|CHECKSUM|DATASUM|THEAP|BSCALE|BZERO|END)$"
)
COLUMN_KEY = re.compile(
    r"^(TTYPE|TFORM|TUNIT|TNULL|TSCAL|TZERO|TDISP|TDIM|TLMIN|TLMAX|TDMIN|TDMAX"
    r"|TCTYP|TCUNI|TCRPX|TCRVL|TCDLT|TCROT|TCNAM|TDRPX|TDDLT)\d+$"
)


class FitsError(Exception):
    """A FITS file that cannot be used, with the CFITSIO status a task would give."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Header:
    """An ordered list of 80-character cards."""

    def __init__(self, cards: Iterable[str] = ()) -> None:
        self.cards = [card.ljust(80)[:80] for card in cards]

    def copy(self) -> Header:
        """Return an independent header of the same cards."""
        return Header(self.cards)

    def _find(self, key: str) -> int:
        name = key.upper().ljust(8)
        for index, card in enumerate(self.cards):
            if card[:8] == name:
                return index
        return -1

    def __contains__(self, key: str) -> bool:
        return self._find(key) >= 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of the first card of that name, or the default."""
        index = self._find(key)
        return default if index < 0 else parse_value(self.cards[index])

    def set(self, key: str, value: Any, comment: str = "") -> None:
        """Set a keyword, in its place if it exists, else at the end."""
        card = format_card(key, value, comment)
        index = self._find(key)
        if index < 0:
            self.cards.append(card)
        else:
            self.cards[index] = card

    def note(self, kind: str, text: str) -> None:
        """Append COMMENT or HISTORY lines."""
        for start in range(0, max(len(text), 1), 72):
            self.cards.append(f"{kind:8s}{text[start : start + 72]}".ljust(80))

    def drop(self, *keys: str) -> None:
        """Remove every card of the given names."""
        names = {key.upper().ljust(8) for key in keys}
        self.cards = [card for card in self.cards if card[:8] not in names]

    def keys(self) -> list[str]:
        """Return the names of all cards, in order."""
        return [card[:8].strip() for card in self.cards]

    def describing(self) -> Header:
        """Return the cards that describe the observation, not this table or image."""
        kept = []
        for card in self.cards:
            key = card[:8].strip()
            if not key or STRUCTURAL.match(key) or COLUMN_KEY.match(key) or key in ("COMMENT", "HISTORY", "EXTNAME"):
                continue
            kept.append(card)
        return Header(kept)


def parse_value(card: str) -> Any:
    """Return the value of a card as str, bool, int, float or None."""
    if card[8:10] != "= ":
        return card[8:].rstrip()
    text = card[10:].strip()
    if text.startswith("'"):
        match = re.match(r"'((?:[^']|'')*)'", text)
        return match.group(1).replace("''", "'").rstrip() if match else text[1:].rstrip()
    text = text.split("/")[0].strip()
    if text in ("T", "F"):
        return text == "T"
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text.replace("D", "E"))
    except ValueError:
        return text


def format_card(key: str, value: Any, comment: str = "") -> str:
    """Return the 80 characters of a keyword card (fixed format)."""
    if isinstance(value, (bool, np.bool_)):
        text = f"{'T' if value else 'F':>20s}"
    elif isinstance(value, (int, np.integer)):
        text = f"{int(value):20d}"
    elif isinstance(value, (float, np.floating)):
        number = repr(float(value)).upper()
        text = f"{number if '.' in number or 'E' in number else number + '.0':>20s}"
    else:
        quoted = str(value).replace("'", "''")[:68]
        text = f"'{quoted:8s}'".ljust(20)
    card = f"{key.upper():8s}= {text}"
    return (f"{card} / {comment}" if comment else card).ljust(80)[:80]
