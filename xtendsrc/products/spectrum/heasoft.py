"""Counts spectra by extractor, on all channels and with the weighted map that the response generator needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.engines.heasoft import extractor
from xtendsrc.events.header import no_column
from xtendsrc.products.spectrum.native import WMAP_BINNING

if TYPE_CHECKING:
    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made


def make_spectrum(job: Job, bench: Bench) -> Made:
    """Make the spectrum of one `SpectrumRequest`.

    Expected of it: every legal channel from the first, the counts of our own cuts, the region table, the weighted map,
    the exposure of the good time, and a BACKSCAL that is the region's own number of pixels.

    Raises
    ------
    MissingColumnError
        If the events have no DETX or DETY: extractor stops, for there can be no weighted map.
    """
    events = bench.events(job).list
    for name in ("DETX", "DETY"):
        if name not in events:
            raise no_column(events.paths[0], name, events.columns)
    wanted = extractor.prepare(job, bench)
    settings = {"phafile": "spectrum.pha", "wtmapb": True, "wtmapfix": True, "binh": WMAP_BINNING, "binf": 1}
    extractor.extract(bench, wanted, wanted.region.frame, **settings)
    path = bench.path("spectrum.pha")
    low, high = wanted.events.list.limits("PI")
    pi = wanted.events.list["PI"][wanted.rows]
    expected = int(np.count_nonzero((pi >= low) & (pi <= high)))
    with extractor.read_checked(path, ("SPECTRUM", "GTI")) as hdus:
        table, header = hdus["SPECTRUM"].data, hdus["SPECTRUM"].header
        if len(table) != high - low + 1 or table["CHANNEL"][0] != low:
            raise bench.refuse(f"{path.name}: it has {len(table)} channels from {table['CHANNEL'][0]}.")
        extractor.check_region(bench, hdus, wanted, path)
        extractor.check_exposure(bench, header, wanted, path)
        extractor.check_counts(bench, path.name, int(table["COUNTS"].sum()), expected)
        if hdus[0].data is None:
            raise bench.refuse(f"{path.name}: it has no weighted map.")
        backscal = float(header.get("BACKSCAL", np.nan))
        if not np.isclose(backscal, wanted.region.backscal, rtol=1e-5):
            raise bench.refuse(f"{path.name}: BACKSCAL is {backscal}; the region covers {wanted.region.backscal:.9f}.")
    return bench.made(path)
