"""Tar archives of observations, unpacked without a byte outside the target directory."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.archive.downloadreport import human
from xtendsrc.archive.remote import safe_path
from xtendsrc.errors import ArchiveError, InputNotFoundError, TruncatedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_OBSERVATION = re.compile(r"(?:^|/)(\d{9}/.+)$")


def unpack(path: str | Path, into: str | Path) -> list[Path]:
    """Unpack a tar archive of observations, as HEASARC's tar service packs them.

    Whatever directories precede it, ``<ObsID>/...`` comes to ``<into>/<ObsID>/...``. Everything is unpacked beside the
    target first and moved file by file when all of it is there, so that an archive that is refused or breaks off
    leaves nothing behind.

    Parameters
    ----------
    path : str or Path
        The archive, compressed or not.
    into : str or Path
        Archive directory.

    Returns
    -------
    list of Path
        The ObsID directories that files came to.

    Raises
    ------
    InputNotFoundError
        If there is no such archive.
    ArchiveError
        If it holds something that is not a plain file or directory of an observation: links, devices, absolute names,
        names with ``..``; nothing is unpacked.
    TruncatedFileError
        If it ends before its content does, or is no tar archive.
    """
    source, top = Path(path), Path(into).absolute()
    if not source.is_file():
        raise InputNotFoundError(f"{source}: there is no such archive.", "check the path.")
    top.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=top) as folder:
        place = Path(folder)
        try:
            with tarfile.open(source) as archive:
                checked = (_checked(m, source) for m in archive)
                members = [m for m in checked if m is not None]
                _check_space(source, members, top)
                found = list(dict.fromkeys(_extract(archive, members, place)))
        except ArchiveError:
            raise
        except (tarfile.TarError, EOFError, OSError) as error:
            if isinstance(error, tarfile.FilterError):
                raise ArchiveError(f"{source} is refused: {error}.", "report it; nothing was unpacked.") from error
            raise TruncatedFileError(f"{source} cannot be unpacked: {error}.", "download it again.") from error
        return _move(place, top, found)


def _checked(member: tarfile.TarInfo, source: Path) -> tarfile.TarInfo | None:
    """Return a member with its name below the archive directory; None for directories.

    Raises
    ------
    ArchiveError
        If it is neither a plain file nor a directory, or its name leads elsewhere.
    """
    name = member.name.removeprefix("./")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or not (member.isreg() or member.isdir()):
        kind = "a link or a device" if not (member.isreg() or member.isdir()) else "a name that leads elsewhere"
        raise ArchiveError(f"{source} is refused: {member.name!r} is {kind}.", "report it; nothing was unpacked.")
    if member.isdir():
        return None
    match = IN_OBSERVATION.search(name)
    if match is None:
        raise ArchiveError(
            f"{source} is refused: {member.name!r} belongs to no ObsID.", "unpack it by hand if you trust it."
        )
    return member.replace(name=safe_path(match[1]), deep=False)


def _check_space(source: Path, members: list[tarfile.TarInfo], top: Path) -> None:
    free, size = shutil.disk_usage(top).free, sum(m.size for m in members)
    if size > free:
        raise ArchiveError(f"{source} holds {human(size)}, and {top} has {human(free)} free.", "make room.")


def _extract(archive: tarfile.TarFile, members: list[tarfile.TarInfo], place: Path) -> Iterator[str]:
    for member in members:
        safe = tarfile.data_filter(member, str(place))
        archive.extract(safe, place, filter="data")
        if (place / safe.name).stat().st_size != member.size:
            raise tarfile.ReadError(f"{member.name} ends before its content does")
        yield safe.name


def _move(place: Path, top: Path, names: list[str]) -> list[Path]:
    for name in names:
        target = top / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(top.resolve()):
            raise ArchiveError(f"{target.parent} is a link that leads elsewhere.", "remove it.")
        if target.is_dir():
            raise ArchiveError(f"{target} is a directory; the archive has a file there.", "remove it.")
        os.replace(place / name, target)  # noqa: PTH105  - one step, also over an existing file
    return [top / obs_id for obs_id in sorted({n.split("/")[0] for n in names})]
