"""Light curves of several observations as one, on absolute time, with the gaps between them known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import MissingColumnError, RequestError
from xtendsrc.measure.barycentre import Orbit, barycentric
from xtendsrc.measure.blocks import Constancy, chi_squared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.table import QTable

    from xtendsrc.products.lightcurve.product import LightCurve
    from xtendsrc.source.source import Source

GAP_HOURS = 6.0
"""A longer gap begins a new chunk."""

ELEMENTS = ("A", "E", "I", "AN", "AP", "MA")


@dataclass(frozen=True)
class JoinedCurve:
    """Light curves of several observations and data classes, in the order of time.

    Attributes
    ----------
    source : str
        Name of the source.
    table : QTable
        One row a bin: ``time`` (absolute), ``seconds`` (mission time), ``width``, ``rate``, ``error``, ``exposed``,
        ``obs_id``, ``dataclass``; ``barycentric`` (TDB) where it was asked for.
    gap_hours : float
        A longer gap between bins begins a new chunk.
    """

    source: str
    table: QTable
    gap_hours: float = GAP_HOURS

    @cached_property
    def chunks(self) -> list[QTable]:
        """The stretches between long gaps."""
        later = np.flatnonzero(np.diff(self.table["seconds"]) > self.gap_hours * 3600) + 1
        edges = [0, *later.tolist(), len(self.table)]
        return [self.table[a:b] for a, b in pairwise(edges)]

    @property
    def hours(self) -> float:
        """Length of all chunks together, hours."""
        return sum(float(np.ptp(chunk["seconds"])) for chunk in self.chunks) / 3600

    @property
    def coverage(self) -> float:
        """Exposed part of the time from the first bin to the last."""
        seconds, width = np.asarray(self.table["seconds"]), self.table["width"].to_value("s")
        whole = float(seconds[-1] + width[-1] / 2 - seconds[0] + width[0] / 2)
        return float(self.table["exposed"].to_value("s").sum()) / whole

    def constancy(self, by: str = "bin") -> Constancy:
        """Test whether the rate is constant, by chi squared.

        Parameters
        ----------
        by : {"bin", "chunk", "observation"}
            What is compared: single bins, or means of chunks or observations, weighted with the exposure.

        Raises
        ------
        RequestError
            If there is nothing to compare, or ``by`` is unknown.
        """
        rate, error = self._rates(by)
        return chi_squared(rate, error)

    def _rates(self, by: str) -> tuple[np.ndarray, np.ndarray]:
        table = self.table[self.table["error"].value > 0]
        rate, error = table["rate"].value, table["error"].value
        if by == "bin":
            return rate, error
        if by == "chunk":
            label = np.concatenate([[0], np.cumsum(np.diff(table["seconds"]) > self.gap_hours * 3600)])
        elif by == "observation":
            label = np.unique(np.asarray(table["obs_id"], dtype=str), return_inverse=True)[1]
        else:
            raise RequestError(f"by={by!r} is unknown.", 'choose "bin", "chunk" or "observation".')
        weight = table["exposed"].to_value("s")
        total = np.bincount(label, weight)
        return np.bincount(label, weight * rate) / total, np.sqrt(np.bincount(label, (weight * error) ** 2)) / total

    def view(self, ax: Any = None) -> Any:
        """Draw the chunks side by side and return the axes."""
        from xtendsrc.view.profile import view_joined

        return view_joined(self, ax)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"<JoinedCurve of {self.source}: {len(self.table)} bins in {len(self.chunks)} chunks>"


def joined(source: Source, curves: Iterable[LightCurve], *, barycentre: bool, gap: Any = None) -> JoinedCurve:
    """Join light curves of a source; see `xtendsrc.source.source.Source.joined_lightcurve`."""
    from astropy.table import vstack

    tables = [_table(source, curve, barycentre) for curve in curves]
    table = vstack(tables, metadata_conflicts="silent")
    table.sort("seconds")
    hours = GAP_HOURS if gap is None else float(gap.to_value("h"))
    return JoinedCurve(source.name, table, hours)


def _table(source: Source, curve: LightCurve, barycentre: bool) -> QTable:
    from astropy.table import QTable

    table = QTable()
    table["time"], table["seconds"] = curve.time, curve.seconds
    table["width"], table["rate"], table["error"] = curve.widths, curve.rate, curve.error
    table["exposed"] = curve.exposed
    table["obs_id"], table["dataclass"] = [curve.obs_id] * len(table), [curve.dataclass] * len(table)
    if barycentre:
        dc = source.observations[curve.obs_id].dataclasses[curve.dataclass]
        orbit = read_orbit(dc.file("orb"))
        table["barycentric"] = barycentric(curve.time, source.position, orbit.position(curve.seconds))
    return table


def read_orbit(path: str) -> Orbit:
    """Read the Keplerian elements of an orbit file (extension ORBIT).

    Raises
    ------
    MissingColumnError
        If a column is missing.
    """
    from astropy.table import Table

    table = Table.read(path, hdu="ORBIT")
    if missing := [name for name in ("TIME", *ELEMENTS) if name not in table.colnames]:
        raise MissingColumnError(
            f"{path}: ORBIT has no column {', '.join(missing)}.", "use the times without barycentring."
        )
    return Orbit(*(np.asarray(table[name], dtype=np.float64) for name in ("TIME", *ELEMENTS)))
