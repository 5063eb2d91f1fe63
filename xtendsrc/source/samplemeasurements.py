"""What a sample can be asked to measure, and the samples that detections make: methods that `Sample` inherits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
        from xtendsrc.registry import Registry
        from xtendsrc.source.catalogue import Catalogue
        from xtendsrc.source.detection import Finder, merged, search_archive, sources_of

        registry = Registry(output)
        catalogue = Catalogue(archive, registry)
        finder, selected = Finder.taken_from(how)
        tables, failures = search_archive(catalogue.observations.values(), finder, **selected)
        table = merged(tables)
        made = cast("type[Sample]", cls)(sources_of(table, radius, archive=catalogue, output=registry))
        made.failures, made.detections = failures, table
        return cast("Self", made)

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

    def table(self, columns: Sequence[str] | None = None, **options: Any) -> Table:
        """One row a source.

        Parameters
        ----------
        columns : sequence of str, optional
            Which; see `xtendsrc.source.sampletable.COLUMNS` for all. Without it: position, observations, data classes,
            products in the registry and how many failed, and the reason why there is no observation.
        **options
            Of `photometry`, for the columns that need it.

        Raises
        ------
        RequestError
            If there is no such column.
        """
        from xtendsrc.source.sampletable import table_of

        return table_of(list(_sample(self)), columns, **options)

    def filter(self, keep: Callable[[Source], bool]) -> Sample:
        """The sources for which a function returns True."""
        sample = _sample(self)
        return type(sample)(s for s in sample if keep(s))


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
