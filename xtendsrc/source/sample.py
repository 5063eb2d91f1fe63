"""Samples: many sources that share an archive and an output directory; every product method of a source exists here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from xtendsrc.archive.layout import CLEANED
from xtendsrc.errors import NoObservationsError, RequestError, XtendsrcError
from xtendsrc.products.collection import Products
from xtendsrc.source.fits import SampleFits
from xtendsrc.source.interlopers import Interlopers
from xtendsrc.source.samplemeasurements import SampleMeasurements, checked_index
from xtendsrc.source.scienceproducts import ManyProducts, P, Selector
from xtendsrc.source.source import ExtendedSource, PointSource, Source
from xtendsrc.source.sourcetable import (
    column_of,
    is_missing,
    names_of,
    number_of,
    positions_of,
    quantity_of,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from astropy.table import Table

    from xtendsrc.source.requests import Statement


class Sample(ManyProducts, SampleMeasurements, SampleFits, Sequence[Source]):
    """A frozen sequence of sources.

    Parameters
    ----------
    sources : iterable of Source
        The sources; their names must differ.
    mutual_interlopers : bool
        Whether each source is an interloper of the others: their regions are taken out of its region and its
        background. A neighbour's circle ends half-way between the two at the latest.

    Attributes
    ----------
    failures : dict of str to str
        Sources, or single data classes of them, left out of the last plural call, with the reason: for instance those
        without an observation, or in the disc of a calibration source.

    Raises
    ------
    RequestError
        If two sources have the same name.
    """

    def __init__(self, sources: Iterable[Source], *, mutual_interlopers: bool = False) -> None:
        self._sources = tuple(sources)
        if mutual_interlopers:
            everybody = Interlopers.mutual((s.name, s.region) for s in self._sources)
            self._sources = tuple(s.among(everybody) for s in self._sources)
        if twice := {n for n, number in Counter(s.name for s in self._sources).items() if number > 1}:
            raise RequestError(f"The sample has several sources called {', '.join(sorted(twice))}.", "rename them.")
        self.failures: dict[str, str] = {}

    @classmethod
    def from_table(
        cls,
        table: Table | str | Path,
        *,
        archive: str | Path,
        output: str | Path,
        mutual_interlopers: bool = False,
        **options: Any,
    ) -> Sample:
        """Make a sample of the rows of a table.

        Parameters
        ----------
        table : Table or path
            Columns ``name``, ``ra``, ``dec`` (degrees unless the columns have units; text may be sexagesimal, right
            ascensions in hours) or ``name`` alone; optionally ``radius`` (with a unit), ``kind`` (``point`` or
            ``extended``) and ``redshift``, which a row may lack. A path is read by astropy.
        archive, output : path
            Shared by all sources.
        mutual_interlopers : bool
            As for `Sample`.
        **options
            For every source, as for `Source`; ``interlopers=`` may be the table itself.

        Raises
        ------
        InputNotFoundError
            If there is no such file.
        InputFileError
            If astropy cannot read it as a table.
        RequestError
            If a column is missing, or a row has no name or no position on the sky; the row is named.
        """
        from xtendsrc.registry import Registry
        from xtendsrc.source.catalogue import Catalogue

        rows = read_table(Path(table)) if isinstance(table, (str, Path)) else table
        where = str(table) if isinstance(table, (str, Path)) else "The table"
        registry = Registry(output)
        observations = Catalogue(archive, registry, options.get("events", CLEANED))
        shared = {**options, "archive": observations, "output": registry}
        shared["interlopers"] = Interlopers.of(options.get("interlopers"), options.get("interloper_radius"))
        return cls(_sources(rows, where, shared), mutual_interlopers=mutual_interlopers)

    # --- products ------------------------------------------------------------------------------------------------

    def _declared(
        self,
        cls: type[P],
        state: Callable[..., Statement],
        options: Mapping[str, Any],
        obs_id: Selector = None,
        dataclass: Selector = None,
    ) -> Products[P]:
        """Return the products of all sources; one that cannot declare any is noted and left out."""
        self.failures = {}
        many: list[P] = []
        for source in self._sources:
            try:
                many.extend(source._declared(cls, state, options, obs_id, dataclass))
            except XtendsrcError as error:
                self.failures[source.name] = str(error)
            else:
                self.failures.update({f"{source.name} {where}": why for where, why in source.failures.items()})
        if self.failures and not many:
            name, reason = next(iter(self.failures.items()))
            raise NoObservationsError(
                f"None of the {len(self)} sources can have a product of kind {cls.kind}; {name}: {reason}",
                "see the sample's failures.",
            )
        return Products(many)

    # --- a sequence ----------------------------------------------------------------------------------------------

    @overload
    def __getitem__(self, index: int | str) -> Source: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray | list[bool] | list[int]) -> Sample: ...
    def __getitem__(self, index: int | str | slice | np.ndarray | list[bool] | list[int]) -> Source | Sample:
        if isinstance(index, str):
            if index not in self._by_name:
                raise RequestError(f"The sample has no source {index!r}.", self._nearest(index))
            return self._by_name[index]
        if isinstance(index, slice):
            return Sample(self._sources[index])
        if isinstance(index, (int, np.integer)):
            return self._sources[index]
        return Sample(self._sources[i] for i in np.arange(len(self))[checked_index(index, len(self))])

    @cached_property
    def _by_name(self) -> dict[str, Source]:
        return {source.name: source for source in self._sources}

    def _nearest(self, name: str) -> str:
        near = get_close_matches(name, self.names, 1, 0.5)
        return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(self.names[:20])}."

    def __len__(self) -> int:
        return len(self._sources)

    @property
    def names(self) -> list[str]:
        """The names of the sources."""
        return [s.name for s in self._sources]

    def _ipython_key_completions_(self) -> list[str]:
        return self.names

    def __repr__(self) -> str:
        shown = ", ".join(self.names[:5]) + (", ..." if len(self) > 5 else "")
        return f"<Sample of {len(self)} sources: {shown}>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(repr(s))}</td></tr>" for s in self._sources)
        return f"<table><caption>Sample of {len(self)} sources</caption>{rows}</table>"


def _sources(table: Table, where: str, options: dict[str, Any]) -> Iterator[Source]:
    """The source of every row."""
    names, positions = names_of(table, where), positions_of(table, where)
    radius, redshift, kind = (column_of(table, name) for name in ("radius", "redshift", "kind"))
    if radius is not None and getattr(table[radius], "unit", None) is None:
        raise RequestError(f"The radius column of {where} has no unit.", "set table['radius'].unit.")
    for number, (name, row) in enumerate(zip(names, table, strict=True), start=1):
        here, chosen = f"{where}, row {number} ({name})", dict(options)
        if radius is not None and (size := quantity_of(row[radius], table[radius].unit, "radius", here)) is not None:
            chosen["radius"] = size
        if redshift is not None and (z := number_of(row[redshift], "redshift", here)) is not None:
            chosen["redshift"] = z
        shape = str(row[kind]).strip().lower() if kind is not None and not is_missing(row[kind]) else "point"
        if shape not in ("point", "extended"):
            raise RequestError(f"{here} is of kind {shape!r}.", 'use "point" or "extended".')
        target = name if positions is None else positions[number - 1]
        yield (PointSource if shape == "point" else ExtendedSource)(target, name=name, **chosen)
