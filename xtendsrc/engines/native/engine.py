"""The native engine as the list of engines knows it."""

from __future__ import annotations

import logging
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING

from xtendsrc.errors import EngineUnavailableError, XtendsrcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xtendsrc.engines.protocol import Job, Made, Recipe

log = logging.getLogger("xtendsrc.engines.native")


class NativeEngine:
    """Products from NumPy; always there. An event list is read and filtered once for all jobs of a call."""

    name = "native"
    shares_reading = True
    in_threads = False
    recipes: Mapping[str, Recipe] = MappingProxyType({})  # the descriptors of kinds have them

    def refusal(self, recipe: Recipe) -> str:
        """Return an empty text: what this engine needs is installed with the package."""
        return ""

    def make(self, jobs: Sequence[Job], scratch: str | Path) -> Iterator[Made | Exception]:
        """Yield the finished file of each job, or why it could not be made; one that fails stops no other.

        Parameters
        ----------
        jobs : sequence of Job
            What to make; jobs of one event list share its reading and filtering.
        scratch : path
            A private directory that exists; one new file a job.
        """
        from xtendsrc.engines.native.batch import Batch

        batch = Batch(jobs, Path(scratch))
        for job in jobs:
            try:
                recipe = job.request.recipe(self.name)
                if recipe is None:
                    raise EngineUnavailableError(
                        f"The native engine makes no {job.request.kind}.", 'use engine="auto", or HEASoft.'
                    )
                yield resolve_name(recipe.maker)(job, batch)
            except Exception as error:  # the border of a batch: the error is the job's result
                log.debug("%s of %s failed", job.request.kind, job.request.obs_id, exc_info=error)
                yield error

    def versions(self) -> Mapping[str, str]:
        """Return the versions of this package and of NumPy."""
        import numpy as np

        from xtendsrc import __version__

        return {"xtendsrc": __version__, "numpy": np.__version__}

    def calibration(self) -> str | None:
        """Return the release of the calibration files that native responses are made from; None without any."""
        from xtendsrc import caldb

        try:
            return caldb.version() or None
        except XtendsrcError as problem:
            log.debug("no calibration database: %s", problem)
            return None

    def cancel(self) -> None:
        """Do nothing: native work ends with its worker."""


NATIVE = NativeEngine()
