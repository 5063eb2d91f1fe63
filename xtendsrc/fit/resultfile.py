"""Fit results in FITS files: tables that any program reads, and the whole result as JSON beside them.

The extensions are PARAMETERS (a row for each parameter), FOLDED (one extension for each spectrum: energies, counts,
background, model, components, residuals, each a row for each bin) and RESULT (one row with the JSON text).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError
from xtendsrc.fit.result import FitResult

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.io import fits

    from xtendsrc.fit.record import Folded


def write_result(result: FitResult, path: Path, cards: dict[str, Any] | None = None) -> None:
    """Write a result.

    Parameters
    ----------
    result : FitResult
        What to write.
    path : Path
        A file that does not exist yet.
    cards : dict, optional
        Further keywords of the primary header.
    """
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    primary.header.update(_cards(result) | (cards or {}))
    tables = [_folded(folded, number) for number, folded in enumerate(result.folded, 1)]
    fits.HDUList([primary, _parameters(result), *tables, _json(result)]).writeto(path)


def read_result(path: Path) -> tuple[FitResult, fits.Header]:
    """Read a result back, and the primary header of its file.

    Raises
    ------
    InputFileError
        If the file holds no fit result.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            text = str(hdus["RESULT"].data["JSON"][0])
            return FitResult.from_json(text), hdus[0].header.copy()
    except (OSError, EOFError, KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, InputFileError):
            raise
        raise InputFileError(f"{path} holds no fit result: {error}.", "check the path.") from error


def _cards(result: FitResult) -> dict[str, Any]:
    return {
        "MODEL": (result.model[:68], "model of the source, in XSPEC's syntax"),
        "STATISTI": (result.statistic, "fit statistic"),
        "STATNAME": (result.statistic_name, "its name"),
        "DOF": (result.dof, "degrees of freedom"),
        "FITENGIN": (result.engine, "what made the fit"),
        "CONVERGE": (result.converged, "whether the minimum was reached"),
        "CALSTAT": (result.response_kind.upper(), "of the responses"),
    }


def _parameters(result: FitResult) -> Any:
    from astropy.io import fits

    rows = list(result.parameters.values())
    columns = [_text("NAME", [p.name for p in rows])]
    for name in ("value", "error", "low", "high"):
        columns.append(fits.Column(name.upper(), "D", array=np.array([getattr(p, name) for p in rows])))
    columns += [_text("UNIT", [p.unit for p in rows]), _text("STATE", [p.state for p in rows])]
    return fits.BinTableHDU.from_columns(columns, name="PARAMETERS")


def _text(name: str, values: list[str]) -> Any:
    from astropy.io import fits

    width = max([1, *map(len, values)])
    return fits.Column(name, f"{width}A", array=np.array([v.encode("ascii", "replace") for v in values]))


def _folded(folded: Folded, number: int) -> Any:
    from astropy.io import fits

    arrays = {
        "ENERG_LO": (folded.energy_lo, "keV"),
        "ENERG_HI": (folded.energy_hi, "keV"),
        "COUNTS": (folded.counts, "count"),
        "BACKGROUND": (folded.background, "count"),
        "ERROR": (folded.error, "count"),
        "MODEL": (folded.model, "count"),
        "RESIDUAL": (folded.residuals, ""),
    }
    arrays |= {f"MODEL_{name}": (values, "count") for name, values in folded.components.items()}
    columns = [fits.Column(name, "D", unit=unit or None, array=values) for name, (values, unit) in arrays.items()]
    table = fits.BinTableHDU.from_columns(columns, name="FOLDED", ver=number)
    table.header["SPECTRUM"] = (folded.name[-68:].encode("ascii", "replace").decode(), "the data")
    table.header["EXPOSURE"] = (folded.exposure, "[s]")
    table.header["STATNAME"] = (folded.statistic, "fit statistic")
    return table


def _json(result: FitResult) -> Any:
    from astropy.io import fits

    return fits.BinTableHDU.from_columns([_text("JSON", [result.to_json()])], name="RESULT")
