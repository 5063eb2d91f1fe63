"""Source spectra: BACKSCAL from the exposure map by ahbackscal, links to background and responses, grouping.

By default ahbackscal divides by the largest exposure *inside the region*, which differs between source and background
(measured: 8333.8 against 9225.6 s). So the exposure of the map itself (keyword EXPOSURE of OFFAXISHIST) is given to
both as a number.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.heasoft import extractor
from xtendsrc.engines.heasoft.task import Call
from xtendsrc.errors import RequestError
from xtendsrc.fit.spectrumfile import LINKS
from xtendsrc.instrument import SKY_SIZE
from xtendsrc.measure.backscal import covered, read_map, region_backscal
from xtendsrc.products.sourcespectrum.native import BACKGROUND, grouped, grouping
from xtendsrc.regions import RegionSet
from xtendsrc.regions.shapes import Shape

if TYPE_CHECKING:
    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made

SPECTRUM = "spectrum.pha"
MAP = "expmap.fits"
REGION_FILE = "region.reg"
_SCHEME = re.compile(r"(min|constant|opt|optmin|bmin|snmin|optsnmin)(?:\s+(\d+(?:\.\d+)?))?")


def make_sourcespectrum(job: Job, bench: Bench) -> Made:
    """Make the file of one `SourceSpectrumRequest` from its spectrum and exposure map.

    Expected of it: the BACKSCAL that our own sum over the map gives, and the counts of the spectrum, unchanged.
    """
    request: Any = job.request
    region, norm, expected = _exposed_area(job, bench)
    region.write(bench.path(REGION_FILE), "physical")
    links = {MAP: job.needs["expmap"], REGION_FILE: str(bench.path(REGION_FILE))}
    parameters = {"infile": SPECTRUM, "regfile": REGION_FILE, "expfile": MAP, "norm": repr(norm), "cleanup": True}
    copies = {SPECTRUM: job.needs["spectrum"]}
    bench.run(Call(task="ahbackscal", parameters=parameters, links=links, copies=copies, outputs=(SPECTRUM,)))
    path = bench.path(SPECTRUM)
    _check(bench, path, expected, job.needs["spectrum"])
    if request.grouping is not None:
        path = _group(job, bench, path)
    _link(path, job, norm, covered(region, expected, SKY_SIZE**2))
    return bench.made(path)


def _exposed_area(job: Job, bench: Bench) -> tuple[RegionSet, float, float]:
    """The region in SKY pixels, the norm in seconds, and BACKSCAL by our own sum.

    Raises
    ------
    RegionError
        The region has no exposure.
    InputFileError
        The map is binned.
    """
    request: Any = job.request
    raw, events = request.spectrum, bench.events(job)
    expected = region_backscal(events, raw, request.expmap.frame, job.needs["expmap"])
    image, norm = read_map(job.needs["expmap"])
    wanted = events.region(raw.region, raw.exclude_calibration).pixel_region
    ny, nx = image.shape
    whole = Shape("box", ((nx + 1) / 2, (ny + 1) / 2, nx, ny, 0.0))
    return wanted or RegionSet("SKY", (whole,)), norm, expected


def _check(bench: Bench, path: Path, expected: float, original: str) -> None:
    with extractor.read_checked(path, ("SPECTRUM",)) as hdus:
        backscal, counts = float(hdus["SPECTRUM"].header["BACKSCAL"]), hdus["SPECTRUM"].data["COUNTS"]
    if not np.isclose(backscal, expected, rtol=1e-5):
        raise bench.refuse(f"{path.name}: ahbackscal gives {backscal:.9g}; the map in the region gives {expected:.9g}.")
    with extractor.read_checked(Path(original), ("SPECTRUM",)) as hdus:
        if not np.array_equal(counts, hdus["SPECTRUM"].data["COUNTS"]):
            raise bench.refuse(f"{path.name}: ahbackscal changed the counts.")


def _group(job: Job, bench: Bench, path: Path) -> Path:
    """Group by the HEASoft task that knows the scheme; by our own code where none does.

    ftgrouppha has ``min N``, ``constant N``, ``opt``, ``optmin N``, ``bmin N``, ``snmin N`` and ``optsnmin N``.

    Raises
    ------
    RequestError
        The grouping is unknown, or needs a response or background that is not there.
    """
    request: Any = job.request
    match = _SCHEME.fullmatch(request.grouping.strip().lower())
    installed = bench.installed
    if match is not None and installed.has("ftgrouppha"):
        parameters, links = _ftgrouppha(job, match[1], float(match[2] or 1))
        return _run_grouping(bench, path, "ftgrouppha", parameters, links)
    if match is not None and match[1] == "min" and installed.has("grppha"):
        parameters = {"comm": f"group min {float(match[2] or 1):g} & exit", "tempc": "exit"}
        return _run_grouping(bench, path, "grppha", parameters, {})
    return _group_ourselves(job, bench, path)


def _ftgrouppha(job: Job, kind: str, scale: float) -> tuple[dict[str, Any], dict[str, str]]:
    parameters: dict[str, Any] = {"grouptype": kind, "groupscale": scale}
    links: dict[str, str] = {}
    wanted = {
        "respfile": ("rmf", {"opt", "optmin", "optsnmin"}),
        "backfile": ("background", {"bmin", "snmin", "optsnmin"}),
    }
    for name, (role, kinds) in wanted.items():
        if kind not in kinds:
            continue
        if role not in job.needs:
            raise RequestError(f"The grouping {kind!r} needs a {role}.", "ask for one, or use min N.")
        parameters[name] = f"in.{role}"
        links[f"in.{role}"] = job.needs[role]
    return parameters, links


def _group_ourselves(job: Job, bench: Bench, path: Path) -> Path:
    from astropy.io import fits

    request: Any = job.request
    target = bench.path("grouped.pha")
    with fits.open(path, memmap=False) as hdus:
        table = hdus["SPECTRUM"]
        hdus["SPECTRUM"] = grouped(table, grouping(table, job, request.grouping))
        hdus.writeto(target)
    return target


def _run_grouping(bench: Bench, path: Path, task: str, parameters: dict[str, Any], links: dict[str, str]) -> Path:
    name = "grouped.pha"
    parameters = {"infile": path.name, "outfile": name, **parameters}
    bench.run(Call(task=task, parameters=parameters, links=links | {path.name: str(path)}, outputs=(name,)))
    target = bench.path(name)
    with extractor.read_checked(target, ("SPECTRUM",)) as hdus, extractor.read_checked(path, ("SPECTRUM",)) as before:
        table = hdus["SPECTRUM"].data
        if "GROUPING" not in table.names:
            raise bench.refuse(f"{name}: {task} returned 0 but did not group.")
        if not np.array_equal(table["COUNTS"], before["SPECTRUM"].data["COUNTS"]):
            raise bench.refuse(f"{name}: {task} changed the counts.")
    return target


def _link(path: Path, job: Job, norm: float, exposed: float) -> None:
    """Name background and responses in the header, without directories: the files are kept together."""
    from astropy.io import fits

    part = path.with_name(f"{path.name}.part")
    shutil.copyfile(path, part)
    with fits.open(part, mode="update", memmap=False) as hdus:
        header = hdus["SPECTRUM"].header
        for role, keyword in LINKS.items():
            header[keyword] = Path(job.needs[role]).name if role in job.needs else "none"
        if job.request.content == "background":  # type: ignore[attr-defined]  # requests of this kind have one
            header["HDUCLAS2"] = BACKGROUND
        header["COVERED"] = (exposed, "exposed part of the region's shapes")
        header["BACKNORM"] = (norm, "[s] exposure that BACKSCAL is relative to")
        header.add_history(f"BACKSCAL from the exposure map {Path(job.needs['expmap']).name} by ahbackscal")
    part.replace(path)
