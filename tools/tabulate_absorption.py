"""Tabulate the photoelectric cross sections of the elements from XSPEC's model library.

    python tools/tabulate_absorption.py [DIRECTORY]

Needs ``xtendsrc[xspec-library]``; takes a minute, and writes ``tbabs.npz`` and ``phabs_*.npz`` as they are in
``xtendsrc/data/fit``. A cross section is minus the logarithm of the transmission of a very narrow bin over a column,
which is chosen so that an optical depth of about two is read. Points are added half-way until a straight line between
the logarithms is good to `TOLERANCE`, or the two sides of an edge are a millionth apart.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.fit.catalogue import find
from xtendsrc.fit.components.absorption import ABSORBERS
from xtendsrc.fit.components.base import CROSS_SECTIONS, ModelSettings
from xtendsrc.fit.library import LibraryModels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TOLERANCE = 3e-6
ENERGIES = 0.07, 99.99
CLOSEST = 1e-6
"""Smallest step of the logarithm of the energy."""
ENHANCED = 1e4
"""Abundance over solar of the element that is measured, so that hydrogen does not matter."""
NOTHING = 1e-30
LAST = {"phabs_obcm": {"He": 10.0}}
"""Energies in keV above which a cross section is noise, and every 150th point is kept."""

Curve = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def optical_depth(
    library: LibraryModels, name: str, more: list[float], settings: ModelSettings, energy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the optical depth of a column of 1e22 cm-2 at each energy."""
    edges = np.stack([energy, energy * (1 + 1e-9)], axis=1).ravel()
    best, distance = np.zeros(energy.size), np.full(energy.size, np.inf)
    for column in 10.0 ** np.arange(-8, 8):
        found = library.evaluate(find(name), np.array([column, *more]), edges, settings)[::2]
        depth = -np.log(np.clip(found, 1e-300, None))
        off = np.abs(np.log(np.maximum(depth, NOTHING) / 2))
        closer = off < distance
        best[closer], distance[closer] = depth[closer] / column, off[closer]
    return best


def adapted(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Curve:
    """Return logarithms of energy and value at points close enough for straight lines."""
    log_energy = np.log(np.geomspace(*ENERGIES, 121))
    value = np.log(np.maximum(function(np.exp(log_energy)), NOTHING))
    open_ = np.ones(log_energy.size - 1, dtype=bool)
    while open_.any():
        left = np.flatnonzero(open_)
        middle = 0.5 * (log_energy[left] + log_energy[left + 1])
        there = np.log(np.maximum(function(np.exp(middle)), NOTHING))
        off = np.abs(0.5 * (value[left] + value[left + 1]) - there)
        more = (off > TOLERANCE) & (log_energy[left + 1] - log_energy[left] > CLOSEST)
        log_energy, value = (np.insert(a, left[more] + 1, b[more]) for a, b in ((log_energy, middle), (value, there)))
        open_ = np.zeros(log_energy.size - 1, dtype=bool)
        new = left[more] + np.arange(more.sum())
        open_[new] = open_[new + 1] = True
    return log_energy, value


def curves(library: LibraryModels, name: str, rest: list[float], settings: ModelSettings) -> dict[str, Curve]:
    """Return the cross section of each element; ``rest`` are the parameters after the abundances."""

    def depth(abundances: list[float], energy: NDArray[np.float64]) -> NDArray[np.float64]:
        return optical_depth(library, name, [*abundances, *rest], settings, energy)

    def alone(abundances: list[float], energy: NDArray[np.float64]) -> NDArray[np.float64]:
        return (depth(abundances, energy) - depth(none, energy)) / ENHANCED

    metals = len(ABSORBERS) - 1
    none = [0.0] * metals
    found = {"H": adapted(lambda energy: depth(none, energy))}
    for place, element in enumerate(ABSORBERS[1:]):
        found[element] = adapted(partial(alone, [ENHANCED if n == place else 0.0 for n in range(metals)]))
    return found


def write(path: Path, found: dict[str, Curve]) -> None:
    """Write the points of all elements one after the other, in single precision."""
    thinned = []
    for element, (log_energy, value) in found.items():
        limit = np.log(LAST.get(path.stem, {}).get(element, np.inf))
        place = np.arange(log_energy.size)
        kept = (log_energy < limit) | (place % 150 == 0) | (place == place[-1])
        thinned.append((log_energy[kept], value[kept]))
    np.savez_compressed(
        path,
        count=np.array([curve[0].size for curve in thinned], dtype=np.int32),
        log_energy=np.concatenate([curve[0] for curve in thinned]).astype(np.float32),
        log_sigma=np.concatenate([curve[1] for curve in thinned]).astype(np.float32),
    )


def main(directory: Path) -> None:
    """Write the four tables."""
    with LibraryModels(atomdb="") as library:
        grainless = [0.2, 1.0, 0.025, 0.25, 3.5, *[1.0] * len(ABSORBERS), 0.0]
        write(directory / "tbabs.npz", curves(library, "tbvarabs", grainless, ModelSettings(abund="angr")))
        for xsect in CROSS_SECTIONS:
            settings = ModelSettings(abund="angr", xsect=xsect)
            write(directory / f"phabs_{xsect}.npz", curves(library, "vphabs", [], settings))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
