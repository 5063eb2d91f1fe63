"""The calibration database (CALDB): read natively, and fetched file by file where it is not installed.

`files` says which calibration files a product would use, `fetch` brings them, `check` compares what is there with what
was recorded, `require` gives their paths or says what is missing. Names are loaded on first use.
"""

from __future__ import annotations

from xtendsrc.lazy import attach

_WHERE = {
    "CalibrationFile": "xtendsrc.caldb.selection",
    "Entry": "xtendsrc.caldb.index",
    "Index": "xtendsrc.caldb.index",
    "Query": "xtendsrc.caldb.index",
    "Place": "xtendsrc.caldb.place",
    "Situation": "xtendsrc.caldb.needs",
    "catalogue": "xtendsrc.caldb.selection",
    "check": "xtendsrc.caldb.selection",
    "fetch": "xtendsrc.caldb.selection",
    "files": "xtendsrc.caldb.selection",
    "find_place": "xtendsrc.caldb.place",
    "read_index": "xtendsrc.caldb.index",
    "require": "xtendsrc.caldb.selection",
    "version": "xtendsrc.caldb.selection",
}

__all__ = sorted(_WHERE)
__getattr__ = attach(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
