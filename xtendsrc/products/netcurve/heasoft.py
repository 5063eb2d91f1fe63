"""Net light curves by lcmath: source less background, scaled by exposed area, corrected for dead time.

``err_mode=2`` is the one that scales the background's error like the background itself (mode 1, the default, takes the
square root of the scale). Where the header has DEADC, rates and errors are divided by it and DEADAPP becomes true.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.engines.heasoft import extractor
from xtendsrc.engines.heasoft.task import Call
from xtendsrc.measure.backscal import region_backscal
from xtendsrc.measure.netcurve import read_curve, subtract
from xtendsrc.products.lightcurve.heasoft import absolute, rewrite
from xtendsrc.products.lightcurve.native import timing_cards

if TYPE_CHECKING:
    from xtendsrc.engines.heasoft.bench import Bench
    from xtendsrc.engines.protocol import Job, Made

NET = "net.lc"
EXTRA = ("ERROR_LO", "ERROR_HI", "SRC_RATE", "SRC_ERR", "BKG_RATE", "BKG_ERR")


def make_netcurve(job: Job, bench: Bench) -> Made:
    """Make the net curve of one `NetCurveRequest` from its two curves and the exposure map.

    Expected of it: the bins of the source's curve, and the rates and errors of plain quadrature.
    """
    request: Any = job.request
    ratio = area_ratio(job, bench) if request.background is not None else 0.0
    background = job.needs.get("background", job.needs["source"])
    links = {"source.lc": job.needs["source"], "back.lc": background}
    links = {name: str(_plain(Path(path), bench.path(name))) for name, path in links.items()}
    parameters = {"infile": "source.lc", "bgfile": "back.lc", "outfile": NET, "multi": 1.0, "multb": ratio}
    parameters |= {"addsubr": False, "docor": True, "err_mode": 2}
    bench.run(Call(task="lcmath", parameters=parameters, links=links, outputs=(NET,)))
    path = bench.path(NET)
    _check(bench, path, job.needs["source"], background, ratio)
    _finish(path, job.needs["source"], job.needs.get("background"), ratio)
    return bench.made(path)


def area_ratio(job: Job, bench: Bench) -> float:
    """Exposure summed over the source's region, over that of the background's.

    Raises
    ------
    RegionError
        One of the regions has no exposure, or is on another grid than the map.
    """
    request: Any = job.request
    events = bench.events(job)
    source, background = (
        region_backscal(events, raw, request.expmap.frame, job.needs["expmap"])
        for raw in (request.source, request.background)
    )
    return source / background


def _plain(path: Path, target: Path) -> Path:
    """Copy a light curve without its Poisson errors and relative to TIMEZERO: lcmath shall see what extractor wrote."""
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        hdu = hdus["RATE"]
        columns = fits.ColDefs([c for c in hdu.columns if c.name not in ("ERROR_LO", "ERROR_HI")])
        table = fits.BinTableHDU.from_columns(columns, header=hdu.header)
        zero = float(table.data["TIME"][0]) if len(table.data) else 0.0
        table.data["TIME"] -= zero
        table.header["TIMEZERO"] = float(hdu.header.get("TIMEZERO", 0.0)) + zero
        hdus[hdus.index_of("RATE")] = table
        hdus.writeto(target)
    return target


def _check(bench: Bench, path: Path, source: str, background: str, ratio: float) -> None:
    (net, header), (own, own_header), (other, other_header) = (_read(Path(p)) for p in (path, source, background))
    times = _centres(own, own_header)
    if not _same(_centres(net, header), times):
        raise bench.refuse(f"{path.name}: its bins are not those of the source's curve.")
    if not _same(_centres(other, other_header), times):
        raise bench.refuse("The curves of source and background have different bins.", "give both one start and bin.")
    live = float(own_header.get("DEADC", 1.0)) if header.get("DEADAPP") else 1.0
    rate, error, back, back_error = (np.asarray(t[n], float) for t in (own, other) for n in ("RATE", "ERROR"))
    tiny = 1e-5 * (np.abs(rate).max() or 1.0)
    if not np.allclose(net["RATE"], (rate - ratio * back) / live, rtol=1e-4, atol=tiny):
        raise bench.refuse(f"{path.name}: its rates are not source - {ratio:.6g} x background.")
    if not np.allclose(net["ERROR"], np.hypot(error, ratio * back_error) / live, rtol=1e-4, atol=tiny):
        raise bench.refuse(f"{path.name}: its errors are not those of err_mode=2.")


def _read(path: Path) -> tuple[Any, Any]:
    with extractor.read_checked(path, ("RATE",)) as hdus:
        return hdus["RATE"].data, hdus["RATE"].header


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return len(first) == len(second) and bool(np.allclose(first, second, rtol=0, atol=1e-3))


def _centres(table: Any, header: Any) -> np.ndarray:
    return np.asarray(table["TIME"], dtype=np.float64) + float(header.get("TIMEZERO", 0.0))


def _finish(path: Path, source: str, background: str | None, ratio: float) -> None:
    """Add what lcmath does not give: the Poisson errors of the difference, and the two rates it was made from."""
    from astropy.io import fits

    own, header = read_curve(source)
    other = None if background is None else read_curve(background)[0]
    with fits.open(path, memmap=False) as hdus:
        absolute(hdus["RATE"])
        hdu = hdus["RATE"]
        live = float(header.get("DEADC", 1.0)) if hdu.header.get("DEADAPP") else 1.0
        columns = subtract(own, other, ratio, live)
        extra = [fits.Column(name, "E", "count/s", array=columns[name]) for name in EXTRA]
        table = fits.BinTableHDU.from_columns(hdu.columns + fits.ColDefs(extra), header=hdu.header)
        for name, *value in timing_cards(header):
            table.header[name] = tuple(value)
        table.header["BKGSCALE"] = (ratio, "background to source region, area x exposure")
        if other is None:
            table.header["HDUCLAS2"] = "TOTAL"
            table.header["BACKAPP"] = (False, "background is subtracted")
        hdus[hdus.index_of("RATE")] = table
        rewrite(hdus, path)
