"""One simulated observation as a directory in the archive's names and formats."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.instrument import DataClassCode, Geometry
from xtendsrc.simulate import auxiliary, truth
from xtendsrc.simulate.conditions import Conditions, Files
from xtendsrc.simulate.detector import Detector, FlickeringPixels, injection_keywords, window_keywords
from xtendsrc.simulate.eventtable import rows_of, screened
from xtendsrc.simulate.fitsout import Cards, Writer
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
    classes: tuple[DataClassCode, ...]
    split: int
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
        Sum of the good time intervals; 20 ks if not given.
    dataclasses : str or sequence of str
        Codes such as ``"300000a0"``, or a pair such as ``("31100010", "32000010")``; no CCD twice.
    roll : Quantity
        PA_NOM; 0 if not given.
    seed : int
        Everything random follows from it, but the detector's bad pixels (``conditions.detector_seed``).
    conditions : Conditions
        Orbit, pointing, detector and background: all that the references leave open.
    files : Files
        Gzipped or not, whole or in pieces, and whether an existing tree is replaced.

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
    seconds = _value(exposure if exposure is not None else 20 * u.ks, u.s, "exposure")
    if not seconds >= 1:
        raise RequestError(f"An exposure of {seconds} s cannot be simulated.", "give at least one second.")
    position, name = _pointing(target, sources)
    conditions = conditions or Conditions()
    if name:
        conditions = replace(conditions, object_name=name)
    pa = _value(roll if roll is not None else 0 * u.deg, u.deg, "roll") % 360.0
    writer = _writer(obs_id, position, pa, conditions, files.compress)
    rng = np.random.default_rng([seed, 0])
    timeline = orbits(seconds, conditions, rng)
    attitude = Attitude.random(writer.geometry, conditions, rng)
    plan = Plan(writer, tuple(sources), conditions, timeline, attitude, _classes(dataclasses), files.split, seed)
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


def _classes(dataclasses: str | Sequence[str]) -> tuple[DataClassCode, ...]:
    codes = [dataclasses] if isinstance(dataclasses, (str, int)) else list(dataclasses)
    parsed = tuple(DataClassCode.parse(str(code)) for code in codes)
    ccds = [number for code in parsed for number in code.ccds]
    if not parsed or len(ccds) != len(set(ccds)):
        raise RequestError(
            f"The data classes {', '.join(map(str, codes)) or '()'} do not read each CCD at most once.",
            "give one such as 300000a0, or a pair such as 31100010 and 32000010.",
        )
    return parsed


def _write(plan: Plan, root: Path) -> None:
    """All files of the tree."""
    auxil, hk = root / "auxil", root / "xtend" / "hk"
    auxiliary.write_attitude(auxil, plan.writer, plan.timeline, plan.attitude)
    auxiliary.write_housekeeping(auxil, plan.writer, plan.timeline, plan.attitude)
    auxiliary.write_orbit(auxil, plan.writer, plan.timeline)
    auxiliary.write_intervals(auxil, hk, plan.writer, plan.timeline, tuple(str(c) for c in plan.classes))
    auxiliary.write_temperatures(hk, plan.writer, plan.timeline)
    (root / "xtend" / "products").mkdir(parents=True)
    record: dict[str, Any] = {
        "obs_id": plan.writer.obs_id,
        "seed": plan.seed,
        "exposure": plan.timeline.exposure,
        "gti": [[float(a), float(b)] for a, b in zip(plan.timeline.start, plan.timeline.stop, strict=True)],
        "dataclasses": {str(code): _write_class(plan, code, root / "xtend") for code in plan.classes},
    }
    log = root / "log"
    log.mkdir()
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    (log / f"xa{plan.writer.obs_id}_truth.json").write_text(text, encoding="utf-8")


def _write_class(plan: Plan, code: DataClassCode, xtend: Path) -> dict[str, Any]:
    """Events, bad-pixel image and flickering pixels of a data class; returns its truth."""
    detector = Detector.build(code, plan.conditions)
    sky = Sky(plan.writer.geometry, plan.conditions, detector)
    middle, good = plan.timeline.frames(code.frame_time)
    frames = Frames(middle, good, code.live_time, float(plan.timeline.start[0]), plan.attitude(middle))
    flickering = detector.flickering(plan.conditions, plan.timeline.pointing)
    seed = plan.seed * 4096 + int(code.code[:3], 16)
    hits = Hits.join(_draw(plan, sky, frames, flickering, seed))
    rows = rows_of(hits, sky, frames, flickering, code.frame_time, np.random.default_rng([seed, 1]))
    good_time = good[np.sort(hits.frame, kind="stable")]
    clean = screened(rows, good_time, tuple(g for g, _ in plan.conditions.grades))
    stem = f"xa{plan.writer.obs_id}xtd_"
    cards = _event_cards(plan, code)
    whole = plan.timeline.pointing
    everything = replace(plan.timeline, start=np.array([whole[0]]), stop=np.array([whole[1]]))
    _write_events(plan, xtend / "event_uf", f"{stem}p{{}}{code}_uf.evt", rows, everything, cards)
    _write_events(plan, xtend / "event_cl", f"{stem}p{{}}{code}_cl.evt", clean, plan.timeline, cards)
    _write_pixels(plan, code, xtend / "event_uf", detector, flickering, rows)
    return {
        "sources": [truth.source_truth(s, sky, frames, seed) for s in plan.sources],
        "background": truth.background_truth(plan.conditions.background, sky),
        "ontime": plan.timeline.exposure,
        "live_time": code.live_fraction * plan.timeline.exposure,
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


def _event_cards(plan: Plan, code: DataClassCode) -> Cards:
    """Keywords of a data class."""
    return {
        "DETNAM": code.detnam,
        "DATAMODE": code.datamode,
        "DATACLAS": code.code,
        "FILTER": "NONE",
        "TIMEZERO": plan.conditions.timezero,
        "TIMEPIXR": plan.conditions.timepixr,
        "TIMEDEL": code.frame_time,
        "DEADC": code.live_fraction,
        **window_keywords(code, plan.conditions),
        **injection_keywords(plan.conditions),
    }


def _cuts(rows: np.ndarray, timeline: Timeline, pieces: int, frame_time: float, offset: float) -> list[float]:
    """Times at which a file of ``pieces`` is cut: boundaries of frames, at equal numbers of events."""
    low, high = float(timeline.start[0]), float(timeline.stop[-1])
    if pieces == 1 or not len(rows):
        return [low + (high - low) * n / pieces for n in range(pieces + 1)]
    inner = [float(rows["TIME"][len(rows) * n // pieces]) - offset - frame_time / 2 for n in range(1, pieces)]
    return [low, *inner, high]


def _write_events(plan: Plan, folder: Path, name: str, rows: np.ndarray, timeline: Timeline, cards: Cards) -> None:
    """An event file, or its pieces, each with the good time intervals it covers."""
    frame_time = cards["TIMEDEL"]
    offset = (plan.conditions.timepixr - 0.5) * frame_time - plan.conditions.timezero
    edges = _cuts(rows, timeline, plan.split, frame_time, offset)
    middle = rows["TIME"] - offset
    for number, (low, high) in enumerate(pairwise(edges)):
        last = number == len(edges) - 2
        piece = rows[(middle >= low) & ((middle < high) | last)]
        start, stop = timeline.clipped(low, high)
        if not len(start):
            raise RequestError(
                f"{name.format(number + 1)} would have no good time.", f"split into fewer than {plan.split} pieces."
            )
        ontime = float((stop - start).sum())
        all_cards = {
            **plan.writer.identity(float(start[0]), float(stop[-1])),
            **cards,
            "ONTIME": ontime,
            "LIVETIME": ontime * cards["DEADC"],
            "EXPOSURE": ontime * cards["DEADC"],
            "HDUCLASS": "OGIP",
        }
        events = plan.writer.table("EVENTS", piece, {**all_cards, "HDUCLAS1": "EVENTS", "HDUCLAS2": "ALL"}, wcs=True)
        counter = 0 if plan.split == 1 else number + 1
        zero = plan.conditions.timezero  # in the header of the intervals too, and added when they are read
        good = plan.writer.intervals("GTI", start - zero, stop - zero, all_cards)
        plan.writer.save(folder / name.format(counter), [events, good], all_cards)


def _write_pixels(
    plan: Plan, code: DataClassCode, folder: Path, detector: Detector, flickering: FlickeringPixels, rows: np.ndarray
) -> None:
    """The bad-pixel image and the list of flickering pixels."""
    low, high = plan.timeline.pointing
    cards = {**plan.writer.identity(low, high), "DETNAM": code.detnam, "DATACLAS": code.code}
    axes = {
        f"{key}{axis}": value
        for axis, column in ((1, "DETX"), (2, "DETY"))
        for key, value in (("CTYPE", column), ("CUNIT", "pixel"), ("CRPIX", 1.0), ("CRVAL", 1.0), ("CDELT", 1.0))
    }
    stem = f"xa{plan.writer.obs_id}xtd_"
    plan.writer.save(folder / f"{stem}p0{code}.bimg", [], {**cards, **axes}, detector.image)
    names = ("CCD_ID", "ACTX", "ACTY", "DETX", "DETY")
    table = np.zeros(
        len(flickering.ccd_id), dtype=[*((name, ">i2") for name in names), ("START", ">f8"), ("STOP", ">f8")]
    )
    for name, value in zip(names, (flickering.ccd_id, flickering.actx, flickering.acty, *flickering.det), strict=True):
        table[name] = value
    table["START"], table["STOP"] = flickering.start, flickering.stop
    events = rows[(rows["STATUS"][:, 1] & 0x40) != 0]
    parts = [plan.writer.table("EVENTS", events, cards, wcs=True), plan.writer.table("PIXELS", table, cards)]
    plan.writer.save(folder / f"{stem}a0{code}.fpix", parts, cards)
