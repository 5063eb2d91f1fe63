"""One CCD and read-out configuration of an observation: its event list, its geometry, and its raw products."""

from __future__ import annotations

import threading
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputNotFoundError, XtendsrcError
from xtendsrc.events.eventlist import EventList, read_header
from xtendsrc.events.header import check_identity
from xtendsrc.instrument import DataClassCode, Geometry, active_area, contained
from xtendsrc.products.collection import Products
from xtendsrc.source.measurements import DataClassMeasurements
from xtendsrc.source.rawproducts import P, RawProducts
from xtendsrc.source.requests import products

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from astropy.coordinates import SkyCoord
    from astropy.io.fits import Header
    from astropy.units import Quantity

    from xtendsrc.archive.layout import DataClassFiles
    from xtendsrc.events.gti import GTI
    from xtendsrc.instrument import Rectangle
    from xtendsrc.registry import Registry
    from xtendsrc.source.observation import Observation
    from xtendsrc.source.requests import Statement

SAMPLES = 1_000_000


class DataClass(RawProducts, DataClassMeasurements):
    """One CCD and read-out configuration of an observation.

    Made by `Observation.dataclasses`. Nothing is read before it is asked for; the event list is read once, by whichever
    thread asks first.

    Attributes
    ----------
    observation : Observation
        The observation it belongs to.
    files : DataClassFiles
        Its own files.
    """

    def __init__(self, observation: Observation, files: DataClassFiles) -> None:
        self.observation = observation
        self.files = files
        self._lock = threading.Lock()
        self._events: EventList | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"observation": self.observation, "files": self.files}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # a lock and an open file do not travel; the rest is these two

    @property
    def code(self) -> str:
        """The eight characters of the data class."""
        return self.files.code

    @property
    def obs_id(self) -> str:
        """The ObsID."""
        return self.observation.obs_id

    @property
    def registry(self) -> Registry:
        """The registry its products are kept in."""
        return self.observation.registry

    @property
    def configuration(self) -> DataClassCode:
        """Configuration that the code stands for: CCDs, window, burst, frame time."""
        return DataClassCode.parse(self.code)

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        """Input files for products by role, absolute; roles whose file is not there are absent."""
        return self.observation.files.roles(self.code)

    def file(self, role: str) -> str:
        """Path of the one file of a role.

        Raises
        ------
        InputNotFoundError
            If the observation has no such file.
        """
        paths = self.roles.get(role, ())
        if not paths:
            raise InputNotFoundError(
                f"{self.observation.path}: there is no {role} file for data class {self.code}.",
                "download the auxil and xtend folders of this ObsID completely.",
            )
        return paths[0]

    @property
    def events(self) -> EventList:
        """The cleaned event list; opened once, its columns read when asked for."""
        with self._lock:
            if self._events is None:
                events = EventList.read(self.roles["events"])
                check_identity(events.header, events.paths[0], self.obs_id, self.code)
                self._events = events
            return self._events

    @cached_property
    def header(self) -> Header:
        """Header of EVENTS, read without the events."""
        path = self.roles["events"][0]
        header = read_header(path)
        check_identity(header, path, self.obs_id, self.code)
        return header

    @property
    def gti(self) -> GTI:
        """Good time intervals of the event list."""
        return self.events.gti

    @cached_property
    def geometry(self) -> Geometry:
        """DET <-> SKY <-> ICRS for the nominal pointing of the header."""
        return Geometry.from_header(self.header)

    @cached_property
    def active_area(self) -> tuple[Rectangle, ...]:
        """Rectangles of DET that are read, one a CCD."""
        return active_area(self.header)

    @property
    def exposure(self) -> Quantity:
        """Live time within the GTIs: their sum times DEADC."""
        import astropy.units as u

        return self.events.exposure * u.s

    def covers(self, position: SkyCoord) -> bool:
        """Whether a position lies on the part of the CCDs that this data class reads.

        Gaps between CCDs and, in window modes, the rows that are not read do not count; bad pixels do.

        Parameters
        ----------
        position : SkyCoord
            One position in any celestial frame.
        """
        place = position.icrs
        return self.reads(float(place.ra.deg), float(place.dec.deg))

    def reads(self, ra: float, dec: float) -> bool:
        """Whether a position in ICRS degrees lies on the part of the CCDs that this data class reads; see `covers`."""
        detx, dety = self.geometry.sky_to_det(*self.geometry.degrees_to_sky(ra, dec))
        return bool(np.all(contained(self.active_area, detx, dety)))

    def covered_fraction(self, region: Any) -> float:
        """Fraction of a region's area that this data class reads, for the nominal pointing.

        Parameters
        ----------
        region : RegionSet, regions.Region, path, or a list of them
            The region, on the sky or in SKY pixels.

        Returns
        -------
        float
            0 to 1, sampled at pixel centres (every n-th for regions of more than a million pixels).
        """
        from xtendsrc.regions import RegionSet

        pixels = RegionSet.of(region).to_pixels(self.geometry.wcs, "SKY")
        x_min, x_max, y_min, y_max = pixels.bounds
        step = max(1.0, np.sqrt((x_max - x_min) * (y_max - y_min) / SAMPLES))
        x, y = np.meshgrid(np.arange(np.ceil(x_min), x_max + 1, step), np.arange(np.ceil(y_min), y_max + 1, step))
        inside = pixels.mask(x, y)
        if not inside.any():
            return float(self.covers(self.geometry.sky_to_icrs(*_middle(pixels.bounds))))
        detx, dety = self.geometry.sky_to_det(x[inside], y[inside])
        return float(np.mean(contained(self.active_area, detx, dety)))

    # --- products ------------------------------------------------------------------------------------------------

    def _declared(self, cls: type[P], state: Callable[..., Statement], options: Mapping[str, Any]) -> Products[P]:
        return Products(products(cls, self, state, options))

    # --- looks ---------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<DataClass {self.code} of {self.obs_id}: {', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        return f"<b>Observation {self.obs_id}</b><table><tr>{self._cells()}</tr></table>"

    def _facts(self) -> tuple[str, ...]:
        """CCDs, read-out, frame time, exposure and number of events in words; or why they are not known."""
        try:
            what, header = self.configuration, self.header
        except XtendsrcError as error:
            return (str(error),)
        mode = f"{what.window} window{' with burst' if what.burst else ''}"
        exposure = float(header.get("EXPOSURE", float("nan")))
        ccds = f"CCD{','.join(map(str, what.ccds))}"
        return ccds, mode, f"{what.frame_time} s", f"{exposure:.1f} s", f"{header['NAXIS2']} events"

    def _cells(self) -> str:
        return "".join(f"<td>{escape(cell)}</td>" for cell in (self.code, *self._facts()))


def _middle(bounds: tuple[float, float, float, float]) -> tuple[float, float]:
    return (bounds[0] + bounds[1]) / 2, (bounds[2] + bounds[3]) / 2
