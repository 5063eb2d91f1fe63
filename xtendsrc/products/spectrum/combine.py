"""Spectra of one source added up into OGIP files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, RequestError
from xtendsrc.fit.combine import combine
from xtendsrc.fit.ogipfile import write_dataset
from xtendsrc.products.fit.data import as_dataset
from xtendsrc.products.spectrum.product import Spectrum

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xtendsrc.fit.data import Dataset

KEPT = ("TELESCOP", "INSTRUME", "FILTER", "OBJECT", "DATACLAS", "OBS_ID", "DETNAM", "DATAMODE")
POINTING = ("RA_OBJ", "DEC_OBJ", "RA_NOM", "DEC_NOM", "PA_NOM", "EQUINOX", "RADECSYS", "RADESYS")
MODE = 5
"""Characters of a data class that say which CCDs were read in which mode; those after them tell processings apart."""


def combine_spectra(
    spectra: Iterable[Spectrum], output: str | Path | None = None, name: str = "combined", *, mixed: bool = False
) -> Spectrum:
    """Add up spectra of one source with their backgrounds and responses, and write the files.

    Fitting them together (`xtendsrc.fit`) loses nothing; a sum is for pictures and for programs that take one spectrum.

    Parameters
    ----------
    spectra : iterable of Spectrum
        Two or more, of one instrument, on the same channels and energies.
    output : path, optional
        Folder of the files; by default that of the first spectrum.
    name : str
        Begins the names of the files ``name.pi``, ``name_bkg.pi``, ``name.rmf``, ``name.arf``, none of which may be
        there yet.
    mixed : bool
        Whether spectra of different read-out modes are added all the same: their gain, pile-up and particle background
        differ.

    Returns
    -------
    Spectrum
        The sum, linked to its background and responses: exposures are added, areas weighted by exposure, matrices by
        exposure times area, as CIAO does; good time intervals are joined. See `xtendsrc.fit.combine.combine` for the
        background.

    Raises
    ------
    RequestError
        If instruments or, without ``mixed``, read-out modes differ, or there is nothing to add.
    GridMismatchError
        If channels or energies differ.
    InputFileError
        If one of the files is there already.
    """
    several = list(spectra)
    _check_same(several, mixed)
    summed = combine([as_dataset(spectrum) for spectrum in several], name)
    folder = several[0].path.parent if output is None else Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    if there := [p.name for p in folder.glob(f"{name}*") if p.name in _names(name)]:
        raise InputFileError(f"{folder} has {', '.join(sorted(there))} already.", "choose another name=.")
    files = write_dataset(summed, folder, name, _cards(several, summed))
    _append_gti(several, files["source"])
    return Spectrum.read(files["source"])


def _names(name: str) -> set[str]:
    return {f"{name}.pi", f"{name}_bkg.pi", f"{name}.rmf", f"{name}.arf"}


def _check_same(spectra: Sequence[Spectrum], mixed: bool) -> None:
    for keyword in ("TELESCOP", "INSTRUME"):
        found = sorted({str(s.header.get(keyword, "")).strip() for s in spectra})
        if len(found) > 1:
            raise RequestError(f"The spectra have different {keyword}: {', '.join(found)}.", "fit them together.")
    modes = sorted({str(s.header.get("DATACLAS", "")).strip()[:MODE] for s in spectra})
    if len(modes) > 1 and not mixed:
        raise RequestError(
            f"The spectra were read out in different modes (data classes {', '.join(modes)}...): their gain, pile-up "
            "and particle background differ.",
            "fit them together, or add them all the same with mixed=True.",
        )


def _cards(spectra: Sequence[Spectrum], summed: Dataset) -> dict[str, Any]:
    """Return the keywords that all spectra share, and the list of what was added."""
    cards: dict[str, Any] = {}
    for keyword in (*KEPT, *POINTING):
        values = {s.header[keyword] for s in spectra if keyword in s.header}
        if len(values) == 1:
            cards[keyword] = values.pop()
    cards.setdefault("TELESCOP", "UNKNOWN")
    cards |= {"CREATOR": "xtendsrc", "NCOMBINE": len(spectra)}
    for number, spectrum in enumerate(spectra, 1):
        cards[f"SPEC{number:04d}"] = spectrum.path.name[-60:]
    if summed.background is not None and not summed.background.poisson:
        cards["COMMENT"] = "The background is a sum of scaled counts: its errors are not Poisson."
    return cards


def _append_gti(spectra: Sequence[Spectrum], path: Path) -> None:
    """Append the good time intervals of all spectra, in order of time, where every file has them."""
    from astropy.io import fits

    starts, stops, header = [], [], None
    for spectrum in spectra:
        with fits.open(spectrum.path, memmap=False) as hdus:
            tables = [h for h in hdus if str(h.header.get("HDUCLAS1", "")).strip().upper() == "GTI" or h.name == "GTI"]
            if not tables:
                return
            header = header or tables[0].header.copy()
            starts.append(np.asarray(tables[0].data["START"], float))
            stops.append(np.asarray(tables[0].data["STOP"], float))
    order = np.argsort(np.concatenate(starts), kind="stable")
    columns = [
        fits.Column(label, "D", unit="s", array=np.concatenate(times)[order])
        for label, times in (("START", starts), ("STOP", stops))
    ]
    table = fits.BinTableHDU.from_columns(columns, name="GTI")
    kept = ("HDUCLASS", "HDUCLAS1", "HDUCLAS2", "MJDREFI", "MJDREFF", "TIMESYS", "TIMEUNIT", "TELESCOP", "INSTRUME")
    table.header.update({k: header[k] for k in kept if header is not None and k in header})
    with fits.open(path, mode="append") as hdus:
        hdus.append(table)
