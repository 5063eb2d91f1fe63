"""Where one product is made: runs its tasks, and keeps what they were and what they said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.engines.heasoft.task import Call, TaskResult, run
from xtendsrc.engines.protocol import Made
from xtendsrc.errors import TaskError, UnfitTaskError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.io.fits import Header

    from xtendsrc.engines.heasoft.discovery import Installation
    from xtendsrc.engines.protocol import Job
    from xtendsrc.measure.selection import EventMasks


class Bench:
    """The tools of one product.

    Parameters
    ----------
    installed : Installation
        The HEASoft to use.
    scratch : Path
        Private directory of the product.
    """

    def __init__(self, installed: Installation, scratch: Path) -> None:
        self.installed = installed
        self.scratch = Path(scratch).absolute()
        self.results: list[TaskResult] = []
        self.warnings: list[str] = []
        self._names: dict[str, str] = {}

    def run(self, call: Call) -> TaskResult:
        """Run a task with its outputs in scratch.

        Raises
        ------
        TaskError
            As `xtendsrc.engines.heasoft.task.run`; its log begins with those of the tasks before it.
        """
        try:
            result = run(call, self.scratch, self.installed)
        except TaskError as problem:
            problem.log = self.log + problem.log
            raise
        self.results.append(result)
        self._names.update({name: Path(path).name for name, path in {**call.links, **call.copies}.items()})
        self.warnings.extend(f"{call.task}: {line}" for line in result.remarks)
        return result

    def events(self, job: Job) -> EventMasks:
        """Event list of a job.

        Raises
        ------
        InputFileError
            If it is of another observation or data class than the job, or cannot be read.
        """
        from xtendsrc.events.eventlist import EventList
        from xtendsrc.events.header import check_identity
        from xtendsrc.measure.selection import EventMasks

        paths = tuple(job.files["events"])
        events = EventMasks(EventList.read(paths))
        check_identity(events.list.header, paths[0], job.request.obs_id, job.request.dataclass)
        return events

    def path(self, name: str) -> Path:
        """A file in scratch."""
        return self.scratch / name

    @property
    def log(self) -> str:
        """Everything the tasks printed so far."""
        return "".join(f"$ {r.command}\n{r.output.rstrip()}\n" for r in self.results)

    def refuse(self, what: str, next_step: str = "look at its log.") -> TaskError:
        """Return the error for an output that is not what was asked for, with the log."""
        problem = TaskError(what, next_step)
        problem.log = self.log
        return problem

    def unfit(self, what: str) -> UnfitTaskError:
        """Return the error for an input that the task is known to be wrong for."""
        problem = UnfitTaskError(what, 'leave the engine to "auto", or make it with engine="native".')
        problem.log = self.log
        return problem

    def made(self, path: Path) -> Made:
        """Describe the finished product, after completing its headers."""
        from xtendsrc import __version__

        complete_headers(path, self._names)

        versions = {"xtendsrc": __version__, "heasoft": self.installed.version or "unknown"}
        if caldb := self.installed.caldb.version:
            versions["caldb"] = caldb
        if any(r.runner == "heasoftpy" for r in self.results):
            versions["runner"] = "heasoftpy"
        calls = [text for r in self.results for text in (r.command, r.heasoftpy_call)]
        return Made(
            path=str(path),
            engine="heasoft",
            versions=versions,
            calls=tuple(calls),
            warnings=tuple(dict.fromkeys(self.warnings)),
            log=self.log,
        )


def complete_headers(path: Path, names: Mapping[str, str]) -> None:
    """Put into the headers of a task's product what it lacks, in place.

    FILINnnn get the names of the files themselves instead of the short ones of a private directory, and RADESYS, the
    keyword of the FITS standard, stands beside the RADECSYS that tasks write.
    """
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        changed = sum(_complete(hdu.header, names) for hdu in hdus) > 0
        if changed:
            part = path.with_name(f"{path.name}.part")
            hdus.writeto(part)
    if changed:
        part.replace(path)


def _complete(header: Header, names: Mapping[str, str]) -> bool:
    changed = False
    for key in header["FILIN*"]:
        short = str(header[key]).partition("[")[0].strip()
        if short in names and names[short] != header[key]:
            header[key], changed = names[short], True
    if "RADECSYS" in header and "RADESYS" not in header:
        header.set("RADESYS", header["RADECSYS"], "celestial frame, FITS standard", after="RADECSYS")
        changed = True
    return changed
