"""xtdnxbgen, thin: a spectrum of the given night-earth events inside a detector region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import evfile, fitsfile, regfile
from .fitsfile import FitsError
from .parfile import ParameterError

if TYPE_CHECKING:
    from .parfile import Parameters


def xtdnxbgen(pars: Parameters) -> int:
    """Count the database events in the region; no weighting by cut-off rigidity."""
    hdus = fitsfile.read(fitsfile.split_name(pars.text("innxbfile"))[0])
    events = fitsfile.extension(hdus, "EVENTS")
    if events is None:
        raise FitsError(107, "no EVENTS extension in innxbfile")
    if pars.text("regmode").upper() == "RADEC":
        raise ParameterError(1, "this stand-in reads regions in DET or SKY only")
    names = ("DETX", "DETY") if pars.text("regmode").upper() == "DET" else ("X", "Y")
    try:
        region = regfile.read(pars.text("regfile"), None)
    except regfile.RegionRejectedError as error:
        raise ParameterError(1, str(error)) from error
    gti, _ = evfile.find_gti(hdus, "GTI", events.header)
    inside = region.inside(events.column(names[0]).astype(float), events.column(names[1]).astype(float))
    channels = events.column("PI")[inside & evfile.in_intervals(events.column("TIME"), gti)]
    counts = np.zeros(4096, int)
    for channel in channels.tolist():
        if 0 <= channel < 4096:
            counts[channel] += 1
    header = events.header.describing()
    values = {"HDUCLASS": "OGIP", "HDUCLAS1": "SPECTRUM", "HDUCLAS2": "BKG", "HDUCLAS3": "COUNT", "CHANTYPE": "PI"}
    for key, value in {**values, "EXPOSURE": evfile.total(gti), "BACKSCAL": 1.0, "AREASCAL": 1.0}.items():
        header.set(key, value)
    header.set("DETCHANS", 4096)
    header.set("POISSERR", True)
    header.set("CREATOR", "xtdnxbgen stand-in")
    table = fitsfile.table("SPECTRUM", [("CHANNEL", "J", "", range(4096)), ("COUNTS", "J", "count", counts)], header)
    table.header.set("TLMIN1", 0)
    table.header.set("TLMAX1", 4095)
    fitsfile.write(pars.text("outpifile"), [fitsfile.image(None), table], pars.flag("clobber"))
    return 0
