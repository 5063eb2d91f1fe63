"""Reading OGIP type I spectra (OGIP/92-007, 92-007a): every spelling that real files use, and clear refusals."""

from __future__ import annotations

import logging
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, InputNotFoundError, MissingColumnError, MissingKeywordError
from xtendsrc.events.fitsfile import open_fits
from xtendsrc.events.fitstable import VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits

    from xtendsrc.events.fitsfile import FitsFile
    from xtendsrc.events.fitstable import HDU

logger = logging.getLogger(__name__)

_EXTENSION = re.compile(r"(\[[^\]/]*\]|\{\d+\})+$")
"""What XSPEC and FTOOLS may write behind the name of a file: ``src.rmf[MATRIX]``, ``many.rsp{2}``."""

SCALES = ("BACKSCAL", "AREASCAL")
FLAGS = ("QUALITY", "GROUPING")
LARGEST = 2.0**53
"""Counts beyond which a float is no whole number any more."""

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
    file = open_fits(path)
    table = _table(file)
    shape = [file.hdus[0].header.get(key, 0) for key in ("NAXIS", "NAXIS1", "NAXIS2")]
    weighted = file.image(file.hdus[0]) if shape[0] == 2 and min(shape) > 0 else None
    return {**_columns(file, table), "weighted_map": weighted}


def linked_file(path: Path, header: fits.Header, keyword: str, check: bool = True) -> Path | None:
    """Follow a link of a spectrum's header, relative to the spectrum's directory; plain and gzipped names serve alike.

    A file whose directory is not there any more is looked for beside the spectrum, under its own name. The number or
    name of an extension behind a name does not count.

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
    bare = _EXTENSION.sub("", name)
    named_at = path.parent / name
    for named in dict.fromkeys(
        (named_at, path.parent / bare, path.parent / PurePosixPath(bare.replace("\\", "/")).name)
    ):
        for candidate in (named, named.with_name(f"{named.name}.gz"), named.with_name(named.name.removesuffix(".gz"))):
            if candidate.is_file():
                if candidate.parent != named_at.parent:
                    logger.warning("%s: its %s %s is not there; %s is taken.", path, keyword, name, candidate)
                return candidate
    if not check:
        return None
    raise InputNotFoundError(
        f"{path} names {name} as its {keyword}, which is not there, nor beside it.",
        "put it beside the spectrum, or give the file that takes its place when you read it.",
    )


def _table(file: FitsFile) -> HDU:
    tables = [h for h in file.hdus if h.is_table]
    found = [h for h in tables if h.name == "SPECTRUM"] or [h for h in tables if _class(h) == "SPECTRUM"]
    if not found:
        raise InputFileError(
            f"{file.path} has no SPECTRUM extension; it has {', '.join(h.name or '?' for h in file.hdus)}.",
            "check that it is an OGIP spectrum.",
        )
    table = found[0]
    if len(found) > 1:
        raise InputFileError(f"{file.path} holds {len(found)} spectra.", "extract the one you want first.")
    if table.rows == 0:
        raise InputFileError(f"The SPECTRUM extension of {file.path} has no rows.", "make it again.")
    if "CHANNEL" not in table.columns:
        raise MissingColumnError(
            f"{file.path} has no CHANNEL column; it has {', '.join(table.columns)}.",
            "check that it is an OGIP spectrum.",
        )
    return table


def _class(hdu: HDU) -> str:
    return str(hdu.header.get("HDUCLAS1", "")).strip().upper()


def _columns(file: FitsFile, table: HDU) -> dict[str, Any]:
    """Read the columns of a SPECTRUM extension, or the keywords that stand for them."""
    path = file.path
    header = table.header.copy()
    exposure = _number(header, "EXPOSURE", path)
    if not exposure > 0:
        raise InputFileError(f"EXPOSURE of {path} is {exposure:g} s.", "check the good time it was made with.")
    several = [n for n in ("CHANNEL", "COUNTS", "RATE") if n in table.columns and table.columns[n].repeat != 1]
    variable = [n for n in ("CHANNEL", "COUNTS", "RATE") if n in table.columns and table.columns[n].code in VARIABLE]
    if several or variable or "SPEC_NUM" in table.columns:
        raise InputFileError(f"{path} holds several spectra (OGIP type II).", "extract the one you want first.")
    table.numbers("CHANNEL", "COUNTS", "RATE", "STAT_ERR", *SCALES, *FLAGS)
    counts = _counts(file, table, exposure)
    size = counts.size
    return {
        "header": header,
        "channels": _channels(file, table),
        "counts": counts,
        "stat_error": _stat_error(file, table, exposure),
        **{name.lower(): _scale(file, table, name, size) for name in SCALES},
        **{name.lower(): _flag(file, table, name, size) for name in FLAGS},
    }


def _channels(file: FitsFile, table: HDU) -> np.ndarray:
    values = file.column(table, "CHANNEL")
    channels = values.astype(np.int64)
    if not np.array_equal(channels, values) or np.unique(channels).size != channels.size:
        raise InputFileError(f"{file.path} has channel numbers that are not whole or occur twice.", "make it again.")
    return channels


def _counts(file: FitsFile, table: HDU, exposure: float) -> np.ndarray:
    """Counts of each channel: whole numbers where the file has them."""
    if "COUNTS" in table.columns:
        counts = file.column(table, "COUNTS")
        whole = counts.dtype.kind in "iu" or bool(np.all(counts == np.rint(counts)))
    elif "RATE" in table.columns:
        counts, whole = file.column(table, "RATE").astype(float) * exposure, False
    else:
        raise MissingColumnError(
            f"{file.path} has neither COUNTS nor RATE; it has {', '.join(table.columns)}.",
            "check that it is an OGIP type I spectrum.",
        )
    if not np.isfinite(counts).all() or np.abs(counts).max() > LARGEST:
        raise InputFileError(f"{file.path} has counts that are not finite numbers, or absurd.", "make it again.")
    return counts.astype(np.int64 if whole else float)


def _stat_error(file: FitsFile, table: HDU, exposure: float) -> np.ndarray | None:
    """Errors in counts from the STAT_ERR column; None where the file says, by POISSERR, that they are Poisson."""
    if "STAT_ERR" not in table.columns or table.header.get("POISSERR") is True:
        return None
    error = file.column(table, "STAT_ERR").astype(float)
    return error if "COUNTS" in table.columns else error * exposure


def _scale(file: FitsFile, table: HDU, name: str, size: int) -> np.ndarray:
    """BACKSCAL or AREASCAL of each channel, from the column or the keyword; one, with a warning, from neither."""
    if name in table.columns:
        return file.column(table, name).astype(float)
    if name not in table.header:
        logger.warning("%s has no %s; it is taken to be 1.", file.path, name)
        return np.ones(size)
    return np.full(size, _number(table.header, name, file.path))


def _flag(file: FitsFile, table: HDU, name: str, size: int) -> np.ndarray:
    """QUALITY or GROUPING of each channel, from the column or the keyword; zero from neither."""
    if name in table.columns:
        return file.column(table, name).astype(np.int64)
    value = table.header.get(name, 0)
    return np.full(size, int(value) if isinstance(value, int | float) else 0)


def _number(header: fits.Header, keyword: str, path: str) -> float:
    if keyword not in header:
        raise MissingKeywordError(f"{path} has no {keyword} keyword.", "check the file that it comes from.")
    value = header[keyword]
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputFileError(f"{keyword} of {path} is {value!r}, which is no number.", "correct the keyword.")
    return float(value)
