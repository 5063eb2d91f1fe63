"""AtomDB's tables of plasma emission, brought from AtomDB's own site."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from xtendsrc.archive.remote import NotThereError, Policy
from xtendsrc.errors import DownloadError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RELEASES = "https://hea-www.cfa.harvard.edu/AtomDB/releases"
"""Where AtomDB puts its releases; ``XTENDSRC_ATOMDB_URL`` names a mirror."""
DEFAULT = "3.0.9"
KNOWN = {
    "apec_v3.0.9_line.fits": (52390080, "a8677746ddac5a92087a0f742cb5ff5ea3d1c6fcd29985e9a704b7ead84ec404"),
    "apec_v3.0.9_coco.fits": (51494400, "bbb45bbb4b40717d83aa00bf8a3840c3f2ee90cdc6a6c8f86bc8b4c458ffaf01"),
}
"""Size and SHA-256 of tables."""


def fetch_tables(
    into: Path, version: str = DEFAULT, policy: Policy | None = None, tell: Callable[[int], None] = lambda _: None
) -> list[Path]:
    """Bring the lines and continua of a version of AtomDB, unless they are there.

    The release is one archive, of which these two files are kept. A download that broke off goes on where it stopped.

    Parameters
    ----------
    into : Path
        Directory.
    version : str, optional
        Default is 3.0.9.
    policy : Policy, optional
        How patient to be.
    tell : callable, optional
        Called with the number of bytes that came.

    Returns
    -------
    list of Path
        The two files.

    Raises
    ------
    RequestError
        If the version is not written as numbers and dots.
    DownloadError
        If the release could not be brought, or its files are not those whose SHA-256 is known.
    """
    if not version.replace(".", "").isdigit():
        raise RequestError(f"{version!r} is no version of AtomDB.", f"write it as {DEFAULT}.")
    names = [f"apec_v{version}_{kind}.fits" for kind in ("line", "coco")]
    targets = [into / name for name in names]
    if all(target.is_file() and _problem(target) == "" for target in targets):
        return targets
    release = into / f"atomdb_v{version}.tar.bz2"
    _download(release, policy or Policy(), tell)
    _unpack(release, targets)
    release.unlink()
    return targets


def _download(release: Path, policy: Policy, tell: Callable[[int], None]) -> None:
    from xtendsrc.archive.endpoints import Endpoints
    from xtendsrc.archive.hosts import WebHost
    from xtendsrc.archive.transfer import fetch

    base = os.environ.get("XTENDSRC_ATOMDB_URL") or RELEASES
    host = WebHost(Endpoints.default(), policy, 1)
    try:
        fetch(host, host.head("", f"{base.rstrip('/')}/", release.name), release, policy, tell)
    except NotThereError as missing:
        raise DownloadError(missing.what, "see https://www.atomdb.org for the versions there are.") from missing
    finally:
        host.close()


def _unpack(release: Path, targets: list[Path]) -> None:
    """Put files of an archive in their places in one step each, if they are what they should be."""
    wanted = {target.name: target for target in targets}
    try:
        with tarfile.open(release) as archive:
            for member in archive:
                target = wanted.get(member.name.rsplit("/", 1)[-1])
                if target is None or not member.isfile():
                    continue
                stream = archive.extractfile(member)
                assert stream is not None
                part = target.with_suffix(".part")
                with part.open("wb") as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
                _keep(part, wanted.pop(target.name), release)
    except (tarfile.TarError, EOFError, OSError) as problem:
        if isinstance(problem, DownloadError):
            raise
        release.unlink()
        raise DownloadError(f"{release} cannot be unpacked: {problem}.", "fetch it again.") from problem
    if wanted:
        raise DownloadError(f"{release} has no {' and no '.join(wanted)}.", "take another version.")


def _keep(part: Path, target: Path, release: Path) -> None:
    if problem := _problem(part, target.name):
        part.unlink()
        release.unlink()
        raise DownloadError(f"{target.name} of {release.name} {problem}.", "fetch it again, or take another version.")
    part.replace(target)


def _problem(path: Path, name: str = "") -> str:
    """Return what is wrong with a table, empty if nothing is, or if nothing is known of that version."""
    known = KNOWN.get(name or path.name)
    if known is None:
        return ""
    size, digest = known
    if path.stat().st_size != size:
        return f"has {path.stat().st_size} bytes instead of {size}"
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    return "" if found == digest else f"has the SHA-256 {found[:12]}... instead of {digest[:12]}..."
