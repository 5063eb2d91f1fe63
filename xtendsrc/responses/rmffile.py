"""Writing a redistribution matrix as OGIP CAL/GEN/92-002 has it, straight from arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from astropy.io import fits
    from numpy.typing import NDArray

    from xtendsrc.responses.lineshape import ChannelGrid

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int32]

_BLOCK = 2880
_ROW = np.dtype([("lo", ">f4"), ("hi", ">f4"), ("n_grp", ">i2"), ("f", ">i4", 2), ("n", ">i4", 2), ("m", ">i4", 2)])


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of channels above the threshold, row after row.

    Attributes
    ----------
    count : ndarray of int32, (energies,)
        Groups in each row.
    first, length : ndarray of int32, (groups,)
        First channel of each group and its number of channels.
    elements : ndarray of float32
        The probabilities of all groups.
    """

    count: Integers
    first: Integers
    length: Integers
    elements: NDArray[np.float32]

    @classmethod
    def join(cls, parts: Sequence[Groups]) -> Groups:
        """Put the rows of several together."""
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("count", "first", "length", "elements")))

    @property
    def row_sizes(self) -> NDArray[np.int64]:
        """Number of elements of each row, (energies,)."""
        row = np.repeat(np.arange(len(self.count)), self.count)
        return np.bincount(row, weights=self.length, minlength=len(self.count)).astype(np.int64)


def groups_of(dense: Floats, threshold: float) -> Groups:
    """Find the groups of channels of some rows.

    A group opens above the threshold and closes below it, so that it goes on over channels equal to the threshold
    (all that are zero, for a threshold of zero). A row of NaN has none.

    Parameters
    ----------
    dense : ndarray, (rows, channels)
        Probabilities.
    threshold : float
        The threshold.
    """
    inside = dense > threshold
    undecided = ~inside & ~(dense < threshold)
    if undecided.any():
        channel = np.where(undecided, 0, np.arange(dense.shape[1]))
        np.maximum.accumulate(channel, axis=1, out=channel)
        inside = np.take_along_axis(inside, channel, axis=1)
    padded = np.zeros((len(dense), dense.shape[1] + 2), bool)
    padded[:, 1:-1] = inside
    edges = np.flatnonzero(padded[:, 1:] != padded[:, :-1])
    row, first = np.divmod(edges[0::2], dense.shape[1] + 1)
    length = edges[1::2] - edges[0::2]
    count = np.bincount(row, minlength=len(dense))
    return Groups(
        count.astype(np.int32),
        first.astype(np.int32),
        length.astype(np.int32),
        dense[inside].astype(np.float32),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixFile:
    """Everything that a matrix file says.

    Attributes
    ----------
    path : Path
        Where to write it.
    energy_low, energy_high : ndarray
        Photon energy bins, keV.
    groups : Groups
        The matrix.
    grid : ChannelGrid
        The channels.
    threshold : float
        LO_THRES.
    telescope, instrument, date_obs : str
        TELESCOP, INSTRUME, and the start of validity.
    charge_injection : int or None
        CISTATUS, where it is known.
    history : tuple of str
        Lines of HISTORY.
    """

    path: Path
    energy_low: Floats
    energy_high: Floats
    groups: Groups
    grid: ChannelGrid
    threshold: float
    telescope: str
    instrument: str
    date_obs: str
    charge_injection: int | None
    history: tuple[str, ...]


def write_matrix(file: MatrixFile) -> None:
    """Write MATRIX and EBOUNDS; an existing file is replaced only when the new one is whole."""
    from astropy.io import fits

    part = file.path.with_name(file.path.name + ".part")
    with part.open("wb") as stream:
        stream.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        rows, heap = _matrix_bytes(file)
        header = _matrix_header(file, len(heap))
        stream.write(header.tostring().encode("ascii") + rows + heap)
        stream.write(b"\0" * (-(len(rows) + len(heap)) % _BLOCK))
    bounds = _bounds(file)
    with fits.open(part, mode="append", memmap=False) as hdus:
        hdus.append(bounds)
    part.replace(file.path)


def _matrix_bytes(file: MatrixFile) -> tuple[bytes, bytes]:
    """The rows of the table and its heap: all F_CHAN, then all N_CHAN, then all elements."""
    groups = file.groups
    table = np.zeros(len(groups.count), _ROW)
    table["lo"], table["hi"], table["n_grp"] = file.energy_low, file.energy_high, groups.count
    sizes = groups.row_sizes
    group_bytes = groups.first.nbytes
    count = groups.count.astype(np.int64)
    for name, number, base in (("f", count, 0), ("n", count, group_bytes), ("m", sizes, 2 * group_bytes)):
        table[name][:, 0] = number
        table[name][:, 1] = base + 4 * (np.cumsum(number) - number)
    heap = b"".join(
        [
            groups.first.astype(">i4").tobytes(),
            groups.length.astype(">i4").tobytes(),
            groups.elements.astype(">f4").tobytes(),
        ]
    )
    return table.tobytes(), heap


def _matrix_header(file: MatrixFile, heap: int) -> fits.Header:
    from astropy.io import fits

    groups = file.groups
    most = int(groups.count.max(initial=0))
    columns = (
        ("ENERG_LO", "E", "keV"),
        ("ENERG_HI", "E", "keV"),
        ("N_GRP", "I", None),
        ("F_CHAN", f"PJ({most})", None),
        ("N_CHAN", f"PJ({most})", None),
        ("MATRIX", f"PE({int(groups.row_sizes.max(initial=0))})", None),
    )
    header = fits.Header()
    header["XTENSION"], header["BITPIX"], header["NAXIS"] = "BINTABLE", 8, 2
    header["NAXIS1"], header["NAXIS2"], header["PCOUNT"] = _ROW.itemsize, len(groups.count), heap
    header["GCOUNT"], header["TFIELDS"] = 1, len(columns)
    for i, (name, form, unit) in enumerate(columns, start=1):
        header[f"TTYPE{i}"], header[f"TFORM{i}"] = name, form
        if unit:
            header[f"TUNIT{i}"] = unit
    header["EXTNAME"] = "MATRIX"
    header["TLMIN4"], header["TLMAX4"] = 0, file.grid.number - 1
    _describe(header, file, "MATRIX")
    header["HDUCLAS2"], header["HDUCLAS3"], header["HDUVERS"] = "RSP_MATRIX", "REDIST", "1.3.0"
    header["LO_THRES"] = (file.threshold, "smallest probability that opens a group")
    header["CBD10001"] = f"CHAN(0-{file.grid.number - 1})"
    if file.charge_injection is not None:
        header["CBD20001"] = f"CISTATUS({file.charge_injection})"
    header["NUMGRP"], header["NUMELT"] = len(groups.first), len(groups.elements)
    return header


def _bounds(file: MatrixFile) -> Any:
    from astropy.io import fits

    low = np.arange(file.grid.number) * file.grid.width
    high = low + file.grid.width
    low[0] = 0.1 * file.grid.width
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("CHANNEL", "J", array=np.arange(file.grid.number)),
            fits.Column("E_MIN", "E", "keV", array=low),
            fits.Column("E_MAX", "E", "keV", array=high),
        ],
        name="EBOUNDS",
    )
    table.header["TLMIN1"], table.header["TLMAX1"] = 0, file.grid.number - 1
    _describe(table.header, file, "EBOUNDS")
    table.header["HDUCLAS2"], table.header["HDUVERS"] = "EBOUNDS", "1.2.0"
    return table


def _describe(header: fits.Header, file: MatrixFile, codename: str) -> None:
    """Keywords that both extensions have."""
    date, _, time = file.date_obs.partition("T")
    header["TELESCOP"], header["INSTRUME"], header["DETNAM"] = file.telescope, file.instrument, "PIXEL"
    header["FILTER"], header["CHANTYPE"], header["DETCHANS"] = "NONE", "PI", file.grid.number
    header["HDUCLASS"], header["HDUCLAS1"], header["RMFVERSN"] = "OGIP", "RESPONSE", "1992a"
    header["HDUVERS1"], header["HDUVERS2"] = "1.1.0", "1.2.0"
    header["CCLS0001"], header["CCNM0001"], header["CDTP0001"] = "CPF", codename, "DATA"
    header["CVSD0001"], header["CVST0001"] = date, time[:8] or "00:00:00"
    header["CALSTAT"] = ("CALIBRATED", "made from calibration files")
    if file.charge_injection is not None:
        header["CISTATUS"] = file.charge_injection
    for line in file.history:
        header.add_history(line)
