"""Other sources: read from region files, catalogues and tables; which of them is the source itself, which are near."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from xtendsrc.errors import RegionError, RequestError
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.source.sourcetable import column_of, positions_of, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.coordinates import SkyCoord
    from astropy.table import Table
    from astropy.units import Quantity
    from numpy.typing import NDArray

SAME_SOURCE_ARCSEC = 20.0
"""Positions closer than this are one source: a fraction of Xtend's PSF, and more than catalogues and pointings err."""
TABLE_ENDINGS = {".fits", ".fit", ".csv", ".ecsv", ".vot", ".xml", ".votable"}


@dataclass(frozen=True)
class Interlopers:
    """Shapes of other sources in ICRS, with their names where they are known.

    Parameters
    ----------
    shapes : tuple of Shape
        In degrees.
    names : tuple of str
        One a shape; empty where a source has none.
    """

    shapes: tuple[Shape, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Any, radius: Quantity | None = None) -> Self:
        """Read interlopers.

        Parameters
        ----------
        given : None, Interlopers, Table, path or region
            A table, or a file of one (FITS, CSV, ECSV, VOTable), has the columns ``ra``, ``dec`` (degrees unless they
            have units), ``radius`` with a unit, and optionally ``name``, in any case; anything else is what
            `RegionSet.of` takes for a region in ICRS.
        radius : Quantity, optional
            The radius of the sources of a table without that column.

        Raises
        ------
        RequestError
            If a table lacks a column or a unit, or a row has no position.
        InputFileError
            If a catalogue cannot be read.
        RegionError
            If regions are in pixels.
        """
        if isinstance(given, cls):
            return given
        if given is None:
            return cls()
        table = given if hasattr(given, "colnames") else _catalogue(given)
        if table is not None:
            return cls._of_table(table, radius)
        found = RegionSet.of(given)
        if found.frame != "icrs":
            raise RegionError(f"The interlopers are in {found.frame} pixels.", "give them in ICRS.")
        return cls(found.shapes, ("",) * len(found.shapes))

    @classmethod
    def _of_table(cls, table: Table, radius: Quantity | None) -> Self:
        radii = _radii(table, radius)
        places = positions_of(table, "The table of interlopers")
        if places is None:
            raise RequestError(
                f"The table of interlopers has no column ra; it has {', '.join(table.colnames)}.",
                "name its columns ra, dec, radius.",
            )
        ra, dec = places.ra.deg, places.dec.deg
        if bad := np.flatnonzero(~(radii > 0)).tolist():
            raise RequestError(
                f"The table of interlopers, row {bad[0] + 1}: the radius {radii[bad[0]]} deg is not positive.",
                "correct or remove it.",
            )
        named = column_of(table, "name")
        names = tuple(str(n).strip() for n in table[named]) if named else ("",) * len(table)
        shapes = (Shape("circle", (float(a), float(d), float(r))) for a, d, r in zip(ra, dec, radii, strict=True))
        return cls(tuple(shapes), names)

    @classmethod
    def mutual(cls, members: Iterable[tuple[str, RegionSet]]) -> Self:
        """Return the regions of sources, given with their names, as interlopers of one another."""
        pairs = [(shape, name) for name, region in members for shape in region.included]
        return cls(tuple(shape for shape, _ in pairs), tuple(name for _, name in pairs))

    @cached_property
    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Right ascension, declination and the radius of a circle that holds the shape, degrees."""
        places = np.array([_bounding(shape) for shape in self.shapes]).reshape(-1, 3)
        return places[:, 0], places[:, 1], places[:, 2]

    def _kept(self, keep: NDArray[np.bool_]) -> Self:
        if keep.all():
            return self
        chosen = np.flatnonzero(keep).tolist()
        kept = type(self)(tuple(self.shapes[n] for n in chosen), tuple(self.names[n] for n in chosen))
        ra, dec, reach = self.places
        kept.__dict__["places"] = ra[keep], dec[keep], reach[keep]  # measured already
        return kept

    def within(self, position: SkyCoord, degrees: float) -> Self:
        """Return those of which a part is closer to a position than this."""
        if not self.shapes:
            return self
        apart, reach = self._apart(position), self.places[2]
        return self._kept(apart <= reach + degrees)

    def without(self, position: SkyCoord, name: str, radius: float) -> Self:
        """Return those that are not the source itself.

        The source itself is what has its name and lies within its radius, and what is centred closer to its position
        than `SAME_SOURCE_ARCSEC`.

        Parameters
        ----------
        position, name
            Of the source.
        radius : float
            Of its extraction region, in degrees.
        """
        if not self.shapes:
            return self
        apart, wanted = self._apart(position), name.casefold()
        same = apart <= SAME_SOURCE_ARCSEC / 3600
        for number in np.flatnonzero(apart <= radius):
            same[number] |= self.names[number].casefold() == wanted
        return self._kept(~same)

    def touching(self, region: RegionSet) -> tuple[Shape, ...]:
        """Return the shapes that may share a place with a region in ICRS: circles around both meet."""
        from astropy.coordinates import angular_separation

        ra, dec, reach = self.places
        near = np.zeros(len(self.shapes), dtype=bool)
        for own in region.included:
            own_ra, own_dec, own_reach = _bounding(own)
            apart = np.degrees(angular_separation(*np.radians([own_ra, own_dec]), np.radians(ra), np.radians(dec)))
            near |= apart <= reach + own_reach
        return tuple(shape for shape, there in zip(self.shapes, near, strict=True) if there)

    def holding(self, position: SkyCoord) -> str | None:
        """Return the name (or the place) of one that covers a position; None if none does."""
        near = self.within(position, 0.0)
        for shape, name in zip(near.shapes, near.names, strict=True):
            if RegionSet("icrs", (Shape(shape.name, shape.values),)).contains_sky(position):
                return name or f"the {shape.name} at RA {shape.values[0]:.5f}, Dec {shape.values[1]:.5f}"
        return None

    def halved(self, position: SkyCoord) -> Self:
        """Return them with circles that end half-way to a position at the latest, so that neighbours share the sky."""
        apart = self._apart(position)
        shapes = tuple(
            replace(shape, values=(*shape.values[:2], min(shape.values[2], float(d) / 2)))
            if shape.name == "circle"
            else shape
            for shape, d in zip(self.shapes, apart, strict=True)
        )
        return type(self)(shapes, self.names)

    def and_also(self, other: Interlopers) -> Interlopers:
        """Return these and others."""
        return Interlopers((*self.shapes, *other.shapes), (*self.names, *other.names))

    @cached_property
    def region(self) -> RegionSet | None:
        """The shapes as a region; None if there are none."""
        return RegionSet("icrs", self.shapes) if self.shapes else None

    def _apart(self, position: SkyCoord) -> NDArray[np.float64]:
        from astropy.coordinates import angular_separation

        ra, dec, _ = self.places
        here = np.radians([float(position.ra.deg), float(position.dec.deg)])
        return np.asarray(np.degrees(angular_separation(*here, np.radians(ra), np.radians(dec))))


def _bounding(shape: Shape) -> tuple[float, float, float]:
    """Centre and radius of a circle that holds a shape, degrees."""
    if shape.name != "polygon":
        reach = shape.sizes[0] if len(shape.sizes) == 1 else float(np.hypot.reduce(shape.sizes))
        return shape.values[0], shape.values[1], reach
    from astropy.coordinates import angular_separation

    ra, dec = shape.vertices
    apart = angular_separation(*np.radians([ra[0], dec[0]]), np.radians(ra), np.radians(dec))
    return float(ra[0]), float(dec[0]), float(np.degrees(apart.max()))


def _catalogue(given: Any) -> Table | None:
    """Return the table of a catalogue file; None if it is none by its name, or a FITS file of regions."""
    if not isinstance(given, (str, Path)):
        return None
    path = Path(given)
    endings = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    if not endings or endings[-1] not in TABLE_ENDINGS:
        return None
    table = read_table(path)
    return None if "SHAPE" in (name.upper() for name in table.colnames) else table


def _degrees(table: Table, name: str) -> NDArray[np.float64]:
    """Return a column in degrees, NaN where it is masked."""
    import astropy.units as u

    column = table[name]
    values = np.ma.filled(np.ma.asarray(getattr(column, "value", column)).astype(float), np.nan)
    return np.asarray((values * (column.unit or u.deg)).to_value(u.deg))


def _radii(table: Table, radius: Quantity | None) -> NDArray[np.float64]:
    import astropy.units as u

    name = next((c for c in table.colnames if c.lower() == "radius"), None)
    if name is not None:
        if table[name].unit is None:
            raise RequestError("The radius column of the interlopers has no unit.", "set table['radius'].unit.")
        return _degrees(table, name)
    if radius is None:
        raise RequestError(
            "The table of interlopers has no column radius.", "add one, or give interloper_radius=1 * u.arcmin."
        )
    return np.full(len(table), u.Quantity(radius).to_value(u.deg))
