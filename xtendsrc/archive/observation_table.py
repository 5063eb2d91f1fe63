"""Rows of the master table: observations to choose from, to look at and to download."""

from __future__ import annotations

from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from html import escape
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import MaskedColumn, Table

from xtendsrc.archive.mastertable import age, told
from xtendsrc.errors import RequestError, UnitsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from astropy.coordinates import SkyCoord
    from astropy.time import Time
    from astropy.units import Quantity

OFFAXIS = "offaxis"
MJD_ZERO = datetime(1858, 11, 17)
SHOWN = (
    "obsid",
    "name",
    "ra",
    "dec",
    OFFAXIS,
    "date",
    "exposure",
    "public_date",
    "xtd_dataclas1",
    "xtd_dataclas2",
    "status",
)
FORMATS = {"ra": "%.4f", "dec": "%.4f", OFFAXIS: "%.2f", "exposure": "%.0f"}


class ObservationTable:
    """Observations of HEASARC's master table.

    Made by `xtendsrc.archive.search`. ``table["000128000"]`` and ``table[3]`` give a table of one observation,
    slices, masks and lists of numbers or ObsIDs one of several, and ``table["exposure"]`` a column.

    Parameters
    ----------
    rows : astropy.table.Table
        Rows as `xtendsrc.archive.mastertable.master_table` gives them.
    position : SkyCoord, optional
        What was searched for.

    Attributes
    ----------
    table : astropy.table.Table
        The rows themselves: positions in deg, times as MJD (UTC), exposures in s. Dates that were never set
        (0 or 88068 at HEASARC) are masked.
    position : SkyCoord or None
        What was searched for; ``offaxis`` is then the angle from it to the pointing, in arcmin.
    """

    def __init__(self, rows: Table, position: SkyCoord | None = None) -> None:
        self.table = rows
        self.position = position

    # --- what there is ----------------------------------------------------------------------------------------------

    @property
    def obs_ids(self) -> tuple[str, ...]:
        """The ObsIDs, nine digits each."""
        return tuple(str(value) for value in self.table["obsid"])

    @property
    def dataclasses(self) -> dict[str, tuple[str, ...]]:
        """The Xtend data classes of each ObsID; empty where the archive names none."""
        pairs = zip(self.table["xtd_dataclas1"], self.table["xtd_dataclas2"], strict=True)
        codes = (tuple(str(c).lower() for c in pair if c is not np.ma.masked and str(c)) for pair in pairs)
        return dict(zip(self.obs_ids, codes, strict=True))

    @property
    def public(self) -> np.ndarray:
        """Whether each observation is public now; one whose public date was never set is not."""
        from astropy.time import Time

        dates = self.table["public_date"]
        return np.asarray(dates.filled(np.inf) <= Time.now().utc.mjd)

    @property
    def coordinates(self) -> SkyCoord:
        """The pointings (ICRS)."""
        from astropy.coordinates import SkyCoord

        return SkyCoord(np.asarray(self.table["ra"]), np.asarray(self.table["dec"]), unit="deg", frame="icrs")

    @property
    def age(self) -> str:
        """Age of the answer of HEASARC, in words."""
        return told(age(self.table)) if "fetched" in self.table.meta else "unknown"

    def public_date(self, obs_id: str) -> str:
        """Return the date on which an observation becomes public, or ``not set``."""
        value = self[obs_id].table["public_date"][0]
        return "not set" if value is np.ma.masked else _day(float(value))

    # --- choosing ---------------------------------------------------------------------------------------------------

    def around(self, position: SkyCoord, radius: float) -> ObservationTable:
        """Return the observations pointed within a radius (arcmin) of a position, nearest first."""
        rows = self.table[:0].copy() if not len(self.table) else self.table
        angle = self.coordinates.separation(position.icrs).arcmin if len(self.table) else np.zeros(0)
        near = np.flatnonzero(angle <= radius)
        near = near[np.argsort(angle[near], kind="stable")]
        chosen = rows[near]
        chosen[OFFAXIS] = MaskedColumn(angle[near], unit="arcmin", description="angle from the target to the pointing")
        return ObservationTable(chosen, position)

    def filter(
        self,
        *,
        public: bool | None = None,
        exposure: Quantity | tuple[Quantity, Quantity] | None = None,
        dataclass: str | Sequence[str] | None = None,
        offaxis: Quantity | None = None,
        date: Any = None,
    ) -> ObservationTable:
        """Keep the observations that fit everything given.

        Parameters
        ----------
        public : bool, optional
            True for public ones, False for those that are not yet.
        exposure : Quantity, or two, optional
            Least exposure, or least and largest.
        dataclass : str or sequence of str, optional
            Data classes, ``*`` and ``?`` allowed: one of the observation's own must fit one of them.
        offaxis : Quantity, optional
            Largest angle between the target and the pointing.
        date : str or Time, or two, optional
            Start of the observation: not before the first, not after the second; either may be None.

        Raises
        ------
        RequestError
            If ``offaxis`` is given for a table that was not searched around a target.
        UnitsError
            If a quantity has no unit, or the wrong one.
        """
        keep = np.ones(len(self), dtype=bool)
        if public is not None:
            keep &= self.public == public
        if exposure is not None:
            keep &= _between(self.table["exposure"], *_limits(exposure, "s", "exposure"))
        if dataclass is not None:
            keep &= self._of_class(_patterns(dataclass))
        if offaxis is not None:
            keep &= _between(self._offaxis(), -np.inf, _value(offaxis, "arcmin", "offaxis"))
        if date is not None:
            keep &= _between(self.table["time"], *_dates(date))
        found: ObservationTable = self[keep]
        return found

    def _of_class(self, patterns: list[str]) -> np.ndarray:
        wanted = [str(p).lower() for p in patterns]
        return np.array(
            [any(fnmatchcase(c, p) for c in codes for p in wanted) for codes in self.dataclasses.values()], dtype=bool
        )

    def _offaxis(self) -> Any:
        if OFFAXIS not in self.table.colnames:
            raise RequestError(
                "This table was not searched around a target, so that off-axis angles are unknown.",
                "give a target to search.",
            )
        return self.table[OFFAXIS]

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[ObservationTable]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, str):
            if item in self.table.colnames:
                return self.table[item]
            item = [item]
        if isinstance(item, (int, np.integer)):
            number = int(item)
            if not -len(self) <= number < len(self):
                raise IndexError(f"There are {len(self)} observations, none with number {number}.")
            item = [number % len(self)]
        elif not isinstance(item, slice) and len(item) and isinstance(item[0], str):
            item = self._numbers(item)
        elif not isinstance(item, slice):
            item = np.asarray(item, dtype=None if len(item) else int)
        return ObservationTable(self.table[item], self.position)

    def _numbers(self, obs_ids: Iterable[str]) -> list[int]:
        where = {obs_id: number for number, obs_id in enumerate(self.obs_ids)}
        lost = [name for name in obs_ids if name not in where]
        if lost:
            raise KeyError(f"no observation or column {', '.join(map(repr, lost))} among {len(self)} observations")
        return [where[name] for name in obs_ids]

    # --- looks ------------------------------------------------------------------------------------------------------

    def view_sky(self, ax: Any = None, **options: Any) -> Any:
        """Draw the pointings on the sky; see `xtendsrc.view.archive.view_sky`."""
        return resolve_name("xtendsrc.view.archive:view_sky")(self, ax, **options)

    def view_timeline(self, ax: Any = None, **options: Any) -> Any:
        """Draw when the observations were made; see `xtendsrc.view.archive.view_timeline`."""
        return resolve_name("xtendsrc.view.archive:view_timeline")(self, ax, **options)

    def summary(self) -> Table:
        """Return the columns worth reading, dates as days."""
        shown = Table(self.table[[c for c in SHOWN if c in self.table.colnames]], copy=True)
        shown.add_column(_days(self.table["time"]), name="date", index=min(4, len(shown.colnames)))
        shown["public_date"] = _days(self.table["public_date"])
        for name, form in FORMATS.items():
            if name in shown.colnames:
                shown[name].info.format = form
        return shown[[c for c in SHOWN if c in shown.colnames]]

    def _title(self) -> str:
        where = f" around {self.position.to_string('hmsdms', precision=0)}" if self.position is not None else ""
        number = f"{len(self)} observation{'' if len(self) == 1 else 's'}"
        return f"{number}{where} ({int(self.public.sum())} public; table {self.age} old)"

    def __repr__(self) -> str:
        lines = self.summary().pformat(max_lines=40, max_width=-1) if len(self) else []
        return "\n".join([f"<ObservationTable: {self._title()}>", *lines])

    def _repr_html_(self) -> str:
        body = "".join(self.summary().pformat(html=True, max_lines=60, max_width=-1)) if len(self) else ""
        return f"<p>{escape(self._title())}</p>{body}"


# --- values ---------------------------------------------------------------------------------------------------------


def _day(mjd: float) -> str:
    return (MJD_ZERO + timedelta(days=mjd)).strftime("%Y-%m-%d")


def _days(column: Any) -> MaskedColumn:
    mask = np.ma.getmaskarray(np.ma.asarray(column))
    text = ["" if hidden else _day(float(value)) for value, hidden in zip(column, mask, strict=True)]
    return MaskedColumn(text, mask=mask, dtype="U10")


def _value(quantity: Any, unit: str, name: str) -> float:
    import astropy.units as u

    try:
        return float(u.Quantity(quantity).to_value(unit))
    except (u.UnitConversionError, TypeError, ValueError) as error:
        raise UnitsError(f"{name}={quantity!r} is not a quantity in {unit}.", f"give for example 10 * u.{unit}.") from (
            error
        )


def _limits(given: Any, unit: str, name: str) -> tuple[float, float]:
    if not isinstance(given, (tuple, list)) and np.ndim(given) == 0:
        return _value(given, unit, name), np.inf
    low, high = _two(given, name)
    return _value(low, unit, name), _value(high, unit, name)


def _two(given: Any, name: str) -> tuple[Any, Any]:
    if len(given) != 2:
        raise RequestError(f"{name}={given!r} is not a pair.", f"give {name}=(least, largest).")
    return given[0], given[1]


def _patterns(given: Any) -> list[str]:
    if isinstance(given, str):
        return [given]
    if isinstance(given, (tuple, list)) and all(isinstance(item, str) for item in given):
        return list(given)
    raise RequestError(f"dataclass={given!r} is not text.", 'give for example dataclass="311*".')


def _dates(given: Any) -> tuple[float, float]:
    low, high = _two(given, "date") if isinstance(given, (tuple, list)) else (given, None)
    return (-np.inf if low is None else _mjd(low)), (np.inf if high is None else _mjd(high))


def _mjd(given: str | Time) -> float:
    from astropy.time import Time

    try:
        return float(Time(given, scale="utc").mjd if isinstance(given, str) else given.utc.mjd)
    except (ValueError, AttributeError) as error:
        raise RequestError(f"{given!r} is not a date.", 'give a Time, or text such as "2024-03-01".') from error


def _between(column: Any, low: float, high: float) -> np.ndarray:
    values = np.ma.asarray(column).filled(np.nan)
    return np.asarray((values >= low) & (values <= high))
