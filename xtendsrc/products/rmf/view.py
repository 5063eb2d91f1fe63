"""The picture of a redistribution matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.view.figure import IMAGE_SIZE, drawn_on, heading, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xtendsrc.products.arf.product import ARF
    from xtendsrc.products.rmf.product import RMF


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
    mark(ax, product, title)
    return ax


def mark(ax: Axes, product: RMF | ARF, title: str | None) -> None:
    """Write the title, which says so where a response is nominal."""
    nominal = "" if product.calibrated else "   (nominal response: not calibrated)"
    heading(ax, product, title, drawn_on(ax), note=nominal)
