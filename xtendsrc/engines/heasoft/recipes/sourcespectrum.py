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

from xtendsrc.engines.heasoft.recipes import extractor
from xtendsrc.engines.heasoft.task import Call
from xtendsrc.engines.native.selection import EventMasks
from xtendsrc.errors import RegionError, RequestError
from xtendsrc.events import EventList
from xtendsrc.regions import RegionSet
from xtendsrc.regions.shapes import Shape

if TYPE_CHECKING:
    from xtendsrc.engines.heasoft.recipes.bench import Bench
    from xtendsrc.engines.job import Job, Made

SPECTRUM = "spectrum.pha"
MAP = "expmap.fits"
REGION_FILE = "region.reg"
LINKS = {"BACKFILE": "background", "RESPFILE": "rmf", "ANCRFILE": "arf"}


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
    _link(path, job, norm)
    return bench.made(path)


def _exposed_area(job: Job, bench: Bench) -> tuple[RegionSet, float, float]:
    """The region in SKY pixels, the norm in seconds, and BACKSCAL by our own sum.

    Raises
    ------
    RegionError
        The region has no exposure.
    """
    from astropy.io import fits

    request: Any = job.request
    with fits.open(job.needs["expmap"], memmap=False) as hdus:
        image = np.asarray(hdus[0].data, dtype=np.float64)
        norm = float(hdus["OFFAXISHIST"].header["EXPOSURE"])
        if int(hdus[0].header.get("IMGBIN", 1)) != 1:
            raise RequestError("BACKSCAL needs an exposure map that is not binned.", "make it with binning=1.")
    masks = EventMasks(EventList.read(job.files["events"]))
    wanted = masks.region(request.spectrum.region, request.spectrum.exclude_calibration).pixel_region
    ny, nx = image.shape
    limits = (1, nx), (1, ny)
    region = wanted or RegionSet("SKY", (Shape("box", ((nx + 1) / 2, (ny + 1) / 2, nx, ny, 0.0)),))
    total = float(image[region.image_mask(limits)].sum())
    if not total > 0:
        raise RegionError(
            f"The region of the spectrum of {request.obs_id} {request.dataclass} has no exposure.",
            "check that the data class covers it.",
        )
    return region, norm, total / norm / image.size


def _check(bench: Bench, path: Path, expected: float, original: str) -> None:
    with extractor.read_checked(path, ("SPECTRUM",)) as hdus:
        backscal, counts = float(hdus["SPECTRUM"].header["BACKSCAL"]), hdus["SPECTRUM"].data["COUNTS"]
    if not np.isclose(backscal, expected, rtol=1e-5):
        raise bench.refuse(f"{path.name}: ahbackscal gives {backscal:.9g}; the map in the region gives {expected:.9g}.")
    with extractor.read_checked(Path(original), ("SPECTRUM",)) as hdus:
        if not np.array_equal(counts, hdus["SPECTRUM"].data["COUNTS"]):
            raise bench.refuse(f"{path.name}: ahbackscal changed the counts.")


def _group(job: Job, bench: Bench, path: Path) -> Path:
    """Group by a HEASoft task: ``min N``, ``constant N``, ``opt``, ``optmin N``, ``bmin N`` or ``snmin N``.

    Raises
    ------
    RequestError
        The grouping is none of them, or needs a response or background that is not there.
    """
    request: Any = job.request
    text = request.grouping.strip().lower().replace("=", " ")
    match = re.fullmatch(r"(min|constant|opt|optmin|bmin|snmin|optsnmin)(?:\s+(\d+(?:\.\d+)?))?", text)
    if match is None:
        raise RequestError(
            f"HEASoft knows no grouping {request.grouping!r}.",
            'give "min N", "opt", "optmin N", "bmin N", "snmin N", or group with engine="native".',
        )
    kind, scale = match[1], float(match[2] or 1)
    if kind == "min" and not bench.installed.has("ftgrouppha") and bench.installed.has("grppha"):
        parameters: dict[str, Any] = {"comm": f"group min {scale:g} & exit", "tempc": "exit"}
        return _run_grouping(bench, path, "grppha", parameters, {})
    parameters = {"grouptype": kind, "groupscale": scale}
    links: dict[str, str] = {}
    for name, role, kinds in (
        ("respfile", "rmf", {"opt", "optmin", "optsnmin"}),
        ("backfile", "background", {"bmin", "snmin", "optsnmin"}),
    ):
        if kind in kinds:
            if role not in job.needs:
                raise RequestError(f"The grouping {request.grouping!r} needs a {role}.", "ask for one, or use min N.")
            parameters[name] = f"in.{role}"
            links[f"in.{role}"] = job.needs[role]
    return _run_grouping(bench, path, "ftgrouppha", parameters, links)


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


def _link(path: Path, job: Job, norm: float) -> None:
    """Name background and responses in the header, without directories: the files are kept together."""
    from astropy.io import fits

    part = path.with_name(f"{path.name}.part")
    shutil.copyfile(path, part)
    with fits.open(part, mode="update", memmap=False) as hdus:
        header = hdus["SPECTRUM"].header
        for keyword, role in LINKS.items():
            header[keyword] = Path(job.needs[role]).name if role in job.needs else "none"
        header["BACKNORM"] = (norm, "[s] exposure that BACKSCAL is relative to")
        header.add_history(f"BACKSCAL from the exposure map {Path(job.needs['expmap']).name} by ahbackscal")
    part.replace(path)
