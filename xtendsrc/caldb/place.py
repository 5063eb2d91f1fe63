"""Where the calibration database is: a directory, or a cache that is filled from HEASARC."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xtendsrc.errors import CaldbError, InputNotFoundError
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from xtendsrc.caldb.needs import Situation

RECORD = "fetched.json"
"""File in the cache that says what was fetched: address, size, checksum, date."""

CONFIG = "software/tools/caldb.config"
_ADDRESS = re.compile(r"^https?://")


@dataclass(frozen=True)
class Place:
    """A calibration database on disk.

    Attributes
    ----------
    root : Path
        Its directory.
    kind : {"directory", "cache"}
        Kept by the user, or filled here.
    remote : str
        Address that a cache is filled from; empty for a directory.
    """

    root: Path
    kind: Literal["directory", "cache"]
    remote: str = ""

    def path(self, name: str) -> Path:
        """Return a file by its path below the root."""
        return self.root / name

    def index_name(self, situation: Situation) -> str:
        """Return the path of the index of an instrument, from ``caldb.config`` where that is there."""
        config = self.path(CONFIG)
        wanted = [situation.telescope.upper(), situation.instrument.upper()]
        if config.is_file():
            for line in config.read_text(encoding="utf-8", errors="replace").splitlines():
                words = line.split("#")[0].split()
                if len(words) >= 5 and [w.upper() for w in words[:2]] == wanted:
                    return f"{words[3].strip('/')}/{words[4]}"
        return f"data/{situation.telescope.lower()}/{situation.instrument.lower()}/caldb.indx"

    @property
    def record(self) -> dict[str, dict[str, Any]]:
        """Record of fetched files, by path below the root; empty for a directory.

        Raises
        ------
        CaldbError
            If the record is damaged.
        """
        path = self.path(RECORD)
        if self.kind == "directory" or not path.is_file():
            return {}
        try:
            found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["files"]
        except (ValueError, KeyError, TypeError) as err:
            raise CaldbError(f"{path} is damaged.", "delete it, and run `xtendsrc caldb fetch`.") from err
        return found


def find_place() -> Place:
    """Find the calibration database.

    Returns
    -------
    Place
        ``settings.caldb`` if it is set; else ``$CALDB`` if that is a directory; else the cache of the user, filled
        from the address in ``$CALDB``, or from HEASARC.

    Raises
    ------
    InputNotFoundError
        If ``settings.caldb`` or ``$CALDB`` name a directory that is not there.
    """
    chosen, origin = settings.values.caldb, "settings.caldb"
    if chosen is None and (named := os.environ.get("CALDB", "").strip()):
        chosen, origin = named, "CALDB"
    if chosen is not None and not _ADDRESS.match(str(chosen)):
        root = Path(chosen).expanduser()
        if not root.is_dir():
            raise InputNotFoundError(f"{origin} names {root}, which is no directory.", "correct it, or unset it.")
        return Place(root, "directory")
    return Place(_cache(), "cache", str(chosen).rstrip("/") if chosen is not None else _heasarc())


def _cache() -> Path:
    from xtendsrc.settings import cache_directory

    return cache_directory() / "caldb"


def _heasarc() -> str:
    from xtendsrc.archive.endpoints import Endpoints

    return f"{Endpoints.default().files}/caldb"
