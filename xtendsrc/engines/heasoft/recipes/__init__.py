"""How each product is made from tasks, and what must be true of it afterwards."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from xtendsrc.engines.heasoft.discovery import installation
from xtendsrc.engines.heasoft.kinds import NEEDS_CALDB, refusal
from xtendsrc.errors import CalibrationMissingError, EngineUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.engines.job import Job, Made

_MODULES = {
    "image": "image",
    "lightcurve": "lightcurve",
    "spectrum": "spectrum",
    "expmap": "expmap",
    "netcurve": "netcurve",
    "sourcespectrum": "sourcespectrum",
    "rmf": "rmf",
    "raytrace": "arf",
    "arf": "arf",
}


def make_product(job: Job, scratch: Path) -> Made:
    """Make the product of one job; see `xtendsrc.engines.heasoft.make`."""
    kind = job.request.kind
    installed = installation()
    if reason := refusal(kind, installed):
        error = CalibrationMissingError if kind in NEEDS_CALDB else EngineUnavailableError
        raise error(f"HEASoft cannot make this {kind}: {reason}.", "see `xtendsrc doctor`.")
    recipe = importlib.import_module(f"{__name__}.{_MODULES[kind]}")
    from xtendsrc.engines.heasoft.recipes.bench import Bench

    made: Made = getattr(recipe, f"make_{kind}")(job, Bench(installed, scratch))
    return made
