"""Spectra summed into groups of channels: for fits, for the eye, or as a file's own GROUPING says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, RequestError
from xtendsrc.instrument.energy import band_to_channels
from xtendsrc.measure.grouping import LEFT_OVER, group
from xtendsrc.measure.statistics import poisson_errors

if TYPE_CHECKING:
    from astropy.units import Quantity

    from xtendsrc.products.spectrum.product import Spectrum

FIT_GROUPING = "fwhm/3"
"""Groups of a third of the resolution that hold at least one background count each, where there is a background: they
depend on no source count, so that the W statistic is unbiased; ``min 1`` of the source shifts a photon index by one
sigma at 2000 counts."""


@dataclass(frozen=True, eq=False)
class GroupedSpectrum:
    """Channels summed into groups; totals are those of the channels that were kept.

    Attributes
    ----------
    first, last : ndarray of int, (groups,)
        First and last channel number of each group; a group never spans a channel that was left out.
    energy_lo, energy_hi : ndarray, (groups,)
        Energy edges, keV.
    counts : ndarray, (groups,)
        Source-region counts.
    errors : tuple of two ndarrays, (groups,)
        Lower and upper one-sigma errors of the counts: Poisson, or the file's own STAT_ERR in quadrature.
    background_counts : ndarray, (groups,)
        Counts of the background spectrum itself.
    scale : ndarray, (groups,)
        What background counts are multiplied with: exposure x BACKSCAL x AREASCAL of the source over the background's.
    scaled_background : ndarray, (groups,)
        Background counts times the scale, summed channel by channel.
    background_errors : tuple of two ndarrays, (groups,)
        Lower and upper one-sigma errors of the scaled background.
    complete : ndarray of bool, (groups,)
        False for channels at an end that did not fill a group of the scheme and are summed into one all the same.
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
    errors: tuple[np.ndarray, np.ndarray]
    background_counts: np.ndarray
    scale: np.ndarray
    scaled_background: np.ndarray
    background_errors: tuple[np.ndarray, np.ndarray]
    complete: np.ndarray
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
        """Lower and upper errors of `rate`, of source and background in quadrature.

        A net rate goes down where the source does or the background goes up, so the background's upper error belongs
        to the lower error of the net.
        """
        (lower, upper), (below, above) = self.errors, self.background_errors
        return self._density(np.hypot(lower, above)), self._density(np.hypot(upper, below))

    def _density(self, counts: np.ndarray) -> Quantity:
        import astropy.units as u

        return counts / self.exposure / self.width * u.ct / u.s / u.keV


def group_spectrum(spectrum: Spectrum, scheme: str | None = None, energy: Any = None) -> GroupedSpectrum:
    """Sum the channels of a spectrum into groups.

    Channels outside the band and channels of bad QUALITY are left out first; each run of neighbours that remain is
    grouped by itself, so that the first group starts at the first channel noticed and none spans a gap. QUALITY 2,
    with which grouping tasks mark what did not fill a group, is bad for the file's own grouping only.

    Parameters
    ----------
    spectrum : Spectrum
        The spectrum; its background is summed over the same channels.
    scheme : str, optional
        See `xtendsrc.measure.grouping.Scheme.parse`; the file's own GROUPING if not given.
    energy : Quantity of two energies, optional
        For Xtend the channels of `xtendsrc.instrument.band_to_channels`, else those whose middle is inside.

    Raises
    ------
    RequestError
        For an unknown scheme, one that needs a background that is not there, or a selection without a channel.
    """
    edges = spectrum.channel_energies.value
    kept = np.flatnonzero(_good(spectrum, scheme) & _inside(spectrum, edges, energy))
    if kept.size == 0:
        raise RequestError(f"No good channel of {spectrum!r} is in {energy}.", "widen the band.")
    starts, complete = _starts(spectrum, scheme, kept, edges)
    stops = np.append(starts[1:], kept.size)
    first, last = kept[starts], kept[stops - 1]
    scale, scaled, errors = _background(spectrum, kept, starts)
    return GroupedSpectrum(
        first=spectrum.channels[first],
        last=spectrum.channels[last],
        energy_lo=np.minimum(edges[first, 0], edges[last, 0]),
        energy_hi=np.maximum(edges[first, 1], edges[last, 1]),
        counts=_sum(spectrum.counts, kept, starts),
        errors=_errors(spectrum, kept, starts),
        background_counts=_background_counts(spectrum, kept, starts),
        scale=scale,
        scaled_background=scaled,
        background_errors=errors,
        complete=complete,
        exposure=float(spectrum.header["EXPOSURE"]),
        scheme=scheme or "file",
    )


def _good(spectrum: Spectrum, scheme: str | None) -> np.ndarray:
    quality = spectrum.quality
    left_over = (quality == LEFT_OVER) & (spectrum.grouping < 0).any()
    good: np.ndarray = (quality == 0) | left_over if scheme is not None else quality == 0
    return good


def _inside(spectrum: Spectrum, edges: np.ndarray, energy: Any) -> np.ndarray:
    """Tell which channels are in a band."""
    if energy is None:
        return np.ones(len(edges), bool)
    if str(spectrum.header.get("INSTRUME", "XTEND")).strip().upper() == "XTEND":
        lowest, highest = band_to_channels(energy)
        return np.asarray((spectrum.channels >= lowest) & (spectrum.channels <= highest))
    try:
        low, high = (float(e.to_value("keV")) for e in energy)
    except (AttributeError, TypeError, ValueError) as error:
        raise RequestError(
            f"{energy!r} is not an energy band.", "give two energies, e.g. (0.5, 10) * u.keV."
        ) from error
    middle = edges.mean(axis=1)
    return np.asarray((middle > low) & (middle <= high))


def _starts(
    spectrum: Spectrum, scheme: str | None, kept: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where groups start among the channels kept, and whether each was filled."""
    gaps = np.flatnonzero(np.diff(kept) > 1) + 1
    begin, complete = np.zeros(kept.size, bool), np.ones(kept.size, bool)
    begin[np.append(0, gaps)] = True
    if scheme is None:
        begin |= spectrum.grouping[kept] >= 0
        return np.flatnonzero(begin), complete[begin]
    background = spectrum.background
    fwhm = _resolution(spectrum, edges) if "fwhm" in scheme.lower() else None
    for run in np.split(np.arange(kept.size), gaps):
        here = kept[run]
        flags = group(
            spectrum.counts[here],
            scheme,
            background=None if background is None else background.counts[here],
            fwhm=None if fwhm is None else fwhm[here],
        )
        left = flags.quality == LEFT_OVER
        begin[run] = (flags.grouping >= 0) & ~left
        begin[run[0]] = True
        if left.any():
            begin[run[left.argmax()]] = True
        complete[run] = ~left
    return np.flatnonzero(begin), complete[begin]


def _resolution(spectrum: Spectrum, edges: np.ndarray) -> np.ndarray:
    """FWHM of the response at each channel, in channels: of the RMF, or Xtend's nominal one where there is none."""
    middle, width = edges.mean(axis=1), edges[:, 1] - edges[:, 0]
    if spectrum.response_kind == "none":
        from xtendsrc.responses.nominal import fwhm

        return np.asarray(fwhm(middle) / width)
    rmf = spectrum.rmf
    return np.asarray(np.interp(middle, rmf.energies.value.mean(axis=1), rmf.fwhm().value) / width)


def _sum(values: np.ndarray, kept: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values[kept], starts)


def _errors(spectrum: Spectrum, kept: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper errors of summed counts: Poisson (Gehrels 1986), or STAT_ERR in quadrature."""
    if spectrum.stat_error is not None:
        error = np.sqrt(_sum(spectrum.stat_error**2, kept, starts))
        return error, error
    if (spectrum.counts < 0).any():
        raise InputFileError(
            f"{spectrum!r} has negative counts and no STAT_ERR, so they have no errors.",
            "use the spectrum before its background was subtracted.",
        )
    return poisson_errors(_sum(spectrum.counts, kept, starts))


def _background_counts(spectrum: Spectrum, kept: np.ndarray, starts: np.ndarray) -> np.ndarray:
    background = spectrum.background
    return np.zeros(starts.size) if background is None else _sum(background.counts, kept, starts)


def _background(
    spectrum: Spectrum, kept: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Scale, scaled counts and their errors; where the scale varies within a group it is that of the counts there."""
    background = spectrum.background
    if background is None:
        zero = np.zeros(starts.size)
        return zero, zero, (zero, zero)
    of_channels = spectrum.background_scale
    counts = _sum(background.counts, kept, starts)
    scaled = _sum(background.counts * of_channels, kept, starts)
    mean = _sum(of_channels, kept, starts) / np.diff(np.append(starts, kept.size))
    scale = np.where(counts > 0, scaled / np.where(counts > 0, counts, 1), mean)
    if background.stat_error is not None:
        error = np.sqrt(_sum((background.stat_error * of_channels) ** 2, kept, starts))
        return scale, scaled, (error, error)
    lower, upper = _errors(background, kept, starts)
    return scale, scaled, (lower * scale, upper * scale)
