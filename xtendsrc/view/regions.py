"""Regions over images: outlines on any frame, and the legend that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.regions import RegionSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from astropy.visualization.wcsaxes import WCSAxes as Axes

    from xtendsrc.products.image.product import ImageLike
    from xtendsrc.view.picture import Picture

SOURCE, BACKGROUND, INTERLOPERS, CALIBRATION = "source region", "background", "other sources", "calibration sources"
COLOURS = {SOURCE: "#4fd3ff", BACKGROUND: "#ffd24f", INTERLOPERS: "#ff8a5d", CALIBRATION: "#7dff9b"}
FURTHER = ("#c79bff", "#ff9bd2", "#9bffea", "#ffffff")
EXCLUDED, EXCLUDED_COLOUR = "excluded", "#ff5d5d"


@dataclass(frozen=True)
class Overlay:
    """A region that is outlined.

    Parameters
    ----------
    region : RegionSet
        In any frame.
    label : str
        For the legend.
    colour, style : str
        Of what it includes; what it excludes is dashed and red.
    """

    region: RegionSet
    label: str
    colour: str
    style: str = "-"


def overlays_of(regions: Any) -> Iterator[Overlay]:
    """Yield what the ``regions=`` of a view asks for: one region, or several by the names for the legend."""
    named = regions if isinstance(regions, Mapping) else {"region": regions}
    for number, (label, region) in enumerate(named.items()):
        if region is not None:
            colour = COLOURS.get(label, FURTHER[number % len(FURTHER)] if len(named) > 1 else COLOURS[SOURCE])
            style = ":" if label == CALIBRATION else "-"
            yield Overlay(RegionSet.of(region), str(label), colour, style)


def without(region: RegionSet, others: RegionSet | None) -> RegionSet:
    """Return a region without those excluded shapes that are drawn as other sources."""
    drawn = () if others is None else tuple(shape.excluded() for shape in others.shapes)
    return RegionSet(region.frame, tuple(shape for shape in region.shapes if shape not in drawn))


def outline(ax: Axes, product: ImageLike, picture: Picture, overlays: Iterable[Overlay]) -> None:
    """Outline regions on an image, each in its colour, what they exclude in red dashes."""
    for overlay in overlays:
        pixels = product.on_grid(overlay.region)
        alone = not pixels.included  # calibration discs, for instance, are excluded shapes only
        _lines(ax, picture, pixels.shapes if alone else pixels.included, overlay.style, overlay.colour, overlay.label)
        if not alone:
            _lines(ax, picture, pixels.excluded, "--", EXCLUDED_COLOUR, EXCLUDED)


def _lines(ax: Axes, picture: Picture, shapes: Any, style: str, colour: str, label: str) -> None:
    if not shapes:
        return
    transform = picture.transform(ax)
    for x, y in RegionSet(picture.frame, tuple(shapes)).outline():
        along, up = picture.to_axes(x, y)
        closed = np.append(along, along[0]), np.append(up, up[0])
        ax.plot(*closed, style, c=colour, lw=1.3, transform=transform, scalex=False, scaley=False, label=label)


def explain(ax: Axes) -> None:
    """Name the outlines that are seen in a legend, each kind once."""
    handles, labels = ax.get_legend_handles_labels()
    entries = {label: line for line, label in zip(handles, labels, strict=True) if _is_seen(ax, line)}
    if entries:
        box = ax.legend(
            list(entries.values()), list(entries), fontsize=8, loc="upper left", facecolor="black", framealpha=0.55,
            edgecolor="none", labelcolor="white",
        )  # fmt: skip
        box.set_zorder(10)


def _is_seen(ax: Axes, line: Any) -> bool:
    """Whether a part of a line may lie within the limits of the axes."""
    if not hasattr(line, "get_xydata"):
        return True
    places = ax.transAxes.inverted().transform(line.get_transform().transform(line.get_xydata()))
    return bool((places.max(axis=0) > 0).all() and (places.min(axis=0) < 1).all())
