"""Names of sources turned into positions, once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.errors import ArchiveError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord


def resolve(name: str) -> SkyCoord:
    """Give the ICRS position of a name through the CDS name resolver; positions are remembered on disk.

    Parameters
    ----------
    name : str
        A name that SIMBAD, NED or VizieR knows.

    Raises
    ------
    ArchiveError
        If the name is unknown, or the resolver cannot be reached and the name is not remembered.
    """
    from astropy.coordinates import SkyCoord
    from astropy.coordinates.name_resolve import NameResolveError

    store = cache_directory() / "names.json"
    known = _read(store)
    plain = " ".join(name.split()).lower()
    if plain not in known:
        try:
            found = SkyCoord.from_name(name).icrs
        except NameResolveError as error:
            raise ArchiveError(
                f"The name {name!r} could not be resolved: {error}",
                "check its spelling and the network, or give the position as a SkyCoord.",
            ) from error
        known = {**_read(store), plain: (float(found.ra.deg), float(found.dec.deg))}
        _write(store, known)
    ra, dec = known[plain]
    return SkyCoord(ra, dec, unit="deg", frame="icrs")


def cache_directory() -> Path:
    """Give the directory where answers of the archive are remembered (``XTENDSRC_CACHE``, or the user's cache)."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("XTENDSRC_CACHE") or user_cache_path("xtendsrc"))


def _read(store: Path) -> dict[str, tuple[float, float]]:
    try:
        text = store.read_text()
    except FileNotFoundError:
        return {}
    try:
        names: dict[str, tuple[float, float]] = json.loads(text)
    except json.JSONDecodeError:
        store.rename(store.with_suffix(".damaged"))
        return {}
    return names


def _write(store: Path, known: dict[str, tuple[float, float]]) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    part = store.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(known, indent=1))
    part.replace(store)
