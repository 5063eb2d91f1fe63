"""Files of the calibration database from the network into the cache: resumed, compared, recorded."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from xtendsrc.archive.remote import NotThereError, Policy, RemoteFile, safe_path
from xtendsrc.caldb.place import CONFIG, RECORD
from xtendsrc.errors import ArchiveError, CalibrationMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xtendsrc.archive.hosts import WebHost
    from xtendsrc.caldb.needs import Situation
    from xtendsrc.caldb.place import Place

_JOBS = 4
log = logging.getLogger("xtendsrc.caldb")


def _host(place: Place, policy: Policy) -> WebHost:
    from xtendsrc.archive.endpoints import Endpoints
    from xtendsrc.archive.hosts import WebHost

    return WebHost(Endpoints(heasarc=place.remote), policy, _JOBS)


def describe(place: Place, names: Iterable[str], policy: Policy | None = None) -> dict[str, RemoteFile]:
    """Ask the server for the size and version of files.

    Raises
    ------
    CalibrationMissingError
        If the server does not have one of them.
    ArchiveError
        If it cannot be reached.
    """
    policy = policy or Policy()
    host = _host(place, policy)
    try:
        return {name: _described(host, place, name) for name in names}
    finally:
        host.close()


def _described(host: WebHost, place: Place, name: str) -> RemoteFile:
    try:
        return host.head("caldb", f"{place.remote}/", safe_path(name))
    except NotThereError as err:
        raise CalibrationMissingError(
            f"{place.remote}/{name} is not there, although the index names it.", "fetch the index again (--update)."
        ) from err


def bring(place: Place, names: Iterable[str], policy: Policy | None = None) -> list[str]:
    """Fetch files into the cache and record them; those that are recorded and whole stay as they are.

    Parameters
    ----------
    place : Place
        A cache.
    names : iterable of str
        Paths below the root.
    policy : Policy, optional
        How patient to be.

    Returns
    -------
    list of str
        The paths that were brought.

    Raises
    ------
    DownloadError
        If a file could not be brought; what came of it stays for the next attempt.
    """
    from filelock import FileLock

    from xtendsrc.archive import transfer

    policy = policy or Policy()
    place.root.mkdir(parents=True, exist_ok=True)
    host, brought = _host(place, policy), []
    try:
        with FileLock(place.root / ".lock"):
            for name in names:
                if is_whole(place, name):
                    continue
                remote = _described(host, place, name)
                arrival = transfer.fetch(host, remote, place.path(name), policy, lambda _: None)
                _note(place, name, remote, arrival.sha256)
                brought.append(name)
    finally:
        host.close()
    return brought


def bring_index(place: Place, situation: Situation, version: str | None, policy: Policy | None = None) -> str:
    """Fetch the index of an instrument (and what HEASoft needs beside it); return its path below the root.

    Parameters
    ----------
    place : Place
        A cache.
    situation : Situation
        Telescope and instrument.
    version : str or None
        The date in the name of an older index, such as ``20240815``; the present one if None.
    policy : Policy, optional
        How patient to be.
    """
    forget(place, [CONFIG])
    try:
        bring(place, [CONFIG], policy)
    except CalibrationMissingError:
        log.info("%s has no %s: the usual names are used.", place.remote, CONFIG)
    name = place.index_name(situation)
    source = name if version is None else f"{name.rpartition('/')[0]}/index/caldb.indx{version}"
    forget(place, [source])
    bring(place, [source], policy)
    if source != name:
        part = place.path(name + ".part")
        part.write_bytes(place.path(source).read_bytes())
        part.replace(place.path(name))
        _store(place, place.record | {name: place.record[source]})
    return name


def is_whole(place: Place, name: str) -> bool:
    """Whether a file is recorded and on disk with the recorded size."""
    noted, path = place.record.get(name), place.path(name)
    return noted is not None and path.is_file() and path.stat().st_size == noted["size"]


def forget(place: Place, names: Iterable[str]) -> None:
    """Take files out of the record, so that they are fetched anew."""
    _store(place, {name: noted for name, noted in place.record.items() if name not in set(names)})


def _note(place: Place, name: str, remote: RemoteFile, sha256: str) -> None:
    noted = {
        "address": remote.address,
        "size": remote.size,
        "sha256": sha256,
        "modified": remote.modified,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _store(place, place.record | {name: noted})


def _store(place: Place, files: dict[str, dict[str, Any]]) -> None:
    path = place.path(RECORD)
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"remote": place.remote, "files": files}, indent=1), encoding="utf-8")
        part.replace(path)
    except OSError as err:
        raise ArchiveError(f"{path} cannot be written: {err}.", "check the cache directory (XTENDSRC_CACHE).") from err
