"""Drawing radial profiles and joined light curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.view.figure import BACKGROUND, CURVE_SIZE, INK, SOURCE, legend, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def view_profile(profile: Any, ax: Axes | None = None, fit: Any = None) -> Axes:
    """Draw surface brightness against radius, on logarithmic axes; return the axes.

    Parameters
    ----------
    profile : SurfaceProfile
        What to draw.
    ax : Axes, optional
        New axes if not given.
    fit : SurfaceFit, optional
        A fit of it, drawn as it was fitted (blurred, with its constant) and as it is before the PSF.
    """
    ax = new_axes(CURVE_SIZE) if ax is None else ax
    radius, edges = profile.radius.value, profile.edges.value
    value, error = profile.brightness.value, profile.error.value
    across = np.array([radius - edges[:-1], edges[1:] - radius])
    ax.errorbar(radius, value, error, across, fmt="o", ms=3, lw=1, c=INK, label="net")
    if fit is not None:
        data = profile.data
        seen = data.seconds_area > 0
        blurred = (fit.result.expected - data.background)[seen] / data.seconds_area[seen]
        ax.step(radius[seen], blurred, where="mid", c=SOURCE, lw=1.3, label=f"{fit.result.model}, as seen")
        fine = np.linspace(0, edges[-1], 300) * profile.edges.unit
        ax.plot(fine.value, fit.brightness(fine).value, "--", c=BACKGROUND, lw=1, label="before the PSF")
    ax.set_yscale("log")
    ax.set_ylim(0.5 * value[value > 0].min() if (value > 0).any() else None)
    ax.set_xlabel("radius (arcmin)")
    ax.set_ylabel("counts / s / arcmin$^2$")
    ax.set_title(profile.source, fontsize=10, loc="left")
    legend(ax)
    return ax


def view_joined(curve: Any, ax: Axes | None = None) -> Axes:
    """Draw a joined light curve, its chunks side by side with the gaps between them cut out; return the axes."""
    ax = new_axes(CURVE_SIZE) if ax is None else ax
    ticks, labels, at = [], [], 0.0
    for chunk in curve.chunks:
        hours = (chunk["seconds"] - chunk["seconds"][0]) / 3600
        ax.errorbar(at + hours, chunk["rate"].value, chunk["error"].value, fmt="o", ms=2.5, lw=1, c=INK)
        ticks.append(at)
        labels.append(chunk["time"][0].utc.strftime("%Y-%m-%d\n%H:%M"))
        at += float(hours[-1]) + max(0.03 * curve.hours, 0.1)
        ax.axvline(at - 0.5 * max(0.03 * curve.hours, 0.1), c="0.8", lw=0.8)
    ax.set_xticks(ticks, labels, fontsize=8)
    ax.set_xlabel("start of each stretch (UTC); gaps between observations are cut out")
    ax.set_ylabel("counts / s")
    ax.set_title(curve.source, fontsize=10, loc="left")
    return ax
