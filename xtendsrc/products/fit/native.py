"""Making fits: the spectrum's files in, a file with tables of the result out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.protocol import Made
from xtendsrc.errors import CalibrationMissingError
from xtendsrc.events.cards import creator
from xtendsrc.fit.data import read_dataset
from xtendsrc.fit.resultfile import write_result

if TYPE_CHECKING:
    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job


def make_fit(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `FitRequest`; what its result warns of are the product's warnings.

    Raises
    ------
    CalibrationMissingError
        If the spectrum has no response here.
    FitError
        If the fit cannot be made.
    """
    request: Any = job.request
    if "rmf" not in job.needs:
        raise CalibrationMissingError(
            f"The spectrum of {request.obs_id} {request.dataclass} has no response here, so it cannot be fitted.",
            'use src.spectrum(response="nominal"), which is not calibrated; `xtendsrc doctor` says what is missing.',
        )
    companions = {role: job.needs.get(role) for role in ("background", "rmf", "arf")}
    name = f"{request.obs_id} {request.dataclass}"
    data = read_dataset(job.needs["spectrum"], **companions, name=name)
    result = request.statement.run([data])
    path = batch.path(job)
    cards = {"TELESCOP": "XRISM", "INSTRUME": "XTEND", "OBS_ID": request.obs_id, "DATACLAS": request.dataclass}
    write_result(result, path, cards)
    versions = {"xtendsrc": creator().partition(" ")[2], "numpy": np.__version__}
    return Made(path=str(path), engine="native", versions=versions, warnings=result.warnings)
