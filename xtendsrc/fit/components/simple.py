"""Multiplicative components in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from xtendsrc.fit.components.base import Array, ModelSettings, Native
    from xtendsrc.fit.grid import Grid


def constant(values: Array, grid: Grid, settings: ModelSettings) -> Array:
    """Return the same factor in every bin."""
    return np.full(grid.size, values[0])


COMPONENTS: dict[str, Native] = {"constant": constant}
