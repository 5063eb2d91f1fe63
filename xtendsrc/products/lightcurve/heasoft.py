"""Light curves by extractor, with the Poisson errors that it does not give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.heasoft import extractor
from xtendsrc.measure.statistics import poisson_errors
from xtendsrc.products.lightcurve.native import bins_over, check_bin, rates

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made


def make_lightcurve(job: Job, bench: Bench) -> Made:
    """Make the light curve of one `LightCurveRequest`.

    Expected of it: the bins that are exposed enough by our own count, their exposed fractions, and its events.
    """
    request: Any = job.request
    wanted = extractor.prepare(job, bench)
    bench.warnings.extend(check_bin(request.bin, wanted.events.list.header.get("TIMEDEL")))
    origin = float(wanted.events.list.gti.start[0]) if request.start is None else request.start
    settings = {"fitsbinlc": "curve.lc", "binlc": request.bin, "lcthresh": request.min_fraction, "lctzero": True}
    settings["lcstart"] = -1 if request.start is None else request.start
    extractor.extract(bench, wanted, wanted.region.frame, **settings)
    path = bench.path("curve.lc")
    bins = bins_over(wanted.gti, origin, request.bin)
    own = rates(wanted.events.list.times[wanted.rows], wanted.gti, bins, request.min_fraction)
    with extractor.read_checked(path, ("RATE", "GTI")) as hdus:
        extractor.check_region(bench, hdus, wanted, path)
        extractor.check_exposure(bench, hdus["RATE"].header, wanted, path)
        table, zero = hdus["RATE"].data, float(hdus["RATE"].header.get("TIMEZERO", 0.0))
        centres = np.asarray(table["TIME"], dtype=np.float64) + zero
        _check_bins(bench, path, centres, table["FRACEXP"], own, origin + request.bin / 2)
        found, expected = (_counts(t["RATE"], t["FRACEXP"], request.bin).sum() for t in (table, own))
        extractor.check_counts(bench, path.name, int(found), int(expected))
    add_poisson_errors(path, request.bin)
    return bench.made(path)


def _counts(rate: Any, fraction: Any, width: float) -> np.ndarray:
    """Events of each bin, from a rate kept in single precision."""
    return np.rint(np.asarray(rate, dtype=np.float64) * fraction * width).astype(np.int64)


def _check_bins(
    bench: Bench, path: Path, centres: np.ndarray, fraction: np.ndarray, own: dict[str, np.ndarray], zero: float
) -> None:
    if len(centres) != len(own["TIME"]):
        raise bench.refuse(f"{path.name}: it has {len(centres)} bins; {len(own['TIME'])} are exposed enough.")
    if not np.allclose(centres, own["TIME"] + zero, rtol=0, atol=1e-3):
        raise bench.refuse(f"{path.name}: its bins are not where they were asked to be.")
    if not np.allclose(fraction, own["FRACEXP"], rtol=0, atol=1e-5):
        raise bench.refuse(f"{path.name}: its exposed fractions are not those of the good time.")


def add_poisson_errors(path: Path, width: float) -> None:
    """Add the columns ERROR_LO and ERROR_HI (count/s) to a light curve: one-sigma Poisson limits of each bin's counts.

    Parameters
    ----------
    path : Path
        The light curve, changed in place.
    width : float
        Bin in seconds.
    """
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        hdu = hdus["RATE"]
        exposure = np.asarray(hdu.data["FRACEXP"], dtype=np.float64) * width
        lower, upper = poisson_errors(_counts(hdu.data["RATE"], hdu.data["FRACEXP"], width))
        extra = [
            fits.Column("ERROR_LO", "E", "count/s", array=lower / exposure),
            fits.Column("ERROR_HI", "E", "count/s", array=upper / exposure),
        ]
        table = fits.BinTableHDU.from_columns(hdu.columns + fits.ColDefs(extra), header=hdu.header)
        hdus[hdus.index_of("RATE")] = table
        part = path.with_name(f"{path.name}.part")
        hdus.writeto(part)
    part.replace(path)
