"""The calibration-source discs by coordpnt, and non-X-ray background spectra by xtdnxbgen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.engines.heasoft.discovery import installation
from xtendsrc.engines.heasoft.task import Call, TaskResult, run
from xtendsrc.engines.heasoft.workspace import private_workspace
from xtendsrc.errors import InputNotFoundError, MissingKeywordError, TaskError
from xtendsrc.regions import RegionSet, calibration_discs

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from astropy.io.fits import Header

    from xtendsrc.engines.heasoft.runners import Runner

DISCS = "refdata/calsrc_XTD_det.reg"
"""Region file of the calibration sources inside a HEASoft installation, in DET pixels."""


def calibration_region(
    header: Header, headas: str | os.PathLike[str] | None = None, teldef: str = "CALDB", runner: Runner | None = None
) -> RegionSet:
    """Put the calibration-source discs (HEASoft's own file, else the published values) on the sky with coordpnt.

    The nominal pointing (RA_NOM, DEC_NOM, PA_NOM) is given, not the mean one: only then do the discs lie where the
    exposure map is zero.

    Parameters
    ----------
    header : Header
        Of the EVENTS of the observation.
    headas : path, optional
        The HEASoft to use.
    teldef : str
        Telescope definition file; from CALDB by default.
    runner : Runner, optional
        How to call the task.

    Returns
    -------
    RegionSet
        Excluded circles on the sky.

    Raises
    ------
    TaskError
        The discs came back in another number.
    """
    installed = installation(headas)
    published = calibration_discs(None, "DET")
    links: dict[str, str | Path] = {}
    ra, dec, roll = _nominal(header)
    parameters: dict[str, Any] = {"input": "discs.reg", "outfile": "sky.reg", "telescop": "XRISM", "instrume": "XTEND"}
    parameters |= {"ra": ra, "dec": dec, "roll": roll, "ranom": ra, "decnom": dec, "startsys": "DET"}
    parameters |= {"stopsys": "RADEC", "teldeffile": teldef}
    if teldef != "CALDB":
        parameters["teldeffile"] = Path(teldef).name
        links[Path(teldef).name] = teldef
    with private_workspace() as staging:
        installed_discs = installed.headas / DISCS
        discs = installed_discs if installed_discs.is_file() else published.write(staging.root / "discs.reg")
        links["discs.reg"] = discs
        call = Call(task="coordpnt", parameters=parameters, links=links, outputs=("sky.reg",))
        result = run(call, staging.root, installed, runner)
        region = RegionSet.read(result.outputs["sky.reg"])
    if len(region.shapes) != len(published.shapes) or region.included:
        raise TaskError("coordpnt did not keep the calibration-source discs as they are.", "look at its log.")
    return region


def _nominal(header: Header) -> tuple[float, float, float]:
    if missing := [name for name in ("RA_NOM", "DEC_NOM", "PA_NOM") if name not in header]:
        raise MissingKeywordError(f"The header has no {missing[0]}.", "give the header of EVENTS of a pointing.")
    return float(header["RA_NOM"]), float(header["DEC_NOM"]), float(header["PA_NOM"])


def nxb_spectrum(
    files: Mapping[str, str | os.PathLike[str]],
    region: RegionSet,
    output: str | os.PathLike[str],
    headas: str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> TaskResult:
    """Make a non-X-ray background spectrum with xtdnxbgen; a thin call, checked for its output only.

    Parameters
    ----------
    files : mapping of str to path
        ``infile`` (cleaned events), ``ehkfile``, ``innxbfile`` and ``innxbehk`` (the night-earth data base).
    region : RegionSet
        In DET pixels, or on the sky.
    output : path
        An existing directory for ``nxb.pi``.
    headas : path, optional
        The HEASoft to use.
    **parameters
        Further parameters of the task, such as ``timefirst``, ``timelast`` and ``sortbin``.
    """
    installed = installation(headas)
    if not Path(output).is_dir():
        raise InputNotFoundError(f"{output}: there is no such directory.", "make it first.")
    names = {parameter: f"{parameter}{''.join(Path(path).suffixes[-2:])}" for parameter, path in files.items()}
    with private_workspace() as staging:
        path = staging.root / "nxb.reg"
        region.write(path, "physical" if region.frame == "DET" else "fk5")
        links: dict[str, str | os.PathLike[str]] = {names[p]: path for p, path in files.items()}
        mode = "DET" if region.frame == "DET" else "RADEC"
        given = {**names, "regfile": "nxb.reg", "regmode": mode, "outpifile": "nxb.pi", **parameters}
        call = Call(task="xtdnxbgen", parameters=given, links=links | {"nxb.reg": path}, outputs=("nxb.pi",))
        return run(call, output, installed)
