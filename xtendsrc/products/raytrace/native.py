"""Rays of one source through the telescope, traced natively and shared between its effective areas."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import astropy.units as u
from astropy.coordinates import SkyCoord

from xtendsrc import responses
from xtendsrc.errors import EngineUnavailableError, RequestError
from xtendsrc.products.rmf.calibrated import calibration_of, made_with_calibration
from xtendsrc.responses.sourcerays import PRECISION

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made

USUAL_PHOTONS = 300_000
"""Photons for each energy for which the rays are as precise as `PRECISION`."""

_NUMBERS = {"POINT": 0, "FLATCIRCLE": 1, "BETAMODEL": 3}


def make_raytrace(job: Job, batch: Batch) -> Made:
    """Trace the rays of one `RaytraceRequest` in every attitude bin of its exposure map.

    ``numphoton`` sets the precision of the area of the whole telescope: 0.5 % at the 300 000 photons of the default,
    and more or less with the root of their number.
    """
    request: Any = job.request
    files, path = calibration_of(job, batch), batch.path(job)
    rays = responses.source_rays(
        job.needs["expmap"],
        telescope_files(files),
        SkyCoord(*request.position, unit="deg", frame="icrs"),
        shape=ray_shape(request.source_type, request.shape),
        energies=request.erange[:2] * u.keV,
        precision=PRECISION * math.sqrt(USUAL_PHOTONS / request.numphoton),
        seed=request.seed,
    )
    history = [f"{role}: {file.name}" for role, file in files.items()]
    responses.write_rays(rays, path, [*history, f"seed {request.seed}, numphoton {request.numphoton}"])
    return made_with_calibration(path, job, batch)


def telescope_files(files: dict[str, Path]) -> responses.TelescopeFiles:
    """Return the files of the telescope among those of a product."""
    return responses.TelescopeFiles(
        mirror=files["mirror"],
        reflectivity=files["reflectivity"],
        coarse_area=files["coarse_area"],
        teldef=files["teldef"],
        scattering=files["scattering"],
    )


def ray_shape(source_type: str, numbers: tuple[float, ...]) -> Any:
    """Return the shape of a source for tracing.

    Raises
    ------
    EngineUnavailableError
        If the source is an image.
    RequestError
        If the numbers do not belong to the type.
    """
    if source_type not in _NUMBERS:
        raise EngineUnavailableError(
            f"Rays of a source of type {source_type} are not traced natively.", "use POINT, FLATCIRCLE or BETAMODEL."
        )
    if len(numbers) != _NUMBERS[source_type]:
        raise RequestError(
            f"A source of type {source_type} does not have the shape {numbers}.",
            "give none for POINT, (radius,) for FLATCIRCLE, (core, beta, radius) for BETAMODEL, in arcmin.",
        )
    if source_type == "FLATCIRCLE":
        return responses.DiscShape(numbers[0] * u.arcmin)
    if source_type == "BETAMODEL":
        return responses.BetaShape(numbers[0] * u.arcmin, numbers[1], numbers[2] * u.arcmin)
    return responses.PointShape()
