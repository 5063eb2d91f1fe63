"""The files of a tree that hold no events: attitude, orbit, housekeeping, time intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.recfunctions import repack_fields

from xtendsrc.instrument import Geometry, det_to_foc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xtendsrc.simulate.conditions import Conditions
    from xtendsrc.simulate.fitsout import Writer
    from xtendsrc.simulate.timeline import Attitude, Timeline

EDGE = 40.0
"""Seconds by which attitude and housekeeping reach beyond the pointing."""
EARTH_RADIUS, ALTITUDE, INCLINATION = 6378.0, 575.0, 31.0
"""km, km, deg (Proposers' Observatory Guide)."""


def seconds(timeline: Timeline) -> np.ndarray:
    """One time a second, around the whole pointing."""
    low, high = timeline.pointing
    return np.arange(low - EDGE, high + EDGE + 1.0)


def _zyz(ra: np.ndarray, dec: np.ndarray, roll: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Euler angles (ZYZ: RA, 90 - Dec, 90 - roll; HEASoft, ROLLSIGN -1) in deg and the quaternion, scalar last."""
    euler = np.stack([ra, 90.0 - dec, (90.0 - roll) % 360.0], axis=1)
    a, b, c = np.radians(euler / 2).T
    quaternion = np.stack(
        [np.sin(b) * np.sin(c - a), np.sin(b) * np.cos(c - a), np.cos(b) * np.sin(a + c), np.cos(b) * np.cos(a + c)], 1
    )
    return euler, quaternion


def _axis(geometry: Geometry, ra: np.ndarray, dec: np.ndarray, roll: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction of the optical axis, deg."""
    foc = det_to_foc(*geometry.optical_axis, geometry.foc_offset)
    x, y = geometry.pointed_to_sky(*foc, ra, dec, roll)
    world = geometry.wcs.wcs_pix2world(np.stack([x, y], axis=1), 1)
    return world[:, 0], world[:, 1]


def _elevation(time: np.ndarray, timeline: Timeline, conditions: Conditions) -> np.ndarray:
    """Elevation above the Earth's limb: above 5 deg in the on-stretch of each orbit, below it elsewhere."""
    on = conditions.on_time + conditions.on_scatter
    phase = (time - conditions.start + conditions.on_scatter) % conditions.orbit_period
    inside = 5.0 + 60.0 * np.sin(np.pi * np.minimum(phase, on) / on)
    outside = 5.0 - 40.0 * np.sin(np.pi * np.maximum(phase - on, 0) / (conditions.orbit_period - on))
    return np.where(phase < on, inside, outside)


def write_attitude(folder: Path, writer: Writer, timeline: Timeline, attitude: Attitude) -> None:
    """Attitude file: TIME, QPARAM (scalar last), EULER (ZYZ)."""
    time = seconds(timeline)
    euler, quaternion = _zyz(*attitude(time))
    rows = np.zeros(len(time), dtype=[("TIME", ">f8"), ("QPARAM", ">f8", (4,)), ("EULER", ">f8", (3,))])
    rows["TIME"], rows["QPARAM"], rows["EULER"] = time, quaternion, euler
    cards = writer.identity(float(time[0]), float(time[-1]))
    writer.save(folder / f"xa{writer.obs_id}.att", [writer.table("ATTITUDE", rows, cards)], cards)


def write_housekeeping(folder: Path, writer: Writer, timeline: Timeline, attitude: Attitude) -> None:
    """Extended housekeeping (EHK) and filter (MKF) files, one row a second."""
    time = seconds(timeline)
    ra, dec, roll = attitude(time)
    axis = _axis(writer.geometry, ra, dec, roll)
    elevation = _elevation(time, timeline, writer.conditions)
    good = np.searchsorted(timeline.start, time, side="right") != np.searchsorted(timeline.stop, time, side="left")
    saa = (elevation > 5) & ~good & (time > timeline.start[0]) & (time < timeline.stop[-1])
    since = time - np.maximum.accumulate(np.where(saa, time, time[0] - 3600.0))
    columns = {
        "TIME": time,
        "RA": ra,
        "DEC": dec,
        "ROLL": roll,
        "SXI_RA_PNT": axis[0],
        "SXI_DEC_PNT": axis[1],
        "ELV": elevation,
        "DYE_ELV": elevation,
        "SAA": saa.astype(float),
        "SAA_SXI": saa.astype(float),
        "T_SAA_SXI": since,
    }
    rows = np.zeros(len(time), dtype=[(name, ">f8") for name in columns])
    for name, value in columns.items():
        rows[name] = value
    cards = writer.identity(float(time[0]), float(time[-1]))
    writer.save(folder / f"xa{writer.obs_id}.ehk", [writer.table("EHK", rows, cards)], cards)
    some = repack_fields(rows[["TIME", "ELV", "SAA_SXI", "T_SAA_SXI"]])
    writer.save(folder / f"xa{writer.obs_id}.mkf", [writer.table("MKF", some, cards)], cards)


def write_orbit(folder: Path, writer: Writer, timeline: Timeline) -> None:
    """Orbit file: Keplerian elements, one row a minute, under both names that tasks look for them."""
    time = np.arange(timeline.pointing[0] - 600, timeline.pointing[1] + 600, 60.0)
    names = ("TIME", "A", "E", "I", "AN", "AP", "MA")
    rows = np.zeros(len(time), dtype=[(name, ">f8") for name in names])
    turn = 360.0 * (time - time[0]) / writer.conditions.orbit_period
    for name, value in zip(
        names, (time, EARTH_RADIUS + ALTITUDE, 1e-3, INCLINATION, 120.0, 0.0, turn % 360), strict=True
    ):
        rows[name] = value
    cards = writer.identity(float(time[0]), float(time[-1]))
    tables = [writer.table(name, rows, cards) for name in ("ORBIT", "PAR_ORBIT")]
    writer.save(folder / f"xa{writer.obs_id}.orb", tables, cards)


def write_intervals(
    auxil: Path, hk: Path, writer: Writer, timeline: Timeline, modes: Sequence[tuple[str, tuple[float, float]]]
) -> None:
    """General, telemetry and mode good time intervals; ``modes`` are the data classes and when each was read."""
    low, high = timeline.pointing
    cards = writer.identity(low, high)
    whole = np.array([low]), np.array([high])
    slew = np.array([low - EDGE]), np.array([low])
    parts = [
        writer.intervals(name, *pair, cards)
        for name, pair in (("GTIPOINT", whole), ("GTISLEW", slew), ("GTIATT", whole), ("GTIOBS", whole))
    ]
    writer.save(auxil / f"xa{writer.obs_id}_gen.gti", parts, cards)
    stem = f"xa{writer.obs_id}xtd"
    writer.save(hk / f"{stem}_tel.gti", [writer.intervals("GTITEL", *whole, cards)], cards)
    tables = [
        writer.intervals(f"GTI_{code}", np.array([first]), np.array([last]), {**cards, "DATACLAS": code})
        for code, (first, last) in modes
    ]
    writer.save(hk / f"{stem}_mode.gti", tables, cards)


def write_temperatures(hk: Path, writer: Writer, timeline: Timeline) -> None:
    """A housekeeping file with CCD temperatures, one row a minute."""
    time = np.arange(timeline.pointing[0], timeline.pointing[1], 60.0)
    rows = np.zeros(len(time), dtype=[("TIME", ">f8"), ("CCD_TEMP", ">f4", (4,))])
    rows["TIME"], rows["CCD_TEMP"] = time, -110.0
    cards = writer.identity(*timeline.pointing)
    writer.save(hk / f"xa{writer.obs_id}xtd_a0.hk", [writer.table("HK_SXI_USR_USER_HK1", rows, cards)], cards)
