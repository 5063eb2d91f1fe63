"""World coordinates of the columns of an event table, from its TCTYP, TCRPX, TCRVL, TCDLT and TCROT keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.errors import InputFileError, MissingKeywordError
from xtendsrc.instrument.geometry import celestial_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.io.fits import Header
    from astropy.wcs import WCS


def table_wcs(header: Header, numbers: Sequence[int], names: Sequence[str], path: str) -> WCS:
    """Coordinate system of two columns of a table (pixel-list keywords, FITS WCS paper I, table 22).

    Parameters
    ----------
    header : astropy.io.fits.Header
        Header of the table.
    numbers, names : sequence
        Numbers (1-based) and names of the two columns.
    path : str
        The file, for messages.

    Returns
    -------
    astropy.wcs.WCS
        1-based pixel = value of the column. Detector columns without keywords are their own coordinates.

    Raises
    ------
    MissingKeywordError
        If a keyword of the celestial system is missing.
    InputFileError
        If the sky grid is of another frame than FK5 (J2000) or ICRS.
    """
    from astropy.wcs import WCS

    sky = names[0] == "X"
    defaults = None if sky else {"TCTYP": "", "TCRPX": 1.0, "TCRVL": 1.0, "TCDLT": 1.0}
    values: dict[tuple[str, int], Any] = {}
    for key in ("TCTYP", "TCRPX", "TCRVL", "TCDLT"):
        for number, name in zip(numbers, names, strict=True):
            values[key, number] = _value(header, key, number, name, path, defaults)
    wcs = WCS(naxis=2)
    columns = list(zip(numbers, names, strict=True))
    wcs.wcs.ctype = [str(values["TCTYP", n]).strip() or name for n, name in columns]
    wcs.wcs.crpix = [float(values["TCRPX", n]) for n in numbers]
    wcs.wcs.crval = [float(values["TCRVL", n]) for n in numbers]
    wcs.wcs.cdelt = [float(values["TCDLT", n]) for n in numbers]
    rotation = float(header.get(f"TCROT{numbers[1]}", 0.0))
    if rotation:
        wcs.wcs.crota = [0.0, rotation]
    if sky:
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.radesys = _frame(header, path)
        if wcs.wcs.radesys == "FK5":
            wcs.wcs.equinox = 2000.0
    wcs.wcs.set()
    return wcs


def _frame(header: Header, path: str) -> str:
    try:
        return celestial_frame(header).upper()
    except InputFileError as error:
        raise InputFileError(f"{path}: {error.what}", error.next_step) from error


def _value(header: Header, key: str, number: int, name: str, path: str, defaults: dict[str, Any] | None) -> object:
    if f"{key}{number}" in header:
        return header[f"{key}{number}"]
    if defaults is not None:
        return defaults[key]
    raise MissingKeywordError(
        f"{path}: the header of EVENTS has no {key}{number} (coordinates of column {name}).",
        "run `xtendsrc inspect` on the observation to see everything that differs from an Xtend event file.",
    )
