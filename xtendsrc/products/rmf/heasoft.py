"""Redistribution matrices by xtdrmf: one for each spectrum, because they depend on its place and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.heasoft import extractor
from xtendsrc.engines.heasoft.task import Call
from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made

CHANNELS = 4096


def make_rmf(job: Job, bench: Bench) -> Made:
    """Make the matrix of one `RMFRequest` from its spectrum, whose weighted map says where on the detector it is.

    Expected of it: 4096 channels, rising energies, and no redistribution above one.
    """
    request: Any = job.request
    if request.response != "calibrated":
        raise RequestError("A nominal response is not made by HEASoft.", 'use engine="native" for it.')
    links = {"spectrum.pha": job.needs["spectrum"]}
    parameters = {"infile": "spectrum.pha", "outfile": "out.rmf", "rmfparam": "CALDB"}
    bench.run(Call(task="xtdrmf", parameters=parameters, links=links, outputs=("out.rmf",)))
    path = bench.path("out.rmf")
    _check(bench, path)
    return bench.made(path)


def matrix_name(names: list[str]) -> str:
    """Name of the extension that holds the matrix."""
    return "MATRIX" if "MATRIX" in names else "SPECRESP MATRIX"


def _check(bench: Bench, path: Path) -> None:
    with extractor.read_checked(path, ("EBOUNDS",)) as hdus:
        names = [hdu.name for hdu in hdus]
        if matrix_name(names) not in names:
            raise bench.refuse(f"{path.name}: it has no matrix.")
        bounds, matrix = hdus["EBOUNDS"].data, hdus[matrix_name(names)].data
        if len(bounds) != CHANNELS:
            raise bench.refuse(f"{path.name}: EBOUNDS has {len(bounds)} channels, not {CHANNELS}.")
        low, high = np.asarray(matrix["ENERG_LO"], float), np.asarray(matrix["ENERG_HI"], float)
        if not (np.all(high > low) and np.all(np.diff(low) > 0)):
            raise bench.refuse(f"{path.name}: its energies do not rise.")
        sums = np.array([np.sum(row, dtype=float) for row in matrix["MATRIX"]])
        if not np.isfinite(sums).all() or sums.max() <= 0 or sums.max() > 1.01:
            raise bench.refuse(f"{path.name}: the largest redistribution sums to {sums.max()}.")
