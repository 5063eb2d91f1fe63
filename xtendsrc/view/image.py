"""Drawing images, exposure maps and rate maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.view.figure import IMAGE_SIZE, new_axes

if TYPE_CHECKING:
    from astropy.visualization.wcsaxes import WCSAxes as Axes
    from astropy.wcs import WCS
    from matplotlib.figure import Figure

    from xtendsrc.products.image import ImageLike
    from xtendsrc.regions import RegionSet

LARGEST = 1300
"""Pixels on a side above which an image is drawn block-averaged; the product's data stay as they are."""
STRETCHES = ("linear", "sqrt", "log", "asinh")
LABELS = {"ct": "counts / pixel", "s": "exposure (s)", "ct / s": "counts / s / pixel"}
REGION, EXCLUDED, BACKGROUND, CALIBRATION = "#4fd3ff", "#ff5d5d", "#ffd24f", "#7dff9b"


@dataclass(frozen=True)
class Picture:
    """Pixels as they are drawn, and how they lie on the unbinned grid.

    Attributes
    ----------
    data : ndarray, (ny, nx)
        What is drawn.
    wcs : WCS
        Its coordinates.
    step : int
        Unbinned pixels on a side of a drawn pixel.
    frame : str
        ``SKY`` or ``DET``.
    """

    data: np.ndarray
    wcs: WCS
    step: int
    frame: str

    def to_drawn(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn unbinned 1-based pixel coordinates into those of the drawing."""
        if self.frame == "DET":
            return x, y
        return (x - 0.5) / self.step - 0.5, (y - 0.5) / self.step - 0.5


def view_image(
    product: ImageLike,
    ax: Axes | None = None,
    *,
    stretch: str = "asinh",
    smooth: float = 0.0,
    view_regions: bool = False,
    regions: Any = None,
    calibration: bool = False,
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
    regions : region, optional
        More regions to outline: anything that `RegionSet.of` takes.
    calibration : bool
        Whether the calibration-source discs are outlined; with ``view_regions`` they always are.
    zoom_in : bool or Quantity
        False: all that has data; True: three radii around the source region; an angle: that far from its centre.
    cross_hair : SkyCoord, optional
        A position to mark.
    cmap, limits, title, colorbar
        Colours, lowest and highest value, heading, whether the colours are explained.
    figure, position
        Where new axes go.

    Returns
    -------
    Axes

    Raises
    ------
    RequestError
        For an unknown stretch, or axes without sky coordinates for a SKY image.
    """
    picture = _picture(product, smooth)
    if ax is None:
        options = {"projection": picture.wcs} if picture.frame == "SKY" else {}
        ax = new_axes(IMAGE_SIZE, figure, position, **options)
    elif picture.frame == "SKY" and not hasattr(ax, "wcs"):
        raise RequestError(
            "A SKY image needs axes with sky coordinates.", "make them with plt.subplot(projection=image.wcs)."
        )
    drawn = _draw(ax, picture, stretch, cmap, limits)
    source_region = product.source_region if view_regions or zoom_in is not False else None
    if view_regions and source_region is not None:
        outline(ax, product, picture, source_region, REGION)
    if regions is not None:
        from xtendsrc.regions import RegionSet

        outline(ax, product, picture, RegionSet.of(regions), REGION)
    if calibration or view_regions:
        _outline_calibration(ax, product, picture)
    if zoom_in is False:
        _trim(ax, picture)
    else:
        _zoom(ax, product, picture, zoom_in, source_region)
    if cross_hair is not None:
        ax.plot(cross_hair.icrs.ra.deg, cross_hair.icrs.dec.deg, "+", ms=18, mew=1.2, c="w", transform=_icrs(ax))
    _label(ax, product, picture, drawn, title, colorbar)
    return ax


def view_expmap(product: ImageLike, ax: Axes | None = None, *, stretch: str = "linear", **options: Any) -> Axes:
    """Draw an exposure map; options as for `view_image`."""
    return view_image(product, ax, stretch=stretch, **{"cmap": "cividis", **options})


def view_ratemap(product: ImageLike, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw a rate map; options as for `view_image`."""
    return view_image(product, ax, **options)


def view_source_regions(
    product: ImageLike, source: Any, background: RegionSet | None, ax: Axes | None = None, **options: Any
) -> Axes:
    """Draw an image with the source region (blue), its background (yellow), interlopers and discs."""
    ax = view_image(product, ax, **{"calibration": True, **options})
    picture = _picture(product, 0.0)
    outline(ax, product, picture, source.region, REGION)
    if background is not None:
        outline(ax, product, picture, background, BACKGROUND)
    return ax


def outline(ax: Axes, product: ImageLike, picture: Picture, region: RegionSet, colour: str) -> None:
    """Outline a region: what it includes in a colour, what it excludes in red dashes."""
    from xtendsrc.regions import RegionSet

    pixels = product.on_grid(region)
    for shapes, edge, style in ((pixels.included, colour, "-"), (pixels.excluded, EXCLUDED, "--")):
        for x, y in RegionSet(pixels.frame, shapes).outline() if shapes else ():
            drawn_x, drawn_y = picture.to_drawn(np.asarray(x), np.asarray(y))
            ax.plot(np.append(drawn_x, drawn_x[0]), np.append(drawn_y, drawn_y[0]), style, c=edge, lw=1.3)


def _picture(product: ImageLike, smooth: float) -> Picture:
    data, wcs, binning = product.data, product.wcs, product.binning
    block = max(1, -(-max(data.shape) // LARGEST))
    if block > 1:
        ny, nx = (n // block for n in data.shape)
        blocks = data[: ny * block, : nx * block].reshape(ny, block, nx, block)
        data = blocks.sum((1, 3)) if product.unit == "ct" else blocks.mean((1, 3))
        wcs = _coarse(wcs, block)
    if smooth:
        from scipy.ndimage import gaussian_filter

        data = gaussian_filter(np.nan_to_num(data.astype(float)), smooth / block)
    return Picture(data, wcs, binning * block, product.frame)


def _coarse(wcs: WCS, block: int) -> WCS:
    coarse = wcs.deepcopy()
    coarse.wcs.crpix = (wcs.wcs.crpix - 0.5) / block + 0.5
    coarse.wcs.cdelt = wcs.wcs.cdelt * block
    return coarse


def _draw(ax: Axes, picture: Picture, stretch: str, cmap: str, limits: tuple[float | None, float | None]) -> Any:
    from astropy.visualization import AsinhStretch, ImageNormalize, LinearStretch, LogStretch, SqrtStretch

    if stretch not in STRETCHES:
        raise RequestError(f"stretch={stretch!r} is unknown.", f"choose one of {', '.join(STRETCHES)}.")
    finite = picture.data[np.isfinite(picture.data)]
    low = float(finite.min()) if limits[0] is None and finite.size else (limits[0] or 0.0)
    high = limits[1] if limits[1] is not None else (float(finite.max()) if finite.size else 1.0)
    high = high if high > low else low + 1.0
    bright = finite[finite > low]
    bend = float(np.clip(2 * np.median(bright) / (high - low), 1e-4, 0.3)) if bright.size else 0.1
    curves = {
        "linear": LinearStretch(),
        "sqrt": SqrtStretch(),
        "log": LogStretch(1 / bend),
        "asinh": AsinhStretch(bend),
    }
    norm = ImageNormalize(vmin=low, vmax=high, stretch=curves[stretch], clip=True)
    extent = None
    if picture.frame == "DET":
        ny, nx = picture.data.shape
        extent = (0.5, nx * picture.step + 0.5, 0.5, ny * picture.step + 0.5)
    elif ax.wcs.to_header(relax=True) != picture.wcs.to_header(relax=True):
        ny, nx = picture.data.shape
        edges = np.meshgrid(np.arange(nx + 1) - 0.5, np.arange(ny + 1) - 0.5)
        return ax.pcolormesh(*edges, picture.data, norm=norm, cmap=cmap, transform=ax.get_transform(picture.wcs))
    return ax.imshow(picture.data, origin="lower", norm=norm, cmap=cmap, interpolation="nearest", extent=extent)


def _outline_calibration(ax: Axes, product: ImageLike, picture: Picture) -> None:
    from xtendsrc.errors import MissingKeywordError
    from xtendsrc.instrument import Geometry
    from xtendsrc.regions import RegionSet, calibration_discs

    try:
        geometry = Geometry.from_header(product.header)
    except MissingKeywordError:
        return
    for shape in calibration_discs(geometry, picture.frame).shapes:
        for x, y in RegionSet(picture.frame, (shape,)).outline():
            drawn_x, drawn_y = picture.to_drawn(np.asarray(x), np.asarray(y))
            ax.plot(drawn_x, drawn_y, ":", c=CALIBRATION, lw=1.1)


def _trim(ax: Axes, picture: Picture) -> None:
    """Show the part of the grid that has data, with a margin."""
    rows, columns = (np.flatnonzero(np.nan_to_num(picture.data).any(axis=a)) for a in (1, 0))
    if rows.size == 0:
        return
    scale, shift = (picture.step, 0.5) if picture.frame == "DET" else (1, -0.5)
    margin = 0.03 * max(rows[-1] - rows[0], columns[-1] - columns[0]) * scale
    ax.set_xlim(columns[0] * scale + shift - margin, (columns[-1] + 1) * scale + shift + margin)
    ax.set_ylim(rows[0] * scale + shift - margin, (rows[-1] + 1) * scale + shift + margin)
    ax.set_facecolor(ax.images[0].get_cmap()(0.0) if ax.images else "black")


def _zoom(ax: Axes, product: ImageLike, picture: Picture, zoom: Any, region: RegionSet | None) -> None:
    """Show the surroundings of the source region."""
    if region is None or picture.frame == "DET":
        _trim(ax, picture)
        return
    from xtendsrc.instrument import PIXEL_ARCSEC

    low_x, high_x, low_y, high_y = product.on_grid(region).bounds
    half = 1.5 * max(high_x - low_x, high_y - low_y)
    if zoom is not True:
        half = float(zoom.to_value("arcsec")) / PIXEL_ARCSEC
    centre_x, centre_y = (low_x + high_x) / 2, (low_y + high_y) / 2
    (x0, x1), (y0, y1) = picture.to_drawn(
        np.array([centre_x - half, centre_x + half]), np.array([centre_y - half, centre_y + half])
    )
    ax.set_xlim(x0, x1)
    ax.set_ylim(y0, y1)


def _label(ax: Axes, product: ImageLike, picture: Picture, drawn: Any, title: str | None, colorbar: bool) -> None:
    if picture.frame == "SKY":
        ax.set_xlabel("Right ascension")
        ax.set_ylabel("Declination", labelpad=-0.3)
        ax.coords.grid(color="white", alpha=0.15, linestyle="solid")
    else:
        ax.set_xlabel("DETX (pixel)")
        ax.set_ylabel("DETY (pixel)")
    ax.set_title(product.title if title is None else title, fontsize=10)
    if colorbar and ax.figure is not None:
        blocks = picture.step // product.binning
        label = LABELS.get(product.unit, product.unit)
        if blocks > 1 and product.unit == "ct":
            label = f"counts / {picture.step} x {picture.step} pixels"
        ax.figure.colorbar(drawn, ax=ax, label=label, fraction=0.046, pad=0.02)


def _icrs(ax: Axes) -> Any:
    return ax.get_transform("icrs") if hasattr(ax, "wcs") else ax.transData
