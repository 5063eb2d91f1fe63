"""The HEASoft engine as the list of engines knows it."""

from __future__ import annotations

import logging
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING

from xtendsrc.engines.heasoft.discovery import find_installation, installation
from xtendsrc.engines.heasoft.processes import cancel_running
from xtendsrc.errors import CalibrationMissingError, EngineUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xtendsrc.engines.heasoft.discovery import Installation
    from xtendsrc.engines.protocol import Job, Made, Recipe

log = logging.getLogger("xtendsrc.engines.heasoft")

NO_HEASOFT = "HEASoft was not found (HEADAS)"
ARF_TASK = "xaarfgen"

OTHER_TASKS: dict[str, tuple[str, ...]] = {
    "processing (xtdpipeline)": ("xtdpipeline",),
    "binned exposure maps": ("fimgbin",),
    "grouping by HEASoft": ("ftgrouppha", "grppha"),
    "calibration-source regions by HEASoft": ("coordpnt",),
    "flickering-pixel search": ("searchflickpix",),
    "barycentric correction": ("barycen",),
    "non-X-ray background": ("xtdnxbgen",),
}
"""Further tasks that users call through this engine; of several, one is enough."""


def refusal(recipe: Recipe, installed: Installation) -> str:
    """Return why an installation cannot make products by a recipe; an empty text when it can."""
    if missing := installed.missing(*recipe.tasks):
        return f"the HEASoft task {', '.join(missing)} is not installed"
    if ARF_TASK in recipe.tasks and (problem := installed.arf_problem()):
        return problem
    if recipe.calibration and not installed.caldb.usable:
        return f"the calibration database cannot be used: {installed.caldb.problem}"
    return ""


class HeasoftEngine:
    """Products by the installed tasks, each call a child process of its own, checked by its outputs."""

    name = "heasoft"
    shares_reading = False
    in_threads = True
    recipes: Mapping[str, Recipe] = MappingProxyType({})  # the descriptors of kinds have them

    def refusal(self, recipe: Recipe) -> str:
        """Return why products cannot be made by a recipe here; an empty text if they can."""
        found = find_installation()
        return NO_HEASOFT if found is None else refusal(recipe, found)

    def make(self, jobs: Sequence[Job], scratch: Path) -> Iterator[Made | Exception]:
        """Yield the finished file of each job, or why it could not be made; one that fails stops no other."""
        for job in jobs:
            try:
                yield self.make_one(job, scratch)
            except Exception as error:  # the border of a batch: the error is the job's result
                log.debug("%s failed", job.request.label, exc_info=error)
                yield error

    def make_one(self, job: Job, scratch: Path) -> Made:
        """Make one product in `scratch` and check it.

        Parameters
        ----------
        job : Job
            The request, its input files and the products it is made from.
        scratch : Path
            An existing private directory for the product.

        Raises
        ------
        EngineUnavailableError, CalibrationMissingError
            This machine cannot make it.
        TaskError
            A task failed, or its output is not what was asked for.
        """
        from xtendsrc.engines.heasoft.bench import Bench

        kind, recipe = job.request.kind, job.request.recipe(self.name)
        installed = installation()
        reason = refusal(recipe, installed) if recipe else f"this engine makes no products of kind {kind!r}"
        if recipe is None or reason:
            error = CalibrationMissingError if recipe and recipe.calibration else EngineUnavailableError
            raise error(f"HEASoft cannot make this {kind}: {reason}.", "see `xtendsrc doctor`.")
        made: Made = resolve_name(recipe.maker)(job, Bench(installed, Path(scratch)))
        return made

    def versions(self) -> Mapping[str, str]:
        """Return the versions of HEASoft and of its calibration database, where they are known."""
        found = find_installation()
        if found is None:
            return {}
        return {"heasoft": found.version or "unknown", **({"caldb": v} if (v := found.caldb.version) else {})}

    def calibration(self) -> str | None:
        """Return the release of the calibration database; None without one."""
        found = find_installation()
        return found.caldb.version or None if found is not None else None

    def cancel(self) -> None:
        """Stop every task that runs."""
        cancel_running()


HEASOFT = HeasoftEngine()
