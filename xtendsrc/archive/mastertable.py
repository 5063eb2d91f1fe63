"""HEASARC's master table of XRISM observations: asked for once, kept on disk, its age known."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import ArchiveError, XtendsrcWarning
from xtendsrc.settings import cache_directory

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.table import Table

    from xtendsrc.archive.endpoints import Endpoints

logger = logging.getLogger(__name__)

KEYWORDS = "xrism"
REQUIRED = ("obsid", "name", "ra", "dec", "time", "exposure", "public_date", "xtd_dataclas1", "xtd_dataclas2", "__row")
OPTIONAL = ("end_time", "duration", "xtd_expo", "status", "subject_category", "xtd_datamode1", "xtd_datamode2")
MAXREC = 1_000_000
UNSET = (0.0, 88068.0)
"""Dates that mean that none was set; the second is 2100-01-01 (HEASARC)."""

TIMEOUT = 60.0
TRIES = 4


def master_table(endpoints: Endpoints, *, offline: bool, max_age: timedelta) -> Table:
    """Return the whole master table, from the disk if it is young enough, else from HEASARC.

    Parameters
    ----------
    endpoints : Endpoints
        Where the archive is.
    offline : bool
        Use what is on disk, whatever its age, and no network.
    max_age : timedelta
        Age up to which the table on disk is used without asking HEASARC.

    Returns
    -------
    astropy.table.Table
        One row an observation; ``meta["fetched"]`` is when it was asked for (UTC, ISO), ``meta["catalog"]`` its name.

    Raises
    ------
    ArchiveError
        If HEASARC cannot be asked and no table is on disk.

    Warns
    -----
    XtendsrcWarning
        If HEASARC cannot be asked and an old table is used instead, naming its age.
    """
    store = _store(endpoints)
    kept = _read(store)
    if kept is not None and (offline or age(kept) <= max_age):
        return kept
    if offline:
        raise ArchiveError(
            f"No table of observations is kept in {store.parent}, and offline=True.",
            "search once with a network; the table is then kept.",
        )
    try:
        table = _ask(endpoints)
    except ArchiveError as error:
        if kept is None:
            raise
        warnings.warn(
            f"{error.what} The table kept from {kept.meta['fetched']} ({told(age(kept))} old) is used instead.",
            XtendsrcWarning,
            stacklevel=3,
        )
        return kept
    _write(store, table)
    return table


def age(table: Table) -> timedelta:
    """Age of a table."""
    return datetime.now(UTC) - datetime.fromisoformat(table.meta["fetched"])


def told(span: timedelta) -> str:
    """Return an age in words: ``3 min``, ``5 h``, ``2 d``."""
    seconds = span.total_seconds()
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} d"


# --- asking HEASARC -------------------------------------------------------------------------------------------------


def heasarc_client(endpoints: Endpoints) -> Any:
    """Return astroquery's client for these endpoints, with timeouts and retries, which it has not by itself."""
    from astroquery.heasarc import HeasarcClass

    client = HeasarcClass()
    client.VO_URL = endpoints.catalogues
    client._set_session(_session())  # astroquery's only way to a session with a timeout
    return client


def _session() -> Any:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    class Patient(HTTPAdapter):
        """Waits for an answer, but not for ever."""

        def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
            options["timeout"] = options.get("timeout") or TIMEOUT
            return super().send(request, **options)

    # queries change nothing, so that POST may be repeated as well
    retries = Retry(TRIES - 1, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None)
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, Patient(max_retries=retries))
    return session


def asking(endpoints: Endpoints, question: Any) -> Any:
    """Query HEASARC, with retries if the answer breaks off; errors of all layers become one.

    Parameters
    ----------
    endpoints : Endpoints
        Where the archive is.
    question : callable
        Called with astroquery's client; may be called again.

    Raises
    ------
    ArchiveError
        If no usable answer came.
    """
    from xml.parsers.expat import ExpatError

    import requests
    from pyvo.dal.exceptions import DALAccessError, DALFormatError
    from urllib3.exceptions import HTTPError

    last: Exception = ArchiveError("nothing was asked")
    for _ in range(TRIES):
        try:
            return question(heasarc_client(endpoints))
        except (DALFormatError, HTTPError, ExpatError) as error:
            last = error  # the answer broke off, or is no VOTable
        except (DALAccessError, requests.RequestException, OSError, ValueError) as error:
            last = error
            break
    raise ArchiveError(
        f"The catalogue service at {endpoints.catalogues} gave no usable answer: {_first_line(last)}",
        "check the network and try again; offline=True uses a table that was kept.",
    ) from last


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _ask(endpoints: Endpoints) -> Table:
    logger.info("asking %s for all XRISM observations", endpoints.catalogues)
    name = asking(endpoints, _catalogue_name)
    try:
        table = asking(endpoints, lambda client: _query(client, name, (*REQUIRED, *OPTIONAL)))
    except ArchiveError as error:
        if "column" not in str(error).lower():
            raise
        logger.info("%s lacks a column: %s; asking for the most needed ones", name, error.what)
        table = asking(endpoints, lambda client: _query(client, name, REQUIRED))
    table.meta = {"catalog": name, "fetched": datetime.now(UTC).isoformat(timespec="seconds")}
    return _tidied(table)


def _catalogue_name(client: Any) -> str:
    """Find the master table by keyword.

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    names = [str(name) for name in client.list_catalogs(master=True, keywords=KEYWORDS)["name"]]
    ours = [n for n in names if n.lower().startswith(KEYWORDS)] or names
    if len(ours) != 1:
        raise ValueError(f"it lists {len(ours)} master tables of XRISM{': ' + ', '.join(ours) if ours else ''}")
    return ours[0]


def _query(client: Any, name: str, columns: tuple[str, ...]) -> Table:
    from astroquery.exceptions import NoResultsWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoResultsWarning)  # an empty table says so itself
        table = client.query_region(catalog=name, spatial="all-sky", columns=",".join(columns), maxrec=MAXREC)
    missing = [c for c in REQUIRED if c not in table.colnames]
    if missing:
        raise ValueError(f"its answer lacks the columns {', '.join(missing)}")
    return table


def _tidied(table: Table) -> Table:
    """Make columns of plain types: text as text, numbers as numbers, dates that were not set masked."""
    import numpy as np
    from astropy.table import MaskedColumn, Table

    tidy = Table(meta=table.meta)
    for name in table.colnames:
        column = MaskedColumn(table[name])
        if column.dtype.kind in "OSU" or name in ("obsid", "__row"):
            values = ["" if value is np.ma.masked or value is None else _text(value) for value in column]
            tidy[name] = MaskedColumn(values, dtype=str, description=column.description)
        else:
            tidy[name] = MaskedColumn(column, dtype=float, description=column.description, unit=column.unit)
    tidy["obsid"] = [value.zfill(9) if value.isdigit() else value for value in tidy["obsid"].tolist()]
    for name in ("time", "end_time", "public_date"):
        if name in tidy.colnames:
            values = tidy[name].filled(0.0)
            tidy[name].mask = ~np.isfinite(values) | np.isin(values, UNSET)
    return tidy


def _text(value: Any) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()


# --- what is kept ---------------------------------------------------------------------------------------------------


def _store(endpoints: Endpoints) -> Path:
    mark = hashlib.sha256(endpoints.catalogues.encode()).hexdigest()[:8]
    return cache_directory() / f"xrism-observations-{mark}.ecsv"


def _read(store: Path) -> Table | None:
    """Read the table that was kept; one that cannot be read is set aside."""
    if not store.is_file():
        return None
    try:
        table = _parsed(str(store), store.stat().st_mtime_ns).copy()
    except (ValueError, KeyError, TypeError, OSError) as error:
        logger.warning("%s is damaged and set aside: %s", store, error)
        store.replace(store.with_suffix(".damaged"))
        return None
    return None if set(REQUIRED) - set(table.colnames) else table


@lru_cache(maxsize=2)
def _parsed(store: str, mtime_ns: int) -> Table:  # the time is part of the key
    from astropy.table import Table

    table = Table.read(store, format="ascii.ecsv")
    datetime.fromisoformat(table.meta["fetched"])
    return _tidied(table)


def _write(store: Path, table: Table) -> None:
    """Keep the table; where it cannot be kept, it is asked for again next time."""
    part = store.with_suffix(f".{os.getpid()}.part")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        table.write(part, format="ascii.ecsv", overwrite=True)
        part.replace(store)
    except OSError as error:
        logger.warning("%s cannot be written: %s", store, error)
