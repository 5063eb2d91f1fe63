"""An engine that xtendsrc does not have: counts images by NumPy's own histogram, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from xtendsrc.engines.protocol import Job, Made, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


class HistogramEngine:
    """Images on the SKY grid, of all grades, in the good time of the file."""

    name = "histogram"
    shares_reading = False
    in_threads = True
    recipes: Mapping[str, Recipe] = {"image": Recipe(maker=f"{__name__}:HistogramEngine.image")}

    def refusal(self, recipe: Recipe) -> str:
        """Say why products cannot be made here; NumPy is always there."""
        return ""

    def make(self, jobs: Sequence[Job], scratch: Path) -> Iterator[Made | Exception]:
        """Yield one file a job, or why it could not be made."""
        for job in jobs:
            try:
                yield self.image(job, scratch)
            except Exception as error:  # noqa: BLE001  - whatever it is, it is the result of this job alone
                yield error

    def image(self, job: Job, scratch: Path) -> Made:
        """Make one counts image."""
        (path,) = job.files["events"]
        with fits.open(path) as hdus:
            events, header, gti = hdus["EVENTS"].data, hdus["EVENTS"].header, hdus["GTI"].data
            middle = events["TIME"] + (0.5 - header["TIMEPIXR"]) * header["TIMEDEL"]
            good = ((middle[:, None] >= gti["START"]) & (middle[:, None] <= gti["STOP"])).any(axis=1)
            low, high = job.request.selection.channels
            kept = good & (events["PI"] >= low) & (events["PI"] <= high)
            edges = np.arange(0.5, 2431, job.request.binning)
            counts, *_ = np.histogram2d(events["Y"][kept], events["X"][kept], bins=(edges, edges))
        made = scratch / f"{job.request.key}.fits"
        fits.PrimaryHDU(counts.astype(np.int32)).writeto(made)
        return Made(path=str(made), engine=self.name, versions=self.versions())

    def versions(self) -> Mapping[str, str]:
        """Return what goes into the provenance."""
        return {"numpy": np.__version__}

    def calibration(self) -> str | None:
        """Return None: no calibration enters."""
        return None

    def cancel(self) -> None:
        """Nothing outlives the call."""


HISTOGRAM = HistogramEngine()
