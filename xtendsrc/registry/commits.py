"""Products on their way into the output directory: written, made durable together, and only then told of.

A commit has three steps: FITS and HDF5 file are written beside their places and synchronised to the disk; both are
renamed, after the journal said so; the directories are synchronised, and the journal with the line that counts. The
first step waits for the disk and is done in threads, while the next product is made; the others are done once for all
products that were handed over meanwhile.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  (a type of a field of Written)
from typing import TYPE_CHECKING, NamedTuple, Self

from xtendsrc.errors import RegistryError, XtendsrcError
from xtendsrc.registry import files, fitsstamp, productfile
from xtendsrc.registry.holdings import put
from xtendsrc.registry.layout import checked_key, checked_relative
from xtendsrc.registry.record import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor, Future

    import numpy as np

    from xtendsrc.registry.holdings import Holdings
    from xtendsrc.registry.record import Record

WRITERS = 2
"""Threads that write at once, for each unit of a batch."""
LONGEST = 1.0
"""Seconds of work that a killed process may lose because it was not committed yet."""
MOST = 32
"""Products that are committed together at most; their arrays are in memory until they are written."""


class Written(NamedTuple):
    """A product whose files are complete beside their places."""

    entry: Entry
    fits: Path
    hdf5: Path

    def discard(self) -> None:
        """Delete what was not renamed."""
        self.fits.unlink(missing_ok=True)
        self.hdf5.unlink(missing_ok=True)


def write(holdings: Holdings, entry: Entry, made: Path, arrays: Mapping[str, np.ndarray]) -> Written:
    """Write a stamped copy of ``made`` and the HDF5 file, both under temporary names.

    Raises
    ------
    RegistryError
        If they cannot be written; nothing is left then.
    ProductError
        If ``made`` is not complete FITS.
    """
    final, details = holdings.layout.root / entry.path, holdings.layout.product(entry.key)
    with files.os_errors(f"Writing the product {final}"):
        holdings.sweep(final.parent)
        final.parent.mkdir(parents=True, exist_ok=True)
        details.parent.mkdir(parents=True, exist_ok=True)
        f, part = files.open_part(final)
        try:
            with f:
                datasum = fitsstamp.stamp(made, f, entry)
                f.flush()
                found = files.distinguish(f.fileno(), final)
                if holdings.durable:
                    os.fsync(f.fileno())
            entry = replace(entry, size=found.st_size, mtime_ns=found.st_mtime_ns, datasum=datasum)
            sealed = productfile.product_bytes(entry, arrays)
            return Written(entry, part, files.write_part(details, sealed, durable=holdings.durable))
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def publish(
    holdings: Holdings, products: Sequence[Written], writers: Executor | None = None
) -> list[Entry | RegistryError]:
    """Give written products their names and tell of them; return the entry of each, or why there is none.

    When this returns, all of them are on disk, and stay there whatever happens to the process. With ``writers``,
    directories are synchronised side by side.

    Raises
    ------
    RegistryError
        If the journal or a directory cannot be written: then none of them counts as committed.
    """
    try:
        begun = [{"op": "begin", "key": p.entry.key, "path": p.entry.path, "seq": p.entry.seq} for p in products]
        holdings.session.record(begun, durable=False)
        results = [_renamed(holdings, product) for product in products]
        entries = [result for result in results if isinstance(result, Entry)]
        if holdings.durable:
            _sync_directories(holdings, entries, writers)
        holdings.session.record([put(entry) for entry in entries])
    finally:
        for product in products:
            product.discard()
    return results


def _renamed(holdings: Holdings, product: Written) -> Entry | RegistryError:
    entry = product.entry
    final = holdings.layout.root / entry.path
    try:
        with files.os_errors(f"Writing the product {final}"):
            files.publish(product.fits, final)
            files.publish(product.hdf5, holdings.layout.product(entry.key))
    except RegistryError as error:
        return error
    return entry


def _sync_directories(holdings: Holdings, entries: Sequence[Entry], writers: Executor | None) -> None:
    layout = holdings.layout
    found = sorted({path.parent for e in entries for path in (layout.root / e.path, layout.product(e.key))})
    with files.os_errors(f"Writing the directories of {layout.root}"):
        list((writers.map if writers is not None else map)(files.fsync_directory, found))


def new_entry(holdings: Holdings, record: Record, relative: str) -> Entry:
    """Return the entry of a product that is about to be committed, numbered above all that are known.

    Raises
    ------
    RegistryError
        If the key or the path cannot be those of a product.
    """
    checked_key(record.key)
    relative = checked_relative(relative)
    created = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Entry(**record.values(), path=relative, created=created, seq=holdings.session.next_seq())


def commit(holdings: Holdings, record: Record, made: Path, relative: str, arrays: Mapping[str, np.ndarray]) -> Entry:
    """Commit one product, as `Registry.commit` says."""
    entry = new_entry(holdings, record, relative)
    (result,) = publish(holdings, [write(holdings, entry, made, arrays)])
    if isinstance(result, RegistryError):
        raise result
    return result


class Commits:
    """Products that are written in the background and committed together; use it in a ``with`` statement.

    What was not settled when the statement ends is dropped.

    Parameters
    ----------
    holdings : Holdings
        Of the registry they go to.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="xtendsrc-commit")
        self._pending: list[Future[Written]] = []
        self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writers.shutdown(cancel_futures=True)
        for future in self._pending:
            if not future.cancelled() and future.exception() is None:
                future.result().discard()

    @property
    def due(self) -> bool:
        """Whether what was handed over has waited long enough, or is enough, to be settled."""
        return len(self._pending) >= MOST or (bool(self._pending) and time.monotonic() >= self._due)

    def add(self, record: Record, made: Path, relative: str, arrays: Callable[[], Mapping[str, np.ndarray]]) -> None:
        """Begin to commit a product, as `Registry.commit` does; ``made`` is to stay as it is until `settle`.

        Parameters
        ----------
        record, made, relative
            As for `Registry.commit`.
        arrays : callable
            Gives the product's arrays; called in the thread that writes.
        """
        entry = new_entry(self._holdings, record, relative)
        if not self._pending:
            self._due = time.monotonic() + LONGEST
        self._pending.append(self._writers.submit(lambda: write(self._holdings, entry, made, arrays())))

    def settle(self) -> list[Entry | XtendsrcError | OSError]:
        """Commit what was added since the last call; return the entry of each, in order, or why there is none.

        Raises
        ------
        RegistryError
            If the journal or a directory cannot be written: then none of them counts as committed.
        """
        written = [_result(future) for future in self._pending]
        complete = [one for one in written if isinstance(one, Written)]
        published = iter(publish(self._holdings, complete, self._writers) if complete else ())
        self._pending = []
        return [next(published) if isinstance(one, Written) else one for one in written]


def _result(future: Future[Written]) -> Written | XtendsrcError | OSError:
    try:
        return future.result()
    except (XtendsrcError, OSError) as error:
        return error
