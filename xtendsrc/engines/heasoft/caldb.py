"""Where the calibration database is, and which release of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

REMOTE = "https://nasa-heasarc.s3.amazonaws.com/caldb"
"""The public copy that HEASoft 6.35 and later read over the network (HEASARC tutorial for Xtend)."""

_INSTRUMENT = ("XRISM", "XTEND")
_USUAL_INDEX = "data/xrism/xtend/caldb.indx"


@dataclass(frozen=True)
class Caldb:
    """The calibration database seen by the tasks.

    Attributes
    ----------
    kind : {"local", "remote", "none"}
        A directory, an address, or nothing.
    location : str
        The value of ``CALDB``.
    config : str
        The value of ``CALDBCONFIG`` (or the usual place inside a local database); empty when there is none.
    index : str
        The index of XRISM-Xtend; empty when it was not found.
    problem : str
        Why it cannot be used; empty when it can.
    """

    kind: Literal["local", "remote", "none"]
    location: str = ""
    config: str = ""
    index: str = ""
    problem: str = ""

    @property
    def usable(self) -> bool:
        """Whether calibrated products can be asked for."""
        return not self.problem

    @property
    def version(self) -> str:
        """A short text that changes with the release: the date in the name of the index, or a hash of it."""
        if self.kind == "local" and self.index:
            target = Path(self.index).resolve()
            stamp = re.search(r"(\d{8})", target.name)
            return f"xtend {stamp[1]}" if stamp else f"xtend {_digest(str(target), target.stat().st_mtime_ns)}"
        return f"remote {self.location}" if self.kind == "remote" else ""


@lru_cache(maxsize=16)
def _digest(path: str, mtime_ns: int) -> str:  # the time is part of the key
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def find_caldb(environment: Mapping[str, str]) -> Caldb:
    """Look for the calibration database named by ``CALDB`` and ``CALDBCONFIG``."""
    location = environment.get("CALDB", "").strip()
    config = environment.get("CALDBCONFIG", "").strip()
    if not location:
        return Caldb("none", problem="CALDB is not set")
    if re.match(r"(https?|ftp)://", location):
        problem = "" if config and Path(config).is_file() else "CALDBCONFIG does not name a local caldb.config file"
        return Caldb("remote", location, config, _index_from(config, location), problem)
    root = Path(location)
    if not root.is_dir():
        return Caldb("local", location, config, problem=f"CALDB={location} is not a directory")
    config = config or str(root / "software/tools/caldb.config")
    if not Path(config).is_file():
        return Caldb("local", location, config, problem=f"there is no configuration file {config}")
    index = _index_from(config, location)
    if not index or not Path(index).is_file():
        return Caldb("local", location, config, problem="it has no index of XRISM-Xtend")
    return Caldb("local", location, config, index)


def _index_from(config: str, location: str) -> str:
    """The index file of Xtend named in a ``caldb.config``: mission, instrument, variable, directory, file, ..."""
    path = Path(config) if config else None
    if path is not None and path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split()
            if len(words) >= 5 and tuple(w.upper() for w in words[:2]) == _INSTRUMENT:
                return f"{location.rstrip('/')}/{words[3]}/{words[4]}"
    usual = f"{location.rstrip('/')}/{_USUAL_INDEX}"
    return usual if "://" not in location and Path(usual).is_file() else ""
