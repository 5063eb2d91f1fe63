"""Spectra that know their background and responses (OGIP/92-007 and 92-007a, type I)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xtendsrc.errors import CalibrationMissingError, GridMismatchError, InputFileError, InputNotFoundError
from xtendsrc.products.base import Product
from xtendsrc.products.responses import ARF, RMF
from xtendsrc.request import SourceSpectrumRequest

if TYPE_CHECKING:
    from astropy.units import Quantity

logger = logging.getLogger(__name__)

EV_PER_CHANNEL = 6.0


class Spectrum(Product):
    """Counts in each channel, with exposure, area scale, background, responses and grouping.

    ``dc.spectrum()`` gives the counts of a region alone; ``src.spectrum()`` one with an exposure-weighted BACKSCAL,
    its background and its responses; `Spectrum.read` follows BACKFILE, RESPFILE and ANCRFILE of any OGIP file.
    """

    kind: ClassVar[str] = "spectrum"

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
            If it differs from channel to channel; `backscal_of_channels` has it then.
        """
        return self._one("backscal")

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
            if rmf.channels.size != content["channels"].size:
                raise GridMismatchError(
                    f"{self!r} has {content['channels'].size} channels and its RMF {rmf.channels.size}.",
                    "use the RMF made for this spectrum.",
                )
            return rmf.channel_energies
        if str(self.header.get("INSTRUME", "XTEND")).strip().upper() != "XTEND":
            raise InputFileError(f"{self!r} has no RMF, so its channels have no energies.", "give it a RESPFILE.")
        low = content["channels"] * EV_PER_CHANNEL / 1000
        return np.column_stack([low, low + EV_PER_CHANNEL / 1000]) * u.keV

    # --- what belongs to it --------------------------------------------------------------------------------------

    @property
    def background(self) -> Spectrum | None:
        """The background spectrum, with its own exposure and BACKSCAL; None if there is none."""
        if self._request is None:
            path = self._linked("BACKFILE")
            return None if path is None else Spectrum.read(path)
        request = getattr(self._request, "background", None)
        return None if request is None else Spectrum(request, self.target)

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
        found: RMF = self._response("rmf", "RESPFILE", RMF)
        return found

    @property
    def arf(self) -> ARF:
        """The effective area; raises as `rmf` does."""
        found: ARF = self._response("arf", "ANCRFILE", ARF)
        return found

    @property
    def background_scale(self) -> np.ndarray:
        """What background counts are multiplied with to be subtracted, (channels,).

        The ratio of exposure x BACKSCAL x AREASCAL of the source to that of the background.

        Raises
        ------
        GridMismatchError
            If the two have different numbers of channels.
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
        return np.asarray(mine / theirs)

    def grouped(self, scheme: str | None = None, energy: Any = None) -> GroupedSpectrum:
        """Sum channels into groups; nothing in the file changes.

        Parameters
        ----------
        scheme : str, optional
            ``"min 20"``, ``"constant 10"``, ``"fwhm/3"`` (with at least one background count a group), ``"none"``, or
            the file's own GROUPING column if not given.
        energy : Quantity of two energies, optional
            Keep only channels inside before grouping; all with good quality if not given.
        """
        from xtendsrc.products.grouped import group_spectrum

        return group_spectrum(self, scheme, energy)

    # --- inside --------------------------------------------------------------------------------------------------

    def _one(self, name: str) -> float:
        values = self.content[name]
        if values.size > 1 and np.ptp(values) > 0:
            raise InputFileError(f"{name.upper()} of {self!r} differs between channels.", f"use {name}_of_channels.")
        return float(values[0])

    def _has(self, what: str) -> bool:
        if self._request is None:
            return self._linked({"rmf": "RESPFILE", "arf": "ANCRFILE"}[what], check=False) is not None
        return getattr(self._request, what, None) is not None

    def _response(self, what: str, keyword: str, cls: Any) -> Any:
        if self._request is not None:
            request = getattr(self._request, what, None)
            if request is None:
                raise CalibrationMissingError(
                    f"{self!r} was declared without {what.upper()}: a calibrated one needs HEASoft and CALDB"
                    if isinstance(self._request, SourceSpectrumRequest)
                    else f"{self!r} is the raw counts of a region and has no {what.upper()}",
                    'use src.spectrum(response="nominal") for a nominal one, which is not calibrated; '
                    "`xtendsrc doctor` says what calibrated ones lack here.",
                )
            return cls(request, self.target)
        path = self._linked(keyword)
        if path is None:
            raise InputNotFoundError(f"{self._file} names no {keyword}.", f"set {keyword} in its header.")
        return cls.read(path)

    def _linked(self, keyword: str, check: bool = True) -> Path | None:
        """Follow a link of the header, relative to the file's directory."""
        name = str(self.header.get(keyword, "none")).strip()
        if name.lower() in ("", "none"):
            return None
        path = Path(self.path).parent / name
        for candidate in (path, path.with_name(path.name + ".gz")):
            if candidate.is_file():
                return candidate
        if not check:
            return None
        raise InputNotFoundError(
            f"{self.path} names {name} as its {keyword}, which is not there.", "put it beside the spectrum."
        )

    def _load(self, path: Path) -> dict[str, Any]:
        from astropy.io import fits

        with fits.open(path, memmap=False) as hdus:
            table = next((h for h in hdus if h.name == "SPECTRUM" and hasattr(h, "columns")), None)
            if table is None or "CHANNEL" not in table.columns.names:
                raise InputFileError(
                    f"{path} has no SPECTRUM extension with a CHANNEL column.", "check that it is an OGIP spectrum."
                )
            primary = hdus[0].data
            weighted = None if primary is None or primary.ndim != 2 else np.asarray(primary)
            return {**_columns(table, path), "weighted_map": weighted}


@dataclass(frozen=True, eq=False)
class GroupedSpectrum:
    """Channels summed into groups; totals are those of the channels that were kept.

    Attributes
    ----------
    first, last : ndarray of int, (groups,)
        First and last channel number of each group.
    energy_lo, energy_hi : ndarray, (groups,)
        Energy edges, keV.
    counts : ndarray, (groups,)
        Source-region counts.
    background_counts : ndarray, (groups,)
        Counts of the background spectrum itself.
    scaled_background : ndarray, (groups,)
        Background counts times the scale of exposure and area, summed channel by channel.
    scaled_background_variance : ndarray, (groups,)
        Its variance.
    exposure : float
        Seconds.
    scheme : str
        How it was grouped.
    """

    first: np.ndarray
    last: np.ndarray
    energy_lo: np.ndarray
    energy_hi: np.ndarray
    counts: np.ndarray
    background_counts: np.ndarray
    scaled_background: np.ndarray
    scaled_background_variance: np.ndarray
    exposure: float
    scheme: str

    def __len__(self) -> int:
        return self.counts.size

    @property
    def width(self) -> np.ndarray:
        """Width of each group in keV."""
        return self.energy_hi - self.energy_lo

    @property
    def net_counts(self) -> np.ndarray:
        """Source-region counts less scaled background."""
        return np.asarray(self.counts - self.scaled_background)

    @property
    def rate(self) -> Quantity:
        """Net counts a second and keV; rate times width sums to the net rate."""
        return self._density(self.net_counts)

    @property
    def source_rate(self) -> Quantity:
        """Source-region counts a second and keV, background included."""
        return self._density(self.counts)

    @property
    def background_rate(self) -> Quantity:
        """Scaled background a second and keV."""
        return self._density(self.scaled_background)

    @property
    def rate_error(self) -> tuple[Quantity, Quantity]:
        """Lower and upper errors of `rate`: Gehrels (1986) for the counts, in quadrature with the background's."""
        from xtendsrc.statistics import poisson_errors

        lower, upper = poisson_errors(self.counts)
        variance = self.scaled_background_variance
        return self._density(np.sqrt(lower**2 + variance)), self._density(np.sqrt(upper**2 + variance))

    def _density(self, counts: np.ndarray) -> Quantity:
        import astropy.units as u

        return counts / self.exposure / self.width * u.ct / u.s / u.keV


def _columns(table: Any, path: Path) -> dict[str, Any]:
    """Read the columns of a SPECTRUM extension, or the keywords that stand for them."""
    names, header = table.columns.names, table.header.copy()
    if "EXPOSURE" not in header:
        raise InputFileError(f"{path} has no EXPOSURE keyword.", "check the file that it comes from.")
    channels = np.asarray(table.data["CHANNEL"], int)
    if "COUNTS" in names:
        counts = np.asarray(table.data["COUNTS"])
        whole = counts.dtype.kind in "iu" or bool(np.all(counts == np.rint(counts)))
        counts = counts.astype(np.int64 if whole else float)
    elif "RATE" in names:
        counts = np.asarray(table.data["RATE"], float) * float(header["EXPOSURE"])
    else:
        raise InputFileError(f"{path} has neither COUNTS nor RATE.", "check that it is an OGIP type I spectrum.")
    if counts.ndim != 1:
        raise InputFileError(f"{path} holds several spectra (type II).", "extract the one you want first.")

    def of(name: str, default: float) -> np.ndarray:
        if name in names:
            return np.asarray(table.data[name])
        return np.full(channels.size, header.get(name, default))

    error = np.asarray(table.data["STAT_ERR"], float) if "STAT_ERR" in names and not header.get("POISSERR") else None
    return {
        "header": header,
        "channels": channels,
        "counts": counts,
        "stat_error": error,
        "backscal": of("BACKSCAL", 1.0).astype(float),
        "areascal": of("AREASCAL", 1.0).astype(float),
        "quality": of("QUALITY", 0).astype(int),
        "grouping": of("GROUPING", 0).astype(int),
    }
