"""What the jobs of one call share: event lists, masks, unbinned images, finished tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.protocol import Made
from xtendsrc.events.cards import creator
from xtendsrc.events.eventlist import EventList
from xtendsrc.events.header import check_identity
from xtendsrc.measure.selection import EventMasks

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from pathlib import Path

    from xtendsrc.engines.protocol import Job


class Batch:
    """What the jobs of one call share: event lists, masks, unbinned images, finished tables.

    Parameters
    ----------
    jobs : sequence of Job
        All of the call, so that it is known which images are wanted in several binnings.
    scratch : Path
        Directory for the files.
    """

    def __init__(self, jobs: Sequence[Job], scratch: Path) -> None:
        self.jobs = tuple(jobs)
        self.scratch = scratch
        self._events: dict[tuple[str, ...], EventMasks] = {}
        self._unbinned: dict[Hashable, np.ndarray] = {}
        self._wanted = {self._image_of(job) for job in jobs if getattr(job.request, "binning", None) == 1}

    def events(self, job: Job) -> EventMasks:
        """Event list of a job; each is read once.

        Raises
        ------
        InputFileError
            If it is of another observation or data class than the job, or cannot be read.
        """
        paths = tuple(job.files["events"])
        if paths not in self._events:
            self._events[paths] = EventMasks(EventList.read(paths))
        check_identity(self._events[paths].list.header, paths[0], job.request.obs_id, job.request.dataclass)
        return self._events[paths]

    def path(self, job: Job) -> Path:
        """File in scratch for a job's product."""
        return self.scratch / f"{job.request.kind}_{job.request.key}.fits"

    def wants_unbinned(self, job: Job) -> bool:
        """Whether the unbinned image of the same events is one of the products: others are then summed from it."""
        return self._image_of(job) in self._wanted

    def unbinned(self, job: Job, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The unbinned image of a job's events, kept until another selection's is asked for."""
        key = self._image_of(job)
        if key not in self._unbinned:
            self._unbinned = {key: compute()}
        return self._unbinned[key]

    @staticmethod
    def _image_of(job: Job) -> Hashable:
        request: Any = job.request
        if request.kind != "image":
            return None
        return tuple(job.files["events"]), request.selection, request.frame

    def made(self, path: Path, events: EventMasks, warnings: tuple[str, ...] = ()) -> Made:
        """Describe a finished file."""
        return Made(
            path=str(path),
            engine="native",
            versions={"xtendsrc": creator().partition(" ")[2], "numpy": np.__version__},
            warnings=(*events.warnings, *warnings),
        )
