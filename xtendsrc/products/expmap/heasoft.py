"""Exposure maps by xaexpmap, and their attitude bins held against the attitude itself.

The task averages RA and roll arithmetically: where one of them crosses 0/360 it writes a map turned by 180 degrees, or
an empty one, and returns 0; and it drops good time beyond the end of the attitude. Both are found here by comparing its
attitude histogram with our own bins of the same attitude.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.heasoft import extractor
from xtendsrc.engines.heasoft.task import Call
from xtendsrc.events.cards import physical_cards
from xtendsrc.events.selection import Selection
from xtendsrc.measure.attitude import MAX_GAP, attitude_bins, choose_bins, wrap
from xtendsrc.measure.detector import NO_FLICKERING
from xtendsrc.measure.ehk import read_attitude
from xtendsrc.products.expmap.native import bad_pixel_image, input_file

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits

    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made
    from xtendsrc.events.gti import GTI
    from xtendsrc.measure.attitude import Attitude, AttitudeBin

SIZE = {"SKY": 2430, "FOC": 2430, "DET": 1810}
GTI_FILE = "good.gti"
MANY_BINS = 20
_POINTING = ("RANOMXP", "DECNOMXP", "PA_NOMXP")


def make_expmap(job: Job, bench: Bench) -> Made:
    """Make the exposure map of one `ExpMapRequest`.

    Expected of it: the whole grid, no pixel longer than the good time, all of the good time in the attitude histogram,
    and there the pointings that the attitude file has.
    """
    request: Any = job.request
    events = bench.events(job)
    gti = events.select(Selection(gti=request.gti)).gti
    attitude = read_attitude(input_file(job, "ehk"))
    chosen = choose_bins(attitude, gti) if request.delta is None else (request.delta, 1)
    delta, numphi = float(chosen[0]), int(request.numphi or chosen[1])
    bins = attitude_bins(attitude, gti, delta, numphi)
    if crossing := crosses_zero(attitude, gti):
        raise bench.unfit(f"xaexpmap averages RA and roll as plain numbers, and here {crossing} crosses 0/360 degrees.")
    if len(bins) > MANY_BINS:
        bench.warnings.append(f"{len(bins)} attitude bins: for ray-tracing make a map with delta=20, numphi=1")
    if not job.files.get("fpix"):
        bench.warnings.append(NO_FLICKERING)
    extractor.write_gti(gti, events.list, bench.path(GTI_FILE))
    _run_task(job, bench, delta, numphi)
    path = bench.path("expmap.fits")
    _check(bench, path, SIZE[request.frame], gti.total, bins)
    _finish(path, request.frame, delta, numphi, bool(job.files.get("fpix")))
    return bench.made(path if request.binning == 1 else _binned(bench, path, request))


def crosses_zero(attitude: Attitude, gti: GTI) -> str:
    """Name the angle whose values in the good time lie on both sides of 0/360 degrees; empty if none does."""
    good = gti.bridged(MAX_GAP).contains(attitude.time)
    for name, values in (("RA", attitude.ra[good]), ("the roll", attitude.roll[good])):
        if values.size and np.ptp(values % 360.0) > 180.0:
            return name
    return ""


def _run_task(job: Job, bench: Bench, delta: float, numphi: int) -> None:
    request: Any = job.request
    links = {"in.ehk": input_file(job, "ehk"), "in.bimg": bad_pixel_image(job), GTI_FILE: str(bench.path(GTI_FILE))}
    links = {_packed(name, path): path for name, path in links.items()}
    ehk, bimg, gti = links
    fpix = job.files.get("fpix", ())
    pixels = "NONE"
    if fpix:
        pixels = _packed("in.fpix", fpix[0])
        links[pixels] = fpix[0]
    parameters = {
        "ehkfile": ehk,
        "gtifile": gti,
        "instrume": "XTEND",
        "badimgfile": bimg,
        "pixgtifile": pixels,
        "outfile": "expmap.fits",
        "outmaptype": "EXPOSURE",
        "delta": delta,
        "numphi": numphi,
        "stopsys": request.frame,
        "maskcalsrc": request.mask_calibration,
    }
    bench.run(Call(task="xaexpmap", parameters=parameters, links=links, outputs=("expmap.fits",)))


def _packed(name: str, path: str) -> str:
    """The name of a link, with the suffix by which a compressed file is known."""
    return f"{name}.gz" if str(path).endswith(".gz") else name


def _check(bench: Bench, path: Path, size: int, total: float, bins: list[AttitudeBin]) -> None:
    with extractor.read_checked(path, ("OFFAXISHIST",)) as hdus:
        data = hdus[0].data
        if data is None or data.shape != (size, size):
            raise bench.refuse(f"{path.name}: the map is not {size} x {size} pixels.")
        if (
            not np.isfinite(data).all()
            or data.max() > total * (1 + 1e-5)
            or data.min() < -1e-6 * total
            or data.max() <= 0
        ):
            raise bench.refuse(f"{path.name}: its pixels range from {data.min()} to {data.max()} s of {total:.3f} s.")
        histogram = hdus["OFFAXISHIST"]
        if abs(float(histogram.header["EXPOSURE"]) - total) > 1e-6 * total + 1e-3:
            raise bench.refuse(f"{path.name}: it holds {histogram.header['EXPOSURE']} s of {total:.3f} s of good time.")
        _check_pointing(bench, path, histogram, bins)


def _check_pointing(bench: Bench, path: Path, histogram: fits.BinTableHDU, bins: list[AttitudeBin]) -> None:
    """Compare the mean pointing, weighted by time; one bin at a time when there are as many."""
    table, seconds = histogram.data, np.array([b.seconds for b in bins])
    theirs = np.array([np.asarray(table[name], dtype=np.float64) for name in _POINTING]).T
    mine = np.array([b.pointing for b in bins])
    if len(theirs) != len(mine):
        theirs = _mean(theirs, np.asarray(table["TIMEINTERVAL"], dtype=np.float64))[None, :]
        mine = _mean(mine, seconds)[None, :]
    away = wrap(theirs - mine)
    away[:, 0] *= np.cos(np.radians(mine[:, 1]))
    if np.abs(away).max() > 0.01:
        raise bench.unfit(f"{path.name}: its pointing is {np.abs(away).max():.3f} degrees off the attitude file.")


def _mean(angles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    first = angles[0]
    return np.asarray(first + np.average(wrap(angles - first), axis=0, weights=weights))


def _finish(path: Path, frame: str, delta: float, numphi: int, flickering: bool) -> None:
    """State in the header what the map was made with."""
    from astropy.io import fits

    with fits.open(path, mode="update", memmap=False) as hdus:
        header = hdus[0].header
        header.setdefault("BUNIT", "s")
        header["FLICKER"] = (flickering, "flickering pixels are taken out")
        header["DELTA"] = (delta, "[arcmin] width of the attitude bins")
        header["NUMPHI"] = (numphi, "attitude bins around in the first annulus")
        _set_physical(header, frame, 1)


def _set_physical(header: fits.Header, frame: str, binning: int) -> None:
    """Physical coordinates of a map; fimgbin leaves those of the unbinned one."""
    names = ("DETX", "DETY") if frame == "DET" else ("X", "Y")
    for keyword, value, comment in physical_cards(names, (1.0, 1.0), binning):
        header[keyword] = (value, comment)
    header["IMGBIN"] = (float(binning), "unbinned pixels a side of a pixel")


def _binned(bench: Bench, path: Path, request: Any) -> Path:
    """Average the map over blocks with fimgbin, keep its other extensions, and put its physical WCS right."""
    from astropy.io import fits

    name = f"expmap_b{request.binning}.fits"
    parameters = {"infile": path.name, "outfile": name, "xbinsize": request.binning, "average": True, "copyall": False}
    bench.run(Call(task="fimgbin", parameters=parameters, links={path.name: path}, outputs=(name,)))
    target = bench.path("expmap_binned.fits")
    with fits.open(path, memmap=False) as whole, fits.open(bench.path(name), memmap=False) as small:
        side = SIZE[request.frame] // request.binning
        data = small[0].data
        if data.shape != (side, side):
            raise bench.refuse(f"{name}: the map is {data.shape}, not {side} x {side} pixels.")
        blocks = np.asarray(whole[0].data[: side * request.binning, : side * request.binning], dtype=np.float64)
        if not np.isclose(data.sum(dtype=np.float64) * request.binning**2, blocks.sum(), rtol=1e-5):
            raise bench.refuse(f"{name}: fimgbin did not average the map.")
        header = small[0].header
        _set_physical(header, request.frame, request.binning)
        header["BINMODE"] = ("MEAN", f"pixels are means of {request.binning} x {request.binning} pixels")
        fits.HDUList([fits.PrimaryHDU(data, header), *whole[1:]]).writeto(target)
    return target
