"""Checks of the events themselves: do they lie where the assumed geometry, window, rows and circles put them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.instrument import (
    CCDS,
    FOC_OFFSET,
    Geometry,
    act_to_det,
    active_area,
    charge_injection_rows,
    contained,
    in_calibration_source,
    window_rows,
)

if TYPE_CHECKING:
    from xtendsrc.archive.findings import Collector
    from xtendsrc.events.eventlist import EventList

SAMPLE = 200_000
GRADES = {0, 2, 3, 4, 6}


def check_values(events: EventList, to: Collector) -> None:
    """Events that no product uses, and values out of range."""
    counts = events.summary
    if counts["outside_gti"]:
        to.add(
            "note",
            "events outside the GTIs",
            "none in a cleaned file",
            f"{counts['outside_gti']} of {counts['events']}",
            "they are not used",
        )
    if bad := counts["pi_negative"] + counts["pi_above"]:
        found = f"{bad} of {counts['events']}"
        to.add("note", "PI out of range", f"0..{events.limits('PI')[1]}", found, "they are dropped by every product")
    for name in ("X", "Y", "DETX", "DETY"):
        if name in events:
            lo, hi = events.limits(name)
            outside = int(np.count_nonzero((events[name] < lo) | (events[name] > hi)))
            if outside:
                to.add("note", f"{name} out of range", f"{lo}..{hi}", f"{outside} events", "they are in no image")
    if "GRADE" in events and (other := set(np.unique(events["GRADE"]).tolist()) - GRADES):
        to.add(
            "warning", "GRADE", "0, 2, 3, 4, 6 in a cleaned file", sorted(other), "screen with grades=(0, 2, 3, 4, 6)"
        )
    if "STATUS" in events and (flagged := int(np.count_nonzero(events.status_bit(1)))):
        to.add("warning", "STATUS bit 1", "never set in a cleaned file", f"{flagged} events", "bad pixels are included")


def check_sky(events: EventList, to: Collector) -> None:
    """DET -> SKY of the events against the header's pointing: scale, angle, offset and scatter of a fit."""
    if not all(n in events for n in ("X", "Y", "DETX", "DETY")):
        return
    det, sky = _positions(events)
    if det.size < 20 or np.ptp(det.real) < 10 or np.ptp(det.imag) < 10:
        to.add("note", "geometry", "enough events for a fit", f"{det.size} events", "DET -> SKY could not be checked")
        return
    geometry = Geometry.from_header(events.header)
    origin = det.mean()
    design = np.column_stack([np.ones(det.size), det - origin])
    (centre, turn), *_ = np.linalg.lstsq(design, sky, rcond=None)
    scatter = float(np.sqrt(np.mean(np.abs(sky - design @ [centre, turn]) ** 2)))
    if scatter > 1.5:
        what = "the pointing wanders, CCDs are turned, or an axis is flipped; positions blur by this"
        to.add("warning", "DET -> SKY", "a rotation, to 1.5 px rms", f"{scatter:.2f} px rms", what)
    x, y = geometry.det_to_sky(origin.real, origin.imag)
    _check_turn(geometry, turn, to)
    shift = (centre - complex(x, y)) / (turn / abs(turn))
    if abs(shift) > max(1.0, scatter / 2):  # a wandering pointing need not average to the nominal one
        _report_offset(geometry, shift, to)


def _check_turn(geometry: Geometry, turn: complex, to: Collector) -> None:
    """Angle and scale of the fit."""
    fitted = float(np.degrees(np.angle(turn)))
    if abs((fitted - geometry.pa_nom + 180) % 360 - 180) > 0.1:
        found = f"{fitted % 360:.3f} deg"
        to.add("error", "PA_NOM", f"{geometry.pa_nom} deg turns DET to SKY", found, "detector regions are misplaced")
    if abs(abs(turn) - 1) > 2e-3:
        to.add("error", "pixel scale", "equal in DET and SKY", f"ratio {abs(turn):.4f}", "positions would be wrong")


def _report_offset(geometry: Geometry, shift: complex, to: Collector) -> None:
    x, y = geometry.foc_offset
    source = "a guess" if geometry.foc_offset == FOC_OFFSET else "from OPTDET, OPTFOC"
    found = f"{x - shift.real:.1f}, {y - shift.imag:.1f}"
    what = f"calibration discs, gaps and windows are displaced by {abs(shift):.1f} px on the sky"
    to.add("warning", "DET -> SKY offset", f"FOC offset {x:.1f}, {y:.1f} ({source})", found, what)


def check_footprints(events: EventList, to: Collector) -> None:
    """CCD layout, window and charge-injection rows as the events show them."""
    if not all(n in events for n in ("CCD_ID", "ACTX", "ACTY", "DETX", "DETY")):
        return
    ccd, actx, acty, detx, dety = (events[n].astype(int) for n in ("CCD_ID", "ACTX", "ACTY", "DETX", "DETY"))
    area = active_area(events.header)
    expected = {r.ccd_id for r in area}
    if not set(np.unique(ccd).tolist()) <= expected:
        others = sorted(set(np.unique(ccd).tolist()) - expected)
        to.add("error", "CCD_ID", f"within {sorted(expected)}", f"also {others}", "coverage would be wrong")
    valid = (ccd >= 0) & (ccd < len(CCDS)) & (detx > 0) & (dety > 0)
    for number in np.unique(ccd[valid]).tolist():
        here = valid & (ccd == number)
        x, y = act_to_det(ccd[here], actx[here], acty[here])
        _check_place(number, detx[here] - x, dety[here] - y, to)
    outside = ~contained(area, detx[valid], dety[valid])
    if outside.mean() > 0.002:
        found = f"{100 * outside.mean():.2f} % outside"
        to.add("warning", "CCD footprints", "events within the area that is read", found, "coverage and gaps are off")
    check_rows(events, to)


def _check_place(number: int, dx: np.ndarray, dy: np.ndarray, to: Collector) -> None:
    """One CCD's place in DET: its shift from the assumed one, and the scatter that a rotation would give."""
    x, y = float(np.median(dx)), float(np.median(dy))
    spread = float(np.percentile(np.abs(dx - x) + np.abs(dy - y), 95))
    if max(abs(x), abs(y)) > 1 or spread > 4:
        assumed = f"DETX {CCDS[number].detx}, DETY {CCDS[number].dety}"
        found = f"shifted by {x:.0f}, {y:.0f}; spread {spread:.0f} px"
        to.add("warning", f"place of CCD{number + 1}", assumed, found, "gaps and coverage are off by this")


def check_rows(events: EventList, to: Collector) -> None:
    """Window and charge-injection rows."""
    acty = events["ACTY"].astype(int)
    acty = acty[acty > 0]
    windowed = np.isin(events["CCD_ID"], (0, 1))
    first, last = window_rows(events.header)
    if last - first < 639:
        acty_w = events["ACTY"][windowed]
        if acty_w.size and (acty_w.min() < first or acty_w.max() > last):
            found = f"ACTY {acty_w.min()}..{acty_w.max()}"
            to.add("error", "window", f"ACTY {first}..{last}", found, "coverage and exposure maps would be wrong")
    rows = charge_injection_rows(events.header)
    rows = rows[(rows >= first) & (rows <= last)]
    counts = np.bincount(acty, minlength=641)[1:641]
    level = np.mean(counts[counts > 0]) if counts.any() else 0.0
    if rows.size and counts[rows - 1].mean() > 0.5 * level and level > 2:
        found = f"{counts[rows - 1].mean():.1f} events a row, all rows {level:.1f}"
        to.add(
            "warning",
            "charge-injection rows",
            f"no events in ACTY {', '.join(map(str, rows[:4]))}, ...",
            found,
            "CIFIRST, CIOFFSET, CIPERIOD mean other rows; exposure comes from the bad-pixel image",
        )


def check_calibration(events: EventList, to: Collector) -> None:
    """Events flagged as of a calibration source (STATUS bit 2) against the circles assumed."""
    if not all(n in events for n in ("STATUS", "DETX", "DETY")):
        return
    flagged = events.status_bit(2)
    circles = in_calibration_source(events["DETX"], events["DETY"])
    if circles.sum() > 20 and not flagged.any():
        to.add("note", "STATUS bit 2", "set in calibration-source regions", "never set", "the circles are used")
        return
    stray = int(np.count_nonzero(flagged & ~circles))
    if stray > 0.02 * max(1, flagged.sum()):
        found = f"{stray} of {int(flagged.sum())} flagged events lie outside"
        to.add(
            "warning", "calibration-source circles", "hold the flagged events", found, "discs do not mask them wholly"
        )


def _positions(events: EventList) -> tuple[np.ndarray, np.ndarray]:
    """DET and SKY positions of a sample of the good events as complex numbers."""
    step = max(1, len(events) // SAMPLE)
    columns = [events[n][::step].astype(float) for n in ("DETX", "DETY", "X", "Y")]
    valid = np.logical_and.reduce([c > 0 for c in columns]) & events.good[::step]
    detx, dety, x, y = (c[valid] for c in columns)
    return detx + 1j * dety, x + 1j * y
