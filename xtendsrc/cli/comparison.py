"""The calibrated responses of one observation by two engines, and how they differ with energy."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import GridMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astropy.coordinates import SkyCoord

    from xtendsrc.products import ARF, RMF

ENGINES = ("heasoft", "native")
EDGES = (0.4, 0.6, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0)
"""Edges of the energy bands that are compared, keV."""


@dataclass(frozen=True)
class Difference:
    """Difference of two responses in one energy band.

    Attributes
    ----------
    low, high : float
        The band, keV.
    first, second : float
        Mean effective area of each, cm2.
    shift : float
        By how much the mean channel energy of the second matrix is higher, eV.
    moved : float
        Share of the photons that the second matrix puts into other channels.
    """

    low: float
    high: float
    first: float
    second: float
    shift: float
    moved: float


def compared(observation: Path, position: SkyCoord) -> list[Difference]:
    """Make matrix and area of a source with both engines in a temporary directory, and compare them.

    Parameters
    ----------
    observation : Path
        Directory of the ObsID.
    position : SkyCoord
        Of the source.

    Raises
    ------
    BatchError
        If an engine cannot make them.
    """
    import xtendsrc as xs

    made: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="xtendsrc-responses-") as scratch:
        for engine in ENGINES:
            source = xs.PointSource(
                position, name="responses", archive=observation.parent, output=Path(scratch) / engine
            )
            wanted = {"response": "calibrated", "obs_id": observation.name, "engine": engine}
            spectrum: Any = source.spectra(background="none", **wanted)[0]
            xs.compute(spectrum, engine=engine, quiet=True).raise_for()
            made.append((spectrum.rmf, spectrum.arf))
        return differences(*made)


def differences(first: tuple[RMF, ARF], second: tuple[RMF, ARF]) -> list[Difference]:
    """Compare two pairs of matrix and area, band by band.

    Raises
    ------
    GridMismatchError
        If their energies or channels differ.
    """
    energies = [arf.energies.value.mean(axis=1) for _, arf in (first, second)]
    grids = [rmf.energies.value for rmf, _ in (first, second)]
    if not all(a.shape == b.shape and np.allclose(a, b, rtol=1e-5) for a, b in (energies, grids)):
        raise GridMismatchError("The responses of both engines have different energies.", "compare them by hand.")
    return [d for low, high in pairwise(EDGES) if (d := _band(first, second, low, high))]


def _band(first: tuple[RMF, ARF], second: tuple[RMF, ARF], low: float, high: float) -> Difference | None:
    energy = first[1].energies.value.mean(axis=1)
    inside = (energy >= low) & (energy < high)
    row = int(np.argmin(np.abs(first[0].energies.value.mean(axis=1) - (low + high) / 2)))
    areas = [float(arf.area.value[inside].mean()) if inside.any() else 0.0 for _, arf in (first, second)]
    if not any(areas):
        return None
    rows = [rmf.matrix[[row]].toarray()[0] for rmf, _ in (first, second)]
    middle = first[0].channel_energies.value.mean(axis=1)
    means = [float((r * middle).sum() / r.sum()) if r.sum() > 0 else np.nan for r in rows]
    moved = float(np.abs(rows[1] - rows[0]).sum()) / 2
    return Difference(low, high, areas[0], areas[1], 1000 * (means[1] - means[0]), moved)


def lines(found: list[Difference]) -> Iterator[str]:
    """Lines of a table of the differences."""
    first, second = (f"{engine} cm2" for engine in ENGINES)
    yield f"{'keV':>12s} {first:>12s} {second:>12s} {'ratio':>8s} {'shift eV':>9s} {'moved':>8s}"
    for d in found:
        ratio = f"{d.second / d.first:8.4f}" if d.first else f"{'-':>8s}"
        yield f"{d.low:5.1f} -{d.high:5.1f} {d.first:12.3f} {d.second:12.3f} {ratio} {d.shift:9.3f} {d.moved:8.5f}"
