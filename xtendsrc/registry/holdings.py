"""The files behind the index: whether a product's file is still the one that was committed, and writing new ones."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from xtendsrc.errors import RegistryError
from xtendsrc.registry import adopt, files, fitsstamp, productfile
from xtendsrc.registry.index import Row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from xtendsrc.registry.journal import Operation
    from xtendsrc.registry.layout import Layout
    from xtendsrc.registry.record import Entry
    from xtendsrc.registry.session import Session

log = logging.getLogger("xtendsrc.registry")
NEVER_MADE = "it was never made"


def put(entry: Entry) -> Operation:
    """Return the journal line of an entry."""
    return {"op": "put", "row": list(Row.of(entry))}


class Holdings:
    """Products on disk, as one process sees them through its session."""

    def __init__(self, layout: Layout, session: Session) -> None:
        self.layout = layout
        self._root = str(layout.root)
        self.session = session
        self.read_only = session.read_only
        self.durable = session.durable
        self._damaged: dict[tuple[str, int, int], str] = {}
        self._checked: set[tuple[str, int, int]] = set()
        self._swept: set[Path] = set()

    # --- looking -------------------------------------------------------------------------------------------------

    def row(self, key: str) -> Row | None:
        """Return the row of a product, also one that another process committed a moment ago."""
        if (row := self.session.index.row(key)) is not None:
            return row
        index = self.session.refresh()
        if (row := index.row(key)) is not None:
            return row
        if self.layout.product(key).exists():
            found = adopt.details(self.layout, key, read_only=self.read_only)
            if found is not None and (self.layout.root / found[1].path).exists():
                with self.session.mutex:
                    index.apply(put(found[1]))
        elif (intent := index.intents.get(key)) is not None:
            self.adopt(self.layout.root / intent["path"], key)
        return index.row(key)

    def rows(self) -> list[Row]:
        """Return the rows of all products."""
        with self.session.mutex:
            index = self.session.index
            return [row for key in sorted(index.keys()) if (row := index.row(key)) is not None]

    def current(self, key: str) -> tuple[Row | None, str]:
        """Return the row of a product, and what is wrong with its file; nothing is if size and time are as committed.

        A file that differs from the index is read through: if it is whole and carries this key (it was committed by
        a process that was killed, or copied), the index follows the file.
        """
        row = self.row(key)
        if row is None:
            return None, NEVER_MADE
        if self._is_as_committed(row):
            return row, ""
        row = self.session.refresh().row(key)
        if row is None:
            return None, NEVER_MADE
        if self._is_as_committed(row):
            return row, ""
        broken = self.adopt(self.layout.root / row.path, key)
        return self.session.index.row(key), broken

    def adopt(self, path: Path, key: str) -> str:
        """Let the index follow a file found on disk; give what keeps it from doing so."""
        try:
            found = path.stat()
            mark = (key, found.st_size, found.st_mtime_ns)
            if mark in self._damaged:
                return self._damaged[mark]
            entry, known = adopt.from_file(self.layout, path, read_only=self.read_only)
        except FileNotFoundError:
            return f"its file {path.relative_to(self.layout.root)} was deleted"
        except fitsstamp.NotFITSError as err:
            self._damaged[mark] = f"its file {path.relative_to(self.layout.root)} was changed since: {err}"
            return self._damaged[mark]
        if entry.key != key:
            return f"its file {path.relative_to(self.layout.root)} now holds the product {entry.key}"
        log.info("%s found on disk as product %s", entry.path, key)
        self.remember(entry, known)
        return ""

    def remember(self, entry: Entry, known: bool) -> None:
        """Take an entry that was read from a FITS file into the index.

        In this process alone, if the disk will not have it, or if the one who commits it is still at it: that one
        also knows log and arrays.
        """
        with self.session.mutex:
            if (intent := self.session.announced(entry.key)) is not None:
                self.session.index.expect(Row.of(replace(entry, seq=intent["seq"])))
                return
        entry = replace(entry, seq=self.session.next_seq())
        try:
            if not self.read_only and not known:
                self.write_details(entry, self._arrays_of(entry))
            self.session.record([put(entry)])
        except RegistryError as err:
            log.warning("%s was found on disk but could not be entered: %s", entry.path, err)
            with self.session.mutex:
                self.session.index.apply(put(entry))

    def _arrays_of(self, entry: Entry) -> dict[str, np.ndarray]:
        """Arrays stored with an earlier copy of a file, if its content is the same."""
        old = adopt.details(self.layout, entry.key)
        if old is None or (old[1].state, old[1].datasum) != (entry.state, entry.datasum):
            return {}
        return productfile.read_arrays(self.layout.product(entry.key))[1]

    def entry(self, row: Row) -> Entry | None:
        """Return the whole entry of a row, from its HDF5 file, or from the FITS file if that is lost."""
        found = adopt.details(self.layout, row.key, read_only=self.read_only)
        if found is not None and found[1].state == row.state:
            return replace(found[1], path=row.path, size=row.size, mtime_ns=row.mtime_ns, datasum=row.datasum)
        try:
            entry, known = adopt.from_file(self.layout, self.layout.root / row.path, read_only=self.read_only)
        except (FileNotFoundError, fitsstamp.NotFITSError):
            return found[1] if found is not None else None
        if entry.key == row.key:
            self.remember(entry, known)
        return entry

    def content(self, row: Row) -> str:
        """Read a product's file through, once in this process; give what is wrong with it."""
        for _ in range(10):
            mark = (row.key, row.size, row.mtime_ns)
            if mark in self._checked:
                return ""
            broken = self._compare(row)
            now, changed = self.current(row.key)
            if not changed and now is not None and (now.size, now.mtime_ns) != mark[1:]:
                row = now  # another process committed it anew meanwhile
                continue
            if not broken:
                self._checked.add(mark)
            elif not changed:
                self._damaged[mark] = broken
            return broken or changed
        return f"its file {row.path} keeps changing"

    def _compare(self, row: Row) -> str:
        try:
            datasum = fitsstamp.check(self.layout.root / row.path).datasum
        except FileNotFoundError:
            return f"its file {row.path} was deleted"
        except fitsstamp.NotFITSError as err:
            return f"its file {row.path} was changed since: {err}"
        return "" if datasum == row.datasum else f"the data of {row.path} are not those that were committed"

    def _is_as_committed(self, row: Row) -> bool:
        try:
            found = os.stat(f"{self._root}/{row.path}")  # noqa: PTH116  (the cheapest form: asked for every product)
        except FileNotFoundError:
            return False
        mark = (row.key, found.st_size, found.st_mtime_ns)
        return mark[1:] == (row.size, row.mtime_ns) and mark not in self._damaged

    # --- writing -------------------------------------------------------------------------------------------------

    def write_details(self, entry: Entry, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a product's (or failure's) HDF5 file."""
        failed = entry.status == "failed"
        path = self.layout.failure(entry.key) if failed else self.layout.product(entry.key)
        data = productfile.product_bytes(entry, arrays)
        with files.os_errors(f"Writing {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_whole(path, data, durable=self.durable)

    def remove(self, row: Row) -> None:
        """Delete a product: its FITS file first, so that nothing is left that nobody knows of."""
        with files.os_errors(f"Deleting the product {self.layout.root / row.path}"):
            (self.layout.root / row.path).unlink(missing_ok=True)
            self.forget(row.key)

    def forget(self, key: str) -> None:
        """Delete what is remembered of a product or a failure; a FITS file stays where it is."""
        with files.os_errors(f"Deleting what is remembered of {key}"):
            self.layout.product(key).unlink(missing_ok=True)
            self.layout.failure(key).unlink(missing_ok=True)
        self.session.record([{"op": "drop", "key": key, "seq": self.session.next_seq()}])

    def sweep(self, directory: Path) -> None:
        """Delete what killed processes left in a directory more than a day ago; once in this process."""
        if directory in self._swept:
            return
        self._swept.add(directory)
        for path in directory.glob("*.part"):
            if files.is_debris(path):
                log.info("deleting %s, left by a killed process", path)
                path.unlink(missing_ok=True)

    # --- putting right -------------------------------------------------------------------------------------------

    def adopt_abandoned(self) -> None:
        """Adopt what processes renamed into place but were killed before they could tell anybody."""
        for intent in self.session.abandoned():
            path = self.layout.root / intent["path"]
            stamp = fitsstamp.read_stamp(path) if path.exists() else None
            row = self.session.index.row(intent["key"])
            if stamp is not None and stamp.key == intent["key"] and (row is None or not self._is_as_committed(row)):
                self.adopt(path, intent["key"])

    def everything(self, *, thorough: bool = False) -> list[Operation]:
        """Return the journal lines of every product and failure on disk, from the files alone.

        ``thorough`` reads every FITS file through, also those that have the size and time they were committed with.
        """
        found: dict[str, tuple[Entry, bool]] = {}
        for path in adopt.product_files(self.layout.root):
            try:
                entry, known = adopt.from_file(self.layout, path, read_only=self.read_only)
                if thorough and known and (now := fitsstamp.check(path)).datasum != entry.datasum:
                    if now.stamp.mtime_ns == entry.mtime_ns:
                        raise fitsstamp.NotFITSError(f"the data of {path.name} are not those that were committed.")
                    entry, known = adopt.from_file(self.layout, path, read_only=self.read_only)
            except (FileNotFoundError, fitsstamp.NotFITSError) as err:
                log.warning("%s is not taken as a product: %s", path, err)
                continue
            if entry.key not in found or (known and not found[entry.key][1]):
                found[entry.key] = (entry, known)
        if not self.read_only:
            for entry, known in found.values():
                if not known:
                    self.write_details(entry, {})
        return [put(entry) for entry, _ in found.values()] + self._failures()

    def _failures(self) -> list[Operation]:
        lines = []
        for path in sorted(self.layout.journals.parent.glob("*/*.failed.h5")):
            found = adopt.details(
                self.layout, path.name.removesuffix(".failed.h5"), failed=True, read_only=self.read_only
            )
            if found is not None:
                lines.append(put(found[1]))
        return lines
