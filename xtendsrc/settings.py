"""The only global state of the package: defaults a user may change for the session or for a ``with`` block."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

RunnerName = Literal["auto", "heasoftpy", "direct"]
LockKind = Literal["auto", "native", "soft"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "runner": ("auto", "heasoftpy", "direct"),
    "lock": ("auto", "native", "soft"),
}


@dataclass(frozen=True, kw_only=True)
class SettingValues:
    """One complete set of defaults.

    Attributes
    ----------
    engine : str
        What makes products: ``heasoft``, ``native`` or another (`xtendsrc.engines`); ``auto`` is the first that can.
    runner : {"auto", "heasoftpy", "direct"}
        How HEASoft tasks are called.
    jobs : int or None
        How many products are made at once; None means one a core.
    progress : bool
        Whether a batch shows a progress bar.
    scratch : Path or None
        Where private scratch directories are made; None means the system's temporary directory.
    lock : {"auto", "native", "soft"}
        Kind of file lock; ``soft`` is for file systems without locks (some NFS and Lustre).
    task_timeout : float
        Seconds after which a HEASoft task is stopped.
    caldb : Path, str or None
        Calibration database: a directory (a copy local to the node, say), or the address that the cache is filled
        from; None means ``$CALDB``, else HEASARC.
    atomdb : Path or None
        Directory with AtomDB's tables, or the beginning of their names up to ``_line.fits``; None means those of
        HEASoft, or those brought by ``xtendsrc models fetch``.
    """

    engine: str = "auto"
    runner: RunnerName = "auto"
    jobs: int | None = None
    progress: bool = True
    scratch: Path | None = None
    lock: LockKind = "auto"
    task_timeout: float = 86400.0
    caldb: Path | str | None = None
    atomdb: Path | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise RequestError(f"settings.{name} cannot be {value!r}.", f"choose one of {', '.join(allowed)}.")
        if self.jobs is not None and self.jobs < 1:
            raise RequestError(f"settings.jobs cannot be {self.jobs}.", "give a positive number, or None.")


class Settings:
    """Read and change the session's defaults.

    Examples
    --------
    >>> import xtendsrc as xs
    >>> xs.settings.engine
    'auto'
    >>> with xs.settings(engine="native", progress=False):
    ...     xs.settings.engine
    'native'
    """

    def __init__(self) -> None:
        object.__setattr__(self, "_base", SettingValues())
        object.__setattr__(self, "_local", ContextVar("xtendsrc_settings", default=None))

    @property
    def values(self) -> SettingValues:
        """The settings in force here, as one frozen object."""
        found: SettingValues = self.__dict__["_local"].get() or self.__dict__["_base"]
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.values, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._check([name])
        if (local := self.__dict__["_local"].get()) is not None:
            self.__dict__["_local"].set(replace(local, **{name: value}))
        else:
            self.__dict__["_base"] = replace(self.__dict__["_base"], **{name: value})

    @contextmanager
    def __call__(self, **changes: Any) -> Iterator[SettingValues]:
        """Change settings for a ``with`` block, in this thread or task only."""
        self._check(changes)
        token = self.__dict__["_local"].set(replace(self.values, **changes))
        try:
            yield self.values
        finally:
            self.__dict__["_local"].reset(token)

    def _check(self, names: Any) -> None:
        known = [f.name for f in fields(SettingValues)]
        if unknown := [n for n in names if n not in known]:
            raise RequestError(f"There is no setting {', '.join(unknown)}.", f"known settings: {', '.join(known)}.")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(f.name for f in fields(SettingValues))]

    def __repr__(self) -> str:
        return repr(self.values).replace("SettingValues", "settings", 1)


settings = Settings()


def cache_directory() -> Path:
    """Return where answers of the archive and condensed tables are kept (``XTENDSRC_CACHE``, or the user's cache)."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("XTENDSRC_CACHE") or user_cache_path("xtendsrc"))
