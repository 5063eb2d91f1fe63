"""Drawing responses; a nominal one says that it is not calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.view.figure import CURVE_SIZE, IMAGE_SIZE, SOURCE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xtendsrc.products.rmf.product import ARF, RMF


def view_arf(
    product: ARF,
    ax: Axes | None = None,
    *,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
    title: str | None = None,
) -> Axes:
    """Draw an effective area against energy."""
    if ax is None:
        ax = new_axes(CURVE_SIZE, figure, position)
    low, high = product.energies.value.T
    area = product.area_cm2
    ax.plot((low + high) / 2, area, c=SOURCE, lw=1)
    ax.set_xscale("log")
    seen = np.flatnonzero(area > 0)
    if seen.size:
        ax.set_xlim(low[seen[0]] or high[seen[0]], high[seen[-1]])
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("Energy (keV)")
    ax.set_ylabel("Effective area (cm$^2$)")
    _mark(ax, product, title)
    return ax


def view_rmf(
    product: RMF,
    ax: Axes | None = None,
    *,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
    title: str | None = None,
) -> Axes:
    """Draw a redistribution matrix, its logarithm in grey, block-averaged."""
    if ax is None:
        ax = new_axes(IMAGE_SIZE, figure, position)
    rows, columns = (max(1, n // 800) for n in product.matrix.shape)
    ny, nx = (n // b for n, b in zip(product.matrix.shape, (rows, columns), strict=True))
    dense = product.matrix[: ny * rows, : nx * columns].toarray().reshape(ny, rows, nx, columns).mean((1, 3))
    energies, channels = product.energies.value[: ny * rows], product.channel_energies.value[: nx * columns]
    x = np.append(channels[::columns, 0], channels[-1, 1])
    y = np.append(energies[::rows, 0], energies[-1, 1])
    drawn = ax.pcolormesh(x, y, np.log10(np.maximum(dense, 1e-6)), cmap="Greys")
    ax.figure.colorbar(drawn, ax=ax, label="log$_{10}$ probability a channel", fraction=0.046, pad=0.02)
    ax.set_xlabel("Channel energy (keV)")
    ax.set_ylabel("Photon energy (keV)")
    _mark(ax, product, title)
    return ax


def _mark(ax: Axes, product: RMF | ARF, title: str | None) -> None:
    nominal = "" if product.calibrated else "   (nominal response: not calibrated)"
    ax.set_title((product.title if title is None else title) + nominal, fontsize=10)
