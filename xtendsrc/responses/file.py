"""Reading redistribution matrices and effective areas (OGIP CAL/GEN/92-002, 92-002a, and its 2020 addendum).

Names of columns count in any case; rows may be of fixed or of variable length; several MATRIX extensions on one grid
of energies are added up, as the addendum means them. What no response can hold is refused: values that are not finite
or negative, energies that do not rise.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, MissingColumnError
from xtendsrc.events.fitsfile import open_fits

if TYPE_CHECKING:
    from pathlib import Path

    from scipy.sparse import csr_array

    from xtendsrc.events.fitsfile import FitsFile
    from xtendsrc.events.fitstable import HDU

logger = logging.getLogger(__name__)

MATRIX_NAMES = ("MATRIX", "SPECRESP MATRIX", "RSP_MATRIX")
"""What the extension is called, or its HDUCLAS2."""

AGAIN = "make the response again, or ask its maker."


def read_rmf(path: str | Path) -> dict[str, Any]:
    """Read a redistribution matrix.

    Parameters
    ----------
    path : path
        An OGIP RMF, plain or gzipped.

    Returns
    -------
    dict
        ``header`` (of the first matrix), ``energy_lo`` and ``energy_hi`` (model energies, keV), ``channels``, ``e_min``
        and ``e_max`` (of EBOUNDS, keV), ``first_channel`` (the number F_CHAN counts the first channel as) and
        ``matrix`` (model energies x channels, sparse).

    Raises
    ------
    InputFileError
        If the file is no RMF, or holds what no RMF can.
    """
    file = open_fits(path)
    tables = _extensions(file, MATRIX_NAMES, ("ENERG_LO", "ENERG_HI", "N_GRP", "F_CHAN", "N_CHAN", "MATRIX"))
    bounds = _extensions(file, ("EBOUNDS",), ("CHANNEL", "E_MIN", "E_MAX"))[0]
    channels = _whole(file, bounds, "CHANNEL")
    if np.any(np.diff(channels) != 1):
        raise InputFileError(f"{file.path}: the channels of EBOUNDS do not rise by one.", AGAIN)
    e_min, e_max = (_values(file, bounds, name, "keV") for name in ("E_MIN", "E_MAX"))
    if np.any(e_min > e_max):
        raise InputFileError(f"{file.path}: a channel of EBOUNDS ends (E_MAX) below its start (E_MIN).", AGAIN)
    energies = _energies(file, tables[0])
    for other in tables[1:]:
        _check_same_energies(file, energies, other)
    first = [_first_channel(file, table, channels) for table in tables]
    matrices = [_sparse(file, t, channels.size, f) for t, f in zip(tables, first, strict=True)]
    return {
        "header": tables[0].header.copy(),
        "energy_lo": energies[0],
        "energy_hi": energies[1],
        "channels": channels,
        "e_min": e_min,
        "e_max": e_max,
        "first_channel": first[0],
        "matrix": sum(matrices[1:], start=matrices[0]),
    }


def read_arf(path: str | Path) -> dict[str, Any]:
    """Read an effective area.

    Parameters
    ----------
    path : path
        An OGIP ARF, plain or gzipped.

    Returns
    -------
    dict
        ``header``, ``energy_lo`` and ``energy_hi`` (keV), ``area`` (cm2).

    Raises
    ------
    InputFileError
        If the file is no ARF, or holds what no ARF can.
    """
    file = open_fits(path)
    tables = _extensions(file, ("SPECRESP",), ("ENERG_LO", "ENERG_HI", "SPECRESP"))
    if len(tables) > 1:
        raise InputFileError(f"{file.path} has {len(tables)} SPECRESP extensions.", "give a file with one of them.")
    low, high = _energies(file, tables[0])
    area = _values(file, tables[0], "SPECRESP", "cm2")
    if area.min() < 0:
        raise InputFileError(f"{file.path}: SPECRESP is negative in {np.count_nonzero(area < 0)} bins.", AGAIN)
    return {"header": tables[0].header.copy(), "energy_lo": low, "energy_hi": high, "area": area}


def _extensions(file: FitsFile, names: tuple[str, ...], columns: tuple[str, ...]) -> list[HDU]:
    """Find the tables by name, or by HDUCLAS2 where a file names them differently, and check their columns."""
    tables = [hdu for hdu in file.hdus if hdu.is_table]
    found = [hdu for hdu in tables if hdu.name in names or _class(hdu) in names]
    if not found:
        raise InputFileError(
            f"{file.path} has no extension {' or '.join(names)}; it has {', '.join(h.name or '?' for h in file.hdus)}.",
            "check that the file is a response.",
        )
    for hdu in found:
        if missing := [name for name in columns if name not in hdu.columns]:
            raise MissingColumnError(
                f"{file.path}: extension {hdu.name} lacks {', '.join(missing)}; it has {', '.join(hdu.columns)}.",
                "check that the file is a response.",
            )
        if not hdu.rows:
            raise InputFileError(f"{file.path}: extension {hdu.name} has no rows.", AGAIN)
    return found


def _class(hdu: HDU) -> str:
    return str(hdu.header.get("HDUCLAS2", "")).strip().upper()


def _values(file: FitsFile, table: HDU, name: str, unit: str) -> np.ndarray:
    """Read a column of finite numbers in a unit; one that names no unit is in it, as the memos say."""
    import astropy.units as u

    table.numbers(name)
    values = file.column(table, name).astype(float)
    written = table.columns[name].unit or unit
    if not np.isfinite(values).all():
        raise InputFileError(f"{file.path}: {name} of {table.name} has values that are not finite.", AGAIN)
    if written.lower().replace("**", "") == unit.lower():
        return values
    try:
        return np.asarray(u.Quantity(values, written).to_value(unit))
    except (ValueError, TypeError, u.UnitConversionError) as error:
        raise InputFileError(f"{file.path}: {name} is in {written!r}, not in {unit}.", "correct its TUNIT.") from error


def _energies(file: FitsFile, table: HDU) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the model energies in keV, which must rise."""
    low, high = (_values(file, table, name, "keV") for name in ("ENERG_LO", "ENERG_HI"))
    if low[0] < 0 or np.any(high <= low) or np.any(np.diff(low) <= 0):
        raise InputFileError(
            f"{file.path}: the energies of {table.name} (ENERG_LO, ENERG_HI) do not rise from bin to bin.", AGAIN
        )
    return low, high


def _check_same_energies(file: FitsFile, energies: tuple[np.ndarray, np.ndarray], other: HDU) -> None:
    found = _energies(file, other)
    if found[0].shape != energies[0].shape or not all(
        np.allclose(a, b, rtol=1e-6, atol=0) for a, b in zip(energies, found, strict=True)
    ):
        raise InputFileError(
            f"{file.path}: its MATRIX extensions are on different energies, so they cannot be added up.",
            "bring them to one grid, or give a file with one of them.",
        )


def _whole(file: FitsFile, table: HDU, name: str) -> np.ndarray:
    """Read whole numbers, one a row."""
    table.numbers(name)
    return _as_whole(file, table, name, file.column(table, name))


def _as_whole(file: FitsFile, table: HDU, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise InputFileError(f"{file.path}: {name} of {table.name} has values that are not whole numbers.", AGAIN)
    return values.astype(np.int64)


def _first_channel(file: FitsFile, table: HDU, channels: np.ndarray) -> int:
    """Return the number that F_CHAN counts the first channel as.

    TLMIN of the F_CHAN column says it (CAL/GEN/92-002a); without it the memo's default is 1, but the CHANNEL column of
    EBOUNDS, where the numbers stand, decides, so that both defaults met in real files are read right.
    """
    key = f"TLMIN{table.index('F_CHAN')}"
    if key in table.header:
        return table.integer(key, low=-(2**31), high=2**31)
    logger.warning("%s has no %s; its channels are taken to start at %d, as in EBOUNDS.", file.path, key, channels[0])
    return int(channels[0])


def _sparse(file: FitsFile, table: HDU, size: int, first: int) -> csr_array:
    """Unpack the groups of channels of each energy into a sparse matrix."""
    from scipy.sparse import csr_array

    groups = _whole(file, table, "N_GRP")
    starts = _leading(file, table, "F_CHAN", groups)
    lengths = _leading(file, table, "N_CHAN", groups)
    if min(groups.min(), lengths.min(initial=0)) < 0:
        raise InputFileError(f"{file.path}: N_GRP or N_CHAN of {table.name} is negative.", AGAIN)
    group_row = np.repeat(np.arange(groups.size), groups)
    in_row = np.bincount(group_row, weights=lengths, minlength=groups.size).astype(np.int64)
    values = _leading(file, table, "MATRIX", in_row)
    if not values.size:
        raise InputFileError(f"{file.path}: no energy of the matrix reaches any channel.", AGAIN)
    if not np.isfinite(values).all() or values.min() < 0:
        raise InputFileError(f"{file.path}: {table.name} has values that are negative or not finite.", AGAIN)
    within = np.arange(values.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    column = np.repeat(starts - first, lengths) + within
    if column.min() < 0 or column.max() >= size:
        raise InputFileError(
            f"{file.path}: F_CHAN and N_CHAN reach channels {column.min() + first}..{column.max() + first}, but "
            f"EBOUNDS has {size} channels from {first}.",
            "check TLMIN of the F_CHAN column.",
        )
    matrix = csr_array((values, column, np.append(0, np.cumsum(in_row))), shape=(groups.size, size))
    matrix.sum_duplicates()
    return matrix


def _leading(file: FitsFile, table: HDU, name: str, wanted: np.ndarray) -> np.ndarray:
    """The first values of each row of a column, as many as wanted, all rows in one array."""
    lengths, values = file.variable(table, name)
    if np.any(wanted > lengths):
        row = int(np.flatnonzero(wanted > lengths)[0])
        raise InputFileError(
            f"{file.path}: row {row + 1} of {name} has {lengths[row]} values; N_GRP and N_CHAN say {wanted[row]}.",
            AGAIN,
        )
    wanted = np.maximum(wanted, 0)
    at = np.repeat(np.cumsum(lengths) - lengths, wanted)
    at += np.arange(at.size) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    chosen = values[at]
    return chosen.astype(float) if name == "MATRIX" else _as_whole(file, table, name, chosen)
