"""Reading the attitude of an observation from its extended housekeeping (EHK)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import InputFileError, MissingColumnError, MissingKeywordError
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.events.fitstable import finite
from xtendsrc.events.gti import clock_fault, timezero
from xtendsrc.measure.attitude import Attitude

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io.fits import Header

EHK = "use the .ehk file of the observation, as the archive has it."


def read_attitude(path: str | Path) -> Attitude:
    """Read the attitude from an extended housekeeping file.

    Columns TIME, RA, DEC, ROLL of the extension EHK, and XTD_RA_PNT, XTD_DEC_PNT (or their older names with SXI)
    for the optical axis, else RA and DEC again. Rows without finite values are left out.

    Raises
    ------
    MissingColumnError, MissingKeywordError, InputFileError
        If a column, or RA_NOM, DEC_NOM or PA_NOM, is missing, no row has an attitude, or the file cannot be read.
    """
    file = open_fits(path)
    hdu = file.find("EHK") or next((h for h in file.hdus if h.is_table), None)
    if hdu is None:
        raise InputFileError(f"{path} holds no table.", EHK)
    for name in ("TIME", "RA", "DEC", "ROLL"):
        if name not in hdu.columns:
            raise MissingColumnError(f"{path} has no column {name}.", EHK)
    prefix = next((p for p in ("XTD", "SXI") if {f"{p}_RA_PNT", f"{p}_DEC_PNT"} <= set(hdu.columns)), None)
    names = ("TIME", "RA", "DEC", "ROLL", *((f"{prefix}_RA_PNT", f"{prefix}_DEC_PNT") if prefix else ("RA", "DEC")))
    hdu.numbers(*names)
    if fault := clock_fault(hdu.header):
        raise InputFileError(f"{path}: {fault}.", EHK)
    values = np.array([file.column(hdu, c).astype(float) for c in names])
    values[0] += timezero(hdu.header)
    values = values[:, np.all(np.isfinite(values), axis=0)]
    if values.shape[1] == 0:
        raise InputFileError(f"{path} has no row with an attitude.", EHK)
    _check_directions(values, names, str(path))
    nominal, target = _references(hdu.header, str(path))
    _, order = np.unique(values[0], return_index=True)
    time, ra, dec, roll, ra_axis, dec_axis = values[:, order]
    return Attitude(time, ra, dec, roll, ra_axis, dec_axis, nominal, target, str(path))


def _check_directions(values: np.ndarray, names: tuple[str, ...], path: str) -> None:
    """Refuse times that go back, and directions that are none."""
    if np.any(np.diff(values[0]) < 0):
        row = int(np.argmax(np.diff(values[0]) < 0)) + 1
        raise InputFileError(f"{path}: TIME goes back after row {row}.", EHK)
    for row, name in zip(values[1:], names[1:], strict=True):
        if np.abs(row).max() > (90.0 if "DEC" in name else 720.0):
            raise InputFileError(f"{path}: {name} reaches {row[np.argmax(np.abs(row))]:g} degrees.", EHK)


def _references(header: Header, path: str) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """RA, Dec and roll of the nominal pointing, and RA and Dec of the target, in degrees."""
    for name in ("RA_NOM", "DEC_NOM", "PA_NOM"):
        if name not in header:
            raise MissingKeywordError(f"{path} has no keyword {name}.", EHK)
    ra, dec, roll = (finite(header, name, path, 0.0) for name in ("RA_NOM", "DEC_NOM", "PA_NOM"))
    target = (finite(header, "RA_OBJ", path, ra), finite(header, "DEC_OBJ", path, dec))
    if max(abs(dec), abs(target[1])) > 90:
        raise InputFileError(f"{path}: DEC_NOM or DEC_OBJ is beyond the pole.", EHK)
    return (ra, dec, roll), target
