"""barycen, thin: the light travel time across the Earth's orbit, without the satellite's own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import fitsfile
from .fitsfile import FitsError
from .parfile import ParameterError

if TYPE_CHECKING:
    from .parfile import Parameters

LIGHT_TIME = 499.004784  # s for one astronomical unit


def barycen(pars: Parameters) -> int:
    """Shift TIME and good times of a copy of the file, and label it."""
    if not Path(fitsfile.split_name(pars.text("orbfile"))[0]).is_file():
        raise ParameterError(1, f"orbit file {pars.text('orbfile')} not found")
    orbit = fitsfile.read(fitsfile.split_name(pars.text("orbfile"))[0])
    if fitsfile.extension(orbit, pars.text("orbext")) is None:
        raise FitsError(301, f"no extension {pars.text('orbext')} in the orbit file")
    hdus = fitsfile.read(fitsfile.split_name(pars.text("infile"))[0])
    if not any(hdu.is_table for hdu in hdus):
        raise FitsError(107, "no table in the input")
    ra, dec = pars.number("ra"), pars.number("dec")
    for hdu in hdus:
        header = hdu.header
        header.drop("CHECKSUM", "DATASUM")
        reference = float(header.get("MJDREFI", 58484)) + float(header.get("MJDREFF", 0.0))
        if hdu.is_table:
            rows = hdu.rows().copy()
            hdu.data = rows
            for name in (pars.text("timecol"), pars.text("startcol"), pars.text("stopcol")):
                number = hdu.column_number(name)
                if number and rows.dtype.names is not None:
                    rows[rows.dtype.names[number - 1]] += delay(hdu.column(name), reference, ra, dec)
        for key in ("TSTART", "TSTOP"):
            if key in header:
                shift = delay(np.array([float(header.get(key))]), reference, ra, dec)[0]
                header.set(key, float(header.get(key)) + float(shift))
        header.set("TIMEREF", "SOLARSYSTEM")
        header.set("TIMESYS", "TDB")
        header.set("RA_TDB", ra)
        header.set("DEC_TDB", dec)
        header.set("CREATOR", "barycen stand-in")
    fitsfile.write(pars.text("outfile"), hdus, pars.flag("clobber"))
    return 0


def delay(times: np.ndarray, reference: float, ra: float, dec: float) -> np.ndarray:
    """Return the light travel time in s from the Earth to the Sun's plane (low-precision solar position)."""
    days = reference + times / 86400 - 51544.5
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    tilt = math.radians(23.439)
    earth = -distance * np.array(
        [np.cos(longitude), math.cos(tilt) * np.sin(longitude), math.sin(tilt) * np.sin(longitude)]
    )
    a, d = math.radians(ra), math.radians(dec)
    source = np.array([math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)])
    found: np.ndarray = LIGHT_TIME * (source @ earth)
    return found
