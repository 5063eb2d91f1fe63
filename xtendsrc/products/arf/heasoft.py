"""Effective areas by xaarfgen, and the ray-trace event file that the ARFs of one source share.

xaarfgen traces the source through the mirror, once for each energy and attitude bin, unless the ray-trace file it is
given exists already. That file depends on the source's position and shape, on the attitude in the exposure map, on the
energies and on the number of photons, but not on the region; so it is a product of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.heasoft import extractor
from xtendsrc.engines.heasoft.task import Call
from xtendsrc.errors import RequestError
from xtendsrc.products.rmf.heasoft import matrix_name

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.heasoft.task import TaskResult
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.products.raytrace.request import RaytraceRequest

RAYTRACE = "raytrace.fits"
REGION_FILE = "arf.reg"
_SHAPES = {"POINT": 0, "FLATCIRCLE": 1, "BETAMODEL": 3, "IMAGE": 0}


def make_arf(job: Job, bench: Bench) -> Made:
    """Make the effective area of one `ARFRequest`.

    Expected of it: the energies of its RMF, finite areas, none below zero, and area within 1 to 8 keV.
    """
    request: Any = job.request
    if request.response != "calibrated" or request.raytrace is None:
        raise RequestError("A nominal response is not made by HEASoft.", 'use engine="native" for it.')
    _check_rays(job.needs["raytrace"])
    events = bench.events(job)
    region = events.region(request.region, request.exclude_calibration).pixel_region
    if region is None:
        raise RequestError("An ARF needs a region.", "give the region of the spectrum.")
    frame = events.list.wcs("SKY") if region.frame == "SKY" else None
    region.write(bench.path(REGION_FILE), "fk5", frame)
    links = {REGION_FILE: str(bench.path(REGION_FILE)), RAYTRACE: job.needs["raytrace"]}
    result = run_xaarfgen(job, bench, request.raytrace, links, ("out.arf",))
    note_psf_fraction(bench, result)
    path = bench.path("out.arf")
    _check(bench, path, job.needs["rmf"])
    return bench.made(path)


def _check_rays(path: str) -> None:
    """Refuse rays that were traced natively: xaarfgen cannot read them.

    Raises
    ------
    RequestError
        If they were.
    """
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        if "RAYS" in hdus:
            raise RequestError(
                f"{path} was traced natively, and xaarfgen cannot read it.",
                'make the ray trace again with engine="heasoft", or the ARF with engine="native".',
            )


def run_xaarfgen(
    job: Job, bench: Bench, source: RaytraceRequest, links: dict[str, str], outputs: tuple[str, ...]
) -> TaskResult:
    """Call xaarfgen; every energy, number and shape is given, and upper case where the task insists on it."""
    prepared = _exposure_map(bench, job.needs["expmap"])
    links = links | {"expmap.fits": str(prepared), "in.rmf": job.needs["rmf"]}
    parameters: dict[str, Any] = {
        "xrtevtfile": RAYTRACE,
        "source_ra": source.position[0],
        "source_dec": source.position[1],
        "telescop": "XRISM",
        "instrume": "XTEND",
        "emapfile": "expmap.fits",
        "rmffile": "in.rmf",
        "erange": " ".join(f"{e:g}" for e in source.erange),
        "outfile": outputs[0],
        "regmode": "RADEC",
        "regionfile": REGION_FILE,
        "numphoton": source.numphoton,
        "sourcetype": source.source_type,
        "imgfile": "NONE",
        "seed": source.seed,
        "cleanup": True,
    }
    parameters |= _shape(source, links)
    return bench.run(Call(task="xaarfgen", parameters=parameters, links=links, outputs=outputs))


def _shape(source: RaytraceRequest, links: dict[str, str]) -> dict[str, Any]:
    """Parameters of an extended source.

    Raises
    ------
    RequestError
        The shape does not belong to the source type.
    """
    kind, numbers = source.source_type, source.shape
    fits = len(numbers) == _SHAPES[kind] and all(v > 0 for v in numbers) and bool(source.image) == (kind == "IMAGE")
    if not fits:
        with_image = f" and the image {source.image}" if source.image else ""
        raise RequestError(
            f"A source of type {kind} does not have the shape {numbers}{with_image}.",
            "give none for POINT, (radius,) for FLATCIRCLE, (core, beta, radius) for BETAMODEL, in arcmin and above 0, "
            "and an image for IMAGE alone.",
        )
    if kind == "FLATCIRCLE":
        return {"flatradius": numbers[0]}
    if kind == "BETAMODEL":
        return {"betapars": " ".join(f"{v:g}" for v in numbers)}
    if source.image is None:
        return {}
    if len(source.erange) < 4 or not source.erange[3] > source.erange[2] > 0:
        raise RequestError(
            "An ARF from an image needs the energies of the image as the last two of erange.",
            "give erange=(0.3, 15, lo, hi) in keV.",
        )
    links["image.fits"] = source.image
    return {"imgfile": "image.fits"}


def _exposure_map(bench: Bench, path: str) -> Path:
    """A copy of the exposure map for xaarfgen, with the optical-axis offsets set to zero for HEASoft 6.36.

    Maps made with XRISM CALDB 12 or later have OPTAOFFX and OPTAOFFY, which that release does not treat rightly: item
    GEN-6 of the XRISM "things to watch out for" asks for zeros in a copy of the map.
    """
    import shutil

    from astropy.io import fits

    target = bench.path("expmap_for_arf.fits")
    shutil.copyfile(path, target)
    with fits.open(target, mode="update", memmap=False) as hdus:
        if "OFFAXISHIST" not in hdus or int(hdus[0].header.get("IMGBIN", 1)) != 1:
            raise bench.refuse(
                "The exposure map has no attitude histogram, or is binned; xaarfgen needs it as xaexpmap wrote it.",
                "make it with binning=1.",
            )
        if bench.installed.release[:2] == (6, 36):
            for hdu in hdus:
                for name in ("OPTAOFFX", "OPTAOFFY"):
                    if hdu.header.get(name, 0.0):
                        bench.warnings.append(f"{name}={hdu.header[name]} set to 0 in {hdu.name} (HEASoft 6.36)")
                        hdu.header[name] = 0.0
    return target


def note_psf_fraction(bench: Bench, result: TaskResult) -> None:
    """Keep what the task says about the part of the PSF inside the region, for the eye."""
    lines = [line.strip() for line in result.output.splitlines() if re.search(r"psf.*fraction", line, re.IGNORECASE)]
    bench.warnings.extend(f"xaarfgen: {line}" for line in lines[:3])


def _check(bench: Bench, path: Path, rmf: str) -> None:
    from astropy.io import fits

    with fits.open(rmf, memmap=False) as hdus:
        matrix = hdus[matrix_name([h.name for h in hdus])].data
        energies = np.asarray(matrix["ENERG_LO"], float), np.asarray(matrix["ENERG_HI"], float)
    with extractor.read_checked(path, ("SPECRESP",)) as hdus:
        table = hdus["SPECRESP"].data
        low, high, area = (np.asarray(table[n], float) for n in ("ENERG_LO", "ENERG_HI", "SPECRESP"))
    if len(low) != len(energies[0]) or not np.allclose([low, high], energies, rtol=1e-5):
        raise bench.refuse(f"{path.name}: its energies are not those of the RMF.")
    if not np.isfinite(area).all() or area.min() < 0:
        raise bench.refuse(f"{path.name}: it has areas below zero or undefined.")
    middle = (low > 1) & (high < 8)
    if not area[middle].min() > 0:
        raise bench.refuse(f"{path.name}: it has no area within 1 to 8 keV.", "is the source inside the map?")
