"""The calibrated redistribution matrix of a spectrum, as HEASoft's ``xtdrmf`` (``sxirmf``) makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from xtendsrc.errors import RequestError, UnitsError
from xtendsrc.responses.calfile import check_mode
from xtendsrc.responses.detectorweights import part_weights
from xtendsrc.responses.lineshape import ChannelGrid, response_blocks
from xtendsrc.responses.rmffile import Groups, MatrixFile, groups_of, write_matrix
from xtendsrc.responses.rmfparameters import read_map, read_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.units import Quantity
    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import Mode
    from xtendsrc.responses.rmfparameters import ParameterBlock, SpectrumMap

    Floats = NDArray[np.float64]

FIRST_ENERGY, WIDTHS, BINS = 200 * u.eV, (2, 24) * u.eV, (5900, 500)
"""Photon energies of ``xtdrmf``: 0.2-12 keV in steps of 2 eV, then to 24 keV in steps of 24 eV."""

CHANNEL_WIDTH, CHANNELS, THRESHOLD = 6 * u.eV, 4096, 1e-6
"""Channels of ``xtdrmf``, and the smallest probability that it writes."""

RIGHT = (
    "mode=right: detector map read by rows; a map pixel lies in a part only if",
    "within its corners; components above the last channel are lost, not piled",
    "into it; Gaussians below the first channel are left out, not NaN.",
)
TASK = ("mode=task: as sxirmf 6.20 computes, with its known faults.",)


@dataclass(frozen=True, eq=False)
class RMFResult:
    """A redistribution matrix that was written.

    Attributes
    ----------
    path : Path
        The file.
    energy_low, energy_high : ndarray, (energies,)
        Edges of the photon energy bins, keV.
    weights : ndarray, (parts,)
        Counts of the spectrum in each part of the detector, in the order of the parameter file.
    groups : Groups
        The groups of channels of every row and the elements in them.
    mode : {"task", "right"}
        How it was computed.
    outside : float
        Counts of the map that lie in no part and were left out.
    """

    path: Path
    energy_low: Floats
    energy_high: Floats
    weights: Floats
    groups: Groups = field(repr=False)
    mode: Mode
    outside: float

    def __fspath__(self) -> str:
        return str(self.path)


def rmf(
    spectrum: str | Path,
    *,
    parameters: str | Path,
    out: str | Path,
    first_energy: Quantity = FIRST_ENERGY,
    widths: Quantity = WIDTHS,
    bins: Sequence[int] = BINS,
    channel_width: Quantity = CHANNEL_WIDTH,
    channels: int = CHANNELS,
    threshold: float = THRESHOLD,
    mode: Mode = "right",
) -> RMFResult:
    """Make the redistribution matrix of a spectrum from the line parameters of the calibration database.

    Parameters
    ----------
    spectrum : path
        Spectrum whose primary HDU is a weighted map in DET pixels.
    parameters : path
        Line parameters (``xa_xtd_rmfparam_*.fits``).
    out : path
        The matrix to write (OGIP CAL/GEN/92-002); replaced if it exists.
    first_energy, widths, bins : Quantity, Quantity, sequence of int
        Photon energies: from `first_energy`, so many bins of each width. The default is that of ``xtdrmf``.
    channel_width, channels : Quantity, int
        Channels, the first one from zero.
    threshold : float
        Groups of channels hold probabilities above this.
    mode : {"task", "right"}
        ``task`` equals ``sxirmf`` of HEASoft 6.20 with its faults; ``right`` mends them (see the page on responses).

    Returns
    -------
    RMFResult
        With the path and the arrays of the matrix.

    Raises
    ------
    InputNotFoundError
        If a file is missing.
    InputFileError
        If the spectrum has no usable map.
    CalibrationError
        If the parameter file is damaged, of another instrument, or not valid at the time.
    RegionError
        If no count lies in a part of the detector with parameters.
    RequestError
        If the grids make no sense.
    """
    mode = check_mode(mode)
    low, width = _photon_energies(first_energy, widths, bins)
    grid = ChannelGrid(float(_kev(channel_width, "channel_width")), channels)
    _check_channels(grid, threshold)
    source = read_map(spectrum)
    block = read_parameters(parameters, source, mode)
    weights = part_weights(source, block.corners, mode)
    high = low + width
    line = block.at(0.5 * (low + high), weights)
    parts = [groups_of(dense, threshold) for _, dense in response_blocks(line, grid, mode)]
    groups = Groups.join(parts)
    outside = float(source.counts[source.counts > 0].sum() - weights.sum())
    result = RMFResult(Path(out), low, high, weights, groups, mode, max(outside, 0.0))
    write_matrix(_file(result, source, block, grid, threshold))
    return result


def _file(
    result: RMFResult, source: SpectrumMap, block: ParameterBlock, grid: ChannelGrid, threshold: float
) -> MatrixFile:
    history = [
        f"spectrum {source.path.name}",
        f"rmfparam {block.table.path.name}[{block.table.name}]",
        f"epoch TIME={block.table.floats('TIME')[block.rows.start]:.0f}, observation {source.time:.0f}",
        f"{np.count_nonzero(result.weights)} of {len(result.weights)} parts of the detector hold counts",
        *(RIGHT if result.mode == "right" else TASK),
    ]
    return MatrixFile(
        path=result.path,
        energy_low=result.energy_low,
        energy_high=result.energy_high,
        groups=result.groups,
        grid=grid,
        threshold=threshold,
        telescope=str(source.header["TELESCOP"]).strip(),
        instrument=source.instrument,
        date_obs=str(source.header["DATE-OBS"]).strip(),
        charge_injection=source.header.get("CISTATUS"),
        history=tuple(history),
    )


def _photon_energies(first: Quantity, widths: Quantity, bins: Sequence[int]) -> tuple[Floats, Floats]:
    """Lower edges and widths of the photon energy bins, keV."""
    steps = np.atleast_1d(np.asarray(_kev(widths, "widths")))
    numbers = np.atleast_1d(np.asarray(bins))
    start = float(_kev(first, "first_energy"))
    if steps.shape != numbers.shape:
        raise RequestError(
            f"There are {len(steps)} widths of photon energy bins and {len(numbers)} numbers of bins.",
            "give one number for each width.",
        )
    if not (np.isfinite(steps).all() and (steps > 0).all() and (numbers > 0).all() and start > 0):
        raise RequestError("Photon energies must start above zero and have bins of positive width.", "check the grid.")
    edges = start + np.concatenate([[0.0], np.cumsum(steps * numbers)])
    low = np.concatenate([edge + np.arange(n) * step for edge, n, step in zip(edges[:-1], numbers, steps, strict=True)])
    return low, np.repeat(steps, numbers)


def _check_channels(grid: ChannelGrid, threshold: float) -> None:
    if grid.number < 1 or not grid.width > 0:
        raise RequestError(f"{grid.number} channels of {grid.width} keV make no matrix.", "check the channel grid.")
    if not 0 <= threshold < 1:
        raise RequestError(f"The threshold cannot be {threshold}.", "give a probability, such as 1e-6.")


def _kev(value: Quantity, name: str) -> Floats | float:
    try:
        converted: Floats | float = u.Quantity(value).to_value(u.keV)
    except u.UnitConversionError as err:
        raise UnitsError(
            f"{name} must be an energy, not {value!r}.", "give it with its unit, such as 6 * u.eV."
        ) from err
    return converted
