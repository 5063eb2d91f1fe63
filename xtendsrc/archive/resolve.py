"""Names of sources turned into positions, once."""

from __future__ import annotations

import json
import logging
import os
from http.client import HTTPException
from typing import TYPE_CHECKING

from xtendsrc.errors import ArchiveError, RequestError
from xtendsrc.settings import cache_directory

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.coordinates import SkyCoord

logger = logging.getLogger(__name__)


def resolve(name: str, *, offline: bool = False) -> SkyCoord:
    """Return the ICRS position of a name through the CDS name resolver; positions are remembered on disk.

    Parameters
    ----------
    name : str
        A name that SIMBAD, NED or VizieR knows.
    offline : bool
        Use remembered names only.

    Raises
    ------
    RequestError
        If the name is empty.
    ArchiveError
        If the name is unknown, or the resolver cannot be reached and the name is not remembered.
    """
    from astropy.coordinates import SkyCoord

    plain = " ".join(name.split()).lower() if isinstance(name, str) else ""
    if not plain:
        raise RequestError(f"{name!r} is not the name of a target.", "give a name or a SkyCoord.")
    store = cache_directory() / "names.json"
    known = _read(store)
    if plain not in known:
        if offline:
            raise ArchiveError(
                f"The name {name!r} is not remembered, and offline=True.", "give the position as a SkyCoord."
            )
        position = _asked(" ".join(name.split()))
        known = {**_read(store), plain: position}
        _write(store, known)
    ra, dec = known[plain]
    return SkyCoord(ra, dec, unit="deg", frame="icrs")


def _asked(name: str) -> tuple[float, float]:
    from astropy.coordinates import SkyCoord
    from astropy.coordinates.name_resolve import NameResolveError

    try:
        found = SkyCoord.from_name(name).icrs
    except (NameResolveError, OSError, HTTPException) as error:
        if "Unable to find coordinates" in str(error):
            raise ArchiveError(
                f"No source is called {name!r} in SIMBAD, NED or VizieR.",
                "check its spelling, or give the position as a SkyCoord.",
            ) from error
        raise ArchiveError(
            f"The name {name!r} could not be resolved, as the resolver of CDS was not reached: {error}",
            "check the network, or give the position as a SkyCoord.",
        ) from error
    return float(found.ra.deg), float(found.dec.deg)


def _read(store: Path) -> dict[str, tuple[float, float]]:
    """Read the remembered names; a damaged file is set aside."""
    try:
        names = {str(k): (float(ra), float(dec)) for k, (ra, dec) in json.loads(store.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        logger.warning("%s is damaged and set aside: %s", store, error)
        store.replace(store.with_suffix(".damaged"))
        return {}
    return names


def _write(store: Path, known: dict[str, tuple[float, float]]) -> None:
    """Remember names; a cache that cannot be written costs a question, not the answer."""
    part = store.with_suffix(f".{os.getpid()}.part")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known, indent=1))
        part.replace(store)
    except OSError as error:
        logger.warning("%s cannot be written: %s", store, error)
