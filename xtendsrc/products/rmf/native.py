"""Nominal redistribution matrices: published resolutions, not calibration.

They are made only when asked for, and say what they are in CALSTAT, CREATOR, HISTORY and the file's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.events.cards import creator
from xtendsrc.instrument import EV_PER_CHANNEL, DataClassCode
from xtendsrc.responses import nominal

if TYPE_CHECKING:
    from astropy.io import fits

    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made

THRESHOLD = 1e-6
HISTORY = (
    "NOMINAL response: NOT CALIBRATED. Published areas, resolution, optics.",
    "Area: nested cones, scaled to 310 cm2 at 6 keV (3C 273 in orbit).",
    "Resolution: 170 eV FWHM at 5.9 keV; one Gaussian, no escape, no tail.",
)
WARNING = "nominal response: not calibrated"


def make_rmf(job: Job, batch: Batch) -> Made:
    """Make the RMF on the grid of ``xtdrmf``: 6400 energies, 4096 channels, threshold 1e-6."""
    from astropy.io import fits

    request: Any = job.request
    if request.calibrated:
        from xtendsrc.products.rmf import calibrated

        return calibrated.make_rmf(job, batch)
    response = nominal.redistribution()
    first, last, values = _above_threshold(response.first, response.matrix)
    matrix = fits.BinTableHDU.from_columns(
        [
            fits.Column("ENERG_LO", "E", "keV", array=response.energy_lo),
            fits.Column("ENERG_HI", "E", "keV", array=response.energy_hi),
            fits.Column("N_GRP", "I", array=np.ones(len(first), np.int16)),
            fits.Column("F_CHAN", "PI()", array=_of_one(first)),
            fits.Column("N_CHAN", "PI()", array=_of_one(last - first + 1)),
            fits.Column("MATRIX", "PE()", array=values),
        ],
        name="MATRIX",
    )
    channels = np.arange(4096)
    bounds = fits.BinTableHDU.from_columns(
        [
            fits.Column("CHANNEL", "I", array=channels),
            fits.Column("E_MIN", "E", "keV", array=channels * (EV_PER_CHANNEL / 1000)),
            fits.Column("E_MAX", "E", "keV", array=(channels + 1) * (EV_PER_CHANNEL / 1000)),
        ],
        name="EBOUNDS",
    )
    for hdu, kind, column in ((matrix, "RSP_MATRIX", 4), (bounds, "EBOUNDS", 1)):
        identify(hdu.header, job)
        hdu.header["HDUCLAS1"], hdu.header["HDUCLAS2"], hdu.header["HDUVERS"] = "RESPONSE", kind, "1.3.0"
        hdu.header["CHANTYPE"], hdu.header["DETCHANS"] = "PI", 4096
        hdu.header[f"TLMIN{column}"], hdu.header[f"TLMAX{column}"] = 0, 4095
        hdu.header["RMFVERSN"] = ("1992a", "obsolete, for old readers")
    matrix.header["HDUCLAS3"], matrix.header["LO_THRES"] = "REDIST", THRESHOLD
    matrix.header["NUMGRP"], matrix.header["NUMELT"] = len(first), sum(map(len, values))
    return write_tables(job, batch, [matrix, bounds])


def _above_threshold(first: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Cut each row to the channels from the first to the last that are above the threshold."""
    good = probability > THRESHOLD
    start = good.argmax(axis=1)
    stop = probability.shape[1] - good[:, ::-1].argmax(axis=1)
    rows = [p[a:b].astype(np.float32) for p, a, b in zip(probability, start, stop, strict=True)]
    return first + start, first + stop - 1, rows


def _of_one(values: np.ndarray) -> list[np.ndarray]:
    """Values as arrays of one element: readers expect F_CHAN and N_CHAN to be variable arrays, one element a group."""
    return list(values.astype(np.int16)[:, None])


def identify(header: fits.Header, job: Job) -> None:
    """Write into a header what the table is for, and that it is not calibrated."""
    request = job.request
    values = {
        "TELESCOP": "XRISM",
        "INSTRUME": "XTEND",
        "DETNAM": DataClassCode.parse(request.dataclass).detnam,
        "FILTER": "NONE",
        "OBS_ID": request.obs_id,
        "DATACLAS": request.dataclass,
        "HDUCLASS": "OGIP",
        "CALSTAT": "NOMINAL",
        "CREATOR": f"{creator()} nominal",
    }
    header.update(values)
    for line in HISTORY:
        header.add_history(line)


def write_tables(job: Job, batch: Batch, tables: list[Any]) -> Made:
    """Write the tables of a nominal response after a primary HDU that says that it is one."""
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    identify(primary.header, job)
    path = batch.path(job)
    fits.HDUList([primary, *tables]).writeto(path)
    return batch.made(path, batch.events(job), (WARNING,))
