"""Spectra with all that belongs to them, copied side by side under names of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.errors import RequestError
from xtendsrc.fit.spectrumfile import LINKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xtendsrc.products.base import Product
    from xtendsrc.products.spectrum.product import Spectrum

ENDINGS = {"background": "_bkg.pi", "rmf": ".rmf", "arf": ".arf", "spectrum": ".pi"}
LONGEST = 68
"""Characters of a string in one FITS card; XSPEC does not follow longer names of linked files."""
STAMP = "XTS"
"""How the keywords begin that tie a file to its registry."""


def export_spectrum(
    spectrum: Spectrum, stem: str | Path, parts: Mapping[str, Product], overwrite: bool
) -> dict[str, Path]:
    """Copy a spectrum and the products it links to; see `Spectrum.export`."""
    base = Path(stem)
    paths = {role: base.parent / (base.name + ENDINGS[role]) for role in (*parts, "spectrum")}
    long = [path.name for path in paths.values() if len(path.name) > LONGEST]
    if not base.name or long:
        raise RequestError(
            f"The name {str(stem)!r} cannot be that of linked files.", f"give 1 to {LONGEST - 7} characters."
        )
    if not overwrite and (there := [str(path) for path in paths.values() if path.exists()]):
        raise RequestError(f"{', '.join(there)} exists already.", "choose another name, or give overwrite=True.")
    base.parent.mkdir(parents=True, exist_ok=True)
    for role, part in parts.items():
        _copy(part.path, paths[role], {})
    links = {keyword: paths[role].name if role in parts else "none" for role, keyword in LINKS.items()}
    _copy(spectrum.path, paths["spectrum"], links)
    return paths


def _copy(old: Path, new: Path, links: Mapping[str, str]) -> None:
    """Copy a FITS file without the registry's stamp, with other links in its spectrum."""
    from astropy.io import fits

    with fits.open(old, memmap=False) as hdus:
        for keyword in [k for k in hdus[0].header if k.startswith(STAMP)]:
            del hdus[0].header[keyword]
        if links:
            hdus["SPECTRUM"].header.update(links)
        hdus.writeto(new, overwrite=True, checksum=True)
