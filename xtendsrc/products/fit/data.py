"""Spectra of the package as the data of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xtendsrc.errors import InputFileError
from xtendsrc.fit.data import Counts, Dataset, usual_band
from xtendsrc.fit.response import Response

if TYPE_CHECKING:
    from pathlib import Path

    from xtendsrc.products.spectrum.product import Spectrum


def as_dataset(spectrum: Spectrum) -> Dataset:
    """Return a spectrum with its background and responses as plain arrays; what is missing is made first.

    Raises
    ------
    InputFileError
        If the spectrum has no RMF.
    """
    if not spectrum.has("rmf"):
        raise InputFileError(
            f"{spectrum!r} has no RMF.", 'give one: Spectrum.read(path, rmf=...), or src.spectrum(response="nominal").'
        )
    rmf = spectrum.rmf
    arf = spectrum.arf if spectrum.has("arf") else None
    background = spectrum.background
    files: dict[str, Path] = {"source": spectrum.path, "rmf": rmf.path}
    if background is not None:
        files["background"] = background.path
    if arf is not None:
        files["arf"] = arf.path
    return Dataset(
        source=Counts.from_content(spectrum.content, spectrum.title),
        response=Response.of(rmf.content, None if arf is None else arf.content, rmf.path.name),
        background=None if background is None else Counts.from_content(background.content, background.title),
        name=spectrum.title,
        files=files,
        band=usual_band(spectrum.header),
    )
