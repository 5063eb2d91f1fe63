"""Net light curves: source minus background on identical bins.

The background's rate is scaled with the ratio of the exposure-weighted BACKSCALs of both regions (see `backscal`), and
errors add in quadrature, as in HEASoft's ``lcmath`` with ``err_mode=2``:
``net = source - q background``, ``sigma^2 = sigma_s^2 + q^2 sigma_b^2``. ERROR_LO and ERROR_HI combine the Poisson
intervals of both in the same way, so that bins without counts have errors too.

Rates are divided by the live fraction once: not if the curves already are (DEADAPP = T).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.errors import DeadTimeError, GridMismatchError
from xtendsrc.products.sourcespectrum.native import region_backscal

if TYPE_CHECKING:
    from xtendsrc.engines.native.selection import Batch
    from xtendsrc.engines.protocol import Job, Made

Curve = dict[str, np.ndarray]


def subtract(source: Curve, background: Curve | None, scale: float, deadc: float = 1.0) -> Curve:
    """Net rates.

    Parameters
    ----------
    source, background : dict of str to ndarray
        ``RATE``, ``ERROR``, ``ERROR_LO``, ``ERROR_HI`` in count/s, and ``TIME`` and ``FRACEXP``, on the same bins.
    scale : float
        Background region to source region, area times exposure.
    deadc : float
        Live fraction by which all rates are divided.

    Returns
    -------
    dict of str to ndarray
        ``TIME``, ``RATE``, ``ERROR``, ``FRACEXP``, ``ERROR_LO``, ``ERROR_HI``; ``SRC_RATE``, ``SRC_ERR``,
        ``BKG_RATE``, ``BKG_ERR``, the background's scaled to the source's area.

    Raises
    ------
    GridMismatchError
        If the bins of source and background differ.
    DeadTimeError
        If the live fraction is not within (0, 1].
    """
    if not 0 < deadc <= 1:
        raise DeadTimeError(f"A live fraction of {deadc} makes no sense.", "check DEADC of the event file.")
    live = {name: np.asarray(source[name], dtype=np.float64) / deadc for name in _RATES}
    factor = scale / deadc
    if background is None:
        other = {name: np.zeros_like(live["RATE"]) for name in _RATES}
    else:
        _same_bins(source, background)
        other = {name: np.asarray(background[name], dtype=np.float64) * factor for name in _RATES}
    return {
        "TIME": np.asarray(source["TIME"], dtype=np.float64),
        "RATE": live["RATE"] - other["RATE"],
        "ERROR": np.hypot(live["ERROR"], other["ERROR"]),
        "FRACEXP": np.asarray(source["FRACEXP"], dtype=np.float64),
        "ERROR_LO": np.hypot(live["ERROR_LO"], other["ERROR_HI"]),
        "ERROR_HI": np.hypot(live["ERROR_HI"], other["ERROR_LO"]),
        "SRC_RATE": live["RATE"],
        "SRC_ERR": live["ERROR"],
        "BKG_RATE": other["RATE"],
        "BKG_ERR": other["ERROR"],
    }


_RATES = ("RATE", "ERROR", "ERROR_LO", "ERROR_HI")


def _same_bins(source: Curve, background: Curve) -> None:
    same = len(source["TIME"]) == len(background["TIME"])
    if not same or not np.allclose(source["TIME"], background["TIME"], rtol=0, atol=1e-6):
        raise GridMismatchError("Source and background curves have different bins.", "make both with the same bins.")
    if not np.allclose(source["FRACEXP"], background["FRACEXP"], rtol=0, atol=1e-5):
        raise GridMismatchError(
            "Source and background curves have different exposures.", "make both from the same good time."
        )


def read_curve(path: str) -> tuple[Curve, fits.Header]:
    """Columns of the extension RATE, ``TIME`` as absolute mission seconds, and its header.

    Without Poisson intervals in the file they are derived from the counts, ``RATE x FRACEXP x TIMEDEL``.
    """
    from xtendsrc.measure.statistics import poisson_errors

    with fits.open(path, memmap=False) as hdus:
        table, header = hdus["RATE"].data, hdus["RATE"].header.copy()
        curve = {name: np.array(table[name], dtype=np.float64) for name in ("TIME", "RATE", "ERROR", "FRACEXP")}
        curve["TIME"] += float(header.get("TIMEZERO", 0.0))
        if "ERROR_LO" in table.names:
            curve |= {name: np.array(table[name], dtype=np.float64) for name in ("ERROR_LO", "ERROR_HI")}
            return curve, header
    seconds = curve["FRACEXP"] * float(header["TIMEDEL"])
    lower, upper = poisson_errors(np.rint(curve["RATE"] * seconds).astype(np.int64))
    curve["ERROR_LO"], curve["ERROR_HI"] = lower / seconds, upper / seconds
    return curve, header


def make_netcurve(job: Job, batch: Batch) -> Made:
    """Make the FITS file of one `NetCurveRequest`: the source's file with net rates in RATE.

    Raises
    ------
    GridMismatchError
        If the bins of source and background differ.
    RegionError
        If a region has no exposure.
    """
    request: Any = job.request
    source, header = read_curve(job.needs["source"])
    background, scale = None, 0.0
    if request.background is not None:
        background, _ = read_curve(job.needs["background"])
        area = [region_backscal(job, batch, raw, job.needs["expmap"]) for raw in (request.source, request.background)]
        scale = area[0] / area[1]
    applied = bool(header.get("DEADAPP", False))
    deadc = 1.0 if applied else float(header.get("DEADC", 1.0))
    columns = subtract(source, background, scale, deadc)
    path = batch.path(job)
    with fits.open(job.needs["source"], memmap=False) as hdus:
        hdus["RATE"] = _table(columns, hdus["RATE"].header, scale, background is not None)
        hdus.writeto(path)
    return batch.made(path, batch.events(job))


def _table(columns: Curve, header: fits.Header, scale: float, subtracted: bool) -> fits.BinTableHDU:
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(name, "D" if name == "TIME" else "E", _UNITS.get(name, "count/s"), array=values)
            for name, values in columns.items()
        ]
    )
    table.header["EXTNAME"] = "RATE"
    for card in header.cards:
        if card.keyword not in table.header and not card.keyword.startswith(
            ("TTYPE", "TFORM", "TUNIT", "CHECKS", "DATAS")
        ):
            table.header.append(card)
    table.header["TIMEZERO"] = (0.0, "[s] TIME is absolute, the middle of the bin")
    table.header["HDUCLAS2"] = ("NET" if subtracted else "TOTAL", "background subtracted" if subtracted else "")
    table.header["BACKAPP"] = (subtracted, "background is subtracted")
    table.header["DEADAPP"] = (True, "rates are corrected for dead time")
    table.header["BKGSCALE"] = (scale, "background to source region, area x exposure")
    return table


_UNITS: dict[str, str | None] = {"TIME": "s", "FRACEXP": None}
