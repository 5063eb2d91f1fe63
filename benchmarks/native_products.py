"""Time sixteen products of one event list: the native engine, files written, against the same sums in plain NumPy.

    python benchmarks/native_products.py [EVENTS] [--number 1000000] [--repeats 5]

The set: images in four bands at binning 1 and 4, light curves of a source and a background in three bands, and the
spectra of both. The NumPy part reads, filters and bins the same events and writes nothing: it is the least that any
package has to do. Both run alternately in one process; medians are printed. Without an event file one is made, with
the columns and types of Xtend's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

from xtendsrc.engines import native
from xtendsrc.engines.protocol import Job
from xtendsrc.events.selection import Selection
from xtendsrc.products.image.request import ImageRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet, Shape

BANDS = [(100, 1666), (100, 333), (334, 1666), (66, 333)]
CURVES = [(100, 333), (334, 999), (1000, 1666)]
SIZE = 2430
BIN = 200.0
DISCS = [(1993.5, 954.7, 92.0), (740.1, 1073.3, 91.0)]
CIRCLES = {"source": (1215.5, 1215.5, 67.9), "background": (1662.5, 1173.5, 101.8)}


def event_file(path, number, seed=1):
    """Nine orbits of a point source on a flat field."""
    random = np.random.default_rng(seed)
    start = 150541417.0 + 5500.0 * np.arange(9)
    stop = start + 2750.0
    orbit = np.sort(random.integers(0, 9, number))
    times = np.sort(start[orbit] + 4.0 * random.integers(-5, 693, number) + 2.0)
    source = random.random(number) < 0.4
    spread = random.normal(0, 30, (2, number))
    flat = random.integers(200, 2230, (2, number))
    x, y = np.clip(np.where(source, 1215.5 + spread, flat), 1, SIZE).astype(np.int16)
    angle = np.radians(95.0)
    detx, dety = x - 1215.5, y - 1215.5
    u = np.clip(730 + detx * np.cos(angle) - dety * np.sin(angle), 1, 1810).astype(np.int16)
    v = np.clip(730 + detx * np.sin(angle) + dety * np.cos(angle), 1, 1810).astype(np.int16)
    pi = np.minimum(random.gamma(2.0, 150.0, number), 4095).astype(np.int32)
    names = {"TIME": ("1D", times), "CCD_ID": ("1B", np.ones(number, np.uint8)), "DETX": ("1I", u), "DETY": ("1I", v)}
    names |= {"X": ("1I", x), "Y": ("1I", y), "PI": ("1J", pi), "GRADE": ("1I", np.zeros(number, np.int16))}
    names |= {"STATUS": ("48X", np.zeros((number, 48), bool))}
    table = fits.BinTableHDU.from_columns([fits.Column(n, f, array=a) for n, (f, a) in names.items()], name="EVENTS")
    header = {"TELESCOP": "XRISM", "INSTRUME": "XTEND", "OBS_ID": "900001010", "DATACLAS": "300000a0"}
    header |= {"RA_NOM": 81.259, "DEC_NOM": -69.644, "PA_NOM": 264.638, "EQUINOX": 2000.0, "RADECSYS": "FK5"}
    header |= {"MJDREFI": 58484, "MJDREFF": 0.000800740740741, "TIMEZERO": 0.0, "TIMEPIXR": 0.5, "TIMEDEL": 4.0}
    header |= {"TIMEUNIT": "s", "TIMESYS": "TT", "DEADC": 1.0, "TSTART": start[0], "TSTOP": stop[-1]}
    for column, low, high in (("DETX", 1, 1810), ("DETY", 1, 1810), ("X", 1, SIZE), ("Y", 1, SIZE), ("PI", 0, 4095)):
        n = list(names).index(column) + 1
        header |= {f"TLMIN{n}": low, f"TLMAX{n}": high}
    for column, kind, centre, sign in (("X", "RA---TAN", 81.259, -1), ("Y", "DEC--TAN", -69.644, 1)):
        n = list(names).index(column) + 1
        step = sign * 4.91106681541e-4
        header |= {f"TCTYP{n}": kind, f"TCRPX{n}": 1215.5, f"TCRVL{n}": centre, f"TCDLT{n}": step, f"TCUNI{n}": "deg"}
    table.header.update(header)
    good = fits.BinTableHDU.from_columns(
        [fits.Column("START", "1D", "s", array=start), fits.Column("STOP", "1D", "s", array=stop)], name="GTI"
    )
    fits.HDUList([fits.PrimaryHDU(), table, good]).writeto(path, overwrite=True)


def numpy_products(path):
    """All sixteen arrays in plain NumPy; returns the sum of all counts."""
    with fits.open(path, memmap=True) as hdus:
        data, header = hdus["EVENTS"].data, hdus["EVENTS"].header
        times, x, y, pi = (data[c].astype(data[c].dtype.newbyteorder("=")) for c in ("TIME", "X", "Y", "PI"))
        start, stop = (np.asarray(hdus["GTI"].data[c], dtype=float) for c in ("START", "STOP"))
    times = times + header["TIMEZERO"] - (header["TIMEPIXR"] - 0.5) * header["TIMEDEL"]
    interval = np.searchsorted(start, times, "right") - 1
    good = (interval >= 0) & (times <= stop[np.maximum(interval, 0)])
    times, x, y, pi = times[good], x[good].astype(np.int64), y[good].astype(np.int64), pi[good]
    total = 0
    for low, high in BANDS:
        band = (pi >= low) & (pi <= high)
        image = np.bincount((y[band] - 1) * SIZE + x[band] - 1, minlength=SIZE * SIZE).reshape(SIZE, SIZE)
        binned = image[:2428, :2428].reshape(607, 4, 607, 4).sum((1, 3))
        total += image.sum() + binned.sum()
    for cx, cy, r in CIRCLES.values():
        inside = (x - cx) ** 2 + (y - cy) ** 2 <= r * r
        for dx, dy, dr in DISCS:
            inside &= (x - dx) ** 2 + (y - dy) ** 2 > dr * dr
        total += np.bincount(pi[inside & (pi >= 0)], minlength=4096).sum()
        for low, high in CURVES:
            chosen = inside & (pi >= low) & (pi <= high)
            total += np.histogram(times[chosen], np.arange(start[0], stop[-1] + BIN, BIN))[0].sum()
    return int(total)


def requests():
    """The same sixteen as requests."""
    about = {"obs_id": "900001010", "dataclass": "300000a0"}
    discs = tuple(Shape("circle", disc, exclude=True) for disc in DISCS)
    regions = [RegionSet("SKY", (Shape("circle", circle), *discs)) for circle in CIRCLES.values()]
    images = [
        ImageRequest(**about, selection=Selection(channels=band), binning=binning)
        for band in BANDS
        for binning in (1, 4)
    ]
    curves = [
        LightCurveRequest(**about, selection=Selection(channels=band), region=region, bin=BIN)
        for region in regions
        for band in CURVES
    ]
    spectra = [SpectrumRequest(**about, selection=Selection(), region=region) for region in regions]
    return [*images, *curves, *spectra]


def native_products(path):
    """All sixteen files; returns the sum of all counts, and the time without this check."""
    jobs = [Job(request=request, files={"events": (str(path),)}) for request in requests()]
    with tempfile.TemporaryDirectory() as scratch:
        begin = time.perf_counter()
        made = list(native.make(jobs, Path(scratch)))
        seconds = time.perf_counter() - begin
        total = 0
        for job, product in zip(jobs, made, strict=True):
            with fits.open(product.path) as hdus:
                if job.request.kind == "image":
                    total += int(hdus[0].data.sum(dtype=np.int64))
                elif job.request.kind == "spectrum":
                    total += int(hdus["SPECTRUM"].data["COUNTS"].sum())
                else:
                    rate = hdus["RATE"].data
                    total += round(float((rate["RATE"].astype(float) * rate["FRACEXP"]).sum() * BIN))
    return total, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("events", nargs="?", help="event file, plain or gzipped; made if not given")
    parser.add_argument("--number", type=int, default=1_000_000, help="events in the file that is made")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = options.events or Path(directory) / "events.evt"
        if not options.events:
            event_file(path, options.number)
        plain, full, sums = [], [], set()
        for _ in range(options.repeats):
            begin = time.perf_counter()
            sums.add(numpy_products(path))
            plain.append(time.perf_counter() - begin)
            total, seconds = native_products(path)
            sums.add(total)
            full.append(seconds)
    least, most = statistics.median(plain), statistics.median(full)
    print(f"NumPy, nothing written   {least:7.3f} s")
    print(f"native engine, 16 files  {most:7.3f} s   {most / least:.2f} times")
    print("same counts" if len(sums) == 1 else f"DIFFERENT COUNTS {sums}")


if __name__ == "__main__":
    main()
