"""Spectra that know their background and responses (OGIP/92-007 and 92-007a, type I)."""

from __future__ import annotations

import logging
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

import numpy as np

from xtendsrc.errors import CalibrationMissingError, GridMismatchError, InputFileError, InputNotFoundError
from xtendsrc.fit.spectrumfile import LINKS, linked_file, read_spectrum
from xtendsrc.instrument import EV_PER_CHANNEL
from xtendsrc.products.arf.product import ARF
from xtendsrc.products.base import Product
from xtendsrc.products.rmf.product import RMF
from xtendsrc.products.sourcespectrum.request import SourceSpectrumRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.units import Quantity

    from xtendsrc.fit.keywords import FitKeywords
    from xtendsrc.products.fit.product import Fit
    from xtendsrc.products.request import Request
    from xtendsrc.products.spectrum.grouped import GroupedSpectrum

logger = logging.getLogger(__name__)


P = TypeVar("P", bound=Product)


class Spectrum(Product):
    """Counts in each channel, with exposure, area scale, background, responses and grouping.

    ``dc.spectrum()`` gives the counts of a region alone; ``src.spectrum()`` one with an exposure-weighted BACKSCAL,
    its background and its responses; `Spectrum.read` follows BACKFILE, RESPFILE and ANCRFILE of any OGIP file.
    """

    kind: str = "spectrum"
    _given: Mapping[str, Path] = MappingProxyType({})

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        background: str | Path | None = None,
        rmf: str | Path | None = None,
        arf: str | Path | None = None,
    ) -> Self:
        """Open an OGIP type I spectrum; BACKFILE, RESPFILE and ANCRFILE are followed unless other files are given.

        Parameters
        ----------
        path : path
            The spectrum, plain or gzipped.
        background, rmf, arf : path, optional
            Files that take the place of those the header names.

        Raises
        ------
        InputNotFoundError
            If one of these files is not there.
        """
        spectrum = super().read(path)
        given = {"background": background, "rmf": rmf, "arf": arf}
        spectrum._given = {name: Path(file) for name, file in given.items() if file is not None}
        for name, file in spectrum._given.items():
            if not file.is_file():
                raise InputNotFoundError(f"There is no file {file} to be the {name} of {path}.", "check the path.")
        return spectrum

    # --- what is in the file -------------------------------------------------------------------------------------

    @property
    def counts(self) -> np.ndarray:
        """Counts a channel, (channels,): int64, or float64 if the file holds fractional counts."""
        counts: np.ndarray = self.content["counts"]
        return counts

    @property
    def channels(self) -> np.ndarray:
        """Channel numbers, (channels,)."""
        channels: np.ndarray = self.content["channels"]
        return channels

    @property
    def stat_error(self) -> np.ndarray | None:
        """The STAT_ERR column; None where errors are Poisson (POISSERR)."""
        error: np.ndarray | None = self.content["stat_error"]
        return error

    @property
    def exposure(self) -> Quantity:
        """Live time: the EXPOSURE keyword."""
        import astropy.units as u

        return float(self.header["EXPOSURE"]) * u.s

    @property
    def backscal(self) -> float:
        """The area scale BACKSCAL.

        Raises
        ------
        InputFileError
            If it differs between channels of good quality; `backscal_of_channels` has it then.
        """
        return self._one("backscal")

    @property
    def covered(self) -> float | None:
        """Part of the extraction region that was exposed; None if the file does not say, as only scaled ones do.

        The rest is lost to gaps, edges, bad pixels, calibration discs and interlopers; the ARF accounts for it.
        """
        value = self.header.get("COVERED")
        return None if value is None else float(value)

    @property
    def areascal(self) -> float:
        """The scale AREASCAL."""
        return self._one("areascal")

    @property
    def backscal_of_channels(self) -> np.ndarray:
        """BACKSCAL of each channel, (channels,)."""
        scale: np.ndarray = self.content["backscal"]
        return scale

    @property
    def quality(self) -> np.ndarray:
        """QUALITY of each channel: 0 is good."""
        quality: np.ndarray = self.content["quality"]
        return quality

    @property
    def grouping(self) -> np.ndarray:
        """GROUPING of each channel: 1 starts a group, -1 continues it, 0 is none."""
        grouping: np.ndarray = self.content["grouping"]
        return grouping

    @property
    def weighted_map(self) -> np.ndarray | None:
        """The counts in detector coordinates (WMAP) that an RMF is weighted with; -1 outside the region."""
        image: np.ndarray | None = self.content["weighted_map"]
        return image

    @property
    def rate(self) -> Quantity:
        """Counts a second in each channel."""
        import astropy.units as u

        return self.counts * u.ct / self.exposure

    @property
    def channel_energies(self) -> Quantity:
        """Energy edges of the channels, (channels, 2), keV.

        From the RMF where there is one; for Xtend without one, 6 eV a channel.

        Raises
        ------
        InputFileError
            For another instrument without an RMF.
        """
        import astropy.units as u

        content = self.content
        if self._has("rmf"):
            rmf = self.rmf
            if not np.array_equal(rmf.channels, content["channels"]):
                own, other = content["channels"], rmf.channels
                raise GridMismatchError(
                    f"{self!r} has {own.size} channels from {own[0]} and its RMF {other.size} from {other[0]}.",
                    "use the RMF made for this spectrum.",
                )
            return rmf.channel_energies
        if str(self.header.get("INSTRUME", "XTEND")).strip().upper() != "XTEND":
            raise InputFileError(
                f"{self!r} has no RMF, so its channels have no energies.", "give one: Spectrum.read(path, rmf=...)."
            )
        low = content["channels"] * EV_PER_CHANNEL / 1000
        return np.column_stack([low, low + EV_PER_CHANNEL / 1000]) * u.keV

    # --- what belongs to it --------------------------------------------------------------------------------------

    @property
    def background(self) -> Spectrum | None:
        """The background spectrum, with its own exposure and BACKSCAL; None if there is none."""
        if self._request is None:
            path = self._linked("background")
            return None if path is None else self._related(type(self), path)
        request = getattr(self._request, "background", None)
        return None if request is None else self._related(type(self), request)

    @property
    def rmf(self) -> RMF:
        """The redistribution matrix.

        Raises
        ------
        CalibrationMissingError
            If the spectrum was declared without a response.
        InputNotFoundError
            If the file names none.
        """
        found: RMF = self._response("rmf", RMF)
        return found

    @property
    def arf(self) -> ARF:
        """The effective area; raises as `rmf` does."""
        found: ARF = self._response("arf", ARF)
        return found

    @property
    def response_kind(self) -> str:
        """``"calibrated"``, ``"nominal"`` if the RMF or the ARF is nominal, or ``"none"``; as declared, if declared."""
        if self._request is not None:
            declared = (self._declared(name) for name in ("rmf", "arf"))
            kinds = {request.response for request in declared if request is not None}
        else:
            there = [name for name in ("rmf", "arf") if self._has(name)]
            kinds = {"calibrated" if getattr(self, name).calibrated else "nominal" for name in there}
        return "nominal" if "nominal" in kinds else "calibrated" if kinds else "none"

    @property
    def calibrated(self) -> bool:
        """Whether the spectrum has responses and none of them is nominal."""
        return self.response_kind == "calibrated"

    @property
    def background_scale(self) -> np.ndarray:
        """Factor by which background counts are scaled before subtraction, (channels,).

        The ratio of exposure x BACKSCAL x AREASCAL of the source to that of the background; NaN in channels of bad
        quality without such scales.

        Raises
        ------
        GridMismatchError
            If the two have different numbers of channels.
        InputFileError
            If a scale is not positive in a channel of good quality.
        """
        background = self.background
        if background is None:
            return np.zeros(self.counts.size)
        own, other = self.content, background.content
        if own["counts"].size != other["counts"].size:
            raise GridMismatchError(
                f"{self!r} has {own['counts'].size} channels and its background {other['counts'].size}.",
                "use a background of the same instrument and mode.",
            )
        mine = float(self.header["EXPOSURE"]) * own["backscal"] * own["areascal"]
        theirs = float(background.header["EXPOSURE"]) * other["backscal"] * other["areascal"]
        positive = (mine > 0) & (theirs > 0)
        if not positive[own["quality"] == 0].all():
            raise InputFileError(
                f"BACKSCAL or AREASCAL of {self!r} or of its background is not positive in channels of good quality.",
                "scale them again.",
            )
        found: np.ndarray = np.divide(mine, theirs, out=np.full(mine.size, np.nan), where=positive)
        return found

    def grouped(self, scheme: str | None = None, energy: Any = None) -> GroupedSpectrum:
        """Sum channels into groups; nothing in the file changes.

        Parameters
        ----------
        scheme : str, optional
            ``"min 20"``, ``"constant 10"``, ``"fwhm/3"`` (with at least one background count a group), ``"none"``, or
            the file's own GROUPING column if not given. `xtendsrc.fit.data.FIT_GROUPING` is the one
            for fits.
        energy : Quantity of two energies, optional
            Keep only channels inside before grouping; all with good quality if not given.

        Raises
        ------
        RequestError
            For an unknown scheme, or a band without a channel.
        """
        from xtendsrc.products.spectrum.grouped import group_spectrum

        return group_spectrum(self, scheme, energy)

    def fit(self, model: str, **options: Unpack[FitKeywords]) -> Fit:
        """Declare a fit of a model; it is made when a value is asked for.

        Parameters
        ----------
        model : str
            In XSPEC's syntax, such as ``"tbabs*powerlaw"``.
        **options
            ``energy``, ``start``, ``freeze``, ``thaw``, ``tie``, ``limits``, ``vary``, ``factor_bands``, ``stat``,
            ``group``, ``engine``, ``errors``, ``background``, ``abund``, ``xsect``, ``cosmology``: see
            `xtendsrc.fit.keywords.statement`.

        Returns
        -------
        Fit
            With ``parameters``, ``statistic``, ``dof``, ``flux()``, ``table()``, ``view()``.

        Raises
        ------
        RequestError, ModelError
            If model or options are not understood.
        """
        from xtendsrc.products.fit.product import fit_spectra

        return fit_spectra(self, model, **options)

    def has(self, what: str) -> bool:
        """Return whether the spectrum has a ``background``, ``rmf`` or ``arf``."""
        return self._has(what)

    def export(self, stem: str | Path, *, overwrite: bool = False) -> dict[str, Path]:
        """Write the spectrum, its background and its responses side by side, with links that work there.

        Parameters
        ----------
        stem : str or Path
            ``agn`` gives ``agn.pi``, ``agn_bkg.pi``, ``agn.rmf`` and ``agn.arf``, as far as the spectrum has them.
        overwrite : bool
            Whether files of these names are replaced.

        Returns
        -------
        dict of str to Path
            The files, by ``background``, ``rmf``, ``arf`` and ``spectrum``.

        Raises
        ------
        RequestError
            If a file exists, or the name is too long for a link.
        """
        from xtendsrc.products.spectrum.export import export_spectrum

        parts: dict[str, Product] = {role: getattr(self, role) for role in ("rmf", "arf") if self._has(role)}
        if self.background is not None:
            parts["background"] = self.background
        return export_spectrum(self, stem, parts, overwrite)

    # --- inside --------------------------------------------------------------------------------------------------

    def _one(self, name: str) -> float:
        content = self.content
        values = content[name]
        good = content["quality"] == 0
        values = values[good] if good.any() else values
        if values.size > 1 and np.ptp(values) > 0:
            raise InputFileError(f"{name.upper()} of {self!r} differs between channels.", f"use {name}_of_channels.")
        return float(values[0])

    def _has(self, what: str) -> bool:
        if self._request is None:
            return self._linked(what, check=False) is not None
        return self._declared(what) is not None

    def _declared(self, what: str) -> Any:
        """Return the request of a related product that is, or can be, made here; None if there is none."""
        if what in self.request.optional_needs():
            from xtendsrc.generate.plan import States, preference

            return States().needs(self.request, preference("auto", self.target)).get(what)
        return getattr(self._request, what, None)

    def _response(self, what: str, cls: Any) -> Any:
        if self._request is not None:
            request = self._declared(what)
            if request is None:
                raise CalibrationMissingError(
                    f"{self!r} has no {what.upper()} here: a calibrated one needs HEASoft and CALDB"
                    if isinstance(self._request, SourceSpectrumRequest)
                    else f"{self!r} is the raw counts of a region and has no {what.upper()}",
                    'use src.spectrum(response="nominal") for a nominal one, which is not calibrated; '
                    "`xtendsrc doctor` says what calibrated ones lack here.",
                )
            return self._related(cls, request)
        path = self._linked(what)
        if path is None:
            raise InputNotFoundError(
                f"{self._file} names no {LINKS[what]}.",
                f"set {LINKS[what]} in its header, or give the file: Spectrum.read(path, {what}=...).",
            )
        return self._related(cls, path)

    def _related(self, cls: type[P], what: Path | Request) -> P:
        """Return the product of a file or a request, the same one each time, so that it is read once."""
        kept: dict[Any, Any] = self.__dict__.setdefault("_kept", {})
        if what not in kept:
            kept[what] = cls.read(what) if isinstance(what, Path) else cls(what, self.target)
        found: P = kept[what]
        return found

    def _linked(self, what: str, check: bool = True) -> Path | None:
        """Return the file of the background or a response: as given to `read`, or as the header names it."""
        given: Path | None = self._given.get(what)
        return given or linked_file(self.path, self.header, LINKS[what], check)

    def _load(self, path: Path) -> dict[str, Any]:
        return read_spectrum(path)

    def __reduce__(self) -> Any:
        if self._request is None:
            return _reopen, (type(self), self.path, dict(self._given))
        return super().__reduce__()


def _reopen(cls: type[Spectrum], path: Path, given: dict[str, Path]) -> Spectrum:
    return cls.read(path, **given)
