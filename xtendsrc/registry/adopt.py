"""Make what the registry knows of a product again from its FITS file."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.errors import RegistryWarning
from xtendsrc.registry import files, fitsstamp, productfile, store
from xtendsrc.registry.layout import HIDDEN, Layout
from xtendsrc.registry.record import SCHEMA, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("xtendsrc.registry")


def product_files(root: Path) -> Iterator[Path]:
    """Find every file below a root that begins as a FITS file does, in order of names."""
    for folder, names, found in os.walk(root):
        names[:] = sorted(n for n in names if n != HIDDEN)
        for name in sorted(found):
            if name.endswith((".part", ".h5")) or files.is_set_aside(name):
                continue
            path = Path(folder, name)
            try:
                with path.open("rb") as f:
                    if f.read(9) == b"SIMPLE  =":
                        yield path
            except OSError as err:
                log.warning("%s could not be read: %s", path, err)


def details(layout: Layout, key: str, *, failed: bool = False, read_only: bool = False) -> tuple[str, Entry] | None:
    """Read a product's HDF5 file: the name in its seal, and the entry; None if it is not there.

    A damaged one is set aside, with a warning, and counts as not there.
    """
    path = layout.failure(key) if failed else layout.product(key)
    try:
        return productfile.read_product(path)
    except FileNotFoundError:
        return None
    except store.DamagedError as err:
        put_away(path, err, read_only=read_only)
        return None


def put_away(path: Path, err: store.DamagedError, *, read_only: bool) -> None:
    """Set a damaged HDF5 file of one product aside, with a warning."""
    where = "It was left where it is, as this registry is read-only"
    if not read_only:
        try:
            where = f"It was set aside as {files.set_aside(path).name}"
        except FileNotFoundError:
            return  # another process was quicker
    warnings.warn(f"{err} {where}; it is made again from the FITS file.", RegistryWarning, stacklevel=2)


def from_file(layout: Layout, path: Path, *, read_only: bool) -> tuple[Entry, bool]:
    """Return the entry of a FITS file that carries our stamp.

    The HDF5 file is believed if it describes this very file (size and time); else the file is read through and its
    checksums compared, as for a file found anywhere.

    Returns
    -------
    (Entry, bool)
        The entry, and whether the HDF5 file has it already.

    Raises
    ------
    NotFITSError
        If it carries no stamp, or is damaged.
    """
    stamp = fitsstamp.read_stamp(path)
    if stamp is None or stamp.schema > SCHEMA:
        raise fitsstamp.NotFITSError(f"{path.name} carries no stamp that this version of xtendsrc knows.")
    relative = path.relative_to(layout.root).as_posix()
    known = details(layout, stamp.key, read_only=read_only)
    if known is not None:
        entry = known[1]
        if (entry.state, entry.size, entry.mtime_ns, entry.path) == (
            stamp.state, stamp.size, stamp.mtime_ns, relative):  # fmt: skip
            return entry, True
    stamp, datasum = fitsstamp.check(path)
    log_of_it = known[1].log if known is not None and known[1].state == stamp.state else ""
    return stamp.entry(path=relative, datasum=datasum, log=log_of_it), False
