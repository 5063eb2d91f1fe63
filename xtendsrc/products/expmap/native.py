"""Exposure maps of data classes; how the numbers come about is said in `xtendsrc.measure.exposure`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.errors import InputNotFoundError
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.events.header import check_identity
from xtendsrc.events.selection import Selection
from xtendsrc.measure.detector import detector_of
from xtendsrc.measure.ehk import read_attitude
from xtendsrc.measure.exposure import exposure_map
from xtendsrc.measure.focalplane import focal_plane_of
from xtendsrc.products.expmap.file import write_map

if TYPE_CHECKING:
    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made


def make_expmap(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `ExpMapRequest`: the map, OFFAXISHIST, GTIEXPnnn and PARTIALEXPnnn.

    Raises
    ------
    InputNotFoundError
        If the observation has no EHK or the data class no bad-pixel image.
    """
    request: Any = job.request
    events = batch.events(job)
    selected = events.select(Selection(gti=request.gti))
    attitude = read_attitude(input_file(job, "ehk"))
    fpix = job.files.get("fpix")
    detector = detector_of(
        bad_pixel_image(job), events.list.header, fpix[0] if fpix else None, request.mask_calibration
    )
    plane = events.cached(("focal plane", attitude.source), lambda: focal_plane_of(events.list, attitude))
    made = exposure_map(attitude, selected.gti, detector, plane, request.frame, (request.delta, request.numphi))
    path = batch.path(job)
    warnings = (*detector.notes, *write_map(path, made, events.list, selected.gti, request.binning))
    return batch.made(path, events, warnings)


def bad_pixel_image(job: Job) -> str:
    """Path of the bad-pixel image of a job.

    Raises
    ------
    InputNotFoundError
        If the data class has none.
    InputFileError
        If it is of another observation or data class: exposures would be those of other CCDs, windows or bad pixels.
    """
    path = input_file(job, "bimg")
    for hdu in open_fits(path).hdus:
        check_identity(hdu.header, path, job.request.obs_id, job.request.dataclass)
    return path


def input_file(job: Job, role: str) -> str:
    """Path of the one input file of a role.

    Raises
    ------
    InputNotFoundError
        If the observation has none.
    """
    paths = job.files.get(role)
    if not paths:
        request = job.request
        raise InputNotFoundError(
            f"Observation {request.obs_id}, data class {request.dataclass}, has no file of the kind {role}.",
            "download the auxiliary files of the observation; an exposure map needs the .ehk and .bimg files.",
        )
    return paths[0]
