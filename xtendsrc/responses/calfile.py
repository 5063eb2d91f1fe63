"""Calibration files: opened, checked and read, with an error for each way in which one can be unusable."""

from __future__ import annotations

import difflib
import gzip
import io
import re
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from xtendsrc.errors import CalibrationError, InputNotFoundError, MissingColumnError, MissingKeywordError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.io import fits
    from numpy.typing import NDArray

Mode = Literal["task", "right"]
"""``task``: what HEASoft's task computes, with its faults; ``right``: the same physics with the faults mended."""

INSTRUMENTS = {"SXI": ("SXI", "XTEND"), "XTEND": ("SXI", "XTEND")}
"""Names of the CCD camera: SXI of Hitomi, Xtend of XRISM."""

_EXTENDED = re.compile(r"^(?P<path>.+?)\[(?P<name>[^\[\]]+)\]$")
_GET_CALDB = "take the file from the calibration database again (`xtendsrc caldb fetch`)."


def check_mode(mode: str) -> Mode:
    """Return `mode` if it is ``task`` or ``right``; raise `RequestError` otherwise."""
    if mode not in get_args(Mode):
        close = difflib.get_close_matches(mode, get_args(Mode), n=1)
        hint = f'did you mean "{close[0]}"?' if close else 'choose "task" or "right".'
        raise RequestError(f"mode cannot be {mode!r}.", hint)
    return mode  # type: ignore[return-value]  # checked above


@dataclass(frozen=True, eq=False)
class CalibrationTable:
    """One table of a calibration file.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        The extension, for messages.
    header : astropy.io.fits.Header
        Its header.
    columns : dict
        Columns by upper-case name, in the byte order of this machine; floating-point columns hold no NaN.
    """

    path: Path
    name: str
    header: fits.Header
    columns: dict[str, NDArray[np.generic]]

    def __len__(self) -> int:
        return int(self.header["NAXIS2"])

    def floats(self, name: str) -> NDArray[np.float64]:
        """Return a column as 8-byte numbers."""
        return np.asarray(self.columns[name], dtype=np.float64)

    def kev(self, name: str = "ENERGY") -> NDArray[np.float64]:
        """Return a column of energies in keV.

        Raises
        ------
        CalibrationError
            If its unit is neither eV nor keV, or the energies do not rise along the last axis.
        """
        unit = self.unit(name)
        factors = {"KEV": 1.0, "EV": 1e-3}
        if unit.upper() not in factors:
            raise CalibrationError(
                f"{self.path}: column {name} of {self.name} is in {unit or 'no unit'!r}, not in eV or keV.", _GET_CALDB
            )
        energy = self.floats(name) * factors[unit.upper()]
        if energy.size == 0 or (np.diff(energy, axis=-1) <= 0).any():
            raise CalibrationError(f"{self.path}: the energies of {self.name} do not rise.", _GET_CALDB)
        return energy

    def unit(self, name: str) -> str:
        """Return the unit of a column, empty if the header gives none."""
        for i in range(1, int(self.header["TFIELDS"]) + 1):
            if str(self.header[f"TTYPE{i}"]).strip().upper() == name:
                return str(self.header.get(f"TUNIT{i}", "")).strip()
        return ""

    def keyword(self, name: str) -> float | int | str | bool:
        """Return the value of a keyword.

        Raises
        ------
        MissingKeywordError
            If the header has none.
        """
        if name not in self.header:
            raise MissingKeywordError(f"{self.path}: {self.name} has no keyword {name}.", _GET_CALDB)
        value: float | int | str | bool = self.header[name]
        return value


def split_extension(path: str | Path) -> tuple[Path, str | None]:
    """Split ``file.fits[NAME]``, as HEASoft writes it, into the file and the name of its extension (or None)."""
    if match := _EXTENDED.match(str(path)):
        return Path(match["path"]), match["name"].strip()
    return Path(path), None


def fingerprint(path: str | Path) -> tuple[int, int]:
    """Return time of change and size of a file, by which one tells that it is the same; zeros if it is not there."""
    file, _ = split_extension(path)
    if not file.is_file():
        return 0, 0
    status = file.stat()
    return status.st_mtime_ns, status.st_size


def open_calibration(path: str | Path) -> fits.HDUList:
    """Open a calibration file, plain or gzipped.

    Raises
    ------
    InputNotFoundError
        If there is no such file.
    CalibrationError
        If it is not a FITS file, or ends too early.
    """
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    file, _ = split_extension(path)
    if not file.is_file():
        raise InputNotFoundError(
            f"There is no calibration file {file}.",
            "check the path, or see `xtendsrc caldb check` for what is missing.",
        )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*truncated")
            hdus = fits.open(io.BytesIO(_content(file)), memmap=False)
            for hdu in hdus:
                _ = hdu.data
    except (OSError, ValueError, TypeError, EOFError, zlib.error, AstropyUserWarning) as err:
        raise CalibrationError(f"{file} cannot be read as a FITS file ({err}).", _GET_CALDB) from err
    return hdus


def _content(file: Path) -> bytes:
    data = file.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def read_table(
    hdus: fits.HDUList, extension: int | str, columns: Iterable[str], path: str | Path, least_rows: int = 1
) -> CalibrationTable:
    """Read columns of one table of an open calibration file.

    Parameters
    ----------
    hdus : HDUList
        The open file.
    extension : int or str
        Number or name of the table.
    columns : iterable of str
        Columns it must have.
    path : str or Path
        The file, for messages.
    least_rows : int
        How many rows the format demands.

    Raises
    ------
    CalibrationError
        If the table is missing, too short, or has NaN where a number is needed.
    MissingColumnError
        If a column is missing.
    """
    file, _ = split_extension(path)
    try:
        hdu = hdus[extension]
    except (KeyError, IndexError) as err:
        names = ", ".join(h.name or str(i) for i, h in enumerate(hdus))
        raise CalibrationError(f"{file} has no extension {extension!r}; it has {names}.", _GET_CALDB) from err
    name = hdu.name or str(extension)
    if hdu.header.get("XTENSION", "").strip() != "BINTABLE":
        raise CalibrationError(f"{file}: extension {name} is not a table.", _GET_CALDB)
    rows = int(hdu.header["NAXIS2"])
    if rows < least_rows:
        raise CalibrationError(f"{file}: {name} has {rows} rows; the format demands {least_rows}.", _GET_CALDB)
    present = {n.upper(): n for n in hdu.columns.names}
    found = {wanted: _column(hdu, present, wanted, f"{file}: {name}") for wanted in columns}
    return CalibrationTable(file, name, hdu.header, found)


def _column(hdu: fits.BinTableHDU, present: dict[str, str], wanted: str, where: str) -> NDArray[np.generic]:
    if wanted not in present:
        close = difflib.get_close_matches(wanted, present, n=1)
        hint = f" (the nearest is {close[0]})" if close else ""
        raise MissingColumnError(f"{where} has no column {wanted}{hint}.", _GET_CALDB)
    values = np.asarray(hdu.data[present[wanted]])
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values)
        if bad.any():
            row = int(np.argwhere(bad)[0][0]) + 1
            raise CalibrationError(f"{where}, column {wanted}: row {row} is not a finite number.", _GET_CALDB)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def find_extension(hdus: fits.HDUList, path: str | Path, name: str) -> int | str:
    """Return the extension a path names in brackets, else `name` where the file has it, else 1."""
    _, asked = split_extension(path)
    if asked is not None:
        return int(asked) if asked.isdigit() else asked
    return name if name in hdus else 1


def check_instrument(header: fits.Header | dict[str, str], path: str | Path, instrument: str) -> None:
    """Make sure that a file is for an instrument.

    Raises
    ------
    CalibrationError
        If INSTRUME names another one (SXI and Xtend are one camera).
    MissingKeywordError
        If there is no INSTRUME.
    """
    if "INSTRUME" not in header:
        raise MissingKeywordError(f"{path}: the header has no INSTRUME.", _GET_CALDB)
    found = str(header["INSTRUME"]).strip().upper()
    allowed = INSTRUMENTS.get(instrument.strip().upper(), (instrument.strip().upper(),))
    if found not in allowed:
        raise CalibrationError(
            f"{path} is for the instrument {found}, not for {instrument}.", "give the file of the right instrument."
        )
