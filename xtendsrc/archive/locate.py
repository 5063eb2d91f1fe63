"""Where the files of an observation lie, below the root of every host."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from xtendsrc.archive.layout import OBS_ID
from xtendsrc.archive.mastertable import asking
from xtendsrc.archive.observation_table import ObservationTable
from xtendsrc.errors import ArchiveError, NoObservationsError, RequestError

if TYPE_CHECKING:
    from xtendsrc.archive.endpoints import Endpoints

logger = logging.getLogger(__name__)


def obs_ids_of(table: Any) -> list[str]:
    """Return the ObsIDs of a table, a row, a list or one text, each once.

    Raises
    ------
    RequestError
        If something is not an ObsID.
    NoObservationsError
        If there is none.
    """
    if isinstance(table, ObservationTable):
        given = list(table.obs_ids)
    elif isinstance(table, str):
        given = [table]
    elif hasattr(table, "colnames"):
        if "obsid" not in table.colnames:
            raise RequestError("The table has no column obsid.", "give what xs.archive.search gives.")
        values = table["obsid"]
        given = [values] if isinstance(values, str) else list(values)
    elif hasattr(table, "__iter__"):
        given = [str(item) for item in table]
    else:
        raise RequestError(f"{table!r} names no observations.", 'give ObsIDs as text, e.g. "000128000", or a table.')
    found = list(dict.fromkeys(str(item).strip() for item in given))
    if strange := [item for item in found if not OBS_ID.match(item)]:
        raise RequestError(f"{', '.join(map(repr, strange))}: ObsIDs have nine digits.", "write leading zeros.")
    if not found:
        raise NoObservationsError("There is no observation to download.", "search more widely, or public=None.")
    return found


def locations(table: Any, endpoints: Endpoints) -> dict[str, str]:
    """Return the directory of each observation below the root of the hosts.

    HEASARC's link service is asked where the table allows it; else, or where it has no answer, the place is the
    documented ``xrism/data/obs/<first digit>/<ObsID>`` (XRISM ABC guide).

    Returns
    -------
    dict of str to str
        Directories such as ``xrism/data/obs/0/000128000``, by ObsID.
    """
    usual = {obs_id: f"xrism/data/obs/{obs_id[0]}/{obs_id}" for obs_id in obs_ids_of(table)}
    if not isinstance(table, ObservationTable) or not {"catalog"} <= set(table.table.meta):
        return usual
    try:
        linked = asking(endpoints, lambda client: _linked(client, table))
    except ArchiveError as error:
        logger.info("the usual directories are taken, as %s", error.what)
        return usual
    return usual | {obs_id: path for obs_id, path in linked.items() if obs_id in usual}


def _linked(client: Any, table: ObservationTable) -> dict[str, str]:
    links = client.locate_data(table.table, catalog_name=table.table.meta["catalog"])
    found: dict[str, str] = {}
    for link in links:
        match = re.search(r"FTP/+((?:[A-Za-z0-9_.-]+/+)*(\d{9}))/*$", str(link["access_url"]))
        if match:
            found[match[2]] = re.sub(r"/+", "/", match[1])
    return found
