"""One simulated observation as a directory in the archive's names and formats."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.instrument import DataClassCode, Geometry
from xtendsrc.simulate import auxiliary, truth
from xtendsrc.simulate.conditions import Conditions, Files
from xtendsrc.simulate.detector import Detector, FlickeringPixels
from xtendsrc.simulate.eventfiles import ClassFiles
from xtendsrc.simulate.eventtable import rows_of, screened
from xtendsrc.simulate.fitsout import Writer
from xtendsrc.simulate.photons import (
    Frames,
    Hits,
    Sky,
    calibration,
    flicker,
    particles,
    sky_background,
    source_hits,
    without_energy,
)
from xtendsrc.simulate.readout import ReadOut
from xtendsrc.simulate.timeline import Attitude, Timeline, orbits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xtendsrc.simulate.sources import Source

_OBS_ID = re.compile(r"[0-9]{9}")


@dataclass(frozen=True)
class Plan:
    """All that the files of one observation depend on."""

    writer: Writer
    sources: tuple[Source, ...]
    conditions: Conditions
    timeline: Timeline
    attitude: Attitude
    classes: tuple[ClassFiles, ...]
    seed: int


def observation(
    directory: str | Path,
    obs_id: str,
    target: SkyCoord | str,
    sources: Sequence[Source] = (),
    *,
    exposure: u.Quantity | None = None,
    dataclasses: str | Sequence[str] = "300000a0",
    roll: u.Quantity | None = None,
    seed: int = 0,
    conditions: Conditions | None = None,
    files: Files | None = None,
) -> Path:
    """Simulate an observation and write it as the archive would.

    The same arguments give the same bytes. Spectra go through the nominal response (`xtendsrc.responses.nominal`),
    whose areas count events of good grades on good pixels; charge-injection rows and bad pixels are cut on top. There
    is no pile-up, and no trail of photons that arrive during read-out.

    Parameters
    ----------
    directory : path
        Where the tree ``<obs_id>/`` is made.
    obs_id : str
        Nine digits.
    target : SkyCoord or str
        Nominal pointing; a string is the name of the object and points at the first source.
    sources : sequence of Source
        The sky, besides the diffuse background.
    exposure : Quantity
        Good time, the dead time of its frames included; 20 ks if not given. One value for each configuration, where
        ``dataclasses`` has several.
    dataclasses : str or sequence of str
        Codes such as ``"300000a0"``, or several such as ``("31100010", "32000010")``. A code that reads a CCD again
        begins a new configuration, which follows the one before in time.
    roll : Quantity
        PA_NOM; 0 if not given.
    seed : int
        Everything random follows from it, but the detector's bad pixels (``conditions.detector_seed``).
    conditions : Conditions
        Orbit, pointing, detector and background: all that the references leave open.
    files : Files
        Gzipped or not, whole or in pieces, good time frame by frame or coarse, and whether an existing tree is
        replaced.

    Returns
    -------
    Path
        The tree. ``log/xa<obs_id>_truth.json`` in it says what its products should show.

    Raises
    ------
    RequestError
        For an ObsID, data class, exposure or seed that makes no sense, or a tree that exists.
    UnitsError
        If the exposure or the roll has no unit.
    """
    files = files or Files()
    final = _destination(Path(directory), obs_id, files.overwrite)
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise RequestError(f"The seed {seed!r} is negative, or no whole number.", "seeds are integers from 0.")
    configurations = _configurations(dataclasses)
    seconds = _exposures(exposure, len(configurations))
    position, name = _pointing(target, sources)
    conditions = conditions or Conditions()
    if name:
        conditions = replace(conditions, object_name=name)
    pa = _value(roll if roll is not None else 0 * u.deg, u.deg, "roll") % 360.0
    writer = _writer(obs_id, position, pa, conditions, files.compress)
    rng = np.random.default_rng([seed, 0])
    timeline = orbits(sum(seconds), conditions, rng)
    attitude = Attitude.random(writer.geometry, conditions, rng)
    classes = tuple(
        ClassFiles(writer, code, ReadOut.of(code, conditions, files.good_time == "coarse"), part, files.split)
        for codes, part in zip(configurations, timeline.parts(seconds), strict=True)
        for code in codes
    )
    plan = Plan(writer, tuple(sources), conditions, timeline, attitude, classes, seed)
    partial = final.with_name(f".{obs_id}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write(plan, partial)
        if final.exists():
            shutil.rmtree(final)
        partial.replace(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def _writer(obs_id: str, position: SkyCoord, pa: float, conditions: Conditions, compress: bool) -> Writer:
    """Nominal pointing as headers have it: FK5, six decimals."""
    fk5 = position.transform_to("fk5")
    ra, dec = float(fk5.ra.deg), float(fk5.dec.deg)
    geometry = Geometry(round(ra, 6), round(dec, 6), pa, conditions.foc_offset, conditions.optical_axis)
    return Writer(obs_id, geometry, conditions, (ra, dec), compress)


def _pointing(target: SkyCoord | str, sources: Sequence[Source]) -> tuple[SkyCoord, str]:
    if not isinstance(sources, (list, tuple)):
        raise RequestError(f"{sources!r} is not a list of sources.", "write [source] for one.")
    if isinstance(target, SkyCoord) and target.isscalar:
        return target, ""
    if not isinstance(target, str):
        raise RequestError(f"The target {target!r} is neither a name nor one position.", "give one SkyCoord.")
    if not sources:
        raise RequestError(
            f"The target {target!r} is a name and there is no source to point at.", "give a SkyCoord, or sources."
        )
    return sources[0].position, str(target)


def _destination(directory: Path, obs_id: str, overwrite: bool) -> Path:
    if not isinstance(obs_id, str) or not _OBS_ID.fullmatch(obs_id):
        raise RequestError(f"{obs_id!r} is not an ObsID.", "an ObsID is a string of nine digits, e.g. '900001010'.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise RequestError(f"{directory} cannot be a directory: {problem}.", "choose another place.") from None
    final = directory / obs_id
    if final.exists() and not overwrite:
        raise RequestError(f"{final} exists.", "choose another ObsID or directory, or say overwrite=True.")
    return final


def _value(value: Any, unit: u.UnitBase, name: str) -> float:
    if not isinstance(value, u.Quantity):
        raise UnitsError(f"{name}={value!r} has no unit.", f"write {name}={value!r} * u.{unit}.")
    try:
        result = float(value.to_value(unit))
    except u.UnitConversionError as error:
        raise UnitsError(f"{name}={value} is not in {unit}.", f"give it in {unit}.") from error
    if not np.isfinite(result):
        raise RequestError(f"{name}={value} is not finite.", "give a number.")
    return result


def _configurations(dataclasses: str | Sequence[str]) -> list[list[DataClassCode]]:
    """Data classes read at the same time, one list after another: a new one begins where a CCD would be read twice."""
    codes = [dataclasses] if isinstance(dataclasses, (str, int)) else list(dataclasses)
    parsed = [DataClassCode.parse(str(code)) for code in codes]
    if not parsed or len(set(parsed)) != len(parsed):
        raise RequestError(
            f"The data classes {', '.join(map(str, codes)) or '()'} are none, or one of them twice.",
            "give one such as 300000a0, or several such as 31100010 and 32000010.",
        )
    found: list[list[DataClassCode]] = []
    for code in parsed:
        if found and not any(set(code.ccds) & set(other.ccds) for other in found[-1]):
            found[-1].append(code)
        else:
            found.append([code])
    return found


def _exposures(exposure: u.Quantity | None, number: int) -> list[float]:
    """Good seconds of each configuration: as given, or equal parts of one sum."""
    given = exposure if exposure is not None else 20 * u.ks
    if isinstance(given, u.Quantity) and given.shape == (number,):
        seconds = [_value(part, u.s, "exposure") for part in given]
    elif isinstance(given, u.Quantity) and not given.isscalar:
        raise RequestError(
            f"There are {given.size} exposures for {number} configurations of the CCDs, read one after another.",
            "give one exposure, or one for each configuration.",
        )
    else:
        seconds = [_value(given, u.s, "exposure") / number] * number
    if not min(seconds) >= 1:
        raise RequestError(f"An exposure of {min(seconds)} s cannot be simulated.", "give at least one second.")
    return seconds


def _write(plan: Plan, root: Path) -> None:
    """All files of the tree."""
    auxil, hk = root / "auxil", root / "xtend" / "hk"
    auxiliary.write_attitude(auxil, plan.writer, plan.timeline, plan.attitude)
    auxiliary.write_housekeeping(auxil, plan.writer, plan.timeline, plan.attitude)
    auxiliary.write_orbit(auxil, plan.writer, plan.timeline)
    modes = [(str(one.code), one.timeline.pointing) for one in plan.classes]
    auxiliary.write_intervals(auxil, hk, plan.writer, plan.timeline, modes)
    auxiliary.write_temperatures(hk, plan.writer, plan.timeline)
    (root / "xtend" / "products").mkdir(parents=True)
    record: dict[str, Any] = {
        "obs_id": plan.writer.obs_id,
        "seed": plan.seed,
        "exposure": plan.timeline.exposure,
        "gti": [[float(a), float(b)] for a, b in zip(plan.timeline.start, plan.timeline.stop, strict=True)],
        "dataclasses": {str(one.code): _write_class(plan, one, root / "xtend") for one in plan.classes},
    }
    log = root / "log"
    log.mkdir()
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    (log / f"xa{plan.writer.obs_id}_truth.json").write_text(text, encoding="utf-8")


def _write_class(plan: Plan, one: ClassFiles, xtend: Path) -> dict[str, Any]:
    """Events, bad-pixel image and flickering pixels of a data class; returns its truth."""
    detector = Detector.build(one.code, plan.conditions)
    sky = Sky(plan.writer.geometry, plan.conditions, detector)
    middle, good = one.readout.frames(one.timeline)
    frames = Frames(middle, good, one.readout.live, float(one.timeline.start[0]), plan.attitude(middle))
    flickering = detector.flickering(plan.conditions, one.timeline.pointing)
    seed = plan.seed * 4096 + int(one.code.code[:3], 16)
    hits = Hits.join(_draw(plan, sky, frames, flickering, seed))
    rows = rows_of(hits, sky, frames, flickering, one.offset, np.random.default_rng([seed, 1]))
    good_time = good[np.sort(hits.frame, kind="stable")]
    clean = screened(rows, good_time, tuple(g for g, _ in plan.conditions.grades))
    one.write_unfiltered(xtend / "event_uf", rows)
    ontime = one.write_cleaned(xtend / "event_cl", clean)
    one.write_pixels(xtend / "event_uf", detector, flickering, rows)
    return {
        "sources": [truth.source_truth(s, sky, frames, seed) for s in plan.sources],
        "background": truth.background_truth(plan.conditions.background, sky),
        "ontime": ontime,
        "live_time": one.readout.exposures(ontime)["EXPOSURE"],
        "events": len(clean),
        "unfiltered_events": len(rows),
    }


def _draw(plan: Plan, sky: Sky, frames: Frames, flickering: FlickeringPixels, seed: int) -> list[Hits]:
    """All components; each has its own stream, so that adding a source leaves the others as they were."""

    def stream(component: int) -> np.random.Generator:
        return np.random.default_rng([seed, 2, component])

    detector, background = sky.detector, plan.conditions.background
    parts = [
        sky_background(background, sky, frames, stream(0)),
        particles(background, detector, frames, stream(1)),
        particles(background, detector, frames, stream(2), grade=1),
        *calibration(background, detector, frames, stream(3)),
        without_energy(background, detector, frames, stream(4)),
        *flicker(flickering, plan.conditions.flicker_rate, frames, stream(5)),
    ]
    return parts + [source_hits(s, sky, frames, stream(100 + n)) for n, s in enumerate(plan.sources)]
