"""Writing spectra and responses as OGIP files (92-007, CAL/GEN/92-002)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scipy.sparse import csr_array

    from xtendsrc.fit.data import Counts, Dataset
    from xtendsrc.fit.response import Response

CALSTAT = {"calibrated": "CALIBRATED", "nominal": "NOMINAL"}


def write_dataset(dataset: Dataset, folder: Path, stem: str, cards: Mapping[str, Any]) -> dict[str, Path]:
    """Write a spectrum with its background and responses, linked to each other by name.

    Parameters
    ----------
    dataset : Dataset
        What to write.
    folder : Path
        Where; files of these names must not be there yet.
    stem : str
        Begins the names: ``stem.pi``, ``stem_bkg.pi``, ``stem.rmf``, ``stem.arf``.
    cards : mapping
        Keywords of all files: TELESCOP, INSTRUME and the like.

    Returns
    -------
    dict of str to Path
        ``source``, ``background``, ``rmf``, ``arf``, as far as there are such.
    """
    files = {"source": folder / f"{stem}.pi", "rmf": folder / f"{stem}.rmf"}
    if dataset.background is not None:
        files["background"] = folder / f"{stem}_bkg.pi"
    if dataset.response.area is not None:
        files["arf"] = folder / f"{stem}.arf"
    names = {name: path.name for name, path in files.items()}
    links = {"RESPFILE": names["rmf"], "ANCRFILE": names.get("arf", "none")}
    write_matrix(dataset.response, files["rmf"], cards)
    if "arf" in files:
        write_area(dataset.response, files["arf"], cards)
    channels = dataset.response.channels
    if dataset.background is not None:
        write_spectrum(dataset.background, channels, files["background"], {**cards, **links, "HDUCLAS2": "BKG"})
    whole = {**cards, **links, "BACKFILE": names.get("background", "none"), "HDUCLAS2": "TOTAL"}
    write_spectrum(dataset.source, channels, files["source"], whole)
    return files


def write_spectrum(
    counts: Counts, channels: np.ndarray, path: Path, cards: Mapping[str, Any], *, grouping: bool = False
) -> None:
    """Write one spectrum; scales that differ between channels become columns, GROUPING where it is asked for."""
    from astropy.io import fits

    whole = counts.stat_error is None
    columns = [
        fits.Column("CHANNEL", "J", array=channels),
        fits.Column("COUNTS", "J" if whole else "D", unit="count", array=counts.counts),
    ]
    if counts.stat_error is not None:
        columns.append(fits.Column("STAT_ERR", "D", unit="count", array=counts.stat_error))
    if counts.quality.any():
        columns.append(fits.Column("QUALITY", "I", array=counts.quality))
    if grouping:
        columns.append(fits.Column("GROUPING", "I", array=counts.grouping))
    keywords: dict[str, Any] = {"BACKFILE": "none", "RESPFILE": "none", "ANCRFILE": "none", "CORRFILE": "none"}
    for name, values in (("BACKSCAL", counts.backscal), ("AREASCAL", counts.areascal)):
        if np.ptp(values) > 0:
            columns.append(fits.Column(name, "D", array=values))
        else:
            keywords[name] = float(values[0])
    table = fits.BinTableHDU.from_columns(columns, name="SPECTRUM")
    keywords |= {"HDUCLASS": "OGIP", "HDUCLAS1": "SPECTRUM", "HDUCLAS3": "COUNT", "HDUVERS": "1.2.1"}
    keywords |= {"EXPOSURE": counts.exposure, "POISSERR": whole, "CHANTYPE": "PI", "DETCHANS": channels.size}
    keywords |= {"CORRSCAL": 1.0, "TLMIN1": int(channels[0]), "TLMAX1": int(channels[-1])}
    table.header.update({**keywords, **cards})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def write_matrix(response: Response, path: Path, cards: Mapping[str, Any]) -> None:
    """Write a redistribution matrix, with one group of channels for each run that is not zero."""
    from astropy.io import fits

    f_chan, n_chan, values = _groups(response.matrix, int(response.channels[0]))
    matrix = fits.BinTableHDU.from_columns(
        [
            fits.Column("ENERG_LO", "D", "keV", array=response.edges[:-1]),
            fits.Column("ENERG_HI", "D", "keV", array=response.edges[1:]),
            fits.Column("N_GRP", "J", array=np.array([len(f) for f in f_chan])),
            fits.Column("F_CHAN", "PJ()", array=_as_objects(f_chan, np.int32)),
            fits.Column("N_CHAN", "PJ()", array=_as_objects(n_chan, np.int32)),
            fits.Column("MATRIX", "PD()", array=_as_objects(values, np.float64)),
        ],
        name="MATRIX",
    )
    bounds = fits.BinTableHDU.from_columns(
        [
            fits.Column("CHANNEL", "J", array=response.channels),
            fits.Column("E_MIN", "D", "keV", array=response.e_min),
            fits.Column("E_MAX", "D", "keV", array=response.e_max),
        ],
        name="EBOUNDS",
    )
    common = {"HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE", "CHANTYPE": "PI", "DETCHANS": response.channels.size}
    common |= {"RMFVERSN": "1992a", "CALSTAT": CALSTAT[response.kind], **cards}
    for table, column, kind in ((matrix, 4, "RSP_MATRIX"), (bounds, 1, "EBOUNDS")):
        table.header.update({**common, "HDUCLAS2": kind, "HDUVERS": "1.3.0"})
        table.header[f"TLMIN{column}"] = int(response.channels[0])
        table.header[f"TLMAX{column}"] = int(response.channels[-1])
    matrix.header["HDUCLAS3"], matrix.header["LO_THRES"] = "REDIST", 0.0
    fits.HDUList([fits.PrimaryHDU(), matrix, bounds]).writeto(path)


def write_area(response: Response, path: Path, cards: Mapping[str, Any]) -> None:
    """Write the effective area of a response."""
    from astropy.io import fits

    columns = [
        fits.Column("ENERG_LO", "D", "keV", array=response.edges[:-1]),
        fits.Column("ENERG_HI", "D", "keV", array=response.edges[1:]),
        fits.Column("SPECRESP", "D", "cm**2", array=response.area),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="SPECRESP")
    keywords = {"HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE", "HDUCLAS2": "SPECRESP", "HDUVERS": "1.1.0"}
    table.header.update({**keywords, "CALSTAT": CALSTAT[response.kind], **cards})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def _groups(matrix: csr_array, first: int) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Return first channels, numbers of channels and elements of the runs of each row."""
    rows = matrix.tocsr()
    rows.sort_indices()
    starts = rows.indptr[:-1]
    begins = np.ones(rows.indices.size, bool)
    begins[1:] = np.diff(rows.indices) != 1
    begins[starts[starts < begins.size]] = True
    place = np.flatnonzero(begins)
    length = np.diff(np.append(place, begins.size))
    of_row = np.searchsorted(place, rows.indptr)
    f_chan = np.split(rows.indices[place] + first, of_row[1:-1])
    return f_chan, np.split(length, of_row[1:-1]), np.split(rows.data, rows.indptr[1:-1])


def _as_objects(rows: list[np.ndarray], dtype: type) -> np.ndarray:
    out = np.empty(len(rows), object)
    for index, row in enumerate(rows):
        out[index] = row.astype(dtype)
    return out
