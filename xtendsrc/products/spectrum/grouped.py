"""Spectra summed into groups of channels: for fits, for the eye, or as a file's own GROUPING says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, RequestError
from xtendsrc.fit.channels import Bins, good_channels, inside_band, make_bins
from xtendsrc.instrument.energy import band_to_channels
from xtendsrc.measure.poisson import poisson_errors

if TYPE_CHECKING:
    from astropy.units import Quantity

    from xtendsrc.products.spectrum.product import Spectrum


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
        found: np.ndarray = self.energy_hi - self.energy_lo
        return found

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
    good = good_channels(spectrum.quality, spectrum.grouping, scheme)
    kept = np.flatnonzero(good & _inside(spectrum, edges, energy))
    if kept.size == 0:
        raise RequestError(f"No good channel of {spectrum!r} is in {energy}.", "widen the band.")
    background = spectrum.background
    bins = make_bins(
        kept,
        scheme,
        spectrum.counts,
        spectrum.grouping,
        None if background is None else background.counts,
        _resolution(spectrum, edges) if scheme is not None and "fwhm" in scheme.lower() else None,
    )
    scale, scaled, errors = _background(spectrum, bins)
    return GroupedSpectrum(
        first=spectrum.channels[bins.first],
        last=spectrum.channels[bins.last],
        energy_lo=np.minimum(edges[bins.first, 0], edges[bins.last, 0]),
        energy_hi=np.maximum(edges[bins.first, 1], edges[bins.last, 1]),
        counts=bins.sum(spectrum.counts),
        errors=_errors(spectrum, bins),
        background_counts=np.zeros(len(bins)) if background is None else bins.sum(background.counts),
        scale=scale,
        scaled_background=scaled,
        background_errors=errors,
        complete=bins.complete,
        exposure=float(spectrum.header["EXPOSURE"]),
        scheme=scheme or "file",
    )


def _inside(spectrum: Spectrum, edges: np.ndarray, energy: Any) -> np.ndarray:
    """Return which channels are in a band."""
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
    return inside_band(edges[:, 0], edges[:, 1], (low, high))


def _resolution(spectrum: Spectrum, edges: np.ndarray) -> np.ndarray:
    """FWHM of the response at each channel, in channels: of the RMF, or Xtend's nominal one where there is none."""
    middle, width = edges.mean(axis=1), edges[:, 1] - edges[:, 0]
    if spectrum.response_kind == "none":
        from xtendsrc.responses.nominal import fwhm

        return np.asarray(fwhm(middle) / width)
    rmf = spectrum.rmf
    return np.asarray(np.interp(middle, rmf.energies.value.mean(axis=1), rmf.fwhm().value) / width)


def _errors(spectrum: Spectrum, bins: Bins) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper errors of summed counts: Poisson (Gehrels 1986), or STAT_ERR in quadrature."""
    if spectrum.stat_error is not None:
        error = np.sqrt(bins.sum(spectrum.stat_error**2))
        return error, error
    if (spectrum.counts < 0).any():
        raise InputFileError(
            f"{spectrum!r} has negative counts and no STAT_ERR, so they have no errors.",
            "use the spectrum before its background was subtracted.",
        )
    return poisson_errors(bins.sum(spectrum.counts))


def _background(spectrum: Spectrum, bins: Bins) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Scale, scaled counts and their errors; where the scale varies within a group it is that of the counts there."""
    background = spectrum.background
    if background is None:
        zero = np.zeros(len(bins))
        return zero, zero, (zero, zero)
    of_channels = spectrum.background_scale
    counts = bins.sum(background.counts)
    scaled = bins.sum(background.counts * of_channels)
    scale = np.where(counts > 0, scaled / np.where(counts > 0, counts, 1), bins.mean(of_channels))
    if background.stat_error is not None:
        error = np.sqrt(bins.sum((background.stat_error * of_channels) ** 2))
        return scale, scaled, (error, error)
    lower, upper = _errors(background, bins)
    return scale, scaled, (lower * scale, upper * scale)
