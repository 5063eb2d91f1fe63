"""The data of a fit: spectra, backgrounds and responses as plain arrays, and what is left of them in a band."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from xtendsrc.errors import GridMismatchError, InputFileError, RequestError
from xtendsrc.fit.channels import Bins, good_channels, inside_band, make_bins
from xtendsrc.fit.response import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scipy.sparse import csr_array

XTEND_BAND = (0.5, 10.0)
"""Energies in keV that Xtend spectra are fitted in by default."""

FIT_GROUPING = "fwhm/3"
"""Bins of a third of the resolution that hold at least one background count each, where there is a background: they
depend on no source count, so that the W statistic is unbiased; ``min 1`` of the source shifts a photon index by one
sigma at 2000 counts."""


@dataclass(frozen=True, eq=False)
class Counts:
    """One spectrum.

    Attributes
    ----------
    counts : ndarray, (channels,)
        Counts a channel.
    exposure : float
        Seconds.
    backscal, areascal : ndarray, (channels,)
        The OGIP scales.
    quality, grouping : ndarray of int, (channels,)
        The OGIP flags.
    stat_error : ndarray, (channels,), or None
        Errors in counts; None where counts are Poisson.
    name : str
        What errors call it.
    """

    counts: np.ndarray
    exposure: float
    backscal: np.ndarray
    areascal: np.ndarray
    quality: np.ndarray
    grouping: np.ndarray
    stat_error: np.ndarray | None = None
    name: str = "spectrum"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.exposure) and self.exposure > 0):
            raise InputFileError(f"The exposure of {self.name} is {self.exposure:g} s.", "give a positive time.")
        if not np.isfinite(self.counts).all():
            raise InputFileError(f"{self.name} has counts that are not finite numbers.", "make it again.")

    @classmethod
    def of(cls, counts: np.ndarray, exposure: float, backscal: float = 1.0, areascal: float = 1.0) -> Self:
        """Return a spectrum of Poisson counts with one scale for all channels, all of good quality."""
        size, zero = len(counts), np.zeros(len(counts), int)
        scales = (np.full(size, backscal), np.full(size, areascal))
        return cls(np.asarray(counts), float(exposure), *scales, zero, zero)

    @classmethod
    def from_content(cls, content: Mapping[str, Any], name: str = "spectrum") -> Self:
        """Return a spectrum from what the reader of OGIP spectra gives."""
        arrays = {n: content[n] for n in ("counts", "backscal", "areascal", "quality", "grouping", "stat_error")}
        return cls(exposure=float(content["header"]["EXPOSURE"]), name=name, **arrays)

    @property
    def poisson(self) -> bool:
        """Whether these are counts that follow the Poisson distribution."""
        return self.stat_error is None and bool((self.counts >= 0).all())

    @property
    def variance(self) -> np.ndarray:
        """Variance of the counts in each channel, (channels,)."""
        return np.asarray(self.counts, float) if self.stat_error is None else self.stat_error**2


@dataclass(frozen=True, eq=False)
class Dataset:
    """A spectrum with its response and, where there is one, its background.

    Attributes
    ----------
    source : Counts
        Counts of the source region.
    response : Response
        Response of the spectrum.
    background : Counts or None
        Counts of the background region, on the same channels.
    name : str
        What tables and pictures call it.
    files : mapping of str to Path
        ``source``, ``background``, ``rmf``, ``arf``, where these came from files.
    band : (float, float) or None
        Energies in keV that it is fitted in where nothing else is said; None for all good channels.
    """

    source: Counts
    response: Response
    background: Counts | None = None
    name: str = "spectrum"
    files: Mapping[str, Path] = field(default_factory=dict)
    band: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        sizes = {"its response": self.response.channels.size}
        if self.background is not None:
            sizes["its background"] = self.background.counts.size
        for what, size in sizes.items():
            if size != self.source.counts.size:
                raise GridMismatchError(
                    f"{self.name} has {self.source.counts.size} channels and {what} {size}.",
                    "use files made for each other.",
                )

    def select(self, band: tuple[float, float] | None = None, scheme: str | None = FIT_GROUPING) -> Selection:
        """Return the good channels of a band, summed into bins.

        Parameters
        ----------
        band : (float, float), optional
            Energies in keV; channels whose middle is inside are taken, all of them for None.
        scheme : str or None
            See `xtendsrc.measure.grouping.Scheme.parse`; None takes the file's own GROUPING.

        Raises
        ------
        RequestError
            If no good channel is in the band, or the scheme is unknown.
        """
        own, response = self.source, self.response
        good = good_channels(own.quality, own.grouping, scheme)
        kept = np.flatnonzero(good & inside_band(response.e_min, response.e_max, band))
        if kept.size == 0:
            where = "" if band is None else f" between {band[0]:g} and {band[1]:g} keV"
            raise RequestError(f"{self.name} has no good channel{where}.", "widen the band, or look at QUALITY.")
        fwhm = response.fwhm if scheme is not None and "fwhm" in scheme.lower() else None
        other = None if self.background is None else self.background.counts
        return Selection(self, make_bins(kept, scheme, own.counts, own.grouping, other, fwhm), band, scheme)


@dataclass(frozen=True, eq=False)
class Selection:
    """The bins of a data set that a fit uses; every array has one value a bin.

    Attributes
    ----------
    dataset : Dataset
        Whose bins they are.
    bins : Bins
        Which channels each bin holds.
    band : (float, float) or None
        The band in keV that was asked for.
    scheme : str or None
        How it was grouped.
    """

    dataset: Dataset
    bins: Bins
    band: tuple[float, float] | None = None
    scheme: str | None = None

    def __len__(self) -> int:
        return len(self.bins)

    @property
    def energy_lo(self) -> np.ndarray:
        """Lower energy of each bin, keV."""
        response = self.dataset.response
        found: np.ndarray = np.minimum(response.e_min[self.bins.first], response.e_min[self.bins.last])
        return found

    @property
    def energy_hi(self) -> np.ndarray:
        """Upper energy of each bin, keV."""
        response = self.dataset.response
        found: np.ndarray = np.maximum(response.e_max[self.bins.first], response.e_max[self.bins.last])
        return found

    @property
    def counts(self) -> np.ndarray:
        """Counts of the source region."""
        return np.asarray(self.bins.sum(self.dataset.source.counts), float)

    @property
    def variance(self) -> np.ndarray:
        """Variance of these counts: themselves, or the file's own errors in quadrature."""
        return self.bins.sum(self.dataset.source.variance)

    @property
    def background_counts(self) -> np.ndarray:
        """Counts of the background spectrum itself; zeros where there is none."""
        background = self.dataset.background
        return np.zeros(len(self)) if background is None else np.asarray(self.bins.sum(background.counts), float)

    @property
    def background_variance(self) -> np.ndarray:
        """Variance of the background counts."""
        background = self.dataset.background
        return np.zeros(len(self)) if background is None else self.bins.sum(background.variance)

    @property
    def ratio(self) -> np.ndarray:
        """What background counts are multiplied with: exposure x BACKSCAL x AREASCAL over the background's; else zero.

        Raises
        ------
        InputFileError
            If a scale of a channel in use is not positive.
        """
        background, own = self.dataset.background, self.dataset.source
        if background is None:
            return np.zeros(len(self))
        kept = self.bins.kept
        mine = (own.exposure * own.backscal * own.areascal)[kept]
        theirs = (background.exposure * background.backscal * background.areascal)[kept]
        if not ((mine > 0).all() and (theirs > 0).all()):
            raise InputFileError(
                f"BACKSCAL or AREASCAL of {self.dataset.name} or of its background is not positive.",
                "scale them again.",
            )
        of_channels = np.zeros(own.counts.size)
        of_channels[kept] = mine / theirs
        return self.bins.mean(of_channels)

    @property
    def net(self) -> np.ndarray:
        """Counts less the scaled background."""
        found: np.ndarray = self.counts - self.ratio * self.background_counts
        return found

    def folder(self, response: Response) -> csr_array:
        """Return the matrix from photons/cm2/s in the energy bins of a response to counts in the bins.

        Exposure, AREASCAL and the area of the response are in it; (bins, energies).

        Raises
        ------
        GridMismatchError
            If the response has other channels than the spectrum.
        """
        from scipy.sparse import csr_array

        own = self.dataset.source
        if response.channels.size != own.counts.size:
            raise GridMismatchError(
                f"{self.dataset.name} has {own.counts.size} channels and {response.name} {response.channels.size}.",
                "use a response on the channels of the spectrum.",
            )
        kept = self.bins.kept
        weight = own.exposure * own.areascal[kept]
        summing = csr_array((weight, (kept, self.bins.bin_of_kept)), shape=(own.counts.size, len(self)))
        folded = (response.matrix @ summing).T.tocsr()
        if response.area is not None:
            folded.data = folded.data * response.area[folded.indices]
        return folded


def read_dataset(
    path: str | Path,
    *,
    background: str | Path | None = None,
    rmf: str | Path | None = None,
    arf: str | Path | None = None,
    name: str = "",
) -> Dataset:
    """Read a spectrum with what belongs to it; BACKFILE, RESPFILE and ANCRFILE are followed unless files are given.

    Parameters
    ----------
    path : path
        An OGIP type I spectrum of any mission.
    background, rmf, arf : path, optional
        Files that take the place of those the header names.
    name : str
        What tables and pictures call it; the file's name by default.

    Raises
    ------
    InputFileError
        If a file cannot be used, or the spectrum has no RMF.
    """
    from xtendsrc.fit.spectrumfile import LINKS, linked_file, read_spectrum

    source = Path(path)
    content = read_spectrum(source)
    given = {"background": background, "rmf": rmf, "arf": arf}
    found = {n: Path(f) if f else linked_file(source, content["header"], LINKS[n]) for n, f in given.items()}
    files = {"source": source} | {n: f for n, f in found.items() if f is not None}
    if "rmf" not in files:
        raise InputFileError(f"{source} names no RESPFILE.", "give the RMF: rmf=...")
    other = None
    if "background" in files:
        other = Counts.from_content(read_spectrum(files["background"]), str(files["background"]))
    response = Response.read(files["rmf"], files.get("arf"))
    own = Counts.from_content(content, str(source))
    return Dataset(own, response, other, name or source.name, files, usual_band(content["header"]))


def usual_band(header: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the energies in keV that spectra of an instrument are fitted in: 0.5 to 10 keV for Xtend, else all."""
    return XTEND_BAND if str(header.get("INSTRUME", "")).strip().upper() == "XTEND" else None
