"""The native engine: products from NumPy, equal to HEASoft's, for machines without it and for speed.

One call makes any number of products of any number of event lists; each event list is read once and filtered once for
all products that share a selection. A kind of product is added by naming its function in ``_MAKERS``: it is imported
when the first job of that kind comes, is called with the job and the `Batch` that the jobs of the call share, and
gives a `Made`.
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.errors import EngineUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xtendsrc.engines.native.selection import Batch
    from xtendsrc.engines.protocol import Job, Made

__all__ = ["SUPPORTED_KINDS", "make"]

log = logging.getLogger("xtendsrc.engines.native")

_MAKERS = {
    "image": ("image.native", "make_image"),
    "lightcurve": ("lightcurve.native", "make_lightcurve"),
    "spectrum": ("spectrum.native", "make_spectrum"),
    "expmap": ("expmap.native", "make_expmap"),
    "sourcespectrum": ("sourcespectrum.native", "make_sourcespectrum"),
    "netcurve": ("netcurve.native", "make_netcurve"),
    "rmf": ("rmf.native", "make_rmf"),
    "arf": ("rmf.native", "make_arf"),
}

SUPPORTED_KINDS = frozenset(_MAKERS)
"""Kinds of request this engine can make."""


def make(jobs: Sequence[Job], scratch: str | Path) -> Iterator[Made | Exception]:
    """Make products one after the other.

    Parameters
    ----------
    jobs : sequence of Job
        What to make; jobs of one event list share its reading and filtering.
    scratch : path
        A private directory that exists; one new file a job.

    Yields
    ------
    Made or Exception
        In the order of the jobs: the finished file, or why it could not be made. One job that fails stops no other.
    """
    from xtendsrc.engines.native.selection import Batch

    batch = Batch(jobs, Path(scratch))
    for job in jobs:
        try:
            yield _maker(job.request.kind)(job, batch)
        except Exception as error:  # the border of a batch: the error is the job's result
            log.debug("%s of %s failed", job.request.kind, job.request.obs_id, exc_info=error)
            yield error


def _maker(kind: str) -> Callable[[Job, Batch], Made]:
    if kind not in _MAKERS:
        raise EngineUnavailableError(
            f"The native engine makes no {kind}.", f"it makes {', '.join(sorted(SUPPORTED_KINDS))}; use HEASoft."
        )
    module, name = _MAKERS[kind]
    return getattr(import_module(f"xtendsrc.products.{module}"), name)
