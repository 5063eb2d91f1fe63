"""The calibrated effective area of a region, assembled natively from traced rays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from astropy.coordinates import SkyCoord

from xtendsrc import responses
from xtendsrc.errors import RequestError
from xtendsrc.products.rmf.calibrated import calibration_of, made_with_calibration

if TYPE_CHECKING:
    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made


def make_arf(job: Job, batch: Batch) -> Made:
    """Make the effective area of one `ARFRequest` from its ray trace, natively traced or ``xrtraytrace``'s.

    Raises
    ------
    RequestError
        If the request has no region or no ray trace.
    """
    request: Any = job.request
    events = batch.events(job)
    region = events.region(request.region, request.exclude_calibration).pixel_region
    if region is None or request.raytrace is None:
        raise RequestError("A calibrated ARF needs a region and a ray trace.", "give the region of the spectrum.")
    on_detector = region.frame == "DET"
    files, path = calibration_of(job, batch), batch.path(job)
    responses.arf(
        rays=job.needs["raytrace"],
        exposure_map=job.needs["expmap"],
        region=region if on_detector else region.to_sky(events.list.wcs(region.frame)),
        region_frame="DET" if on_detector else "RADEC",
        rmf=job.needs["rmf"],
        source=SkyCoord(*request.position, unit="deg", frame="icrs"),
        quantum_efficiency=files["quantum_efficiency"],
        contamination=files["contamination"],
        fine_area=files["fine_area"],
        coarse_area=files["coarse_area"],
        teldef=files["teldef"],
        out=path,
    )
    return made_with_calibration(path, job, batch)
