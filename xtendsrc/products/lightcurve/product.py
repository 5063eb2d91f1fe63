"""Light curves: of one region as extracted, and net of background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xtendsrc.errors import InputFileError
from xtendsrc.products.base import Product, names_of

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from astropy.io import fits
    from astropy.table import Table
    from astropy.time import Time
    from astropy.units import Quantity

    from xtendsrc.events.gti import GTI
    from xtendsrc.products.request import NetCurveRequest


class LightCurve(Product):
    """Count rates in equal bins of time.

    ``table`` holds the RATE columns as written: TIME relative to TIMEZERO, RATE, ERROR, FRACEXP, ERROR_LO, ERROR_HI.
    """

    kind: ClassVar[str] = "lightcurve"

    @property
    def table(self) -> Table:
        """The columns of the RATE extension, one row a bin."""
        table: Table = self.content["table"]
        return table

    @property
    def seconds(self) -> Any:
        """Bin centres in mission seconds, float64."""
        header = self.header
        shift = (0.5 - float(header.get("TIMEPIXR", 0.5))) * float(header["TIMEDEL"])
        return self.table["TIME"].data.astype(float) + float(header.get("TIMEZERO", 0.0)) + shift

    @property
    def time(self) -> Time:
        """Bin centres as absolute times (TT scale of the mission; `Time.utc` gives UTC)."""
        from xtendsrc.events.time import mission_time

        return mission_time(self.seconds, self.header)

    @property
    def bin(self) -> Quantity:
        """Width of a bin."""
        import astropy.units as u

        return float(self.header["TIMEDEL"]) * u.s

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
        """Lower Poisson error, right for few and for no counts (Gehrels 1986)."""
        return self._rate("ERROR_LO")

    @property
    def error_hi(self) -> Quantity:
        """Upper Poisson error, right for few and for no counts (Gehrels 1986)."""
        return self._rate("ERROR_HI")

    @property
    def exposed(self) -> Quantity:
        """Seconds of each bin inside the good time intervals."""
        import astropy.units as u

        return self.table["FRACEXP"].data.astype(float) * self.bin.to_value(u.s) * u.s

    @property
    def gti(self) -> GTI:
        """The good time intervals the curve was made with."""
        from xtendsrc.events.gti import GTI

        return GTI.read(self.path)

    def to_xga(self, path: str | os.PathLike[str]) -> Any:
        """Give this as an ``xga.products.LightCurve``.

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

        if column not in self.table.colnames:
            raise MissingColumnError(
                f"{self.path} has no column {column}.", f"it has {', '.join(self.table.colnames)}."
            )
        return self.table[column].data.astype(float) / u.s * u.ct

    @property
    def header(self) -> fits.Header:
        """The header of the RATE extension."""
        from astropy.io import fits

        content = self.content
        if "header" not in content:
            content["header"] = fits.Header.fromstring(content["text"])
        header: fits.Header = content["header"]
        return header

    def _load(self, path: Path) -> dict[str, Any]:
        from astropy.io import fits
        from astropy.table import Table

        with fits.open(path, memmap=False) as hdus:
            self._check_kind(hdus)
            if "RATE" not in hdus:
                raise InputFileError(f"{path} has no RATE extension; it has {names_of(hdus)}.", "check the path.")
            hdu = hdus["RATE"]
            columns = {n: hdu.data[n].astype(hdu.data[n].dtype.newbyteorder("=")) for n in hdu.columns.names}
            header = hdu.header.copy()
        return {"table": Table(columns), "header": header}

    def _cached(self) -> dict[str, Any] | None:
        if self._target is None:
            return None
        arrays = self._target.registry.arrays(self.key)
        if "RATE.text" not in arrays:
            return None
        from astropy.table import Table

        names, text = arrays["RATE.text"].tobytes().decode("ascii").split("\n", 1)
        return {"table": Table({n: arrays[f"RATE.{n}"] for n in names.split(",")}, copy=False), "text": text}


class NetCurve(LightCurve):
    """A light curve net of background, with the two curves it comes from."""

    kind: ClassVar[str] = "netcurve"

    @property
    def source_curve(self) -> LightCurve:
        """The curve of the source region."""
        return LightCurve(self._net.source, self.target)

    @property
    def background(self) -> LightCurve | None:
        """The curve of the background region, unscaled; None if no background was subtracted."""
        request = self._net.background
        return None if request is None else LightCurve(request, self.target)

    @property
    def _net(self) -> NetCurveRequest:
        from xtendsrc.products.request import NetCurveRequest

        request = self.request
        assert isinstance(request, NetCurveRequest)
        return request
