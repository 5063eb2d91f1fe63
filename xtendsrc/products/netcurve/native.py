"""Net light curves: source minus background on identical bins.

The background's rate is scaled with the ratio of the exposure-weighted BACKSCALs of both regions (see `backscal`), and
errors add in quadrature, as in HEASoft's ``lcmath`` with ``err_mode=2``:
``net = source - q background``, ``sigma^2 = sigma_s^2 + q^2 sigma_b^2``. ERROR_LO and ERROR_HI combine the Poisson
intervals of both in the same way, so that bins without counts have errors too.

Rates are divided by the live fraction once: not if the curves already are (DEADAPP = T).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from astropy.io import fits

from xtendsrc.measure.backscal import region_backscal
from xtendsrc.measure.netcurve import Curve, read_curve, subtract

if TYPE_CHECKING:
    from xtendsrc.engines.native.batch import Batch
    from xtendsrc.engines.protocol import Job, Made


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
    events = batch.events(job)
    source, header = read_curve(job.needs["source"])
    background, scale = None, 0.0
    if request.background is not None:
        background, _ = read_curve(job.needs["background"])
        area = [
            region_backscal(events, raw, request.expmap.frame, job.needs["expmap"])
            for raw in (request.source, request.background)
        ]
        scale = area[0] / area[1]
    applied = bool(header.get("DEADAPP", False))
    deadc = 1.0 if applied else float(header.get("DEADC", 1.0))
    columns = subtract(source, background, scale, deadc)
    path = batch.path(job)
    with fits.open(job.needs["source"], memmap=False) as hdus:
        hdus["RATE"] = _table(columns, hdus["RATE"].header, scale, background is not None)
        hdus.writeto(path)
    return batch.made(path, events)


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
