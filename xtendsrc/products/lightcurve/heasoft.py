"""Light curves by extractor, with the Poisson errors that it does not give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.engines.heasoft import extractor
from xtendsrc.events.cards import band_cards
from xtendsrc.events.deadtime import frame_period
from xtendsrc.measure.lightcurve import bins_over, check_bin, rates
from xtendsrc.measure.poisson import poisson_errors
from xtendsrc.products.lightcurve.native import curve_selection, least_share, no_bin, reachable_time, timing_cards

CURVE = "curve.lc"

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made


def make_lightcurve(job: Job, bench: Bench) -> Made:
    """Make the light curve of one `LightCurveRequest`.

    Expected of it: the bins that are exposed enough by our own count, their exposed fractions, and its events.
    """
    request: Any = job.request
    events = bench.events(job).list
    wanted = extractor.prepare(job, bench, curve_selection(request, events))
    bench.warnings.extend(check_bin(request.bin, frame_period(events.header)))
    origin = float(events.gti.start[0]) if request.start is None else request.start
    threshold = request.min_fraction if request.fraction_of == "bin" else 0.0
    settings = {"fitsbinlc": CURVE, "binlc": request.bin, "lcthresh": threshold, "lctzero": True}
    settings["lcstart"] = -1 if request.start is None else request.start
    extractor.extract(bench, wanted, wanted.region.frame, **settings)
    path = bench.path(CURVE)
    bins = bins_over(wanted.gti, origin, request.bin)
    times = events.times[wanted.rows]
    _check(bench, path, wanted, rates(times, wanted.gti, bins, threshold), origin + request.bin / 2)
    if request.fraction_of == "reachable":
        kept = rates(times, wanted.gti, bins, request.min_fraction, reachable_time(request, wanted.gti, events.header))
        if not len(kept["TIME"]):
            raise no_bin(request, wanted.gti, events.paths[0])
        keep_bins(path, kept["TIME"])
    finish(path, request, events.header)
    return bench.made(path)


def _check(bench: Bench, path: Path, wanted: extractor.Extraction, own: dict[str, np.ndarray], middle: float) -> None:
    """Compare what extractor wrote with our own count of the same events."""
    with extractor.read_checked(path, ("RATE", "GTI")) as hdus:
        extractor.check_region(bench, hdus, wanted, path)
        extractor.check_exposure(bench, hdus["RATE"].header, wanted, path)
        table, header = hdus["RATE"].data, hdus["RATE"].header
        centres = np.asarray(table["TIME"], dtype=np.float64) + float(header.get("TIMEZERO", 0.0))
        _check_bins(bench, path, centres, table["FRACEXP"], own, middle)
        width = float(header["TIMEDEL"])
        found, expected = (_counts(t["RATE"], t["FRACEXP"], width).sum() for t in (table, own))
        extractor.check_counts(bench, path.name, int(found), int(expected))


def keep_bins(path: Path, offsets: np.ndarray) -> None:
    """Leave only the bins that start at the given offsets from the origin, in place."""
    with fits.open(path, memmap=False) as hdus:
        table, width = hdus["RATE"].data, float(hdus["RATE"].header["TIMEDEL"])
        hdus["RATE"].data = table[np.isin(np.rint(table["TIME"] / width), np.rint(offsets / width))]
        rewrite(hdus, path)


def _counts(rate: Any, fraction: Any, width: float) -> np.ndarray:
    """Events of each bin, from a rate kept in single precision."""
    found: np.ndarray = np.rint(np.asarray(rate, dtype=np.float64) * fraction * width).astype(np.int64)
    return found


def _check_bins(
    bench: Bench, path: Path, centres: np.ndarray, fraction: np.ndarray, own: dict[str, np.ndarray], zero: float
) -> None:
    if len(centres) != len(own["TIME"]):
        raise bench.refuse(f"{path.name}: it has {len(centres)} bins; {len(own['TIME'])} are exposed enough.")
    if not np.allclose(centres, own["TIME"] + zero, rtol=0, atol=1e-3):
        raise bench.refuse(f"{path.name}: its bins are not where they were asked to be.")
    if not np.allclose(fraction, own["FRACEXP"], rtol=0, atol=1e-5):
        raise bench.refuse(f"{path.name}: its exposed fractions are not those of the good time.")


def finish(path: Path, request: Any, events: Any) -> None:
    """Make times absolute, and add the columns ERROR_LO and ERROR_HI (count/s) and the keywords extractor lacks.

    Parameters
    ----------
    path : Path
        The light curve, changed in place.
    request : LightCurveRequest
        What was asked for.
    events : Header
        Of the event list.
    """
    with fits.open(path, memmap=False) as hdus:
        absolute(hdus["RATE"])
        hdu = hdus["RATE"]
        exposure = np.asarray(hdu.data["FRACEXP"], dtype=np.float64) * request.bin
        lower, upper = poisson_errors(_counts(hdu.data["RATE"], hdu.data["FRACEXP"], request.bin))
        extra = [
            fits.Column("ERROR_LO", "E", "count/s", array=lower / exposure),
            fits.Column("ERROR_HI", "E", "count/s", array=upper / exposure),
        ]
        table = fits.BinTableHDU.from_columns(hdu.columns + fits.ColDefs(extra), header=hdu.header)
        limits = band_cards(request.selection.channels, "PHALCUT", "PHAHCUT")
        for name, *value in (*timing_cards(events), *limits, *least_share(request)):
            table.header[name] = tuple(value)
        hdus[hdus.index_of("RATE")] = table
        rewrite(hdus, path)


def absolute(hdu: fits.BinTableHDU) -> None:
    """Add TIMEZERO to TIME, and make it 0."""
    hdu.data["TIME"] += float(hdu.header.get("TIMEZERO", 0.0))
    hdu.header["TIMEZERO"] = (0.0, "[s] TIME is absolute, the middle of the bin")


def rewrite(hdus: fits.HDUList, path: Path) -> None:
    """Write an open file anew under its own name."""
    part = path.with_name(f"{path.name}.part")
    hdus.writeto(part)
    part.replace(path)
