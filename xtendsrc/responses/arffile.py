"""Reading the energy bins of a matrix, and writing an effective area as OGIP CAL/GEN/92-002 has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xtendsrc.errors import CalibrationError, InputFileError
from xtendsrc.responses.calfile import open_calibration, read_table

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class AreaFile:
    """Everything that a file of an effective area says.

    Attributes
    ----------
    path : Path
        Where to write it.
    energy_low, energy_high, area : ndarray
        keV and cm2.
    telescope, instrument, detector : str
        TELESCOP, INSTRUME, DETNAM.
    keywords : dict
        Other keywords with their comments.
    history : tuple of str
        Lines of HISTORY.
    """

    path: Path
    energy_low: Floats
    energy_high: Floats
    area: Floats
    telescope: str
    instrument: str
    detector: str
    keywords: dict[str, tuple[float | str, str]]
    history: tuple[str, ...]


def response_grid(path: str | Path) -> tuple[Floats, Floats]:
    """Return the edges of the photon energy bins of a redistribution matrix, keV.

    Raises
    ------
    InputFileError
        If the file has no matrix.
    CalibrationError
        If its energies are neither in eV nor in keV.
    """
    with open_calibration(path) as hdus:
        names = [name for name in ("MATRIX", "SPECRESP MATRIX") if name in hdus]
        if not names:
            raise InputFileError(f"{path} has no extension MATRIX or SPECRESP MATRIX.", "give a redistribution matrix.")
        table = read_table(hdus, names[0], ("ENERG_LO", "ENERG_HI"), path)
    unit = table.unit("ENERG_LO").upper()
    if unit not in ("KEV", "EV"):
        raise CalibrationError(f"{path}: ENERG_LO is in {unit or 'no unit'}, not in eV or keV.", "set TUNIT1.")
    scale = 1.0 if unit == "KEV" else 1e-3
    return table.floats("ENERG_LO") * scale, table.floats("ENERG_HI") * scale


def write_area(file: AreaFile) -> None:
    """Write SPECRESP; an existing file is replaced only when the new one is whole."""
    from astropy.io import fits

    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("ENERG_LO", "E", "keV", array=file.energy_low),
            fits.Column("ENERG_HI", "E", "keV", array=file.energy_high),
            fits.Column("SPECRESP", "E", "cm**2", array=file.area),
        ],
        name="SPECRESP",
    )
    header = table.header
    header["TELESCOP"], header["INSTRUME"], header["DETNAM"] = file.telescope, file.instrument, file.detector
    header["FILTER"] = "NONE"
    header["HDUCLASS"], header["HDUCLAS1"], header["HDUCLAS2"] = "OGIP", "RESPONSE", "SPECRESP"
    header["HDUVERS"], header["HDUVERS1"], header["HDUVERS2"] = "1.1.0", "1.0.0", "1.1.0"
    header["ARFVERSN"] = ("1992a", "obsolete, for old readers")
    header["CALSTAT"] = ("CALIBRATED", "made from calibration files")
    for name, (value, comment) in file.keywords.items():
        header[name] = (value, comment)
    for line in file.history:
        header.add_history(line)
    part = file.path.with_name(file.path.name + ".part")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(part, overwrite=True)
    part.replace(file.path)
