"""An observation on disk and the data classes in it: the files' side of every product."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.archive.layout import CLEANED, ObservationFiles, discover
from xtendsrc.errors import UnknownDataClassError, XtendsrcError
from xtendsrc.events.filebytes import encrypted
from xtendsrc.products.collection import Products
from xtendsrc.source.dataclass import DataClass
from xtendsrc.source.rawproducts import P, RawProducts
from xtendsrc.source.requests import products

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy.coordinates import SkyCoord

    from xtendsrc.registry import Registry
    from xtendsrc.source.requests import Statement

logger = logging.getLogger(__name__)


class Observation(RawProducts):
    """One ObsID on disk.

    Parameters
    ----------
    path : str or pathlib.Path
        Directory of the ObsID, in the archive's tree or as a local pipeline run leaves it.
    output : str, pathlib.Path or Registry, optional
        Where products go; event files of the user's own processing found there come before the archive's.
    events : str, optional
        What the names of cleaned event files have before ``.evt``, for instance ``cl_xpc*`` for those of a
        reprocessing that calls them so; see `xtendsrc.archive.layout.discover`.

    Attributes
    ----------
    path : Path
        The directory, absolute.
    output : Path
        The output directory, absolute.
    files : ObservationFiles
        Every file found, by role.

    Raises
    ------
    InputNotFoundError, EncryptedFileError, NoObservationsError
        If there is no such directory, or no readable cleaned event file in it.

    Examples
    --------
    >>> import xtendsrc as xs
    >>> obs = xs.Observation("XRISM/900001010", output="out")  # doctest: +SKIP
    >>> obs.dataclasses["31100010"].events["PI"]  # doctest: +SKIP
    """

    def __init__(
        self, path: str | Path, output: str | Path | Registry = "XRISM_output", *, events: str = CLEANED
    ) -> None:
        self._registry = None if isinstance(output, (str, Path)) else output
        self.output = Path(output if isinstance(output, (str, Path)) else output.root).absolute()
        self.files: ObservationFiles = discover(path, self.output, events)
        self.path: Path = self.files.path
        self._dataclasses = DataClasses(self)

    @property
    def obs_id(self) -> str:
        """The ObsID, nine digits."""
        return self.files.obs_id

    @property
    def registry(self) -> Registry:
        """The registry of the output directory; opened when first asked for."""
        if self._registry is None:
            from xtendsrc.registry import Registry

            self._registry = Registry(self.output)
        return self._registry

    @cached_property
    def pointing(self) -> SkyCoord:
        """Pointing of the optical axis, from the first data class whose header has it."""
        first: XtendsrcError | None = None
        for dc in self.dataclasses.values():
            try:
                return dc.geometry.det_to_icrs(*dc.geometry.optical_axis)
            except XtendsrcError as error:
                logger.warning("%s %s cannot be used: %s", self.obs_id, dc.code, error)
                first = first or error
        assert first is not None  # an observation has a data class at least
        raise first

    @property
    def dataclasses(self) -> DataClasses:
        """Data classes by code, for example ``obs.dataclasses["300000a0"]``."""
        return self._dataclasses

    def holding(self, position: SkyCoord) -> list[DataClass]:
        """Data classes that read a position; one whose file cannot be read is logged and hides no other."""
        place = position.icrs
        return self.reading(float(place.ra.deg), float(place.dec.deg))

    def reading(self, ra: float, dec: float) -> list[DataClass]:
        """Data classes that read a position in ICRS degrees; see `holding`."""
        found = []
        for dc in self.dataclasses.values():
            try:
                if dc.reads(ra, dec):
                    found.append(dc)
            except (XtendsrcError, OSError) as error:
                logger.warning("%s %s is left out: %s", self.obs_id, dc.code, error)
        return found

    def _declared(self, cls: type[P], state: Callable[..., Statement], options: Mapping[str, Any]) -> Products[P]:
        return Products(made for dc in self.dataclasses.values() for made in products(cls, dc, state, options))

    def __repr__(self) -> str:
        return f"<Observation {self.obs_id}: {', '.join(self.dataclasses)}>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr>{dc._cells()}</tr>" for dc in self.dataclasses.values())
        heads = "".join(f"<th>{h}</th>" for h in ("data class", "CCDs", "read-out", "frame", "exposure", "events"))
        title = f"<b>Observation {self.obs_id}</b> <code>{escape(str(self.path))}</code>"
        return f"{title}<table><tr>{heads}</tr>{rows}</table>"


class DataClasses(Mapping[str, "DataClass"]):
    """The data classes of one observation, by code; read-only."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        files = observation.files
        self._items = {code: DataClass(observation, files.dataclasses[code]) for code in files.dataclasses}

    def __getitem__(self, code: str) -> DataClass:
        try:
            return self._items[str(code).lower()]
        except KeyError:
            raise self._missing(str(code)) from None

    def __contains__(self, code: object) -> bool:
        return str(code).lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<DataClasses of {self._observation.obs_id}: {', '.join(self)}>"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _missing(self, code: str) -> XtendsrcError:
        locked = [p for p in self._observation.files.encrypted if f"{code.lower()}_cl.evt" in p.name.lower()]
        if locked:
            return encrypted(locked[0])
        return UnknownDataClassError(
            f"Observation {self._observation.obs_id} has no data class {code!r}; it has {', '.join(self)}.",
            "choose one of these.",
        )
