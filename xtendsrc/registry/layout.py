"""Where things are in an output directory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from xtendsrc.errors import RegistryError

HIDDEN = ".registry"
_KEY = re.compile(r"[A-Za-z0-9_-]{8,128}")


@dataclass(frozen=True)
class Layout:
    """Names of the registry's own files below ``root``."""

    root: Path

    @cached_property
    def index(self) -> Path:
        """The index of all products."""
        return self.root / "registry.h5"

    @cached_property
    def journals(self) -> Path:
        """Directory of the journals."""
        return self.root / HIDDEN / "journal"

    @cached_property
    def locks(self) -> Path:
        """Directory of the lock files."""
        return self.root / HIDDEN / "locks"

    def product(self, key: str) -> Path:
        """HDF5 file of a product."""
        return self.root / relative_product(key)

    def failure(self, key: str) -> Path:
        """HDF5 file of a failure."""
        return self.root / HIDDEN / key[:2] / f"{key}.failed.h5"


def relative_product(key: str) -> str:
    """HDF5 file of a product, relative to the root, with forward slashes."""
    return f"{HIDDEN}/{key[:2]}/{key}.h5"


def checked_key(key: str) -> str:
    """Return the key if it can be part of a file name.

    Raises
    ------
    RegistryError
        If it cannot.
    """
    if not _KEY.fullmatch(key):
        raise RegistryError(f"{key!r} cannot be the key of a product.", "give the key of a request.")
    return key


def checked_relative(relative: str) -> str:
    """Return a product's path if it stays below the root and outside the registry's own directory.

    Raises
    ------
    RegistryError
        If it does not.
    """
    path = PurePosixPath(relative)
    if path.is_absolute() or not path.parts or ".." in path.parts or path.parts[0] == HIDDEN or "\0" in relative:
        raise RegistryError(
            f"{relative!r} cannot be the path of a product.", "give a path inside the output directory."
        )
    return path.as_posix()
