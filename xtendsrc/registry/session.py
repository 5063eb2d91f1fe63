"""What one process sees of a registry on disk: the last index with the journals since, kept up to date."""

from __future__ import annotations

import logging
import threading
import warnings
from typing import TYPE_CHECKING

from xtendsrc.errors import RegistryWarning
from xtendsrc.registry import files, journal, locks
from xtendsrc.registry.index import Index
from xtendsrc.registry.store import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xtendsrc.registry.journal import Found, Lines, Operation
    from xtendsrc.registry.layout import Layout

log = logging.getLogger("xtendsrc.registry")


class Session:
    """Index and journals of one registry, as this process sees them.

    ``remake`` gives all operations that make the index anew from the products, after damage.

    Parameters
    ----------
    layout : Layout
        Where the files are.
    read_only, durable, lock_kind
        As for `Registry`.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        read_only: bool,
        durable: bool,
        lock_kind: locks.LockName,
    ) -> None:
        self.layout = layout
        self.read_only = read_only
        self.durable = durable
        self.lock_kind: locks.LockName = lock_kind
        self.mutex = threading.RLock()
        self.remake: Callable[..., list[Operation]] = lambda **_: []
        self._journal = journal.Journal(layout.journals, durable=durable)
        self._signature: tuple[int, int, int] | None = None
        self._reader = journal.Reader(layout.journals)
        self._index: Index | None = None
        self._origin: dict[str, Found] = {}

    @property
    def index(self) -> Index:
        """The index as last read; read now if it never was."""
        with self.mutex:
            if self._index is None:
                self._load()
            assert self._index is not None
            return self._index

    def refresh(self) -> Index:
        """Return the index with everything that other processes committed until now."""
        with self.mutex:
            index = self.index
            self._apply(index, self._reader.new())
            # looked at last: a journal that went away meanwhile was folded into a newer index
            if _signature(self.layout.index) != self._signature:
                self._load()
            return self.index

    def record(self, operations: list[Operation], *, durable: bool = True) -> None:
        """Write operations to this process's journal and apply them here."""
        if not self.read_only:
            with files.os_errors(f"Writing the journal in {self.layout.journals}"):
                self._journal.append(operations, durable=durable)
        with self.mutex:
            for operation in operations:
                self.index.apply(operation)

    def next_seq(self) -> int:
        """Number the next operation, above all that are known; a count, never a clock."""
        with self.mutex:
            index = self.refresh()
            index.seq += 1
            return index.seq

    def _load(self) -> None:
        for _ in range(20):
            # journals first: one that is folded between the two readings is in the index that is read after it
            reader = journal.Reader(self.layout.journals)
            found = reader.new()
            signature = _signature(self.layout.index)
            try:
                index = Index.read(self.layout.index)
            except DamagedError as err:
                index = self._repair(err)
                signature = _signature(self.layout.index)
            if signature is None and not _tells_of_products(found):
                self._remake_into(index)
            self._apply(index, found)
            self._reader, self._index, self._signature = reader, index, signature
            if _signature(self.layout.index) == signature:
                break

    def _apply(self, index: Index, found: list[tuple[Found, Lines]]) -> None:
        for one, lines in found:
            self._apply_lines(index, one.path, lines)
            self._origin |= {op["key"]: one for op in lines.operations if op["op"] == "begin"}

    def _apply_lines(self, index: Index, path: Path, lines: Lines) -> None:
        operations = lines.operations
        if lines.torn:
            log.warning("%s has a damaged line; what it may have said is looked for on disk", path)
            operations = operations + self.remake()
        for operation in operations:
            index.apply(operation)

    def abandoned(self) -> list[Operation]:
        """Return the renames that processes had announced, and not confirmed when they ended."""
        with self.mutex:
            intents = list(self.index.intents.items())
            return [op for key, op in intents if key in self._origin and journal.writer_is_gone(self._origin[key])]

    def announced(self, key: str) -> Operation | None:
        """Return the rename that a living process announced and has not confirmed yet, if there is one."""
        with self.mutex:
            gone = key in self._origin and journal.writer_is_gone(self._origin[key])
            return None if gone else self.index.intents.get(key)

    def _repair(self, err: DamagedError) -> Index:
        """Set a damaged index aside and make it again from the products.

        What is found goes through the journal like any commit, so that nothing is lost that others commit meanwhile.
        """
        index = Index()
        where = "it was left where it is, as this registry cannot write"
        if not self.read_only:
            try:
                return Index.read(self.layout.index)  # another process was quicker
            except DamagedError:
                with files.os_errors(f"Setting {self.layout.index} aside"):
                    where = f"it was set aside as {files.set_aside(self.layout.index).name}"
        warnings.warn(f"{err} The index was made again from the products; {where}.", RegistryWarning, stacklevel=2)
        self._remake_into(index)
        return index

    def _remake_into(self, index: Index) -> None:
        """Find every product on disk, as after damage, or where only the products themselves were copied to."""
        operations = self.remake()
        for operation in operations:
            index.apply(operation)
        if operations and not self.read_only:
            try:
                self._journal.append(operations)
            except OSError as full:
                log.warning("the index that was made again could not be written: %s", full)

    def fold(self) -> int:
        """Write the index anew with what the journals of this process and of ended ones hold; give their number."""
        with locks.held(self.layout.locks / "registry.lock", self.lock_kind), self.mutex:
            self.refresh()
            with files.os_errors(f"Folding the journals into {self.layout.index}"):
                if taken := self._take():
                    self._replace(self._merged(taken), taken)
            self._load()
            return len(taken)

    def replace(self) -> None:
        """Write the index anew from the files alone; input files that are remembered stay so."""
        with locks.held(self.layout.locks / "registry.lock", self.lock_kind):
            start = self.next_seq()
            operations = self.remake(thorough=True)
            with self.mutex, files.os_errors(f"Writing {self.layout.index}"):
                new = Index()
                new.inherit(self.refresh())
                taken = self._take()
                # what was committed while the files were read
                later = [
                    op for path in taken for op in journal.decode(path.read_bytes()).operations if _seq(op) > start
                ]
                for operation in operations + later:
                    new.apply(operation)
                self.layout.root.mkdir(parents=True, exist_ok=True)
                self._replace(new, taken)
                self._load()

    def _take(self) -> list[Path]:
        """Take the journals of this process and of ended ones."""
        ours = self._journal.path
        finished = [f for f in journal.find(self.layout.journals) if f.path == ours or journal.writer_is_gone(f)]
        return [path for f in finished if (path := journal.take(f)) is not None]

    def _replace(self, index: Index, taken: list[Path]) -> None:
        files.write_whole(self.layout.index, index.sealed_bytes(), durable=self.durable)
        ours = self._journal.path.name
        going_on = [
            op for key, op in index.intents.items() if key in self._origin and self._origin[key].path.name == ours
        ]
        if going_on:
            self._journal.append(going_on)
        for path in taken:
            path.unlink(missing_ok=True)

    def _merged(self, taken: list[Path]) -> Index:
        try:
            index = Index.read(self.layout.index)
        except DamagedError as err:
            index = self._repair(err)
        for path in taken:
            self._apply_lines(index, path, journal.decode(path.read_bytes()))
        return index


def _seq(operation: Operation) -> int:
    return int(operation["row"][-1] if operation["op"] == "put" else operation.get("seq", 0))


def _tells_of_products(found: list[tuple[Found, Lines]]) -> bool:
    return any(operation["op"] != "input" for _, lines in found for operation in lines.operations)


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
