"""What an ObsID holds, and every place where its files differ from what is assumed about them.

The formats were written down from documents and from other files of the mission; a wrong assumption is to be learnt
from here, by name, before any product is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xtendsrc.archive.checkauxiliary import check_bimg, check_ehk, check_fpix, check_gti
from xtendsrc.archive.checkevents import check_clock, check_dead_time, form_checks
from xtendsrc.archive.checkgeometry import check_calibration, check_footprints, check_sky, check_values
from xtendsrc.archive.findings import SEVERITIES, Collector, Finding
from xtendsrc.archive.layout import CLEANED, discover, unknown_names
from xtendsrc.errors import XtendsrcError
from xtendsrc.events.eventlist import EventList
from xtendsrc.events.fitsfile import open_fits

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.archive.layout import DataClassFiles, ObservationFiles

MISSING = {
    "ehk": "no exposure map, no exposure-weighted BACKSCAL, no ARF",
    "att": "xtdpipeline cannot be run again",
    "orb": "no barycentric correction; xtdpipeline cannot be run again",
    "mkf": "xtdpipeline cannot be run again",
    "gen_gti": "xtdpipeline cannot be run again",
    "hk": "xtdpipeline cannot be run again",
}
MISSING_OF_CLASS = {
    "bimg": "no exposure map, no exposure-weighted BACKSCAL, no ARF",
    "uf_events": "flickering pixels cannot be searched again",
    "fpix": "flickering pixels are not taken out of exposure maps",
}

__all__ = ["Finding", "inspect", "inspect_dataclass", "inspect_files"]


def inspect(path: str | Path, output: str | Path | None = None, events: str = CLEANED) -> list[Finding]:
    """Compare the files of an ObsID with what is assumed about them.

    Parameters
    ----------
    path : str or pathlib.Path
        Directory of the ObsID.
    output : str or pathlib.Path, optional
        Output directory, whose own processing is preferred, as for `xtendsrc.Observation`.
    events : str, optional
        Which cleaned event files are taken, as for `xtendsrc.Observation`.

    Returns
    -------
    list of Finding
        Errors first, then warnings, then notes; empty if everything is as assumed.

    Raises
    ------
    InputNotFoundError, EncryptedFileError, NoObservationsError
        If there is nothing to inspect.
    """
    files = discover(path, output, events)
    found = inspect_files(files)
    for dataclass in files.dataclasses.values():
        found += inspect_dataclass(files, dataclass)
    return sorted(found, key=lambda f: SEVERITIES.index(f.severity))


def inspect_files(files: ObservationFiles) -> list[Finding]:
    """Findings about files that are missing, encrypted or named differently."""
    to = Collector(str(files.path))
    for role, consequence in MISSING.items():
        if role not in files.auxiliary:
            to.add("warning" if role == "ehk" else "note", f"{role} file", "present", "absent", consequence)
    for note in files.notes:
        to.add("warning", "files", "one of each, of this ObsID", note, "check that this is meant")
    for path in files.encrypted:
        Collector(str(path), to.found).add("warning", "encryption", "none", "encrypted", "this file cannot be read yet")
    for path in unknown_names(files.path):
        Collector(str(path), to.found).add("note", "name", "a known pattern", path.name, "the file is not used")
    return to.found


def inspect_dataclass(files: ObservationFiles, dataclass: DataClassFiles) -> list[Finding]:
    """Every check of one data class."""
    found: list[Finding] = []
    to = Collector(str(dataclass.events[0]), found)
    if dataclass.missing:
        pieces = ", ".join(map(str, dataclass.missing))
        to.add("error", "split event file", "every piece", f"no piece {pieces}", "no product can be made")
    aside = Collector(str(files.path), found)
    for role, consequence in MISSING_OF_CLASS.items():
        if not getattr(dataclass, role):
            aside.add(
                "warning" if role == "bimg" else "note",
                f"{role} file of {dataclass.code}",
                "present",
                "absent",
                consequence,
            )
    for path in dataclass.events:
        _inspect_form(str(path), dataclass.code, files.obs_id, found)
    events = _inspect_events(dataclass, to)
    for role, check in (
        ("bimg", lambda p, to: check_bimg(p, dataclass.code, events, to)),
        ("fpix", check_fpix),
    ):
        for path in getattr(dataclass, role):
            aside = Collector(str(path), found)
            with aside.guard(role):
                check(str(path), aside)
    for path in files.auxiliary.get("ehk", ()):
        aside = Collector(str(path), found)
        with aside.guard("ehk"):
            check_ehk(str(path), events, aside)
    return found


def _inspect_form(path: str, code: str, obs_id: str, found: list[Finding]) -> None:
    to = Collector(path, found)
    with to.guard("file"):
        table = open_fits(path).find("EVENTS")
        if table is None:
            to.add("error", "extension EVENTS", "present", "absent", "no product can be made")
            return
        for name, check in form_checks(table, code, obs_id):
            with to.guard(name):
                check(to)
        with to.guard("GTIs"):
            check_gti(path, to)


def _inspect_events(dataclass: DataClassFiles, to: Collector) -> EventList | None:
    try:
        events = EventList.read(dataclass.events)
    except XtendsrcError as error:
        if not any(error.what == f.found for f in to.found):
            to.add("error", "event list", "can be read", error.what, error.next_step)
        return None
    if not len(events):
        to.add("warning", "events", "some", "none", "products are empty")
        return events
    checks = (check_values, check_clock, check_dead_time, check_sky, check_footprints, check_calibration)
    for check in checks:
        with to.guard(check.__name__.removeprefix("check_")):
            check(events, to)
    return events
