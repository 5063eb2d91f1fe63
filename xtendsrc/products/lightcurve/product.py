"""Light curves: of one region as extracted, and net of background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError
from xtendsrc.products.base import Product
from xtendsrc.products.lightcurve.file import bins_of, read_curve

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from astropy.io import fits
    from astropy.table import Table
    from astropy.time import Time
    from astropy.units import Quantity

    from xtendsrc.events.gti import GTI
    from xtendsrc.products.lightcurve.file import Bins


class LightCurve(Product):
    """Count rates in bins of time, equal ones where xtendsrc made them.

    ``table`` holds the RATE columns as written: TIME relative to TIMEZERO, RATE, ERROR, FRACEXP, ERROR_LO, ERROR_HI;
    files of other makers may lack some of the last.
    """

    kind: str = "lightcurve"

    @property
    def table(self) -> Table:
        """The columns of the RATE extension, one row a bin."""
        from astropy.table import Table

        content = self.content
        if "table" not in content:
            content["table"] = Table(content["columns"], copy=False)
        table: Table = content["table"]
        return table

    @property
    def _columns(self) -> dict[str, np.ndarray]:
        columns: dict[str, np.ndarray] = self.content["columns"]
        return columns

    @property
    def seconds(self) -> np.ndarray:
        """Bin centres in mission seconds, float64, whatever unit and zero the file uses."""
        return self._bins.centre

    @property
    def time(self) -> Time:
        """Bin centres as absolute times (TT scale of the mission; `Time.utc` gives UTC)."""
        from xtendsrc.events.time import mission_time

        return mission_time(self.seconds, self.header)

    @property
    def bin(self) -> Quantity:
        """Width of a bin.

        Raises
        ------
        InputFileError
            If the bins of the file are not equally wide; `widths` has them then.
        """
        import astropy.units as u

        width = self._bins.width
        if np.ptp(width) > 1e-6 * width[0]:
            raise InputFileError(f"The bins of {self!r} differ in width.", "use its widths.")
        return float(width[0]) * u.s

    @property
    def widths(self) -> Quantity:
        """Width of each bin."""
        import astropy.units as u

        return self._bins.width * u.s

    @property
    def _bins(self) -> Bins:
        content = self.content
        if "bins" not in content:
            content["bins"] = bins_of(self.table, self.header, self.path)
        bins: Bins = content["bins"]
        return bins

    @property
    def rate(self) -> Quantity:
        """Counts a second."""
        return self._rate("RATE")

    @property
    def error(self) -> Quantity:
        """The symmetric error, the root of the counts; zero for an empty bin."""
        return self._rate("ERROR")

    @property
    def error_lo(self) -> Quantity:
        """Lower Poisson error, right for few and for no counts (Gehrels 1986); ERROR in a file that has no other."""
        return self._rate("ERROR_LO" if "ERROR_LO" in self.table.colnames else "ERROR")

    @property
    def error_hi(self) -> Quantity:
        """Upper Poisson error, right for few and for no counts (Gehrels 1986); ERROR in a file that has no other."""
        return self._rate("ERROR_HI" if "ERROR_HI" in self.table.colnames else "ERROR")

    @property
    def exposed(self) -> Quantity:
        """Seconds of each bin inside the good time: FRACEXP of the file, or its good time intervals without it."""
        import astropy.units as u

        bins = self._bins
        if "FRACEXP" in self.table.colnames:
            return self.table["FRACEXP"].data.astype(float) * bins.width * u.s
        return self.gti.overlap(bins.centre - bins.width / 2, bins.centre + bins.width / 2) * u.s

    @property
    def gti(self) -> GTI:
        """The good time intervals the curve was made with."""
        from xtendsrc.events.gti import GTI

        return GTI.read(self.path)

    def to_xga(self, path: str | os.PathLike[str]) -> Any:
        """Return this as an ``xga.products.LightCurve``.

        Parameters
        ----------
        path : path
            Where to write a copy with absolute times, which XGA reads; must not exist.

        Raises
        ------
        RequestError
            If the file exists.
        EngineUnavailableError
            If the package xga is not installed.
        """
        from xtendsrc.products.xga import as_lightcurve

        return as_lightcurve(self, path)

    def _rate(self, column: str) -> Quantity:
        import astropy.units as u

        from xtendsrc.errors import MissingColumnError

        columns = self._columns
        if column not in columns:
            raise MissingColumnError(f"{self.path} has no column {column}.", f"it has {', '.join(columns)}.")
        return u.Quantity(columns[column], u.ct / u.s, dtype=float)

    @property
    def header(self) -> fits.Header:
        """The header of the RATE extension."""
        from astropy.io import fits

        content = self.content
        if "header" not in content:
            content["header"] = fits.Header.fromstring(content["text"], sep="\n")
        header: fits.Header = content["header"]
        return header

    def _load(self, path: Path) -> dict[str, Any]:
        file, columns, header = read_curve(path)
        self._check_kind(file.hdus)
        return {"columns": dict(columns), "header": header}

    def _cached(self) -> dict[str, Any] | None:
        if self._target is None:
            return None
        arrays = self._target.registry.arrays(self.key)
        if "header" not in arrays:
            return None
        columns = {name.removeprefix("RATE."): a for name, a in arrays.items() if name.startswith("RATE.")}
        return {"columns": columns, "text": arrays["header"].item().decode("ascii")}
