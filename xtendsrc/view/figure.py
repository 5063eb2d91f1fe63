"""Figures: new axes, galleries, and pictures in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGE_SIZE = (7.2, 6.2)
CURVE_SIZE = (9.0, 4.2)
INK = "#1b1b1e"
SOURCE = "#1f5fa8"
BACKGROUND = "#b5662a"
NET = "#1b1b1e"
SHADE = "#e6e6ea"


def new_axes(
    size: tuple[float, float],
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
    **options: Any,
) -> Axes:
    """Give axes of their own: in a figure given, or in a new one that pyplot knows, so that notebooks show it."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=size, layout="constrained")
    return figure.add_subplot(*position, **options)


def legend(ax: Axes) -> None:
    """Explain what is drawn in one line above the axes, at the right, where it hides nothing."""
    drawn = ax.legend(
        fontsize=8, frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1
    )
    if len(drawn.get_texts()) > 2:
        ax.set_title(ax.get_title("left"), fontsize=10, loc="left", pad=20)


def save(drawer: Callable[..., Any], product: Any, path: Path, dpi: int = 150, **options: Any) -> Path:
    """Draw a product into an image file, without pyplot: no window opens and no figure stays.

    Parameters
    ----------
    drawer : callable
        One of the functions of `xtendsrc.view`.
    product : Product
        What to draw.
    path : Path
        The file; its ending chooses the format.
    dpi : int
        Dots an inch.
    **options
        For the drawer.

    Raises
    ------
    RequestError
        If the ending is not one of a picture.
    """
    from matplotlib.figure import Figure

    size = CURVE_SIZE if "curve" in drawer.__name__ else IMAGE_SIZE
    figure = Figure(figsize=size, layout="constrained")
    known = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise RequestError(f"{path.name} has no ending of a picture.", f"choose one of {', '.join(sorted(known))}.")
    drawer(product, figure=figure, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi, bbox_inches="tight", pad_inches=0.1)  # a window leaves most of the figure empty
    return path


def gallery(products: Sequence[Any], columns: int = 3, **options: Any) -> np.ndarray:
    """Draw products side by side.

    Parameters
    ----------
    products : sequence of Product
        What to draw.
    columns : int
        How many in a row.
    **options
        For every drawer.

    Returns
    -------
    ndarray of Axes
        One for each product, in order.
    """
    import matplotlib.pyplot as plt

    number = max(len(products), 1)
    columns = min(columns, number)
    rows = -(-number // columns)
    figure = plt.figure(figsize=(5.6 * columns, 4.8 * rows), layout="constrained")
    axes = []
    for index, product in enumerate(products):
        axes.append(product._drawer()(product, figure=figure, position=(rows, columns, index + 1), **options))
    return np.array(axes, dtype=object)
