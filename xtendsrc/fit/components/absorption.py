"""Photoelectric absorption by neutral gas.

The cross sections were tabulated from XSPEC's own (HEASoft 6.35) on energies close enough that a straight line between
logarithms is good to 1e-6; XSPEC gives a bin the mean of the cross sections at its two edges, and so do we.

References
----------
Wilms, Allen & McCray 2000, ApJ 542, 914 (tbabs); Verner et al. 1996, ApJ 465, 487 (vern).
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from xtendsrc.fit.components.base import Array, ModelSettings, Native
    from xtendsrc.fit.grid import Grid


@cache
def _table(name: str) -> dict[str, Array]:
    """Return a table of cross sections: ``energy`` in keV, and arrays in 1e-22 cm2."""
    with (resources.files("xtendsrc") / "data" / "fit" / f"{name}.npz").open("rb") as stream, np.load(stream) as held:
        return {key: held[key].astype(float) for key in held.files}


def _tbabs_sigma(grid: Grid, settings: ModelSettings) -> Array:
    """Return the cross section of tbabs in each bin, in 1e-22 cm2 per hydrogen atom."""
    table = _table("tbabs")
    at = np.interp(np.log(grid.edges), table["log_energy"], table[settings.abund])
    sigma = np.exp(at)
    return 0.5 * (sigma[1:] + sigma[:-1])


def tbabs(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the transmission of the interstellar medium: gas, grains and molecules."""
    sigma = grid.remember(("tbabs", settings.abund), lambda: _tbabs_sigma(grid, settings))
    return np.exp(-values[0] * sigma)


COMPONENTS: dict[str, Native] = {"tbabs": tbabs}
