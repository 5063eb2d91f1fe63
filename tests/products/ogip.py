"""OGIP files of any shape, written with astropy alone."""

from pathlib import Path

import numpy as np
from astropy.io import fits

DATA = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[3] / "shared"
REAL = SHARED / "realdata"
KEYWORDS = {
    "HDUCLASS": "OGIP",
    "HDUCLAS1": "SPECTRUM",
    "TELESCOP": "XRISM",
    "INSTRUME": "XTEND",
    "EXPOSURE": 1000.0,
    "BACKSCAL": 0.01,
    "AREASCAL": 1.0,
    "CHANTYPE": "PI",
    "POISSERR": True,
    "BACKFILE": "none",
    "RESPFILE": "none",
    "ANCRFILE": "none",
}


def write_spectrum(path, counts, columns=(), drop=(), name="COUNTS", first=0, **keywords):
    """A type I spectrum; ``columns`` are (name, format, values) beside CHANNEL and the counts."""
    counts = np.asarray(counts)
    number = "J" if counts.dtype.kind in "iu" else "D"
    if counts.ndim == 2:
        number = f"{counts.shape[1]}{number}"
    channel = first + np.arange(len(counts))
    cols = [fits.Column("CHANNEL", "J", array=channel), fits.Column(name, number, array=counts)]
    cols += [fits.Column(n, f, array=v) for n, f, v in columns]
    table = fits.BinTableHDU.from_columns([c for c in cols if c.name not in drop], name="SPECTRUM")
    table.header.update({k: v for k, v in (KEYWORDS | keywords).items() if k not in drop})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


def write_rmf(path, matrix, low, high, e_min, e_max, first=0, tlmin=True, unit="keV", **keywords):
    """A redistribution matrix, one group of channels for each run above zero, rows of variable length."""
    f_chan, n_chan, values = [], [], []
    for row in matrix:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], (row > 0).astype(int), [0]])))
        f_chan.append(edges[::2] + first)
        n_chan.append(edges[1::2] - edges[::2])
        values.append(row[row > 0].astype(np.float32))
    as_object = [np.array([*map(list, v), None], object)[:-1] for v in (f_chan, n_chan, values)]
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("ENERG_LO", "D", unit, array=low),
            fits.Column("ENERG_HI", "D", unit, array=high),
            fits.Column("N_GRP", "I", array=[len(f) for f in f_chan]),
            fits.Column("F_CHAN", "PI()", array=as_object[0]),
            fits.Column("N_CHAN", "PI()", array=as_object[1]),
            fits.Column("MATRIX", "PE()", array=as_object[2]),
        ],
        name="MATRIX",
    )
    table.header.update({"HDUCLAS1": "RESPONSE", "HDUCLAS2": "RSP_MATRIX", **keywords})
    if tlmin:
        table.header["TLMIN4"] = first
    channel = first + np.arange(len(e_min))
    bounds = fits.BinTableHDU.from_columns(
        [
            fits.Column("CHANNEL", "J", array=channel),
            fits.Column("E_MIN", "D", "keV", array=e_min),
            fits.Column("E_MAX", "D", "keV", array=e_max),
        ],
        name="EBOUNDS",
    )
    fits.HDUList([fits.PrimaryHDU(), table, bounds]).writeto(path)
    return path


def write_arf(path, low, high, area, unit="cm**2", **keywords):
    """An effective area."""
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("ENERG_LO", "D", "keV", array=low),
            fits.Column("ENERG_HI", "D", "keV", array=high),
            fits.Column("SPECRESP", "D", unit, array=area),
        ],
        name="SPECRESP",
    )
    table.header.update(keywords)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path
