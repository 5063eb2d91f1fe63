"""Source names as file names."""

from __future__ import annotations

import hashlib
import re
import unicodedata

UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\s]+')
RESERVED = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(1, 10)), *(f"lpt{i}" for i in range(1, 10))}
LONGEST = 80


def safe_name(name: str) -> str:
    """Convert a source name into a file name.

    Letters of every script are kept; separators, blanks and control characters become ``_``; the result never starts
    with a dot or a dash and is at most 80 bytes. A name that had to be changed beyond its blanks ends in eight
    hexadecimal digits of its hash, so that different sources never share a file.

    Parameters
    ----------
    name : str
        Any text.

    Returns
    -------
    str
    """
    plain = unicodedata.normalize("NFC", name).strip()
    blanks = re.sub(r" +", "_", plain)
    printable = "".join(c if c.isprintable() else "_" for c in blanks)
    safe = UNSAFE.sub("_", printable).strip(".-_ ")
    while len(safe.encode()) > LONGEST - 9:
        safe = safe[:-1]
    if safe and safe == blanks and "_" not in plain and ".." not in safe and safe.lower() not in RESERVED:
        return safe
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{safe.replace('..', '_') or 'source'}-{mark}"
