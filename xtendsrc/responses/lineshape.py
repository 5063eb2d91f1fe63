"""The response of the CCD to one photon energy: four Gaussians and a flat part, on a grid of channels.

The algorithm is that of HEASoft's ``sxirmf``: main peak, secondary peak, escape peak, fluorescence peak and constant,
each sampled at the channel centres within five sigma, normalised to one, and summed by amplitude.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import Mode

    Floats = NDArray[np.float64]

SIGMAS = 5.0
"""Gaussians are cut this many sigma from their centre."""

FWHM_OF_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
_BLOCK_ROWS = 160
"""Photon energies computed at once: small enough for the processor's cache."""


@dataclass(frozen=True)
class ChannelGrid:
    """Channels of equal width, the first starting at energy zero.

    Attributes
    ----------
    width : float
        Width of a channel, keV.
    number : int
        How many there are.
    """

    width: float
    number: int

    @property
    def centres(self) -> Floats:
        """Mean of the edges of every channel, keV."""
        low = np.arange(self.number) * self.width
        return 0.5 * (low + (low + self.width))

    def channel(self, energy: Floats) -> NDArray[np.int64]:
        """Return the number of the channel that holds an energy, not limited to those that exist."""
        return np.floor(energy / self.width).astype(np.int64)


@dataclass(frozen=True, eq=False)
class LineParameters:
    """The line shape at photon energies, for each part of the detector.

    Attributes
    ----------
    energy : ndarray, (energies,)
        Photon energies, keV.
    offset : ndarray, (4, parts, energies)
        How far below the photon energy each Gaussian is centred, keV: main, secondary, escape, fluorescence.
    fwhm : ndarray, (4, parts, energies)
        Full widths at half maximum, keV.
    amplitude : ndarray, (5, parts, energies)
        Relative weights of the four Gaussians and the constant; the main peak has 1.
    weight : ndarray, (parts,)
        Fraction of the counts in each part.
    """

    energy: Floats
    offset: Floats
    fwhm: Floats
    amplitude: Floats
    weight: Floats

    def __post_init__(self) -> None:
        names = ("PRIMARY", "SECONDARY", "ESCAPE", "FLUOR")
        for name, fwhm in zip(names, self.fwhm, strict=True):
            if (fwhm == 0).any():
                energy = self.energy[(fwhm == 0).any(axis=0).argmax()]
                raise CalibrationError(
                    f"{name}_FWHM is zero at {energy:g} keV: no response can be made.", "give another parameter file."
                )


def response_blocks(line: LineParameters, grid: ChannelGrid, mode: Mode) -> Iterator[tuple[slice, Floats]]:
    """Yield the redistribution matrix, some photon energies at a time.

    Parameters
    ----------
    line : LineParameters
        Line shapes and weights.
    grid : ChannelGrid
        Channels.
    mode : {"task", "right"}
        ``task`` clips each Gaussian to the grid and normalises what is left: a line above the grid falls into the
        last channel, and a row is NaN where a Gaussian underflows. ``right`` normalises each component over channels
        that go on beyond the last one, so that what lies above the grid is lost, and leaves out a Gaussian that lies
        wholly below the first channel.

    Yields
    ------
    rows : slice
        Which photon energies.
    probability : ndarray, (rows, channels)
        Valid until the next one is asked for.
    """
    sigma = line.fwhm / FWHM_OF_SIGMA
    centre = line.energy - line.offset
    amplitude, if_empty = line.amplitude, np.nan
    if mode == "right":
        _check_widths(line)
        grid, kept = _extended(grid, line.energy, centre + SIGMAS * sigma), grid.number
        below = grid.channel(centre + SIGMAS * sigma) < 0
        amplitude, if_empty = np.concatenate([np.where(below, 0.0, amplitude[:4]), amplitude[4:]]), 1.0
    else:
        kept = grid.number
    share = line.weight[:, None] * amplitude / amplitude.sum(axis=0)
    for start in range(0, len(line.energy), _BLOCK_ROWS):
        rows = slice(start, min(start + _BLOCK_ROWS, len(line.energy)))
        dense = np.zeros((rows.stop - rows.start, grid.number))
        for component in range(4):
            parts = (component, slice(None), rows)
            _add_gaussians(dense, grid, centre[parts], sigma[parts], share[parts], if_empty)
        _add_constant(dense, grid, line.energy[rows], share[4, :, rows].sum(axis=0))
        yield rows, dense[:, :kept]


def _check_widths(line: LineParameters) -> None:
    if (line.fwhm < 0).any():
        energy = line.energy[(line.fwhm < 0).any(axis=(0, 1)).argmax()]
        raise CalibrationError(
            f"A line width extrapolated to {energy:g} keV is negative.", "take photon energies nearer to the file's."
        )


def _extended(grid: ChannelGrid, energy: Floats, upper: Floats) -> ChannelGrid:
    """The grid, with as many channels added as the lines need."""
    need = int(grid.channel(np.array([max(upper.max(), energy.max())]))[0]) + 1
    return ChannelGrid(grid.width, max(grid.number, need))


def _add_gaussians(
    dense: Floats, grid: ChannelGrid, centre: Floats, sigma: Floats, share: Floats, if_empty: float
) -> None:
    """Add one component of all parts (parts, rows) to `dense` (rows, channels).

    All parts are summed in one window of channels a row, so that the rows are touched once. `if_empty` is the norm of
    a Gaussian that underflows at every channel; NaN makes the whole row NaN.
    """
    first = np.clip(grid.channel(centre - SIGMAS * sigma), 0, grid.number - 1)
    last = np.clip(grid.channel(centre + SIGMAS * sigma), 0, grid.number - 1)
    start = first.min(axis=0)
    width = max(int((last.max(axis=0) - start).max()), 0) + 1
    start = np.minimum(start, grid.number - width)
    step = np.arange(width)
    energy = grid.centres[start[:, None] + step]
    total, values = np.zeros_like(energy), np.empty_like(energy)
    empty = np.zeros(len(dense), bool)
    for part in range(len(centre)):
        _gaussian(values, energy, centre[part], sigma[part])
        values[step < (first[part] - start)[:, None]] = 0.0
        values[step > (last[part] - start)[:, None]] = 0.0
        norm = values.sum(axis=1)
        norm[norm == 0] = if_empty
        values *= share[part][:, None]
        values /= norm[:, None]
        total += values
        empty |= np.isnan(norm)
    columns = (np.arange(len(dense)) * grid.number + start)[:, None] + step
    dense.reshape(-1)[columns] += total
    dense[empty] = np.nan


def _gaussian(out: Floats, energy: Floats, centre: Floats, sigma: Floats) -> None:
    """Write exp(-(E - centre)^2 / 2 sigma^2) of every row into `out`; its norm does not matter."""
    np.subtract(energy, centre[:, None], out=out)
    np.multiply(out, out, out=out)
    np.multiply(out, (-0.5 / sigma**2)[:, None], out=out)
    np.exp(out, out=out)


def _add_constant(dense: Floats, grid: ChannelGrid, energy: Floats, share: Floats) -> None:
    """Spread `share` (rows,) evenly from channel 0 to the channel of the photon's energy."""
    stop = np.clip(grid.channel(energy), 0, grid.number - 1) + 1
    for row, (end, value) in enumerate(zip(stop.tolist(), (share / stop).tolist(), strict=True)):
        dense[row, :end] += value
