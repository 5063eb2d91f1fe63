"""What a sample can be asked to measure, and the samples that detections make: methods that `Sample` inherits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.responses.nominal import HPD_ARCMIN
from xtendsrc.source.detection import interlopers_of
from xtendsrc.source.source import ExtendedSource, PointSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from astropy.table import QTable, Table
    from astropy.units import Quantity

    from xtendsrc.source.sample import Sample
    from xtendsrc.source.source import Source


class SampleMeasurements:
    """Measurements of a `Sample`.

    Attributes
    ----------
    detections : QTable or None
        What `from_detections` found.
    """

    detections: QTable | None = None

    @classmethod
    def from_detections(
        cls, *, archive: str | Path, output: str | Path, radius: Quantity | None = None, **how: Any
    ) -> Self:
        """Make a sample of what is detected in all observations of an archive: a serendipitous catalogue.

        Parameters
        ----------
        archive, output : path
            The observations, and where products are kept.
        radius : Quantity, optional
            Of the extraction circles; the half-power diameter of the nominal PSF (1.47 arcmin), more for extended
            sources, if not given.
        **how
            As for `DataClass.detect`: ``energy``, ``false_alarms``, ``binning`` and the like.

        Returns
        -------
        Sample
            Point sources, and extended ones where a detection is extended, the most significant first. Each has the
            others around it as interlopers. ``detections`` holds the table of them, and ``failures`` the data classes
            that could not be searched.

        Raises
        ------
        NoObservationsError
            If nothing is detected.
        """
        from xtendsrc.source.detection import Finder, merged, search_archive

        shared = _shared(archive, output)
        finder, selected = Finder.taken_from(how)
        tables, failures = search_archive(shared["archive"].observations.values(), finder, **selected)
        table = merged(tables)
        made = cast("type[Sample]", cls)(sources_of(table, radius, **shared))
        made.failures, made.detections = failures, table
        return cast("Self", made)

    @classmethod
    def from_names(cls, names: Sequence[str], *, archive: str | Path, output: str | Path, **options: Any) -> Self:
        """Make a sample of point sources from names that a resolver knows.

        Parameters
        ----------
        names : sequence of str
            For example ``["Perseus Cluster", "LMC N132D"]``.
        archive, output, **options
            As for `Source`.
        """
        from xtendsrc.source.source import PointSource

        shared = _shared(archive, output)
        return cast("Self", cast("type[Sample]", cls)(PointSource(name, **shared, **options) for name in names))

    @classmethod
    def from_regions(cls, regions: Any, *, archive: str | Path, output: str | Path, **options: Any) -> Self:
        """Make a sample of the circles of a region file: point sources, each with the circle as its region.

        Parameters
        ----------
        regions : path or region
            In ICRS, as `RegionSet.of` takes them; what is excluded is left out.
        archive, output, **options
            As for `Source`.

        Raises
        ------
        RequestError
            If a region is no circle, or in pixels.
        """
        import astropy.units as u
        from astropy.coordinates import SkyCoord

        from xtendsrc.regions import RegionSet
        from xtendsrc.source.source import PointSource

        found, shared, sources = RegionSet.of(regions), _shared(archive, output), []
        for number, shape in enumerate(found.included, start=1):
            if found.frame != "icrs" or shape.name != "circle":
                raise RequestError(
                    f"Region {number} is a {shape.name} in {found.frame}, not a circle in ICRS.",
                    "give circles on the sky, or declare an ExtendedSource with region=.",
                )
            ra, dec, radius = shape.values
            position = SkyCoord(ra, dec, unit="deg")
            sources.append(PointSource(position, radius * u.deg, name=f"region {number}", **shared, **options))
        return cast("Self", cast("type[Sample]", cls)(sources))

    def view(self, page: int = 1, *, per_page: int = 12, energy: Any = None, binning: int = 4, **options: Any) -> Any:
        """Draw one image around each source, so many a page, and return the axes.

        Parameters
        ----------
        page, per_page : int
            Which page, from 1, and how many sources it shows.
        energy, binning
            Of the images; of a source's data classes the first is shown.
        **options
            As for views of images; ``zoom_in`` is True if not given.

        Raises
        ------
        RequestError
            If there is no such page.
        """
        from xtendsrc.products.collection import Products

        sample = _sample(self)
        pages = -(-len(sample) // per_page)
        if not 1 <= page <= pages:
            raise RequestError(f"There is no page {page} of {len(sample)} sources.", f"choose one within 1..{pages}.")
        shown = sample[(page - 1) * per_page : page * per_page]
        images = shown.images(energy=energy, binning=binning)
        first = {image.source: image for image in reversed(images)}
        chosen = Products(first[source.name] for source in shown if source.name in first)
        return chosen.view(**{"zoom_in": True, "view_regions": True, **options})

    def photometry(self, **options: Any) -> QTable:
        """Measure every source in every data class that holds it; each event list and exposure map is read once.

        Parameters
        ----------
        **options
            As for `Source.photometry`, but for the selectors.

        Returns
        -------
        QTable
            The rows of `Source.photometry` with a column ``source``; what cannot be measured has one row with the
            reason in ``problem`` and its numbers masked.
        """
        from xtendsrc.source.photometry import sample_photometry

        return sample_photometry(_sample(self), **options)

    def table(
        self,
        columns: Sequence[str] | None = None,
        *,
        soft: Any = None,
        hard: Any = None,
        flux_energy: Any = None,
        model: str | None = None,
        response: str | None = "auto",
        **options: Any,
    ) -> Table:
        """Table with one row for each source.

        Parameters
        ----------
        columns : sequence of str, optional
            Which; see `xtendsrc.source.sampletable.COLUMNS` for all. Without it: position, observations, data classes,
            products in the registry and how many failed, and the reason why there is no observation.
        soft, hard : Quantity, optional
            Bands of hardness ratios (0.5-2 and 2-7 keV).
        flux_energy : Quantity, optional
            Band of fluxes (0.5-10 keV).
        model, response : str, optional
            Fitted to the spectra of each source for its flux, and the response used, as for `Sample.fit`.
        **options
            Of `photometry`, for the columns that need it.

        Raises
        ------
        RequestError
            If there is no such column.
        """
        from xtendsrc.source.sampletable import Bands, table_of

        bands = Bands(soft=soft, hard=hard, flux=flux_energy, model=model, response=response)
        return table_of(list(_sample(self)), columns, bands, **options)

    def filter(self, keep: Callable[[Source], bool]) -> Sample:
        """The sources for which a function returns True."""
        sample = _sample(self)
        return type(sample)(s for s in sample if keep(s))


def _shared(archive: str | Path, output: str | Path) -> dict[str, Any]:
    """The catalogue and the registry that the sources of a sample share."""
    from xtendsrc.registry import Registry
    from xtendsrc.source.catalogue import Catalogue

    registry = Registry(output)
    return {"archive": Catalogue(archive, registry), "output": registry}


def _sample(measured: SampleMeasurements) -> Sample:
    """What inherits the measurements is a sample."""
    return cast("Sample", measured)


def checked_index(index: Any, length: int) -> np.ndarray:
    """A mask, or numbers of sources, as an array.

    Raises
    ------
    RequestError
        If a mask has another length, or the array is of another type.
    """
    array = np.asarray(index)
    if array.ndim != 1 or array.dtype.kind not in "biu" or (array.dtype == bool and len(array) != length):
        raise RequestError(
            f"{index!r} does not choose among {length} sources.",
            "give a name, a number, a slice, or one bool a source.",
        )
    return array


def sources_of(table: QTable, radius: Any, **shared: Any) -> Iterator[Source]:
    """Sources at detections, each with the others within half a degree as interlopers."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    names = _different(list(table["name"]))
    for name, row in zip(names, table, strict=True):
        position = SkyCoord(row["ra"], row["dec"])
        size = HPD_ARCMIN * u.arcmin if radius is None else radius
        if radius is None and row["extended"]:
            size = np.hypot(HPD_ARCMIN, 2 * row["extent"].to_value(u.arcmin)) * u.arcmin
        others = interlopers_of(table, position, size, 0.6 * u.deg)
        kind = ExtendedSource if row["extended"] else PointSource
        yield kind(position, size, name=name, interlopers=others if len(others) else None, **shared)


def _different(names: list[str]) -> list[str]:
    """Names made different by letters where two are the same."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}{chr(ord('a') + seen[name] - 1)}")
    return out
