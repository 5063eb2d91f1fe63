"""What xtdpipeline needs of an ObsID directory, whether or not there are cleaned events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xtendsrc.archive.layout import AUXILIARY_NAMES, EVENT_NAME, OBS_ID
from xtendsrc.errors import InputNotFoundError
from xtendsrc.events.filebytes import encrypted


@dataclass(frozen=True)
class RawFiles:
    """Inputs of the pipeline.

    Attributes
    ----------
    obs_id : str
        The ObsID.
    path : Path
        Its directory.
    events : Path
        The folder with its unfiltered events.
    dataclasses : tuple of str
        Data classes of the unfiltered pointing events.
    auxiliary : dict of str to str
        Attitude, orbit, good times, filter and housekeeping files by role.
    """

    obs_id: str
    path: Path
    events: Path
    dataclasses: tuple[str, ...]
    auxiliary: dict[str, str]


def find_raw(path: str | Path) -> RawFiles:
    """Find the inputs of the pipeline in the directory of an ObsID.

    Raises
    ------
    InputNotFoundError
        If the directory, or its unfiltered events, are not there.
    EncryptedFileError
        If they are there only encrypted.
    """
    top = Path(path).absolute()
    if not top.is_dir():
        raise InputNotFoundError(f"{top}: there is no such directory.", "give the directory of an ObsID.")
    matches = [(p, m) for p in sorted(top.rglob("xa*_uf.evt*")) if (m := EVENT_NAME.match(p.name)) and m["type"] == "p"]
    raw = [(p, m) for p, m in matches if not m["gpg"] and (m["obsid"] == top.name or not OBS_ID.match(top.name))]
    if not raw and matches and matches[0][1]["gpg"]:
        raise encrypted(matches[0][0])
    if not raw:
        raise InputNotFoundError(
            f"{top}: there are no unfiltered events (xtend/event_uf/xa<obsid>xtd_p*_uf.evt[.gz]) to process.",
            'download the observation with what="xtend".',
        )
    first, named = raw[0]
    codes = tuple(dict.fromkeys(m["code"].lower() for p, m in raw if p.parent == first.parent))
    return RawFiles(named["obsid"], top, first.parent, codes, _auxiliary(top, named["obsid"]))


def _auxiliary(top: Path, obs_id: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(top.rglob(f"xa{obs_id}*")):
        for role, pattern in AUXILIARY_NAMES.items():
            match = pattern.match(path.name)
            if match and not match["gpg"]:
                found.setdefault(role, str(path))
    return found
