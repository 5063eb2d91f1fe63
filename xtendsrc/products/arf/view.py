"""The picture of an effective area."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.products.rmf.view import mark
from xtendsrc.view.figure import CURVE_SIZE, SOURCE, drawn_on, new_axes, widen

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xtendsrc.products.arf.product import ARF


def view_arf(
    product: ARF,
    ax: Axes | None = None,
    *,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
    title: str | None = None,
    label: str | None = None,
) -> Axes:
    """Draw an effective area against energy; a second one on the same axes in another colour, with a legend."""
    if ax is None:
        ax = new_axes(CURVE_SIZE, figure, position)
    low, high = product.energies.value.T
    area = product.area_cm2
    drawn = drawn_on(ax)
    ax.plot((low + high) / 2, area, c=drawn.colour or SOURCE, lw=1, label=label or product.short_title)
    ax.set_xscale("log")
    seen = np.flatnonzero(area > 0)
    if seen.size:
        widen(ax, "x", low[seen[0]] or high[seen[0]], high[seen[-1]], drawn)
        widen(ax, "y", 0.0, 1.05 * float(area.max()), drawn)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("Energy (keV)")
    ax.set_ylabel("Effective area (cm$^2$)")
    mark(ax, product, title)
    drawn.number += 1
    if drawn.number > 1 or label:
        ax.legend(fontsize=8, frameon=False)
    return ax
