"""Reprocessing of one observation by xtdpipeline: calibration and screening (stages 1 and 2), no quick-look products.

The pipeline may end with code 0 after it skipped files, so what counts is ``numerrs`` of its parameter file and one
cleaned event list and one bad-pixel image for every data class it was given. Its output never goes into the archive
tree: duplicates below the input directory are fatal to later runs (XRISM "things to watch out for", GEN-3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.engines.heasoft.discovery import installation
from xtendsrc.engines.heasoft.task import Call, TaskResult, move, run
from xtendsrc.engines.heasoft.workspace import private_workspace
from xtendsrc.errors import CalibrationMissingError, InputNotFoundError, TaskError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

ROLES = {
    "attitude": "att",
    "orbit": "orb",
    "obsgti": "gen_gti",
    "housekeeping": "hk",
    "makefilter": "mkf",
    "extended_housekeeping": "ehk",
}
"""Roles of the auxiliary files by the pipeline's parameter."""

_UNFILTERED = re.compile(r"xa(?P<obsid>\d{9})xtd_p\d(?P<dataclass>[0-9a-z]{8})_uf\.evt(\.gz)?\Z")


@dataclass(frozen=True)
class Processed:
    """Result of a reprocessing.

    Attributes
    ----------
    files : tuple of Path
        Every file made, in the output directory.
    result : TaskResult
        The call, its text and its parameters afterwards.
    """

    files: tuple[Path, ...]
    result: TaskResult


def process(
    event_uf: str | os.PathLike[str],
    auxiliary: Mapping[str, str | tuple[str, ...]],
    output: str | os.PathLike[str],
    *,
    calc_modegti: bool = True,
    seed: int = 7,
    parameters: Mapping[str, Any] | None = None,
    headas: str | os.PathLike[str] | None = None,
) -> Processed:
    """Reprocess the unfiltered events of one observation.

    Parameters
    ----------
    event_uf : path
        The observation's ``xtend/event_uf`` directory.
    auxiliary : mapping of str to str
        Paths by role: ``att``, ``orb``, ``gen_gti``, ``hk``, ``mkf``, ``ehk``.
    output : path
        Where the files go; outside the observation's own tree, made if need be.
    calc_modegti : bool
        Whether dead-time intervals are computed anew (right for science, slow), or taken from ``xtd_mode.gti``.
    seed : int
        Of the random numbers; 0, the pipeline's default, is the time of day and gives other PI in every run.
    parameters : mapping, optional
        Further parameters of xtdpipeline.
    headas : path, optional
        The HEASoft to use.

    Raises
    ------
    TaskError
        The pipeline counted errors, or a data class lacks its cleaned events or bad-pixel image.
    InputNotFoundError
        A file is missing.
    """
    source, target = Path(event_uf).absolute(), Path(output).absolute()
    installed = installation(headas)
    if not installed.caldb.usable:
        raise CalibrationMissingError(f"xtdpipeline needs CALDB: {installed.caldb.problem}.", "see `xtendsrc doctor`.")
    obs_id, dataclasses = _expected(source)
    if target.resolve().is_relative_to(source.resolve().parent.parent):
        raise TaskError(
            f"{target} lies in the archive tree of observation {obs_id}.",
            "choose an output directory outside of it: duplicates there break later runs.",
        )
    call = _call(source, auxiliary, obs_id, {"calc_modegti": calc_modegti, "seed": seed, **(parameters or {})})
    with private_workspace() as staging:
        result = run(call, staging.root, installed)
        made = staging.root / "out"
        _check(result, made, dataclasses)
        return _deliver(result, made, target)


def _expected(source: Path) -> tuple[str, set[str]]:
    """ObsID and data classes of the unfiltered event files; slew files are not among them."""
    found = [m for m in (_UNFILTERED.match(p.name) for p in sorted(source.glob("*_uf.evt*"))) if m]
    if not found:
        raise InputNotFoundError(f"{source} holds no unfiltered event file.", "give the xtend/event_uf directory.")
    return found[0]["obsid"], {m["dataclass"] for m in found}


def _call(source: Path, auxiliary: Mapping[str, Any], obs_id: str, extra: Mapping[str, Any]) -> Call:
    links: dict[str, str] = {"in": str(source)}
    parameters: dict[str, Any] = {}
    for name, role in ROLES.items():
        given = auxiliary.get(role)
        path = given if isinstance(given, str) or not given else given[0]
        if not path:
            raise InputNotFoundError(f"Observation {obs_id} has no file of role {role!r}.", "download its auxil.")
        parameters[name] = Path(path).name
        links[Path(path).name] = str(path)
    stem = f"xa{obs_id}"
    parameters |= {"indir": "in", "outdir": "out", "steminputs": stem, "stemoutputs": stem, "stemreport": stem}
    parameters |= {"entry_stage": 1, "exit_stage": 2, "cleanup": True, **extra}
    return Call(task="xtdpipeline", parameters=parameters, links=links, outputs=("out",))


def _check(result: TaskResult, made: Path, dataclasses: set[str]) -> None:
    counted = result.parameters.get("numerrs", "0").strip()
    if counted not in ("", "0"):
        raise _failure(result, f"xtdpipeline returned 0 but counted {counted} errors.")
    for code in sorted(dataclasses):
        cleaned = [p for p in made.rglob(f"*{code}_cl.evt*") if _rows(p) > 0]
        if not cleaned:
            raise _failure(result, f"xtdpipeline left no cleaned events of data class {code}.")
        if not list(made.rglob(f"*{code}*.bimg*")):
            raise _failure(result, f"xtdpipeline left no bad-pixel image of data class {code}.")


def _failure(result: TaskResult, what: str) -> TaskError:
    problem = TaskError(what, "look at its log, and at the CALDB release.")
    problem.log = result.output
    return problem


def _rows(path: Path) -> int:
    from xtendsrc.events.fitsfile import open_fits

    found = open_fits(path).find("EVENTS")
    return found.rows if found is not None else 0


def _deliver(result: TaskResult, made: Path, target: Path) -> Processed:
    """Move the files to the output directory, the log last."""
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for path in sorted(p for p in made.rglob("*") if p.is_file()):
        place = target / path.relative_to(made)
        place.parent.mkdir(parents=True, exist_ok=True)
        files.append(move(path, place))
    log = move(result.log, target / "xtdpipeline.log") if result.log is not None else None
    return Processed(tuple(files), replace(result, outputs={"out": target}, log=log))
