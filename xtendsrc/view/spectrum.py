"""Drawing spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.view.figure import BACKGROUND, CURVE_SIZE, NET, SOURCE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xtendsrc.products.grouped import GroupedSpectrum
    from xtendsrc.products.spectrum import Spectrum

BAND_KEV = (0.5, 10.0)


def view_spectrum(
    product: Spectrum,
    ax: Axes | None = None,
    *,
    grouping: str = "min 25",
    energy: Any = None,
    parts: bool = True,
    title: str | None = None,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
) -> Axes:
    """Draw a spectrum in counts/s/keV, binned for the eye only.

    Parameters
    ----------
    product : Spectrum
        What to draw.
    ax : Axes, optional
        Where; new axes if not given.
    grouping : str
        How channels are summed for the drawing; see `Spectrum.grouped`.
    energy : Quantity of two energies, optional
        The band drawn (0.5-10 keV).
    parts : bool
        Whether the source region's own spectrum and the scaled background are drawn beside the net one.
    title, figure, position
        Heading, and where new axes go.
    """
    import astropy.units as u

    if ax is None:
        ax = new_axes(CURVE_SIZE, figure, position)
    grouped = product.grouped(grouping, energy if energy is not None else BAND_KEV * u.keV)
    background = product.background is not None
    _points(ax, grouped, grouped.rate, NET, "net" if background else "counts of the region")
    if background and parts:
        _steps(ax, grouped, grouped.source_rate, SOURCE, "source region")
        _steps(ax, grouped, grouped.background_rate, BACKGROUND, "background, scaled")
    ax.set_xscale("log")
    ax.set_yscale("log")
    positive = grouped.rate.value[grouped.rate.value > 0]
    if positive.size:
        ax.set_ylim(bottom=max(positive.min() / 3, positive.max() * 1e-6))
    ax.set_xlabel("Energy (keV)")
    ax.set_ylabel("counts / s / keV")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(_few_labels)
    ax.set_title(product.title if title is None else title, fontsize=10)
    ax.legend(fontsize=8, frameon=False)
    return ax


def _few_labels(value: float, _: float) -> str:
    return f"{value:g}" if value in (0.5, 2.0, 5.0) else ""


def _points(ax: Axes, grouped: GroupedSpectrum, rate: Any, colour: str, label: str) -> None:
    centre = (grouped.energy_lo + grouped.energy_hi) / 2
    errors = np.vstack([e.value for e in grouped.rate_error])
    ax.errorbar(centre, rate.value, errors, grouped.width / 2, fmt=".", ms=2, lw=0.8, c=colour, label=label)


def _steps(ax: Axes, grouped: GroupedSpectrum, rate: Any, colour: str, label: str) -> None:
    edges = np.append(grouped.energy_lo, grouped.energy_hi[-1:])
    ax.stairs(rate.value, edges, color=colour, lw=0.9, alpha=0.9, label=label)
