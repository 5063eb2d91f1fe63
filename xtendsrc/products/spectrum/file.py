"""Reading OGIP type I spectra (OGIP/92-007, 92-007a): every spelling that real files use, and clear refusals."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, InputNotFoundError, MissingColumnError, MissingKeywordError
from xtendsrc.products.base import names_of

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits

logger = logging.getLogger(__name__)

LINKS = {"background": "BACKFILE", "rmf": "RESPFILE", "arf": "ANCRFILE"}
"""What belongs to a spectrum, and the keyword that names its file."""


def read_spectrum(path: Path) -> dict[str, Any]:
    """Read everything that a `Spectrum` knows from its file.

    Parameters
    ----------
    path : Path
        An OGIP type I spectrum, plain or gzipped.

    Returns
    -------
    dict
        ``header``, ``channels``, ``counts``, ``stat_error`` (counts, or None), ``backscal``, ``areascal``,
        ``quality``, ``grouping``, each a value a channel, and ``weighted_map`` (2-D, or None).

    Raises
    ------
    InputFileError
        For a file that is no spectrum, holds several, or whose numbers cannot be.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            table = _table(hdus, path)
            primary = hdus[0].data
            weighted = None if primary is None or primary.ndim != 2 else np.asarray(primary)
            return {**_columns(table, path), "weighted_map": weighted}
    except (OSError, EOFError) as error:
        if isinstance(error, InputNotFoundError):
            raise
        raise InputFileError(f"{path} cannot be read as FITS: {error}.", "fetch or make it again.") from error


def linked_file(path: Path, header: fits.Header, keyword: str, check: bool = True) -> Path | None:
    """Follow a link of a spectrum's header, relative to the spectrum's directory; plain and gzipped names serve alike.

    Parameters
    ----------
    path : Path
        The spectrum.
    header : Header
        Its SPECTRUM header.
    keyword : str
        BACKFILE, RESPFILE or ANCRFILE.
    check : bool
        Whether a file that is named but not there is an error; else it counts as not named.

    Returns
    -------
    Path or None
        None if the header names nothing (missing, blank, or ``none``).

    Raises
    ------
    InputNotFoundError
        If the file named is not there.
    """
    name = str(header.get(keyword, "none")).strip()
    if name.lower() in ("", "none"):
        return None
    named = path.parent / name
    for candidate in (named, named.with_name(f"{named.name}.gz"), named.with_name(named.name.removesuffix(".gz"))):
        if candidate.is_file():
            return candidate
    if not check:
        return None
    raise InputNotFoundError(
        f"{path} names {name} as its {keyword}, which is not there.", "put it beside the spectrum."
    )


def _table(hdus: fits.HDUList, path: Path) -> Any:
    tables = [h for h in hdus if hasattr(h, "columns")]
    for hdu in tables:
        if hdu.name == "SPECTRUM" or str(hdu.header.get("HDUCLAS1", "")).strip().upper() == "SPECTRUM":
            break
    else:
        raise InputFileError(
            f"{path} has no SPECTRUM extension; it has {names_of(hdus)}.",
            "check that it is an OGIP spectrum.",
        )
    if hdu.header["NAXIS2"] == 0:
        raise InputFileError(f"The SPECTRUM extension of {path} has no rows.", "make it again.")
    if "CHANNEL" not in hdu.columns.names:
        raise MissingColumnError(f"{path} has no CHANNEL column.", "check that it is an OGIP spectrum.")
    return hdu


def _columns(table: Any, path: Path) -> dict[str, Any]:
    """Read the columns of a SPECTRUM extension, or the keywords that stand for them."""
    header = table.header.copy()
    exposure = _number(header, "EXPOSURE", path)
    if not exposure > 0:
        raise InputFileError(f"EXPOSURE of {path} is {exposure:g} s.", "check the good time it was made with.")
    raw = np.asarray(table.data["CHANNEL"])
    if raw.ndim != 1 or raw.dtype.kind == "O" or "SPEC_NUM" in table.columns.names:
        raise InputFileError(f"{path} holds several spectra (OGIP type II).", "extract the one you want first.")
    counts = _counts(table, path, exposure)
    size = counts.size
    return {
        "header": header,
        "channels": raw.astype(int),
        "counts": counts,
        "stat_error": _stat_error(table, exposure),
        "backscal": _scale(table, "BACKSCAL", size, path),
        "areascal": _scale(table, "AREASCAL", size, path),
        "quality": _flag(table, "QUALITY", size),
        "grouping": _flag(table, "GROUPING", size),
    }


def _counts(table: Any, path: Path, exposure: float) -> np.ndarray:
    """Counts of each channel: whole numbers where the file has them."""
    names = table.columns.names
    if "COUNTS" in names:
        counts = np.asarray(table.data["COUNTS"])
        whole = counts.dtype.kind in "iu" or bool(np.all(counts == np.rint(counts)))
        counts = counts.astype(np.int64 if whole else float)
    elif "RATE" in names:
        counts = np.asarray(table.data["RATE"], float) * exposure
    else:
        raise MissingColumnError(f"{path} has neither COUNTS nor RATE.", "check that it is an OGIP type I spectrum.")
    if counts.ndim != 1:
        raise InputFileError(f"{path} holds several spectra (OGIP type II).", "extract the one you want first.")
    if not np.isfinite(counts).all():
        raise InputFileError(f"{path} has counts that are not finite numbers.", "make it again.")
    return counts


def _stat_error(table: Any, exposure: float) -> np.ndarray | None:
    """Errors in counts from the STAT_ERR column; None where the file says, by POISSERR, that they are Poisson."""
    if "STAT_ERR" not in table.columns.names or table.header.get("POISSERR") is True:
        return None
    error = np.asarray(table.data["STAT_ERR"], float)
    return error if "COUNTS" in table.columns.names else error * exposure


def _scale(table: Any, name: str, size: int, path: Path) -> np.ndarray:
    """BACKSCAL or AREASCAL of each channel, from the column or the keyword; one, with a warning, from neither."""
    if name in table.columns.names:
        return np.asarray(table.data[name], float)
    if name not in table.header:
        logger.warning("%s has no %s; it is taken to be 1.", path, name)
        return np.ones(size)
    return np.full(size, _number(table.header, name, path))


def _flag(table: Any, name: str, size: int) -> np.ndarray:
    """QUALITY or GROUPING of each channel, from the column or the keyword; zero from neither."""
    if name in table.columns.names:
        return np.asarray(table.data[name], int)
    value = table.header.get(name, 0)
    return np.full(size, int(value) if isinstance(value, int | float) else 0)


def _number(header: fits.Header, keyword: str, path: Path) -> float:
    if keyword not in header:
        raise MissingKeywordError(f"{path} has no {keyword} keyword.", "check the file that it comes from.")
    value = header[keyword]
    if isinstance(value, bool | str) or not np.isfinite(value):
        raise InputFileError(f"{keyword} of {path} is {value!r}, which is no number.", "correct the keyword.")
    return float(value)
