"""The calibration files of products: which they are, whether they are here, fetched, checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xtendsrc.caldb import fetching
from xtendsrc.caldb.index import Entry, Index, read_index
from xtendsrc.caldb.needs import NEEDS, Situation, roles
from xtendsrc.caldb.place import find_place
from xtendsrc.errors import CalibrationMissingError, RequestError, XtendsrcError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from xtendsrc.archive.remote import Policy

_MEGABYTE = 1e6
_HOW = "run `xtendsrc caldb fetch {products}`, or set CALDB or xtendsrc.settings.caldb to a directory that has them."


@dataclass(frozen=True)
class CalibrationFile:
    """One calibration file of one product.

    Attributes
    ----------
    product, role : str
        What it is for: ``arf`` and ``quantum_efficiency``, for example.
    entry : Entry
        What the index says.
    path : Path
        Where it is, or would be.
    size : int or None
        Bytes: on disk, else as recorded or as the server says; None if nobody knows.
    """

    product: str
    role: str
    entry: Entry
    path: Path
    size: int | None

    @property
    def present(self) -> bool:
        """Whether it is on disk."""
        return self.path.is_file()


def catalogue(situation: Situation | None = None, offline: bool = False, policy: Policy | None = None) -> Index:
    """Return the index of the calibration database; a cache without one fetches it.

    Parameters
    ----------
    situation : Situation, optional
        Telescope and instrument.
    offline : bool
        Do not use the network.
    policy : Policy, optional
        How patient to be.

    Raises
    ------
    CalibrationMissingError
        If there is none and the network may not be used.
    """
    situation, place = situation or Situation(), find_place()
    path = place.path(place.index_name(situation))
    if not path.is_file() and place.kind == "cache" and not offline:
        path = place.path(fetching.bring_index(place, situation, None, policy))
    if not path.is_file():
        raise CalibrationMissingError(
            f"{place.root} has no index of {situation.telescope} {situation.instrument} ({path.name}).",
            _HOW.format(products="rmf arf raytrace"),
        )
    return read_index(path)


def files(
    products: Iterable[str] | str = ("rmf", "raytrace", "arf"),
    situation: Situation | None = None,
    offline: bool = False,
    policy: Policy | None = None,
) -> list[CalibrationFile]:
    """Return the calibration files that products would use, whether they are here or not.

    Parameters
    ----------
    products : iterable of str
        From ``rmf``, ``raytrace``, ``arf``, ``expmap``.
    situation : Situation, optional
        The observation; by default one of now in the full window with charge injection.
    offline : bool
        Do not use the network.
    policy : Policy, optional
        How patient to be.

    Raises
    ------
    CalibrationMissingError
        If the index has no file for a role, or there is no index.
    """
    situation, place = situation or Situation(), find_place()
    index, record, found = catalogue(situation, offline, policy), place.record, []
    for (product, role), codename in roles(_names(products)).items():
        entry = index.one(situation.query(codename), situation.time)
        path = place.path(entry.path)
        size = path.stat().st_size if path.is_file() else record.get(entry.path, {}).get("size")
        found.append(CalibrationFile(product, role, entry, path, size))
    return found


def fetch(
    products: Iterable[str] | str = ("rmf", "raytrace", "arf"),
    situation: Situation | None = None,
    update: bool = False,
    version: str | None = None,
    policy: Policy | None = None,
) -> list[CalibrationFile]:
    """Fetch the calibration files that products would use into the cache.

    Parameters
    ----------
    products : iterable of str
        From ``rmf``, ``raytrace``, ``arf``, ``expmap``.
    situation : Situation, optional
        The observation.
    update : bool
        Fetch the index anew; otherwise the one that is here decides, so that results stay the same.
    version : str, optional
        Pin the index of a date, such as ``20240815``.
    policy : Policy, optional
        How patient to be.

    Returns
    -------
    list of CalibrationFile
        All of them, now on disk.

    Raises
    ------
    RequestError
        If the database is a directory of the user, which is not changed.
    DownloadError
        If a file could not be brought.
    """
    situation, place = situation or Situation(), find_place()
    if place.kind == "directory":
        raise RequestError(
            f"The calibration database is the directory {place.root}, which is not changed.",
            "unset CALDB and xtendsrc.settings.caldb to use the cache.",
        )
    if update or version is not None:
        fetching.bring_index(place, situation, version, policy)
    wanted = files(products, situation, policy=policy)
    fetching.bring(place, dict.fromkeys(file.entry.path for file in wanted), policy)
    return files(products, situation, offline=True)


def require(
    products: Iterable[str] | str,
    situation: Situation | None = None,
    offline: bool = True,
    policy: Policy | None = None,
) -> dict[str, Path]:
    """Return the paths of all calibration files of products, by role.

    Parameters
    ----------
    products : iterable of str
        From ``rmf``, ``raytrace``, ``arf``, ``expmap``.
    situation : Situation, optional
        The observation.
    offline : bool
        Do not use the network; otherwise an index is fetched and missing sizes are asked for.
    policy : Policy, optional
        How patient to be.

    Raises
    ------
    CalibrationMissingError
        If some are not here: their names and how many megabytes they are.
    """
    place, wanted = find_place(), files(products, situation, offline, policy)
    missing = {file.entry.path: file for file in wanted if not file.present}
    if not missing:
        return {file.role: file.path for file in wanted}
    sizes = {path: file.size for path, file in missing.items()}
    if not offline and place.kind == "cache":
        sizes |= {path: remote.size for path, remote in fetching.describe(place, missing, policy).items()}
    volume = _volume(list(sizes.values()))
    raise CalibrationMissingError(
        f"{len(missing)} calibration files are not in {place.root} ({volume}): {', '.join(missing)}.",
        _HOW.format(products=" ".join(_names(products))),
    )


def check(products: Iterable[str] | str = tuple(NEEDS), situation: Situation | None = None) -> list[str]:
    """Compare the calibration files with the index and with what was recorded when they were fetched.

    Returns
    -------
    list of str
        What is wrong: files that are missing, of another size or with other content; empty if nothing.
    """
    place, problems = find_place(), []
    for product in _names(products):
        try:
            wanted = files(product, situation, offline=True)
        except XtendsrcError as err:
            problems.append(f"{product}: {err.what}")
            continue
        problems += [f"{product}: {file.entry.path} is missing" for file in wanted if not file.present]
    for name, noted in place.record.items():
        path = place.path(name)
        if path.is_file() and path.stat().st_size != noted["size"]:
            problems.append(f"{name} has {path.stat().st_size} bytes; {noted['size']} were fetched")
        elif path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != noted["sha256"]:
            problems.append(f"{name} was changed after it was fetched")
    return problems


def version(situation: Situation | None = None) -> str:
    """Return a short text that changes with the index; empty without one."""
    place = find_place()
    path = place.path(place.index_name(situation or Situation()))
    return f"index {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}" if path.is_file() else ""


def _names(products: Iterable[str] | str) -> tuple[str, ...]:
    return (products,) if isinstance(products, str) else tuple(products)


def _volume(sizes: list[int | None]) -> str:
    known = [size for size in sizes if size is not None]
    unknown = len(sizes) - len(known)
    text = f"{sum(known) / _MEGABYTE:.1f} MB"
    return f"{text} and {unknown} of unknown size" if unknown and known else ("size unknown" if unknown else text)
