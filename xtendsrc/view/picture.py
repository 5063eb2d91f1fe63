"""Pixels as they are drawn, and how they lie on axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.visualization.wcsaxes import WCSAxes as Axes
    from astropy.wcs import WCS

Box = tuple[np.ndarray, np.ndarray]
"""Left and right, bottom and top, on the axes."""


@dataclass(frozen=True)
class Picture:
    """Pixels as they are drawn, and how they lie on the axes, which count the product's own pixels.

    Attributes
    ----------
    data : ndarray, (ny, nx)
        What is drawn.
    wcs : WCS
        Coordinates of the product's own pixels.
    block : int
        The product's pixels on a side of a drawn one.
    binning : int
        Unbinned pixels on a side of the product's own.
    frame : str
        ``SKY`` or ``DET``.
    """

    data: np.ndarray
    wcs: WCS
    block: int
    binning: int
    frame: str

    @property
    def size(self) -> tuple[float, float]:
        """Where a corner lies, and the side of a drawn pixel, on the axes: DET axes count unbinned pixels from 1."""
        return (0.5, float(self.block * self.binning)) if self.frame == "DET" else (-0.5, float(self.block))

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of what is drawn."""
        ny, nx = self.data.shape
        corner, side = self.size
        return corner, corner + nx * side, corner, corner + ny * side

    def within(self, box: Box) -> np.ndarray:
        """Pixels inside a box of the axes; all of them if none is."""
        corner, side = self.size
        (left, right), (low, high) = ((np.asarray(ends) - corner) / side for ends in box)
        rows, columns = slice(max(0, int(low)), max(0, round(high))), slice(max(0, int(left)), max(0, round(right)))
        part = self.data[rows, columns]
        return part if part.size else self.data

    def around(self, box: Box, bounds: tuple[float, float, float, float]) -> Box:
        """Return a box of the axes that also holds a rectangle of unbinned pixels (x low, x high, y low, y high)."""
        x, y = self.to_axes(bounds[:2], bounds[2:])
        room = 0.02 * max(np.ptp(box[0]), np.ptp(box[1]))
        ends = ((min(own[0], new[0] - room), max(own[1], new[1] + room)) for own, new in zip(box, (x, y), strict=True))
        across, up = (np.array(pair) for pair in ends)
        return across, up

    def to_axes(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Convert unbinned 1-based pixel coordinates into those of the axes."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        if self.frame == "DET":
            return x, y
        return (x - 0.5) / self.binning - 0.5, (y - 0.5) / self.binning - 0.5

    def transform(self, ax: Axes) -> Any:
        """How the product's pixels come onto axes that may have another WCS."""
        return ax.transData if self.frame == "DET" or self.on(ax) else ax.get_transform(self.wcs)

    def on(self, ax: Axes) -> bool:
        """Tell whether axes count this product's pixels."""
        return self.frame == "DET" or bool(ax.wcs.to_header(relax=True) == self.wcs.to_header(relax=True))
