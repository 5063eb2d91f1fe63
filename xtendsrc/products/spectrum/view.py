"""Drawing spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.view.figure import BACKGROUND, CURVE_SIZE, NET, SOURCE, Drawn, drawn_on, heading, new_axes, widen

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xtendsrc.products.spectrum.grouped import GroupedSpectrum
    from xtendsrc.products.spectrum.product import Spectrum

BAND_KEV = (0.5, 10.0)
EYE_GROUPING = "fwhm/2, counts >= 10"
"""For drawings: half a resolution element, or more where counts are few."""
COARSE_GROUPING = "fwhm/1, background >= 5"
"""For the background of a drawing, which has fewer counts."""


def view_spectrum(
    product: Spectrum,
    ax: Axes | None = None,
    *,
    grouping: str = EYE_GROUPING,
    energy: Any = None,
    parts: bool | None = None,
    label: str | None = None,
    title: str | None = None,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
) -> Axes:
    """Draw a spectrum in counts/s/keV, binned for the eye only; a second one on the same axes in another colour.

    Parameters
    ----------
    product : Spectrum
        What to draw.
    ax : Axes, optional
        Where; new axes if not given.
    grouping : str
        How channels are summed for the drawing, half a resolution element and ten counts by default; see
        `Spectrum.grouped`.
    energy : Quantity of two energies, optional
        The band drawn (0.5-10 keV).
    parts : bool, optional
        Whether the source region's own spectrum and the scaled background are drawn beside the net one; if not given,
        they are for the first spectrum on the axes.
    label : str, optional
        Of the points, for the legend.
    title, figure, position
        Heading, and where new axes go.
    """
    import astropy.units as u

    if ax is None:
        ax = new_axes(CURVE_SIZE, figure, position)
    band = energy if energy is not None else BAND_KEV * u.keV
    grouped = product.grouped(grouping, band)
    background = product.background is not None
    drawn = drawn_on(ax)
    what = "net" if background else "counts of the region"
    name = label or (f"{product.short_title}: {what}" if drawn.number else what)
    _points(ax, grouped, grouped.rate, drawn.colour or NET, name)
    if background and (not drawn.number if parts is None else parts):
        _steps(ax, grouped, grouped.source_rate, SOURCE, "source region")
        coarse = product.grouped(COARSE_GROUPING, band) if grouping == EYE_GROUPING else grouped
        _steps(ax, coarse, coarse.background_rate, BACKGROUND, "background, scaled")
    ax.set_xscale("log")
    ax.set_yscale("log")
    _limit(ax, grouped, drawn)
    ax.set_xlabel("Energy (keV)")
    ax.set_ylabel("counts / s / keV")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(_few_labels)
    nominal = "   (nominal response: not calibrated)" if product.response_kind == "nominal" else ""
    heading(ax, product, title, drawn, loc="left", note=nominal)
    drawn.number += 1
    ax.legend(fontsize=8, frameon=False, loc="upper right")
    return ax


def _limit(ax: Axes, grouped: GroupedSpectrum, drawn: Drawn) -> None:
    """Show the band, and what is positive in it: down to a third of the faintest level, over six decades at most."""
    if grouped.energy_lo.size:
        widen(ax, "x", grouped.energy_lo[0], grouped.energy_hi[-1], drawn)
    rates = np.concatenate([grouped.rate.value, grouped.background_rate.value])
    positive = rates[rates > 0]
    if positive.size:
        top = float(np.max(grouped.rate.value + grouped.rate_error[1].value, initial=positive.max()))
        widen(ax, "y", max(positive.min() / 3, positive.max() * 1e-6), 1.5 * top, drawn)


def _few_labels(value: float, _: float) -> str:
    return f"{value:g}" if value in (0.5, 2.0, 5.0) else ""


def _points(ax: Axes, grouped: GroupedSpectrum, rate: Any, colour: str, label: str) -> None:
    centre = (grouped.energy_lo + grouped.energy_hi) / 2
    errors = np.vstack([e.value for e in grouped.rate_error])
    ax.errorbar(centre, rate.value, errors, grouped.width / 2, fmt=".", ms=2, lw=0.8, c=colour, label=label)


def _steps(ax: Axes, grouped: GroupedSpectrum, rate: Any, colour: str, label: str) -> None:
    """Draw a level a group, with nothing where there is none and no group joined to one across a gap."""
    levels = np.where(rate.value > 0, rate.value, np.nan)
    ax.hlines(levels, grouped.energy_lo, grouped.energy_hi, color=colour, lw=1.1, alpha=0.8, label=label, zorder=1)
