"""Sources: a position, a shape, the observations that hold it, and the science products around it.

A source declares; it makes nothing itself. Its regions are in ICRS, so that one statement serves every observation.
"""

from __future__ import annotations

import logging
from copy import copy
from fnmatch import fnmatchcase
from functools import cached_property
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from xtendsrc.archive.layout import CLEANED
from xtendsrc.errors import AmbiguousProductError, NoObservationsError, RegionError, RequestError
from xtendsrc.events.quantities import arcminutes
from xtendsrc.products.collection import Products
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.source import placement
from xtendsrc.source.astronomy import SkyObject, held_observations
from xtendsrc.source.filenames import safe_name
from xtendsrc.source.fits import SourceFits
from xtendsrc.source.interlopers import Interlopers
from xtendsrc.source.measurements import SourceMeasurements
from xtendsrc.source.requests import products

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from astropy.coordinates import SkyCoord
    from astropy.cosmology import FLRW
    from astropy.units import Quantity

    from xtendsrc.registry import Registry
    from xtendsrc.source.automatic import Background
    from xtendsrc.source.catalogue import Catalogue
    from xtendsrc.source.dataclass import DataClass
    from xtendsrc.source.observation import Observation
    from xtendsrc.source.requests import Statement
    from xtendsrc.source.scienceproducts import P, Selector

logger = logging.getLogger(__name__)

FIELD_DEGREES = 0.5
"""No place on the CCDs is farther from the pointing."""


def selected(asked: str | int, name: str) -> bool:
    """Return whether an ObsID (nine digits, also given as a number) or a data class is one that is asked for.

    Wildcards are those of file names.
    """
    text = str(asked).strip().lower()
    return fnmatchcase(name.lower(), text.zfill(9) if text.isdigit() and len(name) == 9 else text)


class Source(SourceMeasurements, SkyObject, SourceFits):
    """A place on the sky with an extraction region, and the observations that hold it.

    Parameters
    ----------
    target : str, SkyCoord, pair or table row
        A name that a resolver knows; the position, also as (ra, dec) in degrees; or a row with columns ``ra``, ``dec``.
        A proper motion, with the time the position holds for, is applied up to 2025.
    radius : Quantity
        Radius of the extraction circle.
    archive : str, Path or Catalogue
        Directory with ObsID directories, or a catalogue of them that several sources share.
    output : str, Path or Registry
        Where products are kept.
    name : str, optional
        What to call the source; the target's name or coordinates if not given.
    region : region, optional
        An extraction region of another shape, in ICRS, instead of the circle.
    interlopers : region, table or path, optional
        Other sources: a region file, regions, or a table or catalogue file with ``ra``, ``dec``, ``radius`` and
        optionally ``name`` columns. They are taken out of source and background regions; the source itself, if it is
        among them, is not.
    interloper_radius : Quantity, optional
        The radius of interlopers from a table without that column.
    search_radius : Quantity, optional
        How far from the source a pointing may be (35 arcmin).
    redshift : float, optional
        With it radii may be lengths, and distances are known.
    cosmology : astropy.cosmology.FLRW, optional
        For distances; astropy's default one if not given.
    download : bool
        Whether to search the archive for public observations and download them into ``archive`` first.
    events : str, optional
        Which cleaned event files are taken, by what their names have before ``.evt``; see `Observation`.

    Attributes
    ----------
    failures : dict of str to str
        Data classes left out of the last plural call, with the reason, as ``"900001010 300000a0"``: those where the
        source is covered by a calibration source, or has no background.

    Raises
    ------
    UnitsError
        If a radius has no unit.
    """

    source_type: ClassVar[str] = "POINT"

    def __init__(
        self,
        target: str | SkyCoord,
        radius: Quantity | None = None,
        *,
        archive: str | Path | Catalogue = "XRISM",
        output: str | Path | Registry = "XRISM_output",
        name: str | None = None,
        region: Any = None,
        interlopers: Any = None,
        interloper_radius: Quantity | None = None,
        search_radius: Quantity | None = None,
        redshift: float | None = None,
        cosmology: FLRW | None = None,
        download: bool = False,
        events: str = CLEANED,
    ) -> None:
        import astropy.units as u

        self.position = placement.position_of(target)
        if not isinstance(name, str | None):
            raise RequestError(f"The name {name!r} of a source is not text.", f"give for example name={str(name)!r}.")
        self.name = name or (target if isinstance(target, str) else self.position.to_string("hmsdms", precision=1))
        self.redshift, self.cosmology = redshift, cosmology
        self.radius = 2 * u.arcmin if radius is None else self._angle(radius)
        self.search_radius = 35 * u.arcmin if search_radius is None else search_radius
        if not (arcminutes(self.radius) > 0 and arcminutes(self.search_radius) > 0):
            raise RequestError(f"The radius of {self.name} is not positive.", "give for example 2 * u.arcmin.")
        others = Interlopers.of(interlopers, interloper_radius)
        others = others.without(self.position, self.name, arcminutes(self.radius) / 60)
        self.others = others.within(self.position, arcminutes(self.search_radius) / 60 + FIELD_DEGREES)
        self._shape = None if region is None else placement.sky_region(region, self.name)
        self.failures: dict[str, str] = {}
        self._archive, self._output, self._events = archive, output, events
        if download:
            self._download()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the observations found, which are looked for again where the source arrives."""
        return {name: value for name, value in self.__dict__.items() if name not in ("observations", "backgrounds")}

    # --- where it is ---------------------------------------------------------------------------------------------

    @property
    def file_name(self) -> str:
        """The name as a safe file name."""
        return safe_name(self.name)

    @cached_property
    def registry(self) -> Registry:
        """The registry of the output directory."""
        from xtendsrc.registry import Registry

        return self._output if isinstance(self._output, Registry) else Registry(self._output)

    @cached_property
    def degrees(self) -> tuple[float, float]:
        """RA and Dec (ICRS) of the position, in degrees."""
        return float(self.position.ra.deg), float(self.position.dec.deg)

    @cached_property
    def backgrounds(self) -> dict[Any, Background]:
        """Backgrounds chosen so far, by ObsID, data class and how they were asked for."""
        return {}

    @cached_property
    def region(self) -> RegionSet:
        """The extraction region in ICRS, without interlopers.

        The calibration discs are taken out as well; their place depends on the observation.
        """
        own = self._shape or RegionSet("icrs", (self._circle(),))
        return self.cleaned(own)

    def cleaned(self, region: RegionSet) -> RegionSet:
        """Return a region in ICRS without the interlopers that touch it."""
        return region.exclude(self.others.touching(region))

    @property
    def covered_by(self) -> str | None:
        """The interloper that covers the source position; None if there is none, as it should be."""
        return self.others.holding(self.position)

    @property
    def extent(self) -> Quantity:
        """Extent of the source itself: zero for a point."""
        import astropy.units as u

        return 0 * u.arcmin

    @property
    def interlopers(self) -> RegionSet | None:
        """The other sources in and around the field, in ICRS; None if there are none."""
        return self.others.region

    def among(self, others: Interlopers) -> Self:
        """Return this source with more interlopers, of which the source itself is left out."""
        radius = arcminutes(self.radius) / 60
        near = others.within(self.position, arcminutes(self.search_radius) / 60 + FIELD_DEGREES)
        twin = self._twin()
        twin.others = self.others.and_also(near.without(self.position, self.name, radius).halved(self.position))
        return twin

    def with_region(self, region: RegionSet, radius: Quantity, name: str) -> Self:
        """Return this source with another extraction region in ICRS, radius and name."""
        twin = self._twin()
        twin._shape, twin.radius, twin.name, twin.failures = region, radius, name, {}
        return twin

    def _twin(self) -> Self:
        """A copy that has not worked anything out from its region yet."""
        twin = copy(self)
        for name in ("region", "backgrounds"):
            twin.__dict__.pop(name, None)
        return twin

    @property
    def ray_shape(self) -> tuple[float, ...]:
        """Parameters of the shape that an ARF is made for, in arcmin; none for a point."""
        return ()

    def _angle(self, radius: Quantity) -> Quantity:
        """A radius as an angle, where it is given as a length."""
        unit = getattr(radius, "unit", None)
        return self.angles(radius) if unit is not None and unit.is_equivalent("kpc") else radius

    def _circle(self) -> Shape:
        return Shape("circle", (*self.degrees, arcminutes(self.radius) / 60))

    @cached_property
    def observations(self) -> Mapping[str, Observation]:
        """The observations with a data class that holds the source position, by ObsID.

        Raises
        ------
        NoObservationsError
            If there is none, naming the directories searched.
        """
        from xtendsrc.source.catalogue import Catalogue

        catalogue = self._archive
        if not isinstance(catalogue, Catalogue):
            catalogue = Catalogue(catalogue, self.registry, self._events)
        return MappingProxyType(held_observations(self, catalogue))

    def dataclasses(self, obs_id: Selector = None, dataclass: Selector = None) -> list[DataClass]:
        """Return the data classes that hold the source position, optionally of one ObsID or code only.

        Raises
        ------
        NoObservationsError
            If none is left.
        """
        chosen = [
            dc
            for obs in self.observations.values()
            if obs_id is None or selected(obs_id, obs.obs_id)
            for dc in obs.reading(*self.degrees)
            if dataclass is None or selected(dataclass, str(dc.code))
        ]
        if not chosen:
            asked = {"obs_id": obs_id, "dataclass": dataclass}
            selectors = ", ".join(f"{name}={value!r}" for name, value in asked.items() if value is not None)
            raise NoObservationsError(f"{self.name} has no data class with {selectors}.", self._choices())
        return chosen

    def _choices(self) -> str:
        held = [dc for obs in self.observations.values() for dc in obs.reading(*self.degrees)]
        pairs = [f"{dc.obs_id} {dc.code}" for dc in held]
        return f"choose among {', '.join(pairs)}."

    def _one(self, obs_id: Selector, dataclass: Selector) -> DataClass:
        chosen = self.dataclasses(obs_id, dataclass)
        if len(chosen) > 1:
            listed = ", ".join(f"{d.obs_id} {d.code}" for d in chosen)
            raise AmbiguousProductError(
                f"{self.name} is held by {len(chosen)} data classes: {listed}.",
                "choose one with obs_id= and dataclass=, or use the plural method.",
            )
        return chosen[0]

    def _declared(
        self,
        cls: type[P],
        state: Callable[..., Statement],
        options: Mapping[str, Any],
        obs_id: Selector = None,
        dataclass: Selector = None,
    ) -> Products[P]:
        """Return the products of all data classes; one where the region or its background fails is noted."""
        many: list[P] = []
        self.failures = {}
        first: RegionError | None = None
        for dc in self.dataclasses(obs_id, dataclass):
            try:
                many.extend(products(cls, dc, state, options, self))
            except RegionError as error:
                first = first or error
                self.failures[f"{dc.obs_id} {dc.code}"] = str(error)
        if first is not None and not many:
            raise first
        for where, reason in self.failures.items():
            logger.warning("%s has no product of %s: %s", self.name, where, reason)
        return Products(many)

    # --- regions and pictures ------------------------------------------------------------------------------------

    def background_region(self, dc: DataClass, background: Any = "auto") -> RegionSet | None:
        """Return the background region in one data class, as the products use it.

        Raises
        ------
        BackgroundError
            If none fits, or the one given cannot be used.
        """
        return placement.background(self, dc, background).region

    def view_regions(
        self, *, obs_id: str | None = None, dataclass: str | None = None, background: Any = "auto", **options: Any
    ) -> Any:
        """Draw source and background regions, calibration discs and interlopers on the image; return the axes.

        Where no background fits, the rest is drawn and the heading says so.
        """
        from xtendsrc.products.image.view import view_source_regions

        dc = self._one(obs_id, dataclass)
        picture = self.image(obs_id=dc.obs_id, dataclass=str(dc.code))
        try:
            region = self.background_region(dc, background)
        except RegionError as error:
            logger.warning("%s", error)
            region = None
            options.setdefault("title", f"{picture.title}\n{error.what}")
        return view_source_regions(picture, self, region, **options)

    def process(self, **options: Any) -> Any:
        """Make cleaned events with xtdpipeline where they are absent or old; see `xtendsrc.process`."""
        from xtendsrc.generate import process

        return process(*self.observations.values(), **options)

    def _download(self) -> None:
        from xtendsrc import archive

        if not isinstance(self._archive, (str, Path)):
            raise RequestError("download=True needs archive= to be a directory.", "give its path.")
        table = archive.search(self.position, radius=self.search_radius)
        archive.download(table, into=self._archive)

    # --- looks ---------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        where = self.position.to_string("hmsdms", precision=1)
        return f"<{type(self).__name__} {self.name!r} at {where}, radius {arcminutes(self.radius):g}'>"

    def _repr_html_(self) -> str:
        rows = {
            "position (ICRS)": self.position.to_string("hmsdms", precision=2),
            "radius": f"{arcminutes(self.radius):g}'",
            "archive": str(getattr(self._archive, "path", self._archive)),
            "output": str(getattr(self._output, "root", self._output)),
        }
        body = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return f"<table><caption>{escape(type(self).__name__)} {escape(self.name)}</caption>{body}</table>"


class PointSource(Source):
    """A source smaller than the telescope's image of a point."""

    source_type: ClassVar[str] = "POINT"


class ExtendedSource(Source):
    """A source that is resolved.

    Its ARF is made for a flat disc of ``radius`` around the position, whatever the shape of ``region``.
    """

    source_type: ClassVar[str] = "FLATCIRCLE"

    @property
    def extent(self) -> Quantity:
        """The radius of the disc; automatic backgrounds keep clear of it."""
        return self.radius

    @property
    def ray_shape(self) -> tuple[float, ...]:
        """The radius of the disc, in arcmin."""
        return (arcminutes(self.radius),)
