"""Checks of the files beside the events: GTIs, bad-pixel image, flickering pixels, extended housekeeping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.events.fitsfile import open_fits
from xtendsrc.events.gti import find_gti
from xtendsrc.instrument import DET_SIZE

if TYPE_CHECKING:
    from xtendsrc.archive.findings import Collector, Severity
    from xtendsrc.events.eventlist import EventList
    from xtendsrc.events.fitsfile import FitsFile
    from xtendsrc.events.fitstable import HDU

CODES = {-1, 0, 1, 2}
POINTINGS = (("XTD_RA_PNT", "XTD_DEC_PNT"), ("SXI_RA_PNT", "SXI_DEC_PNT"))
NO_MAP = "no exposure map can be made"


def check_gti(path: str, to: Collector) -> None:
    """Form of the GTI table of an event file."""
    file = open_fits(path)
    hdu = find_gti(file)
    to.compare("name of the GTI extension", "GTI", hdu.name, "note", "used all the same")
    start, stop = file.column(hdu, "START"), file.column(hdu, "STOP")
    order = np.argsort(start)
    overlaps = int(np.count_nonzero(start[order][1:] < np.maximum.accumulate(stop[order])[:-1]))
    if overlaps:
        to.add("warning", "GTIs", "disjoint", f"{overlaps} overlaps", "merged, so that no second counts twice")
    if np.any(stop <= start):
        found = f"{int(np.count_nonzero(stop <= start))} intervals"
        to.add(
            "warning", "GTIs", "longer than nothing", found, "intervals of no length are dropped, reversed ones refused"
        )


def check_bimg(path: str, code: str, events: EventList | None, to: Collector) -> None:
    """Size, codes and data class of the bad-pixel image, and whether events avoid its bad pixels."""
    file = open_fits(path)
    hdu = file.hdus[0]
    shape = (int(hdu.header.get("NAXIS2", 0)), int(hdu.header.get("NAXIS1", 0)))
    if shape != (DET_SIZE, DET_SIZE):
        to.add("error", "size", f"{DET_SIZE} x {DET_SIZE}", f"{shape[1]} x {shape[0]}", NO_MAP)
        return
    if int(hdu.header["BITPIX"]) < 0:
        to.add("note", "BITPIX", "an integer type", hdu.header["BITPIX"], "codes are rounded")
    found = str(hdu.header.get("DATACLAS", code)).strip().lower()
    to.compare("DATACLAS", code, found, "error", "the image of another data class would give wrong exposures")
    values = file.image(hdu)
    if strange := int(np.count_nonzero(~np.isfinite(values))):
        to.add("warning", "codes", "whole numbers", f"{strange} pixels without a number", "they count as bad")
    image = np.where(np.isfinite(values), np.rint(values), 2).astype(int)
    if other := set(np.unique(image).tolist()) - CODES:
        shown = ", ".join(map(str, sorted(other)[:8]))
        to.add("warning", "codes", "-1, 0, 1, 2", f"also {shown}", "anything but 0 and 1 counts as bad")
    if events is not None and "DETX" in events and "DETY" in events:
        _check_avoided(image, events, to)


def _check_avoided(image: np.ndarray, events: EventList, to: Collector) -> None:
    x, y = events["DETX"].astype(int) - 1, events["DETY"].astype(int) - 1
    valid = (x >= 0) & (y >= 0) & (x < DET_SIZE) & (y < DET_SIZE) & events.good
    codes = image[y[valid], x[valid]]
    bad = float(np.mean((codes != 0) & (codes != 1))) if codes.size else 0.0
    if bad > 0.005:
        found = f"{100 * bad:.2f} % of them do not"
        severity: Severity = "error" if bad > 0.1 else "warning"
        to.add(severity, "good pixels", "events lie on codes 0 and 1", found, "map and events do not fit each other")


def check_fpix(path: str, to: Collector) -> None:
    """Columns of the list of flickering pixels."""
    file = open_fits(path)
    pixels = file.find("PIXELS")
    if pixels is None:
        names = ", ".join(h.name for h in file.hdus[1:])
        to.add(
            "warning", "extension PIXELS", "present", names or "absent", "flickering pixels are not taken out of maps"
        )
        return
    for name in ("DETX", "DETY", "START", "STOP"):
        if name not in pixels.columns:
            to.add("warning", f"column {name}", "present", "absent", "flickering pixels are not taken out of maps")


def check_ehk(path: str, events: EventList | None, to: Collector) -> None:
    """Columns of the extended housekeeping, its angle against PA_NOM, and whether it covers the GTIs."""
    file = open_fits(path)
    table = file.find("EHK") or next((h for h in file.hdus if "TIME" in h.columns), None)
    if table is None:
        to.add("error", "extension EHK", "present", "absent", NO_MAP)
        return
    to.compare("name of the extension", "EHK", table.name, "note", "used all the same")
    missing = [n for n in ("TIME", "RA", "DEC", "ROLL") if n not in table.columns]
    if missing:
        to.add("error", "columns", "TIME, RA, DEC, ROLL", f"no {', '.join(missing)}", NO_MAP)
    if not any(set(pair) <= set(table.columns) for pair in POINTINGS):
        found = [n for n in table.columns if n.endswith("_PNT")] or "absent"
        to.add("warning", "pointing columns", "XTD_RA_PNT or SXI_RA_PNT", found, "off-axis angles use RA, DEC")
    if events is None or missing:
        return
    _check_coverage(file.column(table, "TIME"), events, to)
    _check_pointing(file, table, events, to)


def _check_coverage(time: np.ndarray, events: EventList, to: Collector) -> None:
    gti = events.gti
    time = np.sort(time[np.isfinite(time)])
    if not time.size:
        to.add("error", "rows", "an attitude each second", "no row with a time", NO_MAP)
        return
    if time[0] > gti.start[0] or time[-1] < gti.stop[-1]:
        found = f"{time[0]:.1f}..{time[-1]:.1f}"
        assumed = f"covers the GTIs {gti.start[0]:.1f}..{gti.stop[-1]:.1f}"
        to.add("error", "TIME", assumed, found, "no exposure map for times without an attitude")
    step = np.diff(time)
    wide = np.flatnonzero(step > 10)
    if wide.size:
        lost = float(gti.overlap(time[wide], time[wide + 1]).sum())
        if lost > 10:
            found = f"{lost:.0f} s within gaps of more than 10 s"
            to.add("warning", "TIME", "a row each second within the GTIs", found, "the attitude there is interpolated")


def _check_pointing(file: FitsFile, table: HDU, events: EventList, to: Collector) -> None:
    good = events.gti.contains(file.column(table, "TIME"))
    header = events.header
    if not good.any() or not all(k in header for k in ("RA_NOM", "DEC_NOM", "PA_NOM")):
        return
    roll = file.column(table, "ROLL")[good]
    mean = np.degrees(np.angle(np.nanmean(np.exp(1j * np.radians(roll)))))
    turn = (mean - float(header["PA_NOM"]) + 180) % 360 - 180
    if abs(turn) > 0.5:
        assumed, found = f"PA_NOM {header['PA_NOM']:.3f} deg on average", f"{mean % 360:.3f} deg"
        to.add("error", "ROLL", assumed, found, "ROLL is counted otherwise: exposure maps would be turned")
    ra, dec = file.column(table, "RA")[good], file.column(table, "DEC")[good]
    east = ((ra - float(header["RA_NOM"]) + 180) % 360 - 180) * np.cos(np.radians(dec))
    off = float(np.nanmax(np.hypot(east, dec - float(header["DEC_NOM"])))) * 60
    if off > 5:
        found = f"up to {off:.1f} arcmin from it"
        to.add("warning", "RA, DEC", "within 5 arcmin of RA_NOM, DEC_NOM", found, "the exposure map is spread out")
