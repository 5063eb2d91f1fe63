"""Where the files of an ObsID are: discovered by the patterns of their names, in the archive's tree or a flat folder.

The archive's tree is ``<obsid>/{auxil,xtend/{event_uf,event_cl,hk,products},log,resolve}``, gzipped; a local run of
the task ``xtdpipeline`` leaves the same names, not gzipped, in one folder. Event files are called
``xa<obsid>xtd_<p|s><split><dataclass>_<uf|cl>.evt``: ``p`` is the pointing, ``s`` the slew before it; split 0 is the
whole file, 1..9 are the pieces of one cut because of its size (XRISM ABC guide; Hitomi ``sxipipeline`` for the names
that the guide leaves out).
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.errors import InputNotFoundError, NoObservationsError
from xtendsrc.events.filebytes import encrypted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

logger = logging.getLogger(__name__)

PACKED = r"(?P<gz>\.gz)?(?P<gpg>\.(gpg|pgp))?$"
EVENT_NAME = re.compile(
    r"^xa(?P<obsid>\d{9})xtd_(?P<type>[psa])(?P<split>\d)(?P<code>[0-9a-fA-F]{8})"
    r"(?P<level>_uf|_cl\w*)?\.(?P<ext>evt|bimg|fpix)" + PACKED
)
AUXILIARY_NAMES = {
    "att": re.compile(r"^xa(?P<obsid>\d{9})\.att" + PACKED),
    "orb": re.compile(r"^xa(?P<obsid>\d{9})\.orb" + PACKED),
    "ehk": re.compile(r"^xa(?P<obsid>\d{9})\.ehk" + PACKED),
    "mkf": re.compile(r"^xa(?P<obsid>\d{9})\.mkf" + PACKED),
    "gen_gti": re.compile(r"^xa(?P<obsid>\d{9})_gen\.gti" + PACKED),
    "hk": re.compile(r"^xa(?P<obsid>\d{9})xtd_a0\.hk\d?" + PACKED),
}
ROLES = ("events", "uf_events", "bimg", "fpix")
CLEANED = "cl"
"""What cleaned event files of the archive are called before ``.evt``."""
OBS_ID = re.compile(r"^\d{9}$")
NOT_XTEND = {"resolve", "log", "products"}
DEPTH = 4


@dataclass(frozen=True)
class DataClassFiles:
    """Files of one data class; what is not there is empty.

    Attributes
    ----------
    code : str
        Data class, eight characters.
    events, uf_events : tuple of Path
        Cleaned and unfiltered event file, or the pieces of split ones in the order of their counters.
    bimg : tuple of Path
        Bad-pixel image.
    fpix : tuple of Path
        Flickering pixels.
    own : bool
        Whether these come from the user's own processing rather than from the archive.
    missing : tuple of int
        Counters of pieces of a split event file that are not there, or only encrypted.
    """

    code: str
    events: tuple[Path, ...] = ()
    uf_events: tuple[Path, ...] = ()
    bimg: tuple[Path, ...] = ()
    fpix: tuple[Path, ...] = ()
    own: bool = False
    missing: tuple[int, ...] = ()


@dataclass(frozen=True)
class ObservationFiles:
    """Everything of one ObsID that was found on disk.

    Attributes
    ----------
    obs_id : str
        The ObsID, nine digits.
    path : Path
        Its directory, absolute.
    auxiliary : mapping of str to tuple of Path
        Files shared by all data classes, by role: ``att``, ``orb``, ``ehk``, ``mkf``, ``gen_gti``, ``hk``.
    dataclasses : mapping of str to DataClassFiles
        Data classes with a readable cleaned event file, by code.
    encrypted : tuple of Path
        Files that are there only in encrypted form.
    notes : tuple of str
        Oddities met on the way: pieces missing, files of other observations, two copies of one file.
    """

    obs_id: str
    path: Path
    auxiliary: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    dataclasses: Mapping[str, DataClassFiles] = field(default_factory=dict)
    encrypted: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def roles(self, code: str) -> dict[str, tuple[str, ...]]:
        """Input files of one data class by role, as absolute path strings; roles without a file are absent.

        Raises
        ------
        InputNotFoundError
            If pieces of a split event file are missing: products of the others alone would have wrong exposures.
        """
        files = self.dataclasses[code]
        if files.missing:
            pieces = ", ".join(map(str, files.missing))
            raise InputNotFoundError(
                f"{files.events[0]}: piece {pieces} of this split event file is missing or encrypted.",
                "download the whole xtend/event_cl folder again, or decrypt it.",
            )
        found = {role: getattr(files, role) for role in ("events", "uf_events", "bimg", "fpix")} | dict(self.auxiliary)
        return {role: tuple(str(p) for p in paths) for role, paths in found.items() if paths}


@dataclass(frozen=True)
class _Named:
    """A file whose name was understood."""

    path: Path
    obs_id: str
    role: str
    code: str
    split: int
    packed: bool
    encrypted: bool
    level: str = ""
    is_file: bool = True

    @property
    def trouble(self) -> str:
        """Why the file cannot be opened, in words; empty if it is a regular file."""
        if self.is_file:
            return ""
        if self.path.is_symlink() and not self.path.exists():
            return f"is a link to {self.path.readlink()}, which is not there"
        return "is no regular file"


def discover(path: str | Path, output: str | Path | None = None, events: str = CLEANED) -> ObservationFiles:
    """Find the files of one observation.

    Parameters
    ----------
    path : str or pathlib.Path
        Directory of the ObsID: the archive's tree, or one folder with the files of a local pipeline run.
    output : str or pathlib.Path, optional
        Output directory; event files of the user's own processing under ``<output>/<obsid>`` are preferred to the
        archive's, a whole data class at a time.
    events : str, optional
        Which cleaned event files are taken: what their names have before ``.evt``, with ``*`` and ``?`` as in file
        names. ``cl_xpc*`` takes those of a reprocessing that are called ``xa<obsid>xtd_p0300000a0_cl_xpc0.evt``.

    Returns
    -------
    ObservationFiles
        What was found.

    Raises
    ------
    InputNotFoundError
        If the directory does not exist.
    EncryptedFileError
        If its event files are there only encrypted.
    NoObservationsError
        If it holds no cleaned Xtend event file, or those of several ObsIDs.
    """
    directory = Path(path).absolute()
    if not directory.is_dir():
        raise InputNotFoundError(f"{directory}: there is no such directory.", "give the directory of an ObsID.")
    named = list(_named(directory))
    obs_id = _obs_id(directory, named)
    notes = [f"{n.path} belongs to ObsID {n.obs_id} and is left out" for n in named if n.obs_id != obs_id]
    named = _of_level([n for n in named if n.obs_id == obs_id], events, notes)
    own = _of_level(_own(output, obs_id, directory), events, notes)
    dataclasses, secret = _dataclasses(named, own, notes)
    if not dataclasses:
        raise _nothing(directory, secret, events, notes)
    auxiliary = {}
    for role in AUXILIARY_NAMES:
        files = [n for n in named if n.role == role]
        if chosen := _readable(files, secret, notes):
            auxiliary[role] = chosen[:1]
    return ObservationFiles(
        obs_id,
        directory,
        auxiliary,
        dataclasses,
        tuple(sorted(secret)),
        tuple(notes),
    )


def _of_level(named: list[_Named], events: str, notes: list[str]) -> list[_Named]:
    """Leave out cleaned event files of another name than asked for."""
    kept = []
    for n in named:
        if n.role != "events" or fnmatchcase(n.level, events):
            kept.append(n)
        else:
            notes.append(f"{n.path} is left out; events={n.level!r} would take it")
    return kept


def find_observations(root: str | Path) -> list[Path]:
    """Directories of ObsIDs below an archive folder.

    Parameters
    ----------
    root : str or pathlib.Path
        A folder of ObsID directories, nested trees such as ``obs/<digit>/<obsid>`` included, or one ObsID directory.

    Returns
    -------
    list of pathlib.Path
        Absolute paths, sorted by ObsID; empty if there are none.

    Raises
    ------
    InputNotFoundError
        If the folder does not exist.
    """
    top = Path(root).absolute()
    if not top.is_dir():
        raise InputNotFoundError(f"{top}: there is no such directory.", "give the folder that holds the ObsIDs.")
    if _is_observation(top):
        return [top]
    found = []
    for folder, folders, _ in os.walk(top, followlinks=True):
        here = Path(folder)
        hits = [f for f in folders if OBS_ID.match(f) and _is_observation(here / f)]
        found += [here / f for f in hits]
        deep = len(here.relative_to(top).parts) >= DEPTH - 1
        folders[:] = [] if deep else [f for f in folders if f not in hits and not f.startswith(".")]
    return sorted(found, key=lambda p: (p.name, str(p)))


def unknown_names(path: str | Path) -> list[Path]:
    """Files of the event folders whose names fit no known pattern."""
    return sorted(
        p
        for p in _walk(Path(path).absolute())
        if p.parent.name in ("event_cl", "event_uf") and p.is_file() and not _is_known(p.name)
    )


OTHER_NAMES = re.compile(
    r"^xa\d{9}(xtd|gen)?_?(\w*)\.(hpix|bpix|gti|fits|hk\d?|att|orb|ehk2?|mkf|tim|cat|log|evt)" + PACKED
)


def _is_known(name: str) -> bool:
    return bool(EVENT_NAME.match(name) or (OTHER_NAMES.match(name) and not re.search(r"xtd_[ps]\w*\.evt", name)))


def _is_observation(directory: Path) -> bool:
    try:
        if (directory / "xtend").is_dir() and OBS_ID.match(directory.name):
            return True
        return any((named := _parse(p)) is not None and bool(named.code) for p in directory.iterdir())
    except OSError as error:
        logger.warning("%s cannot be looked into: %s", directory, error)
        return False


def _walk(top: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(top, followlinks=True):
        here = Path(folder)
        deep = len(here.relative_to(top).parts) >= DEPTH - 1
        folders[:] = [] if deep else sorted(f for f in folders if f not in NOT_XTEND and not f.startswith("."))
        yield from (here / f for f in sorted(files))


def _named(top: Path) -> Iterator[_Named]:
    for path in _walk(top):
        named = _parse(path)
        if named is not None:
            yield named


def _parse(path: Path) -> _Named | None:
    """Read a file's name; None for names that play no role, slew files among them."""
    match = EVENT_NAME.match(path.name)
    if match:
        level = (match["level"] or "").removeprefix("_")
        role = match["ext"] if match["ext"] != "evt" else "uf_events" if level == "uf" else "events" if level else None
        if role is None or match["type"] == "s" or (level and match["ext"] != "evt"):
            return None
        code, split, packed = match["code"].lower(), int(match["split"]), bool(match["gz"])
        return _Named(path, match["obsid"], role, code, split, packed, bool(match["gpg"]), level, _is_file(path))
    for role, pattern in AUXILIARY_NAMES.items():
        if match := pattern.match(path.name):
            packed, locked = bool(match["gz"]), bool(match["gpg"])
            return _Named(path, match["obsid"], role, "", 0, packed, locked, is_file=_is_file(path))
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _obs_id(directory: Path, named: Iterable[_Named]) -> str:
    if OBS_ID.match(directory.name):
        return directory.name
    ids = sorted({n.obs_id for n in named})
    if len(ids) > 1:
        raise NoObservationsError(
            f"{directory}: there are files of {len(ids)} ObsIDs here ({', '.join(ids[:5])}), not of one.",
            "give the directory of one ObsID.",
        )
    if not ids:
        raise _nothing(directory, ())
    return ids[0]


def _own(output: str | Path | None, obs_id: str, directory: Path) -> list[_Named]:
    if output is None:
        return []
    folder = Path(output).absolute() / obs_id
    if not folder.is_dir() or folder == directory:
        return []
    return [n for n in _named(folder) if n.obs_id == obs_id and n.code]


def _dataclasses(
    archive: list[_Named], own: list[_Named], notes: list[str]
) -> tuple[dict[str, DataClassFiles], set[Path]]:
    """Group files by data class, the user's own processing first; also what is there only encrypted."""
    secret: set[Path] = set()
    found = {}
    for code in sorted({n.code for n in (*archive, *own) if n.code}):
        mine = any(n.code == code and n.role == "events" and not n.encrypted for n in own)
        roles: dict[str, tuple[Path, ...]] = {}
        for role in ROLES:
            for files in (own, archive) if mine else (archive,):
                chosen = _readable([n for n in files if n.code == code and n.role == role], secret, notes)
                roles[role] = roles.get(role) or chosen
        if roles["events"]:
            there = own if mine else archive
            listed = {n.split for n in there if n.code == code and n.role == "events"}  # encrypted ones too
            splits = {int(EVENT_NAME.match(p.name)["split"]) for p in roles["events"]}  # type: ignore[index]
            missing = set() if 0 in splits else set(range(1, max(listed) + 1)) - splits
            found[code] = DataClassFiles(code, **roles, own=mine, missing=tuple(sorted(missing)))
    return found, secret


def _readable(files: list[_Named], secret: set[Path], notes: list[str]) -> tuple[Path, ...]:
    """One file of each split counter, in order: regular files, plain before gzipped, the shallower folder first."""
    best: dict[int, _Named] = {}
    order = sorted(files, key=lambda f: (not f.is_file, f.packed, len(f.path.parts), str(f.path)))
    for n in (f for f in order if not f.encrypted):
        kept = best.setdefault(n.split, n)
        if n.trouble:
            notes.append(f"{n.path} {n.trouble}")
        elif kept is not n and kept.path != n.path.with_suffix(""):
            notes.append(f"{n.path} is left out; {kept.path} is taken")
    secret |= {f.path for f in files if f.encrypted and f.split not in best}
    if 0 in best:
        notes += [f"{n.path} is left out; the whole file {best[0].path} is there" for s, n in best.items() if s]
        return (best[0].path,)
    return tuple(best[s].path for s in sorted(best))


def _nothing(directory: Path, secret: Iterable[Path], events: str = CLEANED, notes: Iterable[str] = ()) -> Exception:
    hidden = sorted(p for p in secret if "_cl.evt" in p.name) or sorted(secret)
    if hidden:
        return encrypted(hidden[0])
    others = [note for note in notes if "events=" in note]
    return NoObservationsError(
        f"{directory}: there is no cleaned Xtend event file (xa<obsid>xtd_p*_{events}.evt[.gz]) here.",
        f"choose another name: {others[0]}."
        if others
        else "give the directory of one ObsID, or run `xtendsrc inspect` on it.",
    )
