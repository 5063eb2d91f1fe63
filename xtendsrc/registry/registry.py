"""The registry of an output directory."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RegistryError
from xtendsrc.registry import adopt, commits, fingerprint, locks, maintenance, productfile, store
from xtendsrc.registry.holdings import Holdings, put
from xtendsrc.registry.layout import Layout, checked_key
from xtendsrc.registry.record import Entry, Record, Status, what_changed
from xtendsrc.registry.session import Session
from xtendsrc.registry.table import as_table
from xtendsrc.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    import numpy as np
    from astropy.table import Table

    from xtendsrc.registry.commits import Commits
    from xtendsrc.registry.fingerprint import Fingerprint
    from xtendsrc.registry.index import Row

log = logging.getLogger("xtendsrc.registry")


class Registry:
    """Every product below an output directory: what it is, what it was made from, and whether it still holds.

    Any number of processes and threads may use it at once, each with its own object or a shared one; it can be
    pickled. Nothing is written until something is committed.

    Parameters
    ----------
    root : path
        Output directory.
    read_only : bool
        Write nothing at all, whatever is found.
    durable : bool
        Whether each commit waits until the disk has it (fsync). Without it products survive a killed process but
        perhaps not a power cut; for benchmarks, and for scratch directories.

    Examples
    --------
    >>> import xtendsrc as xs
    >>> reg = xs.Registry("out")                                  # doctest: +SKIP
    >>> reg.table(kind="image", obs_id="900001010")               # doctest: +SKIP
    >>> reg.verify()                                              # doctest: +SKIP
    """

    def __init__(self, root: str | os.PathLike[str], read_only: bool = False, *, durable: bool = True) -> None:
        self.root = Path(root).absolute()
        if self.root.exists() and not self.root.is_dir():
            raise RegistryError(f"{self.root} is not a directory.", "choose a directory for the products.")
        self.read_only = read_only
        self._closed = self.root.is_dir() and not os.access(self.root, os.W_OK)
        self.durable = durable
        self.lock_kind = locks.lock_kind_for(self.root)
        self.layout = Layout(self.root)
        self._session = Session(self.layout, read_only=read_only or self._closed, durable=durable,
                                lock_kind=self.lock_kind)  # fmt: skip
        self._holdings = Holdings(self.layout, self._session)
        self._session.remake = self._holdings.everything

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "read_only": self.read_only, "durable": self.durable, "lock_kind": self.lock_kind}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # the kind of lock goes along, so that all workers of a batch exclude each other
        with settings(lock=state.pop("lock_kind")):
            self.__init__(**state)  # type: ignore[misc]  # all that an object holds beside these is read from disk

    def __repr__(self) -> str:
        return f"Registry({str(self.root)!r}{', read_only=True' if self.read_only else ''})"

    # --- input files ----------------------------------------------------------------------------------------

    def fingerprint(self, path: str | os.PathLike[str]) -> Fingerprint:
        """Return size, times and SHA-256 of an input file.

        The content is read only if size or times differ from what is remembered; what is found is remembered on disk
        for later sessions, once the file has rested long enough for a further change to show.

        Raises
        ------
        InputNotFoundError, InputFileError
            If the file is not there, is no regular file, or cannot be read.
        """
        place = Path(path).absolute()
        known = self._session.index.fingerprint(str(place))
        if known is not None and fingerprint.look(place) == known.look:
            return known
        taken = fingerprint.take(place)
        if fingerprint.is_settled(taken.mtime_ns):
            operation = {"op": "input", "path": str(place), "fingerprint": list(taken)}
            try:
                self._session.record([operation], durable=False)
            except RegistryError as err:
                log.debug("fingerprint of %s not remembered: %s", place, err)
        return taken

    # --- asking ---------------------------------------------------------------------------------------------

    def entry(self, key: str) -> Entry | None:
        """Return all that is known of a product, or of the last failed attempt to make it; None if nothing is."""
        row, _ = self._holdings.current(key)
        if (failed := self._session.index.row(key, "failed")) is not None:
            found = adopt.details(self.layout, key, failed=True, read_only=self.read_only)
            return found[1] if found is not None else failed.entry()
        if row is None:
            return None
        return self._holdings.entry(row) or row.entry()

    def status(self, key: str, state: str, inputs: Mapping[str, str] | None = None) -> Status:
        """Return whether a product is up to date with its inputs, and the reason if not.

        Parameters
        ----------
        key, state : str
            Of the request, and of its inputs as they are now (`state_of`).
        inputs : mapping, optional
            `state_inputs` as they are now; lets the reason name what changed.
        """
        row, broken = self._holdings.current(key)
        if row is not None and not broken and row.state == state:
            return Status("ready", "")
        failed = self._session.index.row(key, "failed")
        if failed is not None and failed.state == state:
            found = adopt.details(self.layout, key, failed=True, read_only=self.read_only)
            return Status("failed", found[1].reason if found is not None else failed.reason)
        if row is None:
            past = "; an earlier attempt, with other inputs, failed" if failed is not None else ""
            return Status("missing", broken + past)
        if broken:
            return Status("stale" if (self.root / row.path).exists() else "missing", broken)
        entry = self._holdings.entry(row)
        return Status("stale", what_changed(entry.inputs if entry is not None else {}, inputs))

    def path(self, key: str) -> Path:
        """Return the FITS file of a product, its checksums compared on first use in this process.

        Raises
        ------
        RegistryError
            If it is not there, or damaged.
        """
        row = self._usable(key)
        if broken := self._holdings.content(row):
            raise _unusable(key, broken)
        return self.root / row.path

    def stamp(self, key: str) -> tuple[str, int, int]:
        """Return state, size and modification time of a product's file as committed, to notice that it was made anew.

        Raises
        ------
        RegistryError
            If the product is not there, or its file was changed.
        """
        row = self._usable(key)
        return row.state, row.size, row.mtime_ns

    def arrays(self, key: str) -> dict[str, np.ndarray]:
        """Return the arrays stored with a product, by name; empty if there are none (read its file then).

        Raises
        ------
        RegistryError
            If the product is not there, or its file was changed.
        """
        row = self._usable(key)
        path = self.layout.product(key)
        try:
            name, arrays = productfile.read_arrays(path)
        except FileNotFoundError:
            return {}
        except store.DamagedError as err:
            adopt.put_away(path, err, read_only=self.read_only)
            self._holdings.entry(row)
            return {}
        return arrays if name == productfile.sealed_name(row.key, row.state, row.size, row.mtime_ns) else {}

    def _usable(self, key: str) -> Row:
        row, broken = self._holdings.current(key)
        if row is None or broken:
            raise _unusable(key, broken)
        return row

    # --- committing -----------------------------------------------------------------------------------------

    def commit(
        self, record: Record, made: Path, relative: str, arrays: Mapping[str, np.ndarray] | None = None
    ) -> Entry:
        """Take a finished FITS file into the output directory and remember it.

        Parameters
        ----------
        record : Record
            What it is.
        made : Path
            The file, anywhere; it is copied, not changed.
        relative : str
            Where it goes, below the root.
        arrays : mapping, optional
            Its data, for quick reading; arrays of more than a megapixel are left to the file.

        Returns
        -------
        Entry
            When this returns, the product is on disk, and stays there whatever happens to the process.

        Raises
        ------
        RegistryError
            If it cannot be written; nothing is left half done then.
        ProductError
            If the file is not complete FITS.
        """
        self._must_write()
        return commits.commit(self._holdings, record, Path(made), relative, arrays or {})

    def commits(self) -> Commits:
        """Return a ``with`` statement's way to commit products together: durable once for all, not for each."""
        self._must_write()
        return commits.Commits(self._holdings)

    def fail(self, record: Record, reason: str, log: str = "") -> Entry:
        """Remember that a product could not be made, with the reason and what the tasks wrote.

        A product made earlier from other inputs stays where it is.
        """
        self._must_write()
        checked_key(record.key)
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        values = {**record.values(), "log": log or record.log}
        entry = Entry(**values, status="failed", reason=reason, created=created, seq=self._session.next_seq())
        self._holdings.write_details(entry, {})
        self._session.record([put(entry)])
        return entry

    def ask(self, asked: Mapping[str, Iterable[str]]) -> None:
        """Remember which sources asked for products, by key, so that `table` gives a shared one for each of them."""
        if not (self.read_only or self._closed) and (operations := self._session.index.asks(asked)):
            self._session.record(operations, durable=False)

    def fold(self) -> None:
        """Write the index anew with what was committed since; call it at the end of a batch."""
        self._must_write()
        self._holdings.adopt_abandoned()
        self._session.fold()

    def lock(self, key: str, timeout: float | None = None) -> AbstractContextManager[None]:
        """Hold one key against all other threads and processes, so that a product is made once.

        Parameters
        ----------
        key : str
            Key of the product.
        timeout : float, optional
            Seconds to wait; None waits as long as it takes.
        """
        self._must_write()
        return locks.held(self.layout.locks / f"{checked_key(key)}.lock", self.lock_kind, timeout)

    def _must_write(self) -> None:
        if self.read_only:
            raise RegistryError(f"The registry {self.root} was opened read-only.", "open it without read_only=True.")
        if self._closed:
            step = "choose another output directory, or get the permission to write to this one."
            raise RegistryError(f"The output directory {self.root} cannot be written to.", step)

    # --- looking through ------------------------------------------------------------------------------------

    def table(
        self,
        kind: str | None = None,
        source: str | None = None,
        obs_id: str | None = None,
        dataclass: str | None = None,
        status: str | None = None,
    ) -> Table:
        """Return a table with one row for each product, and those columns that describe it.

        Parameters
        ----------
        kind, source, obs_id, dataclass, status : str, optional
            Only rows with this value; a product belongs to every source that asked for it.

        Returns
        -------
        astropy.table.Table
            Columns ``key``, ``state``, ``status`` (``ready`` or ``failed``), ``kind``, ``source``, ``obs_id``,
            ``dataclass``, ``engine``, ``path`` (relative to the root), ``created``, ``reason``, ``datasum``,
            ``size`` (bytes), ``mtime_ns``, ``wall_time`` (s), ``seq``. An unfinished remake leaves the row ``failed``.
        """
        wanted = {"kind": kind, "source": source, "obs_id": obs_id, "dataclass": dataclass, "status": status}
        self._session.refresh()
        self._holdings.adopt_abandoned()
        with self._session.mutex:
            array = self._session.index.array()
        return as_table(array, {name: value for name, value in wanted.items() if value is not None})

    def select(self, **wanted: str) -> list[Entry]:
        """Return the entries of the rows that `table` returns for the same arguments, in the same order."""
        found = (self.entry(str(key)) for key in self.table(**wanted)["key"])
        return [entry for entry in found if entry is not None]

    def verify(self) -> Table:
        """Read everything through, take in products that the index does not know, and list what is wrong.

        Returns
        -------
        astropy.table.Table
            One row a problem: ``key``, ``path``, ``problem`` (``missing``, ``truncated``, ``edited``, ``stale: ...``,
            ``input gone: ...``), ``what to do``. Empty when all is well.
        """
        return maintenance.verify(self, self._holdings)

    def prune(self, *, dry_run: bool = False) -> Table:
        """Clear away what is of no use.

        - The entry of a product whose file is missing goes.
        - A truncated or edited file is renamed to ``<name>.damaged-<date>.<suffix>``; its entry goes.
        - A product whose inputs are there but changed (stale) goes, with its file: it can be made again.
        - ``.part`` files of killed processes, when older than a day, and HDF5 files that were set aside go.

        A product whose inputs are gone stays, as it could not be made again. Failures stay.

        Parameters
        ----------
        dry_run : bool
            Only say what would be done.

        Returns
        -------
        astropy.table.Table
            Columns ``key``, ``path``, ``problem``, ``done``.
        """
        if not dry_run:
            self._must_write()
        return maintenance.prune(self, self._holdings, dry_run=dry_run)

    def rebuild(self) -> Table:
        """Make the index anew from the FITS files, each read through; give the new `table`.

        What does not come from the FITS files is kept from the HDF5 file of each product where that is sound: logs
        and arrays. Damaged FITS files are left out, with a warning in the log.
        """
        self._must_write()
        self._session.replace()
        return self.table()

    def export(self, target: str | os.PathLike[str], **wanted: str) -> Path:
        """Write products, or the table of them, somewhere else.

        Parameters
        ----------
        target : path
            ``*.ecsv``: the table. ``*.zip``: a new archive of the FITS files and the table. Else a directory, where
            the same is copied to.
        **wanted : str
            Which products, as for `table`.

        Raises
        ------
        RegistryError
            If the file exists, or cannot be written.
        """
        return maintenance.export(self, Path(target), self.table(**wanted))

    def remove(self, key: str) -> None:
        """Delete a product, or forget a failure."""
        self._must_write()
        row = self._holdings.row(key)
        if row is not None:
            self._holdings.remove(row)
        else:
            self._holdings.forget(checked_key(key))

    def __len__(self) -> int:
        return len(self.table())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._holdings.row(key) is not None


def _unusable(key: str, broken: str) -> RegistryError:
    return RegistryError(f"The product {key} cannot be used: {broken}.", "make it again.")
