"""Calibrated responses made natively: the calibration files of an observation, and the matrix from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xtendsrc import caldb, responses
from xtendsrc.errors import MissingKeywordError, XtendsrcError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.products.request import Request


def missing(request: Request) -> str:
    """Return why a calibrated product cannot be made natively: its calibration files are not here.

    Which of several releases an observation needs is known when its files are read; here those of today count.
    """
    if getattr(request, "response", "calibrated") == "nominal":
        return ""
    try:
        caldb.require(request.kind)
    except XtendsrcError as problem:
        return f"{problem.what} To fetch them: `xtendsrc caldb fetch {request.kind}`."
    return ""


def calibration_of(job: Job, batch: Batch) -> dict[str, Path]:
    """Return the calibration files of a job's product, by role, that are valid for its observation.

    Raises
    ------
    CalibrationMissingError
        If some are not here.
    """
    return caldb.require(job.request.kind, situation_of(batch.events(job).list.header))


def situation_of(header: Mapping[str, Any]) -> caldb.Situation:
    """Return when and in which mode an observation was made, from the header of its events.

    Raises
    ------
    MissingKeywordError
        If there is no DATE-OBS or DATAMODE.
    """
    from astropy.time import Time

    for name in ("DATE-OBS", "DATAMODE"):
        if name not in header:
            raise MissingKeywordError(
                f"The events have no {name}: calibration files cannot be chosen.", "use the archive's file."
            )
    return caldb.Situation(
        time=Time(str(header["DATE-OBS"]), scale="utc"),
        datamode=str(header["DATAMODE"]).strip(),
        cistatus=int(header.get("CISTATUS", 1)),
    )


def made_with_calibration(path: Path, job: Job, batch: Batch) -> Made:
    """Describe a finished file, with the calibration that entered it."""
    made = batch.made(path, batch.events(job))
    return replace(made, versions={**made.versions, "caldb": caldb.version()})


def make_rmf(job: Job, batch: Batch) -> Made:
    """Make the calibrated matrix of a spectrum, on the grid of ``xtdrmf``."""
    files, path = calibration_of(job, batch), batch.path(job)
    responses.rmf(job.needs["spectrum"], parameters=files["parameters"], out=path)
    return made_with_calibration(path, job, batch)
