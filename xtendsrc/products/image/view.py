"""Drawing images, exposure maps and rate maps."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import MissingKeywordError, RequestError
from xtendsrc.view import regions as overlay
from xtendsrc.view.figure import IMAGE_SIZE, forwards_to, new_axes, one_of
from xtendsrc.view.picture import Box, Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.coordinates import SkyCoord
    from astropy.visualization.wcsaxes import WCSAxes as Axes
    from matplotlib.figure import Figure

    from xtendsrc.products.image.product import ImageLike
    from xtendsrc.regions import RegionSet

logger = logging.getLogger(__name__)

LARGEST = 640
"""Pixels on a side above which a whole image is drawn in blocks, about those of a screen; zoomed ones and the
product's data stay as they are."""
WELL_EXPOSED = 0.2
"""Part of the largest exposure of a rate map beyond which a pixel's rate counts for the colours."""
STRETCHES = ("linear", "sqrt", "log", "asinh")
LABELS = {"ct": "counts / pixel", "s": "exposure (s)", "ct / s": "counts / s / pixel"}


def view_image(
    product: ImageLike,
    ax: Axes | None = None,
    *,
    stretch: str = "asinh",
    smooth: float = 0.0,
    view_regions: bool = False,
    regions: Any = None,
    calibration: bool | None = None,
    legend: bool = True,
    zoom_in: Any = False,
    cross_hair: Any = None,
    cmap: str = "gnuplot2",
    limits: tuple[float | None, float | None] = (None, None),
    title: str | None = None,
    colorbar: bool = True,
    figure: Figure | None = None,
    position: tuple[int, int, int] = (1, 1, 1),
) -> Axes:
    """Draw an image on the sky, or on the detector.

    Parameters
    ----------
    product : Image, ExpMap or RateMap
        What to draw.
    ax : Axes, optional
        A `WCSAxes` of this image's coordinates (plain axes for a DET image); new axes if not given.
    stretch : {"asinh", "log", "sqrt", "linear"}
        Brightness scale.
    smooth : float
        Sigma, in image pixels, of a Gaussian the drawing (not the data) is smoothed with.
    view_regions : bool
        Whether the region of the source that asked for the product is outlined.
    regions : region or mapping of str to region, optional
        More regions to outline: anything that `RegionSet.of` takes, or several of them by their names in the legend.
    calibration : bool, optional
        Whether the calibration-source discs are outlined; if not given, they are with ``view_regions``.
    legend : bool
        Whether a legend names the outlines.
    zoom_in : bool or Quantity
        False: all that has data; True: three radii around the source region; an angle: that far from its centre.
    cross_hair : SkyCoord, optional
        A position to mark.
    cmap, limits, title, colorbar
        Colours, lowest and highest value (of what is shown, where None), heading, whether the colours are explained.
    figure, position
        Where new axes go.

    Returns
    -------
    Axes

    Raises
    ------
    RequestError
        For a stretch, colours, limits, smoothing or zoom that make no sense, or axes without sky coordinates for a SKY
        image.
    """
    _check(stretch, smooth, limits, cmap, zoom_in, cross_hair)
    picture = _picture(product, smooth, whole=zoom_in is False)
    outlines = list(overlay.overlays_of({overlay.SOURCE: product.source_region} if view_regions else {}))
    outlines += overlay.overlays_of(regions)
    if view_regions if calibration is None else calibration:
        outlines += _calibration(product)
    ax, own = _axes(ax, picture, figure, position)
    box = _box(product, picture, zoom_in, own, outlines)
    drawn = _draw(ax, picture, stretch, cmap, limits, box)
    overlay.outline(ax, product, picture, outlines)
    if box is not None:
        _frame(ax, picture, box, own)
    if cross_hair is not None:
        _cross(ax, picture, cross_hair)
    _label(ax, product, picture, title)
    if legend:
        overlay.explain(ax)
    if colorbar:
        _explain(ax, product, picture, drawn, stretch)
    return ax


def _check(stretch: Any, smooth: Any, limits: Any, cmap: Any, zoom: Any, cross_hair: Any) -> None:
    """Refuse options that cannot be drawn."""
    from astropy.coordinates import SkyCoord
    from matplotlib import colormaps
    from matplotlib.colors import Colormap

    one_of("stretch", stretch, STRETCHES)
    if not isinstance(cmap, Colormap):
        one_of("cmap", cmap, tuple(colormaps))
    if not (isinstance(smooth, (int, float)) and 0 <= smooth < np.inf):
        raise RequestError(f"smooth={smooth!r} is not a width in pixels.", "give 0 or a positive number.")
    ends = limits if isinstance(limits, (tuple, list)) and len(limits) == 2 else ("", "")
    if not all(end is None or (isinstance(end, (int, float)) and np.isfinite(end)) for end in ends):
        raise RequestError(
            f"limits={limits!r} are not a lowest and a highest value.", "give (low, high); None is free."
        )
    if None not in ends and not ends[0] < ends[1]:
        raise RequestError(f"limits={limits!r} are not in order.", "give (low, high).")
    if not isinstance(zoom, (bool, np.bool_)):
        from xtendsrc.events.quantities import arcminutes

        if not arcminutes(zoom) > 0:
            raise RequestError(f"zoom_in={zoom!r} is not positive.", "give an angle, True or False.")
    if cross_hair is not None and not (isinstance(cross_hair, SkyCoord) and cross_hair.isscalar):
        raise RequestError(f"cross_hair={cross_hair!r} is not one position.", "give a SkyCoord.")


def _axes(ax: Axes | None, picture: Picture, figure: Figure | None, position: Any) -> tuple[Axes, bool]:
    """Return axes for a picture, and whether they are new."""
    if ax is None:
        options = {"projection": picture.wcs} if picture.frame == "SKY" else {}
        return new_axes(IMAGE_SIZE, figure, position, **options), True
    celestial = hasattr(ax, "wcs") and ax.wcs.has_celestial
    if picture.frame == "SKY" and not celestial:
        raise RequestError(
            "A SKY image needs axes with sky coordinates.", "make them with plt.subplot(projection=image.wcs)."
        )
    if picture.frame == "DET" and celestial:
        raise RequestError("A DET image cannot be drawn on sky coordinates.", "give it plain axes.")
    return ax, False


@forwards_to(view_image)
def view_expmap(product: ImageLike, ax: Axes | None = None, *, stretch: str = "linear", **options: Any) -> Axes:
    """Draw an exposure map; options as for `view_image`."""
    return view_image(product, ax, stretch=stretch, **{"cmap": "cividis", **options})


@forwards_to(view_image)
def view_ratemap(product: Any, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw a rate map; options as for `view_image`.

    The colours of a whole map end at the highest rate of well exposed pixels: one count in a second at an edge would
    leave nothing else to be seen.
    """
    if "limits" not in options and options.get("zoom_in", False) is False and product.knows_exposure:
        trusted = product.data[product.live > WELL_EXPOSED * product.live.max()]
        options["limits"] = (0.0, float(np.nanmax(trusted, initial=0.0)) or None)
    return view_image(product, ax, **options)


@forwards_to(view_image)
def view_source_regions(
    product: ImageLike, source: Any, background: RegionSet | None, ax: Axes | None = None, **options: Any
) -> Axes:
    """Draw an image with the source region (blue), its background (yellow), other sources and calibration discs."""
    others = source.interlopers
    shapes = {overlay.SOURCE: source.region, overlay.BACKGROUND: background}
    named = {label: region and overlay.without(region, others) for label, region in shapes.items()}
    named[overlay.INTERLOPERS] = others
    return view_image(product, ax, **{"calibration": True, "regions": named, **options})


def _picture(product: ImageLike, smooth: float, whole: bool = True) -> Picture:
    data, binning = product.data, product.binning
    block = max(1, -(-max(data.shape) // LARGEST)) if whole else 1
    if block > 1:
        ny, nx = (-(-n // block) for n in data.shape)
        padded = np.zeros((ny * block, nx * block), data.dtype)
        padded[: data.shape[0], : data.shape[1]] = data
        blocks = padded.reshape(ny, block, nx, block)
        data = blocks.sum((1, 3)) if product.unit == "ct" else blocks.mean((1, 3))
    if smooth:
        from scipy.ndimage import gaussian_filter

        data = gaussian_filter(np.nan_to_num(data.astype(float)), smooth / block)
    return Picture(data, product.wcs, block, binning, product.frame)


def _draw(
    ax: Axes,
    picture: Picture,
    stretch: str,
    cmap: str,
    limits: tuple[float | None, float | None],
    box: Box | None,
) -> Any:
    """Draw the pixels, the colours between the lowest and the highest value of those that are shown."""
    from astropy.visualization import AsinhStretch, ImageNormalize, LinearStretch, LogStretch, SqrtStretch

    shown = picture.data if box is None else picture.within(box)
    finite = shown[np.isfinite(shown)]
    low = float(finite.min()) if limits[0] is None and finite.size else (limits[0] or 0.0)
    high = limits[1] if limits[1] is not None else (float(finite.max()) if finite.size else 1.0)
    high = high if high > low else low + 1.0
    bright = finite[finite > low]
    bend = float(np.clip(0.5 * np.median(bright - low) / (high - low), 1e-4, 0.3)) if bright.size else 0.1
    curves = {
        "linear": LinearStretch(),
        "sqrt": SqrtStretch(),
        "log": LogStretch(1 / bend),
        "asinh": AsinhStretch(bend),
    }
    norm = ImageNormalize(vmin=low, vmax=high, stretch=curves[stretch], clip=True)
    if not picture.on(ax):
        ny, nx = picture.data.shape
        corner, side = picture.size
        edges = np.meshgrid(corner + side * np.arange(nx + 1), corner + side * np.arange(ny + 1))
        return ax.pcolormesh(*edges, picture.data, norm=norm, cmap=cmap, transform=picture.transform(ax))
    return ax.imshow(picture.data, origin="lower", norm=norm, cmap=cmap, interpolation="nearest", extent=picture.extent)


def _calibration(product: ImageLike) -> list[overlay.Overlay]:
    """Return the discs of the calibration sources; none where the header does not say where they are."""
    from xtendsrc.instrument import Geometry
    from xtendsrc.regions import calibration_discs

    try:
        geometry = Geometry.from_header(product.header)
    except MissingKeywordError as error:
        logger.warning("The calibration discs cannot be outlined: %s", error)
        return []
    return list(overlay.overlays_of({overlay.CALIBRATION: calibration_discs(geometry, product.frame)}))


def _box(product: ImageLike, picture: Picture, zoom: Any, own: bool, outlines: Sequence[overlay.Overlay]) -> Box | None:
    """Return what is shown: the surroundings of the source region; of new axes what has data and regions; else None."""
    if zoom is False or product.source_region is None:
        box = _filled(picture) if own else None
        if box is None:
            return None
        for drawn in outlines:
            if drawn.label in (overlay.SOURCE, overlay.BACKGROUND):
                box = picture.around(box, product.on_grid(drawn.region).bounds)
        return box
    return _around(product, picture, zoom, product.source_region)


def _frame(ax: Axes, picture: Picture, box: Box, own: bool) -> None:
    """Set the limits of the axes to a box of the picture."""
    x, y = np.meshgrid(*box)
    corners = (picture.transform(ax) - ax.transData).transform(np.column_stack([x.ravel(), y.ravel()]))
    ax.set_xlim(corners[:, 0].min(), corners[:, 0].max())
    ax.set_ylim(corners[:, 1].min(), corners[:, 1].max())
    if own:
        ax.set_facecolor(ax.images[0].get_cmap()(0.0))


def _filled(picture: Picture) -> Box | None:
    """Return the part of the grid that has data, with a margin."""
    rows, columns = (np.flatnonzero(np.nan_to_num(picture.data).any(axis=a)) for a in (1, 0))
    if rows.size == 0:
        return None
    corner, side = picture.size
    margin = 0.03 * max(np.ptp(rows), np.ptp(columns)) * side
    ends = [corner + side * np.array([i[0], i[-1] + 1]) + np.array([-margin, margin]) for i in (columns, rows)]
    return ends[0], ends[1]


def _around(product: ImageLike, picture: Picture, zoom: Any, region: RegionSet) -> Box:
    """Return the surroundings of a region: three radii, or as far from its middle as an angle says."""
    from xtendsrc.instrument import PIXEL_ARCSEC

    low_x, high_x, low_y, high_y = product.on_grid(region).bounds
    half = 1.5 * max(high_x - low_x, high_y - low_y)
    if zoom is not True:
        half = float(zoom.to_value("arcsec")) / PIXEL_ARCSEC
    reach = np.array([-half, half])
    return picture.to_axes((low_x + high_x) / 2 + reach, (low_y + high_y) / 2 + reach)


def _cross(ax: Axes, picture: Picture, position: SkyCoord) -> None:
    """Mark a position with a cross that shows on bright and on dark."""
    from matplotlib.patheffects import withStroke

    if picture.frame != "SKY":
        raise RequestError("A DET image has no sky positions to mark.", "view the image with frame='SKY'.")
    x, y = picture.wcs.world_to_pixel(position)
    line = {"ms": 20, "mew": 1.3, "c": "w", "path_effects": [withStroke(linewidth=3, foreground="k")]}
    ax.plot([float(x)], [float(y)], "+", transform=picture.transform(ax), scalex=False, scaley=False, **line)


def _label(ax: Axes, product: ImageLike, picture: Picture, title: str | None) -> None:
    if picture.frame == "SKY":
        ax.set_xlabel("Right ascension")
        ax.set_ylabel("Declination", labelpad=-0.3)
        ax.coords.grid(color="white", alpha=0.15, linestyle="solid")
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        if right - left < 0.5 * (high - low):  # a window: there is room for two labels only
            ax.coords[0].set_ticks(number=2)
    else:
        ax.set_xlabel("DETX (pixel)")
        ax.set_ylabel("DETY (pixel)")
    ax.set_title(product.title if title is None else title, fontsize=10)


def _explain(ax: Axes, product: ImageLike, picture: Picture, drawn: Any, stretch: str) -> None:
    """Put a colour bar beside the axes, as high as they are, with few and round numbers."""
    label = LABELS.get(product.unit, product.unit)
    if picture.block > 1 and product.unit == "ct":
        side = picture.block * picture.binning
        label = f"counts / {side} x {side} pixels"
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    height = min(1.0, 1.1 * abs((y1 - y0) / (x1 - x0)))
    bar = ax.figure.colorbar(drawn, ax=ax, label=label, fraction=0.046, pad=0.02, shrink=height, aspect=24 * height)
    if stretch != "linear":
        bar.set_ticks(_ticks(drawn.norm, 0.09 / height))
        bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.minorticks_off()


def _ticks(norm: Any, apart: float) -> list[float]:
    """Return the lowest value, and those of 1, 2, 5, 10, 20, ... that lie far enough apart on a colour bar."""
    ticks = [float(norm.vmin)]
    decades = np.arange(-6, 1) + np.ceil(np.log10(norm.vmax - norm.vmin))
    for value in np.outer(10.0**decades, [1, 2, 5]).ravel():
        if norm.vmin < value <= norm.vmax and norm(value) - norm(ticks[-1]) > apart:
            ticks.append(float(value))
    return ticks
