"""Drawing fits: data with the folded model and residuals, pairs of parameters, contours of the statistic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.view.figure import BACKGROUND, INK, SOURCE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xtendsrc.fit.record import Folded
    from xtendsrc.fit.result import FitResult
    from xtendsrc.products.fit.product import Fit

SIZE = (7.6, 5.6)
COLOURS = (SOURCE, BACKGROUND, "#3b7d4f", "#8a3f7d", "#7a6a1d", "#3f7f8a")
LEVELS = {"68.3 %": 2.296, "90 %": 4.605, "99 %": 9.210}
"""Rises of a statistic for two parameters."""
POINTS_PER_SPECTRUM = 120
CORNER_POINTS = 200


def view_fit(
    product: Fit,
    ax: Axes | None = None,
    *,
    components: bool = True,
    bins: int = POINTS_PER_SPECTRUM,
    title: str | None = None,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
) -> Axes:
    """Draw net counts/s/keV with the folded model and its components, and residuals in units of sigma below.

    Parameters
    ----------
    product : Fit
        What to draw.
    ax : Axes, optional
        Where; residuals take its lower quarter. New axes if not given.
    components : bool
        Whether the additive components are drawn, where there are several.
    bins : int
        About how many points are drawn for each spectrum; bins are summed for the eye only.
    title, figure, position
        Heading, and where new axes go.

    Returns
    -------
    Axes
        Those of the spectrum.
    """
    result = product.result
    if ax is None:
        ax = new_axes(SIZE, figure, position)
    below = _axes_below(ax)
    for number, folded in enumerate(result.folded):
        colour = INK if len(result.folded) == 1 else COLOURS[number % len(COLOURS)]
        _draw_spectrum(ax, below, _summed(folded, bins), colour, components, len(result.folded) > 1)
    _finish(ax, below, result, product.title if title is None else title)
    return ax


def _axes_below(ax: Axes) -> Axes:
    """Return axes for residuals in the lower quarter of the place of some axes, which keep the rest."""
    place = ax.get_subplotspec()
    if place is not None:
        parts = place.subgridspec(2, 1, height_ratios=(3, 1), hspace=0.05)
        ax.set_subplotspec(parts[0])
        return ax.figure.add_subplot(parts[1], sharex=ax)
    from mpl_toolkits.axes_grid1 import make_axes_locatable

    below: Axes = make_axes_locatable(ax).append_axes("bottom", size="34%", pad=0.08, sharex=ax)
    return below


def _draw_spectrum(ax: Axes, below: Axes, folded: Folded, colour: str, components: bool, several: bool) -> None:
    width = folded.energy_hi - folded.energy_lo
    scale = 1 / (folded.exposure * width)
    centre, half = (folded.energy_lo + folded.energy_hi) / 2, width / 2
    label = folded.name if several else "net counts" if folded.background.any() else "counts"
    ax.errorbar(centre, folded.net * scale, folded.error * scale, half, fmt=".", ms=2, lw=0.8, c=colour, label=label)
    _steps(ax, folded, folded.model * scale, "#c03030" if not several else colour, "" if several else "model", 1.4, "-")
    if components and len(folded.components) > 1:
        for number, (name, values) in enumerate(folded.components.items()):
            _steps(ax, folded, values * scale, COLOURS[number % len(COLOURS)], name if not several else "", 0.9, "--")
    below.errorbar(centre, folded.residuals, np.ones_like(centre), half, fmt=".", ms=2, lw=0.7, c=colour)


def _steps(ax: Axes, folded: Folded, values: np.ndarray, colour: str, label: str, width: float, style: str) -> None:
    """Draw a level a bin; gaps between bins stay empty."""
    gaps = np.flatnonzero(folded.energy_lo[1:] - folded.energy_hi[:-1] > 1e-3 * folded.energy_hi[:-1]) + 1
    for part in np.split(np.arange(values.size), gaps):
        edges = np.append(folded.energy_lo[part], folded.energy_hi[part[-1]])
        shown = np.where(values[part] > 0, values[part], np.nan)
        ax.stairs(shown, edges, baseline=None, color=colour, lw=width, ls=style, label=label or None, zorder=3)
        label = ""


def _finish(ax: Axes, below: Axes, result: FitResult, title: str) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    highest = max(float((f.model / (f.exposure * (f.energy_hi - f.energy_lo))).max()) for f in result.folded)
    lowest = min(float((f.model / (f.exposure * (f.energy_hi - f.energy_lo))).min()) for f in result.folded)
    ax.set_ylim(max(lowest / 5, highest * 1e-6), highest * 3)
    ax.set_ylabel("counts / s / keV")
    ax.tick_params(labelbottom=False)
    below.axhline(0, color="#c03030", lw=0.8)
    below.set_xlabel("Energy (keV)")
    below.set_ylabel("residual (σ)")
    below.xaxis.set_major_formatter("{x:g}")
    notes = [f"{result.statistic_name} {result.statistic:.1f} / {result.dof}", *result.warnings]
    ax.text(0.02, 0.03, "\n".join(notes), transform=ax.transAxes, fontsize=7, va="bottom")
    ax.set_title(title, fontsize=10, loc="left")
    ax.legend(fontsize=7, frameon=False, loc="upper right")


def _summed(folded: Folded, bins: int) -> Folded:
    """Return neighbouring bins summed, for the eye, to about ``bins`` of them; none spans a gap."""
    every = max(1, -(-folded.counts.size // bins))
    gap = np.append(True, folded.energy_lo[1:] - folded.energy_hi[:-1] > 1e-3 * folded.energy_hi[:-1])
    since = np.arange(gap.size) - np.maximum.accumulate(np.where(gap, np.arange(gap.size), 0))
    starts = np.flatnonzero(since % every == 0)
    stops = np.append(starts[1:], gap.size) - 1
    counts, background, model = (np.add.reduceat(v, starts) for v in (folded.counts, folded.background, folded.model))
    error = np.sqrt(np.add.reduceat(folded.error**2, starts))
    residuals = folded.residuals if every == 1 else (counts - background - model) / error
    return replace(
        folded,
        energy_lo=folded.energy_lo[starts],
        energy_hi=folded.energy_hi[stops],
        counts=counts,
        background=background,
        model=model,
        error=error,
        residuals=residuals,
        components={name: np.add.reduceat(v, starts) for name, v in folded.components.items()},
    )


def view_corner(product: Fit, *, names: tuple[str, ...] | None = None, figure: Figure | None = None) -> np.ndarray:
    """Draw the distribution of every free parameter and pair of them, as the covariance has it.

    Parameters
    ----------
    product : Fit
        What to draw.
    names : tuple of str, optional
        Which parameters; all free ones by default.
    figure : Figure, optional
        Where; a new one by default.

    Returns
    -------
    ndarray of Axes, (parameters, parameters)
        Those above the diagonal are hidden.
    """
    result = product.result
    chosen = [result.parameter(n).name for n in (names or result.free_names)]
    places = [result.free_names.index(n) if n in result.free_names else -1 for n in chosen]
    if not chosen or min(places) < 0:
        raise RequestError(f"Only fitted parameters can be drawn, not {chosen}.", f"choose of {result.free_names}.")
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(1.9 * len(chosen) + 1, 1.9 * len(chosen) + 1), layout="constrained")
    axes = np.asarray(figure.subplots(len(chosen), len(chosen), squeeze=False), dtype=object)
    for row, second in enumerate(chosen):
        for column, first in enumerate(chosen):
            ax = axes[row, column]
            if column > row:
                ax.set_visible(False)
            elif column == row:
                _gaussian(ax, result, first)
            else:
                _ellipses(ax, result, first, second)
            ax.tick_params(labelsize=6)
            ax.set_xlabel(first if row == len(chosen) - 1 else "", fontsize=7)
            ax.set_ylabel(second if column == 0 and row else "", fontsize=7)
    return axes


def _gaussian(ax: Axes, result: FitResult, name: str) -> None:
    parameter = result.parameters[name]
    sigma = parameter.error if np.isfinite(parameter.error) and parameter.error > 0 else 1.0
    x = np.linspace(parameter.value - 3.5 * sigma, parameter.value + 3.5 * sigma, CORNER_POINTS)
    ax.plot(x, np.exp(-0.5 * ((x - parameter.value) / sigma) ** 2), c=SOURCE, lw=1.0)
    ax.axvspan(parameter.low, parameter.high, color=SOURCE, alpha=0.15, lw=0)
    ax.set_yticks([])


def _ellipses(ax: Axes, result: FitResult, first: str, second: str) -> None:
    a, b = (result.free_names.index(n) for n in (first, second))
    block = result.covariance[np.ix_([a, b], [a, b])]
    if np.isfinite(block).all() and np.linalg.det(block) > 0:
        root = np.linalg.cholesky(block)
        angle = np.linspace(0, 2 * np.pi, CORNER_POINTS)
        for rise in LEVELS.values():
            x, y = np.sqrt(rise) * root @ np.array([np.cos(angle), np.sin(angle)])
            ax.plot(result.parameters[first].value + x, result.parameters[second].value + y, c=SOURCE, lw=0.9)
    ax.plot(result.parameters[first].value, result.parameters[second].value, "+", c=INK)


def view_contours(
    product: Fit,
    first: str,
    second: str,
    ax: Axes | None = None,
    *,
    points: int = 15,
    reach: float = 3.5,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
) -> Axes:
    """Draw contours of the statistic over two parameters, all others fitted again at each point.

    Parameters
    ----------
    product : Fit
        A fit with its data.
    first, second : str
        The parameters along x and y.
    ax : Axes, optional
        Where; new axes if not given.
    points : int
        Points along each axis.
    reach : float
        How far from the best value, in standard deviations.
    figure, position
        Where new axes go.
    """
    from xtendsrc.fit.profile import statistic_grid

    result = product.with_data()
    names = [result.parameter(name).name for name in (first, second)]
    x, y, rise = statistic_grid(result.problem, result.values, names, [reach, reach], points, result.covariance)
    if ax is None:
        ax = new_axes((5.6, 5.0), figure, position)
    drawn = ax.contour(x, y, rise.T, levels=list(LEVELS.values()), colors=[SOURCE, BACKGROUND, INK])
    ax.clabel(drawn, fmt=dict(zip(LEVELS.values(), LEVELS, strict=True)), fontsize=7)
    ax.plot(*(result.parameters[name].value for name in names), "+", c=INK)
    units = [result.parameters[name].unit for name in names]
    labels = [f"{name} ({unit})" if unit else name for name, unit in zip(names, units, strict=True)]
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.set_title(product.title, fontsize=10, loc="left")
    return ax
