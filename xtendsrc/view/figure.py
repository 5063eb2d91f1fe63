"""Figures: new axes, galleries, and pictures in files."""

from __future__ import annotations

import difflib
import inspect
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from xtendsrc.errors import ProductError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from astropy.time import Time
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGE_SIZE = (7.2, 6.2)
CURVE_SIZE = (9.0, 4.2)
INK = "#1b1b1e"
SOURCE = "#1f5fa8"
BACKGROUND = "#b5662a"
NET = "#1b1b1e"
SHADE = "#e6e6ea"
FURTHER = ("#2a7f4f", "#8a3fa0", "#b03030", "#0f8a8a")
"""Colours of the second and later products on one axes."""


def new_axes(
    size: tuple[float, float],
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
    **options: Any,
) -> Axes:
    """Return axes of their own: in a figure given, or in a new one that pyplot knows, so that notebooks show it."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=size, layout="constrained")
    found: Axes = figure.add_subplot(*position, **options)
    return found


Place = Literal["left", "center", "right"]


@dataclass
class Drawn:
    """What these functions have drawn on axes, so that a second product fits the first.

    Attributes
    ----------
    number : int
        Products so far.
    scale : str
        Kind of time axis.
    zero : Time or None
        What such an axis counts from.
    """

    number: int = 0
    scale: str = ""
    zero: Time | None = None

    @property
    def colour(self) -> str | None:
        """The colour of a further product; None for the first, which has that of its kind."""
        return FURTHER[(self.number - 1) % len(FURTHER)] if self.number else None


_drawn: WeakKeyDictionary[Axes, Drawn] = WeakKeyDictionary()


def drawn_on(ax: Axes) -> Drawn:
    """Return what is drawn on axes already."""
    return _drawn.setdefault(ax, Drawn())


def widen(ax: Axes, which: str, low: Any, high: Any, drawn: Drawn) -> None:
    """Set the limits of the ``x`` or ``y`` axis (None leaves one), without hiding what another product has there."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    first, last = ax.get_xlim() if which == "x" else ax.get_ylim()
    convert: Callable[[Any], Any] = axis.convert_units
    low, high = (None if end is None else float(convert(end)) for end in (low, high))
    if drawn.number:
        low, high = (None if low is None else min(low, first)), (None if high is None else max(high, last))
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)


def heading(ax: Axes, product: Any, title: str | None, drawn: Drawn, loc: Place = "center", note: str = "") -> None:
    """Write the heading: the title given, else that of the first product that is drawn on the axes."""
    if title is not None or not drawn.number:
        ax.set_title((product.title if title is None else title) + note, fontsize=10, loc=loc)


def one_of(name: str, value: Any, known: Sequence[str]) -> None:
    """Refuse an option that is none of those there are.

    Raises
    ------
    RequestError
        With the nearest one.
    """
    if value not in known:
        near = difflib.get_close_matches(str(value), known, 1)
        some = known if len(known) < 12 else (*known[:10], "...")
        raise RequestError(
            f"{name}={value!r} is unknown.",
            f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(some)}.",
        )


def legend(ax: Axes) -> None:
    """Explain what is drawn above the axes, at the right, where it hides nothing; the heading goes above it."""
    drawn = ax.legend(
        fontsize=8, frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1
    )
    if (entries := len(drawn.get_texts())) > 2:
        ax.set_title(ax.get_title("left"), fontsize=10, loc="left", pad=7 + 13 * -(-entries // 4))


_FORWARDS: dict[Callable[..., Any], Callable[..., Any]] = {}
D = TypeVar("D", bound="Callable[..., Any]")


def forwards_to(other: Callable[..., Any]) -> Callable[[D], D]:
    """Mark a drawing function whose further options are those of another one."""

    def mark(drawer: D) -> D:
        _FORWARDS[drawer] = other
        return drawer

    return mark


def draw(drawer: Callable[..., Any], product: Any, **options: Any) -> Any:
    """Call a drawing function.

    Raises
    ------
    RequestError
        For an option that it does not have, with the nearest one.
    """
    known = _options_of(drawer)
    if known is not None and (unknown := [name for name in options if name not in known]):
        near = difflib.get_close_matches(unknown[0], known, 1)
        listed = ", ".join(sorted(known - {"ax", "figure", "position"}))
        raise RequestError(
            f"A picture of {product!r} has no option {unknown[0]!r}.",
            f"did you mean {near[0]!r}?" if near else f"choose among {listed}.",
        )
    return drawer(product, **options)


def _options_of(drawer: Callable[..., Any]) -> set[str] | None:
    """Names of the options of a drawing function; None if it takes any."""
    parameters = list(inspect.signature(drawer).parameters.values())[1:]
    names = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    if len(names) == len(parameters):
        return names
    further = _options_of(_FORWARDS[drawer]) if drawer in _FORWARDS else None
    return None if further is None else names | further


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
        If the ending is not one of a picture, ``dpi`` is not positive, or an option is unknown.
    """
    if not (isinstance(dpi, (int, float)) and 0 < dpi < np.inf):
        raise RequestError(f"dpi={dpi!r} is not a number of dots.", "give for example 150.")
    from matplotlib.figure import Figure

    size = CURVE_SIZE if "curve" in drawer.__name__ else IMAGE_SIZE
    figure = Figure(figsize=size, layout="constrained")
    known = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise RequestError(f"{path.name} has no ending of a picture.", f"choose one of {', '.join(sorted(known))}.")
    draw(drawer, product, figure=figure, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi, bbox_inches="tight", pad_inches=0.1)  # a window leaves most of the figure empty
    return path


def gallery(products: Sequence[Any], columns: int = 3, **options: Any) -> np.ndarray:
    """Draw products side by side.

    Parameters
    ----------
    products : sequence of Product
        What to draw; made first where it must be.
    columns : int
        How many in a row.
    **options
        For every drawer.

    Returns
    -------
    ndarray of Axes
        One for each product, in order; of a product that cannot be made, empty axes with the reason.
    """
    import matplotlib.pyplot as plt

    if not (isinstance(columns, int) and columns > 0):
        raise RequestError(f"columns={columns!r} is not a number of columns.", "give for example 3.")
    number = max(len(products), 1)
    columns = min(columns, number)
    rows = -(-number // columns)
    figure = plt.figure(figsize=(5.6 * columns, 4.8 * rows), layout="constrained")
    axes = []
    for index, product in enumerate(products):
        place = (rows, columns, index + 1)
        try:
            product.content  # noqa: B018  - made here, so that only what cannot be made is excused
        except ProductError as error:
            axes.append(_excuse(product, error, figure, place))
        else:
            axes.append(draw(product._drawer(), product, figure=figure, position=place, **options))
    return np.array(axes, dtype=object)


def _excuse(product: Any, error: ProductError, figure: Figure, place: tuple[int, int, int]) -> Axes:
    """Say in the place of a picture why there is none."""
    ax = figure.add_subplot(*place)
    ax.set_axis_off()
    ax.set_title(product.title, fontsize=10)
    ax.text(0.5, 0.5, textwrap.fill(error.what, 48), ha="center", va="center", fontsize=8, transform=ax.transAxes)
    return ax
