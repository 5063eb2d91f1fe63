"""Drawing light curves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import GTIError, MissingGTIError, RequestError
from xtendsrc.events.deadtime import elapsed
from xtendsrc.view.figure import (
    BACKGROUND,
    CURVE_SIZE,
    NET,
    SHADE,
    SOURCE,
    Drawn,
    drawn_on,
    forwards_to,
    heading,
    legend,
    new_axes,
    one_of,
    widen,
)

if TYPE_CHECKING:
    from astropy.time import Time
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xtendsrc.events.gti import GTI
    from xtendsrc.products.lightcurve.product import LightCurve

logger = logging.getLogger(__name__)

SCALES = ("hours", "seconds", "mission", "mjd", "utc")


def view_lightcurve(
    product: LightCurve,
    ax: Axes | None = None,
    *,
    time: str | None = None,
    shade: bool | None = None,
    colour: str | None = None,
    label: str | None = None,
    title: str | None = None,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
) -> Axes:
    """Draw a light curve with Poisson errors; time outside the good intervals is shaded.

    A second curve on the axes of a first follows its time axis, in another colour.

    Parameters
    ----------
    product : LightCurve
        What to draw.
    ax : Axes, optional
        Where; new axes if not given.
    time : {"hours", "seconds", "mission", "mjd", "utc"}
        Since the first good time (hours, if not given); mission seconds; MJD (UTC); or UTC dates.
    shade : bool, optional
        Whether time outside the good intervals is shaded; if not given, that of the first curve is.
    colour, label, title
        Of the points, for the legend, above the axes.
    figure, position
        Where new axes go.

    Raises
    ------
    RequestError
        For an unknown time axis, or another one than the axes have.
    """
    if time is not None:
        one_of("time", time, SCALES)
    own = ax is None or not ax.has_data()
    if ax is None:
        ax = new_axes(CURVE_SIZE, figure, position)
    drawn = drawn_on(ax)
    axis = _time_axis(product, time, drawn)
    seconds, half = product.seconds, product.widths.value / 2
    x = axis.of(seconds)
    spread = (axis.of(seconds + half) - axis.of(seconds - half)) / 2 if time != "utc" else None
    errors = _errors(product)
    name = product.short_title if label is None else label
    ax.errorbar(
        x, product.rate.value, errors, spread, "o", ms=3, lw=0.9, c=colour or drawn.colour or SOURCE, label=name
    )
    span = _span(product)
    if shade if shade is not None else not drawn.number:
        _shade(ax, product, axis, span)
    if own or drawn.number:
        first, last = axis.of(np.array(span))
        widen(ax, "x", first, last, drawn)
    axis.label(ax)
    ax.set_ylabel("Rate (counts / s)")
    heading(ax, product, title, drawn, loc="left")
    drawn.number += 1
    legend(ax)
    return ax


def _time_axis(product: LightCurve, scale: str | None, drawn: Drawn) -> _TimeAxis:
    """Return the time axis of a curve: that of the axes, if they have one."""
    if drawn.scale and scale not in (None, drawn.scale):
        raise RequestError(
            f"time={scale!r} does not fit the axes, which show time={drawn.scale!r}.", "leave it out, or take new axes."
        )
    drawn.scale = drawn.scale or scale or SCALES[0]
    axis = _TimeAxis(product, drawn.scale, drawn.zero)
    drawn.zero = axis.start
    return axis


@forwards_to(view_lightcurve)
def view_netcurve(product: Any, ax: Axes | None = None, *, parts: bool | None = None, **options: Any) -> Axes:
    """Draw a net light curve, with the source region's own and the scaled background.

    The parts are left out with ``parts=False``, and of the second curve on one axes if that is not given.
    """
    first = ax is None or not drawn_on(ax).number
    ax = view_lightcurve(product, ax, **{**({"colour": NET, "label": "net"} if first else {}), **options})
    table = product.table
    if (first if parts is None else parts) and "BKG_RATE" in table.colnames:
        axis, half = _time_axis(product, None, drawn_on(ax)), product.widths.value / 2
        ends = axis.of(product.seconds - half), axis.of(product.seconds + half)
        ax.hlines(table["SRC_RATE"], *ends, color=SOURCE, lw=1.1, alpha=0.8, label="source region")
        ax.hlines(table["BKG_RATE"], *ends, color=BACKGROUND, lw=1.1, alpha=0.9, label="background, scaled")
        legend(ax)
    return ax


def good_time(product: LightCurve) -> GTI:
    """The good time a curve was made with; the bins themselves for a file that has none, or that of another clock."""
    from xtendsrc.events.gti import GTI

    try:
        gti = product.gti
    except (MissingGTIError, GTIError) as error:
        logger.info("%s: its bins stand for its good time: %s", product, error)
        gti = GTI([], [])
    half = product.widths.value / 2
    return gti if len(gti) else GTI(product.seconds - half, product.seconds + half)


def _errors(product: LightCurve) -> np.ndarray | None:
    """Lower and upper errors; None for a file without any."""
    if not {"ERROR", "ERROR_LO"} & set(product.table.colnames):
        return None
    return np.vstack([product.error_lo.value, product.error_hi.value])


class _TimeAxis:
    """Mission seconds turned into what the axis shows."""

    def __init__(self, product: LightCurve, scale: str, start: Time | None = None) -> None:
        from xtendsrc.events.time import mission_time

        self.scale, self.header = scale, product.header
        self.start = mission_time(float(good_time(product).start[0]), self.header) if start is None else start
        self.zero = float((self.start - mission_time(0.0, self.header)).to_value("s"))

    def of(self, seconds: np.ndarray) -> Any:
        """Convert mission seconds into positions on the axis."""
        if self.scale == "mission":
            return seconds
        if self.scale in ("hours", "seconds"):
            return (seconds - self.zero) / (3600 if self.scale == "hours" else 1)
        from xtendsrc.events.time import mission_time

        time = mission_time(seconds, self.header).utc
        return time.mjd if self.scale == "mjd" else time.datetime64

    def label(self, ax: Axes) -> None:
        """Set the label of the axis."""
        start = self.start.utc.isot[:19]
        names = {
            "hours": f"Hours since {start} UTC",
            "seconds": f"Seconds since {start} UTC",
            "mission": "Mission time (s, TT since 2019-01-01 UTC)",
            "mjd": "MJD (UTC)",
            "utc": "UTC",
        }
        ax.set_xlabel(names[self.scale])
        if self.scale == "utc":
            from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

            locator = AutoDateLocator()
            ax.xaxis.set_major_locator(locator)
            ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        elif self.scale in ("mission", "mjd"):
            ax.locator_params(axis="x", nbins=6)
            ax.ticklabel_format(axis="x", style="plain", useOffset=False)


def _span(product: LightCurve) -> tuple[float, float]:
    """Return the mission seconds the axis covers: all bins and all good time, and a hundredth of it on either side."""
    seconds, half, gti = product.seconds, product.widths.value / 2, good_time(product)
    low = min(np.min(seconds - half, initial=np.inf), gti.start[0])
    high = max(np.max(seconds + half, initial=-np.inf), gti.stop[-1])
    margin = 0.01 * (high - low)
    return float(low - margin), float(high + margin)


def _shade(ax: Axes, product: LightCurve, axis: _TimeAxis, span: tuple[float, float]) -> None:
    """Shade the time of a span that is in no good interval: before the first, between them, and after the last."""
    gti = elapsed(good_time(product), product.header)  # dead time between frames is no gap: there are thousands
    starts, stops = np.append(span[0], gti.stop), np.append(gti.start, span[1])
    for index, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        low, high = axis.of(np.array([start, stop]))
        ax.axvspan(low, high, color=SHADE, lw=0, zorder=0, label="outside good time" if index == 0 else None)
