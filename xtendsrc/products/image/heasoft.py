"""Counts images by extractor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.heasoft import extractor
from xtendsrc.measure.grid import Grid, flat_index

if TYPE_CHECKING:
    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made


def make_image(job: Job, bench: Bench) -> Made:
    """Make the image of one `ImageRequest`.

    Expected of it: the whole grid, the exposure of the good time, and in each pixel as many counts as events of it pass
    our own cuts: the sum alone would not show an image that is shifted, transposed or mirrored.
    """
    request: Any = job.request
    wanted = extractor.prepare(job, bench)
    extractor.extract(bench, wanted, request.frame, imgfile="image.fits", binf=request.binning, fullimage=True)
    path = bench.path("image.fits")
    names = extractor.COLUMNS[request.frame]
    events = wanted.events.list
    grid = Grid(events.limits(names[0]), events.limits(names[1]), request.binning)
    index = flat_index(events[names[0]], events[names[1]], grid)[wanted.rows]
    with extractor.read_checked(path, ("GTI",)) as hdus:
        data = hdus[0].data
        if data is None or data.shape != grid.shape:
            shape = None if data is None else data.shape
            raise bench.refuse(f"{path.name}: the image is {shape}, not {grid.shape} pixels.")
        extractor.check_region(bench, hdus, wanted, path)
        extractor.check_exposure(bench, hdus[0].header, wanted, path)
        extractor.check_counts(bench, path.name, int(data.sum(dtype=np.int64)), int(np.count_nonzero(index >= 0)))
        own = np.bincount(index[index >= 0], minlength=data.size).reshape(grid.shape)
        if moved := int(np.count_nonzero(own != data)):
            raise bench.refuse(f"{path.name}: {moved} pixels hold other counts than the events that lie in them.")
    return bench.made(path)
