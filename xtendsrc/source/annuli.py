"""Spectra of the annuli of an extended source, and how the PSF mixes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.measure.profile import checked_edges, mixing_matrix
from xtendsrc.products.collection import Products
from xtendsrc.products.fit.product import Fit, fit_spectra
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.source.fielddata import nominal_psf

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.units import Quantity

    from xtendsrc.generate import Report
    from xtendsrc.products.spectrum.product import Spectrum
    from xtendsrc.source.source import Source


@dataclass(frozen=True)
class AnnularSpectra:
    """Spectra of concentric annuli.

    Attributes
    ----------
    source : str
        Name of the extended source.
    edges : ndarray, shape (n + 1,)
        Radii, arcmin.
    rings : tuple of Products
        The spectra of each annulus, one for each data class.
    """

    source: str
    edges: np.ndarray
    rings: tuple[Products[Spectrum], ...]

    @property
    def radii(self) -> Quantity:
        """Radii of the annuli, arcmin."""
        import astropy.units as u

        return self.edges * u.arcmin

    @property
    def spectra(self) -> Products[Spectrum]:
        """All spectra, from the inside out."""
        return Products(spectrum for ring in self.rings for spectrum in ring)

    @cached_property
    def mixing(self) -> np.ndarray:
        """Fractions of the light of each annulus (row) that the nominal PSF puts into each (column), shape (n, n).

        Each annulus is taken to be evenly bright; a row adds up to the fraction within the outermost radius.
        """
        return mixing_matrix(nominal_psf(), self.edges)

    def compute(self, **options: Any) -> Report:
        """Make everything missing in one batch; see `xtendsrc.compute`."""
        return self.spectra.compute(**options)

    def fit(self, model: str, **options: Any) -> AnnularFits:
        """Declare a fit of each annulus for itself; the spectra of one annulus are fitted together.

        Parameters
        ----------
        model : str
            In XSPEC's syntax.
        **options
            As for `Spectrum.fit`.
        """
        rings = cast("tuple[tuple[Spectrum, ...], ...]", tuple(tuple(ring) for ring in self.rings))
        return AnnularFits(self, tuple(fit_spectra(ring, model, **options) for ring in rings))

    def view(self, **options: Any) -> Any:
        """Draw all spectra and return the axes."""
        return self.spectra.view(**options)

    def write_script(self, path: str | Path, model: str) -> Path:
        """Write an XSPEC script that fits all annuli together, with what the PSF moves from one to another.

        The model of each annulus enters the data of every annulus, multiplied with one of the `shares`, by way of
        additional responses: source n of each spectrum is the model of annulus n.

        Parameters
        ----------
        path : path
            Of the script; must not exist.
        model : str
            In XSPEC's syntax; each annulus has its own parameters.

        Raises
        ------
        RequestError
            If the file exists, or a spectrum has no responses.
        """
        file = Path(path)
        if file.exists():
            raise RequestError(f"{file} exists.", "give the path of a new file.")
        file.write_text("\n".join(self._script(model)) + "\n", encoding="utf-8")
        return file

    def _script(self, model: str) -> list[str]:
        from xtendsrc.fit.model import parse

        size = 1 + len(parse(model).parameters)
        lines = [f"# {self.source}: {len(self)} annuli with the radii {', '.join(f'{e:g}' for e in self.edges)} arcmin"]
        spectra = [(ring, spectrum) for ring, products in enumerate(self.rings) for spectrum in products]
        for place, (_, spectrum) in enumerate(spectra, start=1):
            lines += self._data(place, spectrum)
        for origin in range(len(self)):
            lines.append(f"model {origin + 1}:ring{origin + 1} constant*({model}) & /*")
            for place, (ring, _) in enumerate(spectra):
                number = 1 + place * size
                lines.append(f"newpar ring{origin + 1}:{number} {self.shares[origin, ring]:.6f} -1")
        return [*lines, "statistic cstat", "fit 200"]

    def _data(self, place: int, spectrum: Any) -> list[str]:
        """Commands that read one spectrum as a group of its own, with a response for the light of each annulus."""
        if not (spectrum.has("rmf") and spectrum.has("arf")):
            raise RequestError(f"{spectrum!r} has no responses.", 'declare it with response="nominal".')
        lines = [f"data {place}:{place} {spectrum.path}"]
        for origin in range(1, len(self) + 1):
            lines.append(f"response {origin}:{place} {spectrum.rmf.path}")
            lines.append(f"arf {origin}:{place} {spectrum.arf.path}")
        return lines

    @property
    def shares(self) -> np.ndarray:
        """Factors of the model of each annulus (row) in the spectrum of each (column), shape (n, n).

        The ARF of an annulus is that of an even disc out to its outer radius, so that a model's norm is the flux of a
        disc like that. Of the disc of row i the annulus i has a part, of which `mixing` says what reaches annulus j;
        this is divided by the part of its own disc that the ARF of annulus j holds.
        """
        circles = np.unique([0.0, *self.edges])
        areas = np.diff(circles**2)
        onto = areas[:, None] * mixing_matrix(nominal_psf(), circles, self.edges)
        skipped = len(areas) - len(self)
        held = np.array([onto[: skipped + n + 1, n].sum() for n in range(len(self))]) / self.edges[1:] ** 2
        part = np.diff(self.edges**2) / self.edges[1:] ** 2
        found: np.ndarray = part[:, None] * self.mixing / held[None, :]
        return found

    def __len__(self) -> int:
        return len(self.rings)

    def __getitem__(self, index: int) -> Products[Spectrum]:
        return self.rings[index]

    def __repr__(self) -> str:
        return f"<AnnularSpectra of {self.source}: {len(self.rings)} annuli, {len(self.spectra)} spectra>"


@dataclass(frozen=True)
class AnnularFits:
    """Fits of one model to the annuli, each for itself.

    Attributes
    ----------
    spectra : AnnularSpectra
        What is fitted.
    fits : tuple of Fit
        One an annulus.
    """

    spectra: AnnularSpectra
    fits: tuple[Fit, ...]

    def profile(self, parameter: str) -> QTable:
        """A parameter along the radius.

        Parameters
        ----------
        parameter : str
            Its name, such as ``"powerlaw.PhoIndex"``.

        Returns
        -------
        QTable
            One row an annulus: ``inner``, ``outer`` (arcmin), ``value``, ``error``, ``low``, ``high`` (68.3 %).

        Raises
        ------
        RequestError
            If the model has no such parameter.
        """
        from astropy.table import QTable

        names = list(self.fits[0].parameters)
        if parameter not in names:
            raise RequestError(f"The model has no parameter {parameter!r}.", f"choose among {', '.join(names)}.")
        found = [fit.parameters[parameter] for fit in self.fits]
        table = QTable(meta={"parameter": parameter, "unit": found[0].unit})
        table["inner"], table["outer"] = self.spectra.radii[:-1], self.spectra.radii[1:]
        for name in ("value", "error", "low", "high"):
            table[name] = [getattr(f, name) for f in found]
        return table

    def __getitem__(self, index: int) -> Fit:
        return self.fits[index]

    def __len__(self) -> int:
        return len(self.fits)


def annular_spectra(source: Source, radii: Any, **options: Any) -> AnnularSpectra:
    """Declare the spectra of annuli; see `xtendsrc.source.source.ExtendedSource.annular_spectra`."""
    edges = checked_edges(source.angles(radii).to_value("arcmin"))
    rings = (_ring(source, float(low), float(high)) for low, high in pairwise(edges))
    return AnnularSpectra(source.name, edges, tuple(ring.spectra(**options) for ring in rings))


def _ring(source: Source, inner: float, outer: float) -> Source:
    """The source with an annulus, in arcmin, as its region."""
    import astropy.units as u

    place = (float(source.position.ra.deg), float(source.position.dec.deg))
    shape = ("annulus", (inner / 60, outer / 60)) if inner > 0 else ("circle", (outer / 60,))
    region = RegionSet("icrs", (Shape(shape[0], (*place, *shape[1])),))
    return source.with_region(region, outer * u.arcmin, f"{source.name} {inner:g}-{outer:g} arcmin")
