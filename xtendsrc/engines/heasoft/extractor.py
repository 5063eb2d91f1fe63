"""The task extractor: one call for images, light curves and spectra, and our own count of the same events.

Parameters that are left out would take live defaults (``test.pha``, ``test.reg``), so every file parameter is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xtendsrc.engines.heasoft.task import Call
from xtendsrc.engines.heasoft.workspace import short_name
from xtendsrc.regions import RegionSet

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from astropy.io import fits

    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job
    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.gti import GTI
    from xtendsrc.events.selection import Selection
    from xtendsrc.measure.selection import EventMasks, PlacedRegion, SelectedEvents

COLUMNS = {"SKY": ("X", "Y"), "DET": ("DETX", "DETY")}
NO_FILES = {
    "eventsout": "NONE",
    "imgfile": "NONE",
    "phafile": "NONE",
    "fitsbinlc": "NONE",
    "qdpfile": "NONE",
    "unbinlc": "NONE",
    "regionfile": "NONE",
    "timefile": "NONE",
}
REGION_FILE = "region.reg"
GTI_FILE = "select.gti"


@dataclass(frozen=True)
class Extraction:
    """The events of a job as extractor is asked for them, and as we count them ourselves.

    Attributes
    ----------
    events : EventMasks
        The event list.
    selected : SelectedEvents
        Events in the good time, channels and grades.
    region : PlacedRegion
        The region in pixels, as its file says it, and its events.
    selection : Selection
        What was asked for.
    """

    events: EventMasks
    selected: SelectedEvents
    region: PlacedRegion
    selection: Selection

    @property
    def rows(self) -> np.ndarray:
        """Row numbers of the events wanted."""
        return self.selected.rows(self.region)

    @property
    def gti(self) -> GTI:
        """The good time of the product."""
        return self.selected.gti


def prepare(job: Job, bench: Bench, selection: Selection | None = None) -> Extraction:
    """Select the events of a job ourselves, and write its region and GTI files.

    Parameters
    ----------
    job : Job
        What to make.
    bench : Bench
        Where.
    selection : Selection, optional
        Instead of the request's own.

    Raises
    ------
    GTIError, RegionError
        Nothing is left, or the region misses the grid.
    UnfitTaskError
        The file is of a burst mode and lacks its live fraction.
    """
    request: Any = job.request
    events = bench.events(job)
    chosen = request.selection if selection is None else selection
    if events.list.live_corrected:
        raise bench.unfit(f"extractor takes good time for live time where {events.list.live_warning}.")
    selected = events.select(chosen)
    region = events.region(getattr(request, "region", None), getattr(request, "exclude_calibration", False))
    if region.pixel_region is not None:
        region.pixel_region.write(bench.path(REGION_FILE), "physical")
        region = events.region(RegionSet.read(bench.path(REGION_FILE), region.frame))
    if chosen.gti is not None:
        write_gti(selected.gti, events.list, bench.path(GTI_FILE))
    return Extraction(events, selected, region, chosen)


def write_gti(gti: GTI, events: EventList, path: Path) -> None:
    """Write good time intervals as a file of their own, with the observation's keywords in every header."""
    from astropy.io import fits

    from xtendsrc.events.cards import standard_cards, table_block

    names = ("RA_NOM", "DEC_NOM", "PA_NOM", "RA_PNT", "DEC_PNT")
    pointing = [(n, events.header[n], events.header.comments[n]) for n in names if n in events.header]
    cards = [*standard_cards(events, gti), *pointing]
    table = table_block("GTI", gti.to_hdu("GTI", events.header), cards)
    primary = fits.PrimaryHDU()
    for card in cards:
        primary.header[card[0]] = card[1:]
    fits.HDUList([primary, table]).writeto(path)


def extract(bench: Bench, wanted: Extraction, frame: str, **parameters: Any) -> None:
    """Call extractor for the outputs named in `parameters`.

    Parameters
    ----------
    bench : Bench
        Where to run.
    wanted : Extraction
        Which events.
    frame : {"SKY", "DET"}
        Columns of the image and of the region.
    **parameters
        Further parameters; values of ``imgfile``, ``phafile`` and ``fitsbinlc`` are the outputs.
    """
    x, y = COLUMNS[frame]
    given: dict[str, Any] = NO_FILES | {
        "xcolf": x,
        "ycolf": y,
        "xcolh": "DETX",
        "ycolh": "DETY",
        "tcol": "TIME",
        "ecol": "PI",
    }
    given |= {"gti": gti_name(wanted.events.list), "events": "EVENTS", "specbin": 1, "adjustgti": False}
    links: dict[str, Any] = {}
    if wanted.region.pixel_region is not None:
        given["regionfile"] = REGION_FILE
        links[REGION_FILE] = bench.path(REGION_FILE)
    if wanted.selection.gti is not None:
        given["timefile"] = GTI_FILE
        links[GTI_FILE] = bench.path(GTI_FILE)
    given["filename"], files, texts = event_files(wanted.events.list, event_filter(wanted.selection))
    outputs = tuple(parameters[n] for n in ("imgfile", "phafile", "fitsbinlc") if n in parameters)
    bench.run(Call(task="extractor", parameters=given | parameters, links=links | files, texts=texts, outputs=outputs))


def event_filter(selection: Selection) -> str:
    """Cuts in extractor's own grammar: inclusive ranges, ORed within a column and ANDed between columns."""
    terms = [] if selection.channels is None else [f"PI={selection.channels[0]}:{selection.channels[1]}"]
    if selection.grades is not None:
        terms += [f"GRADE={lo}:{hi}" for lo, hi in runs(selection.grades)]
    return f"[{','.join(terms)}]" if terms else ""


def runs(values: tuple[int, ...]) -> list[tuple[int, int]]:
    """Sorted integers as ranges of consecutive ones."""
    found: list[tuple[int, int]] = []
    for value in sorted(values):
        if found and value == found[-1][1] + 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def event_files(events: EventList, cut: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """The ``filename`` parameter, the links and the list file for one event file or the pieces of a split one.

    The cut stands behind the name of the list, once: extractor joins the region to what it is given as a name, and
    behind every entry of the list it would be cut twice or not at all.
    """
    names = [f"e{i}{short_name(p, '')[-48:]}" for i, p in enumerate(events.paths)]
    links = dict(zip(names, events.paths, strict=True))
    if len(names) == 1:
        return names[0] + cut, links, {}
    return f"@events.lis{cut}", links, {"events.lis": "".join(f"{n}\n" for n in names)}


def gti_name(events: EventList) -> str:
    """Name of the GTI extension of an event file."""
    from xtendsrc.events.fitsfile import open_fits

    found = open_fits(events.paths[0]).find("GTI", "STDGTI")
    return found.name if found is not None else "GTI"


def check_exposure(bench: Bench, header: fits.Header, wanted: Extraction, path: Path) -> None:
    """Refuse a product whose exposure is not the good time asked for (a GTI file that was not obeyed).

    Raises
    ------
    TaskError
        It differs by more than a microsecond per second.
    """
    for name, mine in (("ONTIME", wanted.gti.total), ("EXPOSURE", wanted.gti.total * wanted.events.list.deadc)):
        theirs = header.get(name)
        if theirs is not None and abs(float(theirs) - mine) > 1e-6 * mine + 1e-3:
            raise bench.refuse(f"{path.name}: {name} is {theirs} s; the good time asked for gives {mine:.6f} s.")


def check_region(bench: Bench, hdus: fits.HDUList, wanted: Extraction, path: Path) -> None:
    """Refuse a product of a region that holds no region table.

    Raises
    ------
    TaskError
        The region was not obeyed.
    """
    if wanted.region.pixel_region is not None and not any(hdu.name.startswith("REG") for hdu in hdus):
        raise bench.refuse(f"{path.name}: extractor returned 0 but ignored the region: it wrote no region table.")


def check_counts(bench: Bench, what: str, found: int, expected: int) -> None:
    """Refuse a product whose events are not those we select ourselves.

    Raises
    ------
    TaskError
        The numbers differ.
    """
    if found != expected:
        raise bench.refuse(f"{what} holds {found} events, but {expected} events pass the same cuts by our own count.")


def read_checked(path: Path, needed: tuple[str, ...]) -> fits.HDUList:
    """Open a product completely and see that its extensions are there.

    Raises
    ------
    TaskError
        One is missing.
    """
    from astropy.io import fits

    from xtendsrc.errors import InputFileError, TaskError
    from xtendsrc.events.fitsfile import open_fits

    try:
        found = open_fits(path)
    except (InputFileError, OSError) as problem:
        what = problem.what if isinstance(problem, InputFileError) else str(problem)
        raise TaskError(
            f"{path.name}: the task's output is no complete FITS file: {what}", "look at its log."
        ) from None
    if missing := [name for name in needed if found.find(name) is None]:
        raise TaskError(f"{path.name}: the task's output lacks {', '.join(missing)}.", "look at its log.")
    return fits.open(path, memmap=False)
