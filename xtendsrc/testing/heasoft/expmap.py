"""xaexpmap: exposure maps from attitude, bad pixels and good times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import evfile, fitsfile, geometry, overlap
from .attitude import AttitudeBin, attitude_bins
from .fitsfile import HDU, FitsError, Header
from .parfile import ParameterError
from .runtime import say

if TYPE_CHECKING:
    from .geometry import Geometry
    from .parfile import Parameters

CREATOR = "xaexpmap stand-in"


def xaexpmap(pars: Parameters) -> int:
    """Run the task."""
    out = pars.text("outfile")
    if Path(out.lstrip("!")).exists() and not pars.flag("clobber") and not out.startswith("!"):
        raise ParameterError(1, f"output file {out} exists; use clobber=yes")
    ehk = fitsfile.extension(fitsfile.read(fitsfile.split_name(pars.text("ehkfile"))[0]), "EHK")
    if ehk is None:
        raise FitsError(107, "no EHK extension")
    path, parts = fitsfile.split_name(pars.text("gtifile"))
    hdus = fitsfile.read(path)
    gti, warning = evfile.find_gti(hdus, parts[0] if parts else "GTI", hdus[0].header, shifted=False)
    if warning:
        raise FitsError(107, f"no GTI extension in {path}")
    for key in ("RA_NOM", "DEC_NOM", "PA_NOM"):
        if key not in ehk.header:
            raise FitsError(202, f"{key} not found in the EHK file")
    delta, numphi = pars.number("delta"), pars.integer("numphi")
    bins = attitude_bins(ehk, ehk.header, gti, delta, numphi)
    if not bins:
        say("Exposure time is zero: no attitude inside the GTI")
    if len(bins) > 20:
        say(f"Warning: {len(bins)} attitude bins")
    where = geometry.load(pars.text("instmap"))
    good = good_pixels(pars, where)
    _write(pars, ehk.header, bins, where, good)
    say(f"Exposure: {sum(item.time for item in bins):.6f} s in {len(bins)} attitude bins")
    return 0


def good_pixels(pars: Parameters, where: Geometry) -> np.ndarray:
    """Return 1 for exposed DET pixels, 0 for others."""
    name = pars.text("instmap")
    if name.upper() == "CALDB":
        good = geometry.footprints(where.det_size)
        if pars.flag("maskcalsrc") and pars.file("badimgfile") is None:
            good[geometry.in_calibration(where.det_size)] = 0
    else:
        images = [hdu.data for hdu in fitsfile.read(name) if hdu.data is not None and hdu.data.ndim == 2]
        good = np.where(images[0] > 0, 1.0, 0.0)
    if bad := pars.file("badimgfile"):
        codes = fitsfile.read(fitsfile.split_name(bad)[0])[0].data
        if codes is None or codes.shape != good.shape:
            raise FitsError(213, f"{bad} is not a bad pixel image of this detector")
        allowed = (codes == 0) if pars.flag("maskcalsrc") else (codes == 0) | (codes == 1)
        good[~allowed] = 0
    return good


def partial_fractions(name: str | None, item: AttitudeBin, good: np.ndarray) -> np.ndarray:
    """Return the exposed fraction of each pixel in a bin.

    As in the real task, a span that covers the whole bin is overwritten by a later one of the same pixel.
    """
    fraction = good.copy()
    if name is None:
        return fraction
    table = fitsfile.extension(fitsfile.read(fitsfile.split_name(name)[0]), "PIXELS", "PARTIALEXP")
    if table is None:
        raise FitsError(107, f"no PIXELS extension in {name}")
    columns = [table.column(key).tolist() for key in ("DETX", "DETY", "START", "STOP")]
    for x, y, start, stop in zip(*columns, strict=True):
        lost = sum(max(0.0, min(b, stop) - max(a, start)) for a, b in item.stretches) / item.time
        if lost <= 0 or not (0 < x <= good.shape[1] and 0 < y <= good.shape[0]) or not good[y - 1, x - 1]:
            continue
        before = fraction[y - 1, x - 1]
        fraction[y - 1, x - 1] = max(before - lost, 0.0) if before > 0 else 1.0 - lost
    return fraction


def place(fraction: np.ndarray, item: AttitudeBin, system: str, where: Geometry, header: Header) -> np.ndarray:
    """Put a DET map on the output plane with the mean attitude of its bin."""
    if system == "DET":
        return fraction
    step = geometry.det_to_foc(where)
    if system == "SKY":
        nominal = (float(header.get("RA_NOM")), float(header.get("DEC_NOM")), 0.0)
        means = item.means
        step = geometry.joined(step, geometry.foc_to_sky(where, (means[0], means[1], means[2]), nominal))
    return overlap.spread(fraction, step, where.foc_size)


def vignetting(where: Geometry) -> np.ndarray:
    """Return a nominal response of the telescope, 1 on the optical axis, half at 10 arcmin."""
    lines, columns = np.indices((where.det_size, where.det_size))
    x, y = columns + 1 - where.optical_axis[0], lines + 1 - where.optical_axis[1]
    found: np.ndarray = 1 / (1 + (np.hypot(x, y) * where.scale * 60 / 10) ** 2)
    return found


def _write(pars: Parameters, header: Header, bins: list[AttitudeBin], where: Geometry, good: np.ndarray) -> None:
    system = pars.text("stopsys").upper()
    efficiency = pars.text("outmaptype").upper() == "EFFICIENCY"
    size = where.det_size if system == "DET" else where.foc_size
    plane = np.zeros((size, size))
    total = sum(item.time for item in bins)
    extensions: list[HDU] = []
    for number, item in enumerate(bins, 1):
        fraction = partial_fractions(pars.file("pixgtifile"), item, good)
        weighted = fraction * vignetting(where) if efficiency else fraction
        plane += place(weighted, item, system, where, header) * (item.time / total if efficiency else item.time)
        extensions += _bin_tables(number, item, fraction, header)
    base = _base(header, pars)
    primary = base.copy()
    _axes(primary, system, where, header)
    primary.set("NUMEXMAP", len(bins), "Number of component maps")
    primary.set("NUMTHETA", len(bins), "Number of unique theta bins")  # the real task gives all bins here
    if not efficiency:
        primary.set("BUNIT", "s")
    if pars.flag("history"):
        for parameter in pars.table.values():
            primary.note("HISTORY", f"{parameter.name} = {parameter.value}")
    hdus = [fitsfile.image(plane.astype(np.float32), primary), _histogram(bins, base, where, total), *extensions]
    fitsfile.write(pars.text("outfile"), hdus)


def _base(header: Header, pars: Parameters) -> Header:
    base = header.describing()
    base.drop("CREATOR", "HDUCLASS", "HDUCLAS1", "HDUCLAS2", "DATE")
    base.set("TELESCOP", "XRISM")
    base.set("INSTRUME", pars.text("instrume").upper())
    base.set("CREATOR", CREATOR)
    base.set("ORIGIN", "STAND-IN")
    return base


def _axes(header: Header, system: str, where: Geometry, source: Header) -> None:
    names = {"SKY": ("RA---TAN", "DEC--TAN"), "FOC": ("FOCX", "FOCY"), "DET": ("DETX", "DETY")}[system]
    centre = where.det_centre if system == "DET" else where.foc_centre
    for axis, name in enumerate(names, 1):
        sky = system == "SKY"
        step = (-where.scale if axis == 1 else where.scale) if sky else 1.0
        value = float(source.get("RA_NOM" if axis == 1 else "DEC_NOM")) if sky else centre
        header.set(f"CTYPE{axis}", name, "Coordinate axis")
        header.set(f"CUNIT{axis}", "deg" if sky else "pixel", "Axis unit")
        header.set(f"CRVAL{axis}", value, "Reference value")
        header.set(f"CRPIX{axis}", centre, "Reference point")
        header.set(f"CDELT{axis}", step, "Coordinate increment")


def _histogram(bins: list[AttitudeBin], base: Header, where: Geometry, total: float) -> HDU:
    header = base.copy()
    numbers = {
        "FOC_XOFF": where.xoff,
        "FOC_YOFF": where.yoff,
        "FOC_ROTD": where.rotd,
        "FOCALLEN": where.focal_length,
        "OPTAXISX": where.optical_axis[0],
        "OPTAXISY": where.optical_axis[1],
        "OPTAOFFX": 2.0,
        "OPTAOFFY": -1.0,
        "NUMEXMAP": len(bins),
        "NUMTHETA": len({item.ring for item in bins}),
        "EXPOSURE": total,
    }
    for stem, size in (("DET", where.det_size), ("FOC", where.foc_size)):
        for axis in "XY":
            header.set(f"{stem}_{axis}SIZ", size)
            header.set(f"{stem}_{axis}SCL", where.pixel)
    for key, value in numbers.items():
        header.set(key, value)
    means = [item.means for item in bins]
    values = {
        "OFFAXISLO": [item.limits[0] for item in bins],
        "OFFAXISHI": [item.limits[1] for item in bins],
        "OFFAXISVAL": [item.offset[0] for item in bins],
        "AZIMUTHLO": [item.limits[2] for item in bins],
        "AZIMUTHHI": [item.limits[3] for item in bins],
        "AZIMUTH": [item.offset[1] for item in bins],
        "TIMEINTERVAL": [item.time for item in bins],
        "FRACTION": [item.time / total for item in bins],
        "RANOMXP": [mean[0] for mean in means],
        "DECNOMXP": [mean[1] for mean in means],
        "PA_NOMXP": [mean[2] for mean in means],
        "RA_PNT": [mean[3] for mean in means],
        "DEC_PNT": [mean[4] for mean in means],
    }
    return fitsfile.table("OFFAXISHIST", [(name, "1D", "", column) for name, column in values.items()], header)


def _bin_tables(number: int, item: AttitudeBin, fraction: np.ndarray, source: Header) -> list[HDU]:
    header = Header()
    for key in ("TELESCOP", "INSTRUME", "MJDREFI", "MJDREFF", "TIMESYS", "TIMEUNIT"):
        if key in source:
            header.set(key, source.get(key))
    header.set("GTINUMBR", number, "Number of GTI table")
    times = [("START", "1D", "s", [a for a, _ in item.stretches]), ("STOP", "1D", "s", [b for _, b in item.stretches])]
    columns, lines = np.nonzero(fraction.T < 1)  # DETX is the slow index
    partial = [
        ("DETX", "1I", "", columns + 1),
        ("DETY", "1I", "", lines + 1),
        ("FRACTION", "1E", "", fraction[lines, columns]),
    ]
    stem = f"{number:03d}"
    return [fitsfile.table(f"GTIEXP{stem}", times, header), fitsfile.table(f"PARTIALEXP{stem}", partial, header)]
