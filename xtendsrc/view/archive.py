"""Observations found in the archive: where they point, and when they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.view.figure import BACKGROUND, INK, SHADE, SOURCE, new_axes

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy.coordinates import SkyCoord
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xtendsrc.archive.observation_table import ObservationTable

FIELD = 38.5
"""Side of the field of view of all four CCDs, arcmin (Noda et al. 2025)."""

SKY_SIZE = (9.0, 4.8)
LOCAL_SIZE = (6.4, 6.0)
TIMELINE_SIZE = (9.0, 4.2)
MOST_NAMES = 25
MOST_ROWS = 40


def view_sky(
    table: ObservationTable,
    ax: Axes | None = None,
    *,
    figure: Figure | None = None,
    labels: bool = True,
) -> Axes:
    """Draw pointings on the sky.

    Around a target: offsets from it in arcmin, north up and east left, each with a circle of half a field's width (the
    roll angle is not in the master table). Without one: the whole sky in galactic coordinates, Aitoff's projection.

    Parameters
    ----------
    table : ObservationTable
        What to draw.
    ax : Axes, optional
        Where; of projection ``aitoff`` for the whole sky.
    figure : Figure, optional
        A figure for new axes.
    labels : bool
        Whether to write ObsIDs, if there are not too many.

    Returns
    -------
    Axes
    """
    if table.position is None:
        return _whole_sky(table, ax if ax is not None else new_axes(SKY_SIZE, figure, projection="aitoff"))
    return _around(table, table.position.icrs, ax if ax is not None else new_axes(LOCAL_SIZE, figure), labels)


def _colours(table: ObservationTable) -> list[str]:
    return [SOURCE if public else BACKGROUND for public in table.public]


def _key(ax: Axes, table: ObservationTable) -> None:
    for colour, label, there in (
        (SOURCE, "public", table.public.any()),
        (BACKGROUND, "not public yet", (~table.public).any()),
    ):
        if there:
            ax.plot([], [], "o", color=colour, label=label)
    if len(table):
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small")


def _whole_sky(table: ObservationTable, ax: Axes) -> Axes:
    galactic = table.coordinates.galactic
    longitude = -galactic.l.wrap_at("180d").rad  # longitude grows to the left, as seen from inside
    ax.scatter(longitude, galactic.b.rad, s=10, c=_colours(table), linewidths=0)
    ax.grid(color=SHADE)
    ax.set_xticks(np.radians([-120, -60, 0, 60, 120]), ["120°", "60°", "0°", "300°", "240°"])
    ax.tick_params(labelsize="small")
    _key(ax, table)
    ax.set_title(f"{len(table)} observations, galactic coordinates", fontsize="medium", pad=18)
    return ax


def _around(table: ObservationTable, target: SkyCoord, ax: Axes, labels: bool) -> Axes:
    from matplotlib.patches import Circle

    east, north = (a.arcmin for a in target.spherical_offsets_to(table.coordinates)) if len(table) else ([], [])
    for x, y, colour in zip(east, north, _colours(table), strict=True):
        ax.add_patch(Circle((x, y), FIELD / 2, fill=False, edgecolor=colour, alpha=0.35))
    ax.scatter(east, north, s=22, c=_colours(table), zorder=3)
    if labels and len(table) <= MOST_NAMES:
        for x, y, obs_id in zip(east, north, table.obs_ids, strict=True):
            ax.annotate(obs_id, (x, y), xytext=(4, 4), textcoords="offset points", fontsize="x-small", color=INK)
    ax.plot(0, 0, "+", color=INK, markersize=12, label="target")
    ax.set_aspect("equal", adjustable="datalim")
    ax.autoscale_view()
    ax.invert_xaxis()
    ax.set_xlabel("offset to the east (arcmin)")
    ax.set_ylabel("offset to the north (arcmin)")
    _key(ax, table)
    ax.set_title(target.to_string("hmsdms", precision=0), fontsize="medium")
    return ax


def view_timeline(table: ObservationTable, ax: Axes | None = None, *, figure: Figure | None = None) -> Axes:
    """Draw when observations were made, one line each; many are drawn as exposure against time.

    Parameters
    ----------
    table : ObservationTable
        What to draw; observations without a start are left out.
    ax : Axes, optional
        Where.
    figure : Figure, optional
        A figure for new axes.

    Returns
    -------
    Axes
    """
    if ax is None:
        ax = new_axes(TIMELINE_SIZE, figure)
    dated = table[~np.ma.getmaskarray(table["time"])]
    if not len(dated):
        ax.set_xlabel("date (UTC)")
        ax.set_title("no dated observation", fontsize="medium")
        return ax
    start, stop = _spans(dated)
    if len(dated) > MOST_ROWS:
        ax.vlines(start, 0, np.asarray(dated["exposure"]) / 1e3, colors=_colours(dated), lw=1)
        ax.set_ylabel("exposure (ks)")
        ax.set_ylim(bottom=0)
    else:
        _lines(dated, ax, start, stop)
    ax.xaxis_date()
    ax.set_xlabel("date (UTC)")
    _key(ax, dated)
    ax.set_title(f"{len(dated)} observations", fontsize="medium")
    return ax


def _lines(table: ObservationTable, ax: Axes, start: np.ndarray, stop: np.ndarray) -> None:
    order = np.argsort(start)
    rows = np.arange(len(order))
    colours = np.array(_colours(table))[order]
    ax.hlines(rows, start[order], stop[order], colors=colours.tolist(), lw=6, alpha=0.6)
    ax.scatter(start[order], rows, c=colours, s=14, zorder=3)
    ax.set_yticks(rows, [f"{table.obs_ids[i]}  {table['name'][i]}" for i in order], fontsize="x-small")
    ax.invert_yaxis()


def _spans(table: ObservationTable) -> tuple[Any, Any]:
    """Start and end in matplotlib's days (since 1970-01-01 = MJD 40587)."""
    start = np.asarray(table["time"]) - 40587.0
    exposure = np.asarray(table["exposure"]) / 86400.0
    if "end_time" not in table.table.colnames:
        return start, start + exposure
    end = table["end_time"].filled(np.nan) - 40587.0
    return start, np.where(np.isfinite(end), end, start + exposure)


def draw(drawer: Callable[..., Axes], table: ObservationTable) -> Figure:
    """Draw a table into a figure that pyplot does not know, to be saved."""
    from matplotlib.figure import Figure

    local = drawer is view_sky and table.position is not None
    figure = Figure(figsize=LOCAL_SIZE if local else SKY_SIZE, layout="constrained")
    drawer(table, figure=figure)
    return figure
