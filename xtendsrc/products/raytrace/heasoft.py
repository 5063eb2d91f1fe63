"""The ray-trace event file of one source, by the run of xaarfgen that also makes an ARF nobody keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.engines.heasoft import extractor
from xtendsrc.products.arf.heasoft import RAYTRACE, REGION_FILE, note_psf_fraction, run_xaarfgen
from xtendsrc.regions import RegionSet
from xtendsrc.regions.shapes import Shape

if TYPE_CHECKING:
    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made

OWN_RADIUS = 2.0 / 60
"""Radius in degrees of the region of the run that only makes the ray-trace file."""


def make_raytrace(job: Job, bench: Bench) -> Made:
    """Make the ray-trace event file of one `RaytraceRequest`; the ARF that comes with it is not kept."""
    request: Any = job.request
    circle = RegionSet("icrs", (Shape("circle", (*request.position, OWN_RADIUS)),))
    circle.write(bench.path(REGION_FILE), "fk5")
    links = {REGION_FILE: str(bench.path(REGION_FILE))}
    result = run_xaarfgen(job, bench, request, links, ("thrown.arf", RAYTRACE))
    note_psf_fraction(bench, result)
    with extractor.read_checked(bench.path(RAYTRACE), ()) as hdus:
        tables = [hdu for hdu in hdus[1:] if hdu.header.get("NAXIS2", 0) > 0]
        if not tables:
            raise bench.refuse(f"{RAYTRACE}: it holds no photon.")
    return bench.made(bench.path(RAYTRACE))
