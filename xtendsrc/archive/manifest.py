"""What was downloaded into an observation's directory, from where, and with which checksums."""

from __future__ import annotations

import json
import logging
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.archive.remote import RemoteFile
    from xtendsrc.archive.transfer import Arrival

logger = logging.getLogger(__name__)

NAME = "manifest.json"


class Manifest:
    """The manifest of one ObsID directory; written anew after every file, in one step.

    Parameters
    ----------
    directory : Path
        The ObsID directory.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self._lock = threading.Lock()
        self._files: dict[str, dict[str, Any]] = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            return dict(json.loads(self.path.read_text())["files"])
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("%s is damaged and made anew: %s", self.path, error)
            return {}

    def changed(self, host: str, file: RemoteFile) -> bool:
        """Whether the host has another version of a file than the one noted here."""
        noted = self._files.get(file.path)
        if not isinstance(noted, dict) or noted.get("host") != host or noted.get("address") != file.address:
            return False
        return any(noted.get(name) and getattr(file, name) != noted[name] for name in ("etag", "modified"))

    def note(self, host: str, file: RemoteFile, arrival: Arrival) -> None:
        """Note a file that came."""
        with self._lock:
            self._files[file.path] = {
                "size": file.size,
                "sha256": arrival.sha256,
                "md5": file.md5,
                "checked": list(arrival.checks),
                "host": host,
                "address": file.address,
                "etag": file.etag,
                "modified": file.modified,
                "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            self._write()

    def _write(self) -> None:
        from xtendsrc import __version__

        content = {"xtendsrc": __version__, "files": dict(sorted(self._files.items()))}
        part = self.path.with_name(f"{NAME}.{os.getpid()}.part")
        part.write_text(json.dumps(content, indent=1))
        part.replace(self.path)
