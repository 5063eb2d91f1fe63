"""A region: shapes in one frame, with HEASoft's edge rules."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import RegionError
from xtendsrc.regions import pixels, sky

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import regions
    from astropy.coordinates import SkyCoord
    from astropy.io import fits
    from astropy.wcs import WCS
    from numpy.typing import ArrayLike, NDArray

    from xtendsrc.instrument import Geometry
    from xtendsrc.regions.pixels import Limits
    from xtendsrc.regions.shapes import Shape

FRAMES = ("icrs", "SKY", "DET")


@dataclass(frozen=True)
class RegionSet:
    """Shapes in one frame: the union of those included, less every one excluded.

    With excluded shapes only, everything but them is meant. The order of the shapes does not matter; included ones are
    kept first, which is the order in which HEASoft gives a file the same meaning.

    Parameters
    ----------
    frame : {"icrs", "SKY", "DET"}
        ``icrs``: every value in degrees (sizes too; angles as ds9 has them, from West to North). ``SKY`` and ``DET``:
        1-based pixels of the unbinned grid, equal to the X, Y or DETX, DETY of an event.
    shapes : tuple of Shape
        At least one.

    Raises
    ------
    RegionError
        Without a shape, or for an unknown frame or a declination beyond the poles.
    """

    frame: str
    shapes: tuple[Shape, ...]

    def __post_init__(self) -> None:
        if self.frame not in FRAMES:
            raise RegionError(f"{self.frame!r} is not a frame of a region.", f"Use one of {', '.join(FRAMES)}.")
        ordered = sorted(self.shapes, key=lambda shape: shape.exclude)
        object.__setattr__(self, "shapes", tuple(ordered))
        if not ordered:
            raise RegionError("The region holds no shape.", "Give at least one; the whole field is no region at all.")
        if self.frame == "icrs":
            for shape in ordered:
                _check_declination(shape)

    # --- ways in --------------------------------------------------------------------------------------------------

    @classmethod
    def of(cls, x: Any, frame: str = "SKY") -> RegionSet:
        """Make a region of whatever states one.

        Parameters
        ----------
        x : RegionSet, regions.Region, str, Path, or a list of them
            Region objects of the ``regions`` package may be on the sky or in pixels (0-based there, 1-based here); one
            with ``meta["include"] = False`` is excluded. A string or path names a region file. Lists may be nested
            and are taken together: every excluded shape is excluded from every included one.
        frame : {"SKY", "DET"}
            The grid that pixel regions and pixel region files refer to.
        """
        if isinstance(x, cls):
            return x
        from xtendsrc.regions.convert import shapes_of
        from xtendsrc.regions.reader import read_region_file

        return cls(*shapes_of(x, frame, read_region_file))

    @classmethod
    def read(cls, path: str | Path, frame: str = "SKY") -> RegionSet:
        """Read a region file: of ds9, HEASoft or CIAO, a FITS region table, circles and polygons of CASA and STC-S.

        Parameters
        ----------
        path : path-like
            The file.
        frame : {"SKY", "DET"}
            The grid that ``physical`` and ``image`` coordinates refer to; both mean unbinned pixels.

        Raises
        ------
        RegionError
            For anything that is not understood, for an angular size without a unit, and for a file without a region;
            the message names file and line.
        """
        from xtendsrc.regions.reader import read_region_file

        return cls(*read_region_file(path, frame))

    @classmethod
    def from_canonical(cls, x: Any) -> RegionSet:
        """Make the region that `canonical` describes."""
        from xtendsrc.regions.canonical import from_canonical

        return cls(*from_canonical(x))

    # --- ways out -------------------------------------------------------------------------------------------------

    def canonical(self) -> list[Any]:
        """JSON-able form ``[frame, [[name, included, [values]], ...]]``, equal for equal regions.

        Values are rounded to 1e-9 degree or 1e-6 pixel, angles taken modulo a half turn, shapes sorted.
        """
        from xtendsrc.regions.canonical import canonical

        return canonical(self)

    def to_pixels(self, wcs: WCS | None = None, frame: str = "SKY") -> RegionSet:
        """Return the region in 1-based pixels of a grid; one already on that grid is returned as it is.

        Parameters
        ----------
        wcs : astropy.wcs.WCS
            Celestial WCS whose 1-based pixels are the unbinned pixels of `frame`.
        frame : {"SKY", "DET"}
            The name of that grid.
        """
        if self.frame == frame:
            return self
        if self.frame != "icrs":
            raise RegionError(
                f"A region in {self.frame} pixels cannot be used on the {frame} grid.",
                "Give the region on the sky (ICRS), or in pixels of this grid.",
            )
        if wcs is None:
            raise RegionError("A region on the sky needs a WCS to be put on a grid.", "Give the WCS of the events.")
        return RegionSet(frame, sky.shapes_to_pixels(self.shapes, wcs))

    def to_sky(self, wcs: WCS | None = None) -> RegionSet:
        """Return the region in ICRS degrees; `wcs` is that of the pixels."""
        if self.frame == "icrs":
            return self
        if wcs is None:
            raise RegionError(
                f"A region in {self.frame} pixels needs a WCS to be put on the sky.", "Give the WCS of the events."
            )
        return RegionSet("icrs", tuple(sky.shape_to_sky(shape, wcs) for shape in self.shapes))

    def to_frame(self, frame: str, geometry: Geometry) -> RegionSet:
        """Return the region in any frame, by the pointing of one observation.

        Parameters
        ----------
        frame : {"icrs", "SKY", "DET"}
            DET means the nominal pointing: the detector turned by PA_NOM, without the wander of the attitude.
        geometry : Geometry
            From ``Geometry.from_header(events.header)``.
        """
        if self.frame == frame:
            return self
        on_sky_grid = self.to_pixels(geometry.wcs) if self.frame == "icrs" else self
        if on_sky_grid.frame == "DET":
            on_sky_grid = RegionSet("SKY", tuple(sky.det_to_sky(shape, geometry) for shape in self.shapes))
        if frame == "DET":
            return RegionSet("DET", tuple(sky.sky_to_det(shape, geometry) for shape in on_sky_grid.shapes))
        return on_sky_grid if frame == "SKY" else on_sky_grid.to_sky(geometry.wcs)

    def to_regions(self) -> list[regions.Region]:
        """Region objects of the ``regions`` package: on the sky for ICRS, else 0-based pixels."""
        from xtendsrc.regions.convert import to_astropy

        return [to_astropy(shape, self.frame) for shape in self.shapes]

    def write(self, path: str | Path, frame: str = "physical", wcs: WCS | None = None) -> Path:
        """Write a file that HEASoft reads as this region, and read it back to be sure.

        Parameters
        ----------
        path : path-like
            The file; it is replaced if there.
        frame : {"physical", "fk5"}
            ``physical``: pixels of the grid (for extractor, ahbackscal); ``fk5``: degrees (for coordpnt, xaarfgen).
        wcs : astropy.wcs.WCS, optional
            Needed where the region is on the sky and pixels are wanted, or the other way round.
        """
        from xtendsrc.regions.writer import write_region_file

        return write_region_file(self, path, frame, wcs)

    def to_hdu(self, header: fits.Header | None = None, name: str = "REG00101") -> fits.BinTableHDU:
        """FITS region table as extractor appends to its products, for the header of EVENTS.

        Raises
        ------
        RegionError
            Without a header that places the columns on the sky: extractor would take the whole field.
        """
        from xtendsrc.regions.table import region_hdu

        return region_hdu(self, header, name)

    # --- combining ------------------------------------------------------------------------------------------------

    @property
    def included(self) -> tuple[Shape, ...]:
        """The shapes taken in."""
        return tuple(shape for shape in self.shapes if not shape.exclude)

    @property
    def excluded(self) -> tuple[Shape, ...]:
        """The shapes taken out."""
        return tuple(shape for shape in self.shapes if shape.exclude)

    def exclude(self, shapes: Iterable[Shape]) -> RegionSet:
        """Take more shapes, in this region's frame, out."""
        return replace(self, shapes=(*self.shapes, *(shape.excluded() for shape in shapes)))

    def without(self, other: RegionSet) -> RegionSet:
        """Take another region out: its included shapes, or, if it has excluded ones only, these.

        Raises
        ------
        RegionError
            If the frames differ, or `other` has both kinds (what it excludes would have to be added again).
        """
        self._same_frame(other)
        if other.included and other.excluded:
            raise RegionError(
                "A region that itself excludes shapes cannot be taken out of another one.",
                "Give the shapes to be taken out alone.",
            )
        return self.exclude(other.shapes)

    def _same_frame(self, other: RegionSet) -> None:
        if self.frame != other.frame:
            raise RegionError(
                f"Regions in the frames {self.frame} and {other.frame} cannot be combined.",
                "Convert one of them with to_pixels(wcs) or to_sky(wcs).",
            )

    # --- on pixels ------------------------------------------------------------------------------------------------

    def mask(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
        """Return a boolean mask of the points in the region, by extractor's rules.

        Included shapes own their edges (both edges of a ring), excluded ones too; values are compared as they are,
        never rounded. With excluded shapes only, everything else is inside.

        Parameters
        ----------
        x, y : array-like
            Pixels of the region's own frame: the columns X, Y or DETX, DETY of events.

        Returns
        -------
        ndarray of bool
            Of the common shape of `x` and `y`.
        """
        self._need_pixels("mask(x, y)")
        return pixels.mask(self.shapes, x, y)

    def contains_sky(self, coord: SkyCoord, wcs: WCS | None = None) -> NDArray[np.bool_]:
        """Return a boolean mask of the sky positions in the region.

        Parameters
        ----------
        coord : SkyCoord
            One position or an array.
        wcs : astropy.wcs.WCS, optional
            Needed for a region in pixels; without it a region on the sky is tested on its own tangent plane.
        """
        if wcs is None or self.frame == "DET":
            wcs = self._tangent_wcs("contains_sky(coord) without the WCS of SKY")
        icrs = coord.icrs
        x, y = sky.world_to_pixel(np.asarray(icrs.ra.deg), np.asarray(icrs.dec.deg), wcs)
        return self.to_pixels(wcs).mask(x, y)

    def image_mask(self, limits: Limits | None = None, binning: int = 1) -> NDArray[np.bool_]:
        """Return a boolean mask of the pixels of an image whose centre is in the region.

        Parameters
        ----------
        limits : ((x_min, x_max), (y_min, y_max)), optional
            First and last unbinned pixel of the image; the whole grid of the frame unless given.
        binning : int
            Unbinned pixels a side of an image pixel; what is left over at the end is dropped, as extractor does.

        Returns
        -------
        ndarray of bool, shape (ny, nx)
        """
        self._need_pixels("image_mask()")
        return pixels.image_mask(self.shapes, limits or pixels.grid_limits(self.frame), binning)

    def pixel_count(self, limits: Limits | None = None) -> int:
        """Count the integer pixel centres inside, within `limits` (as in `image_mask`).

        Divided by the number of pixels of the grid this is extractor's BACKSCAL at binning 1.
        """
        return int(np.count_nonzero(self.image_mask(limits)))

    def overlap_fraction(self, other: RegionSet, limits: Limits | None = None) -> float:
        """Fraction of this region's pixels that lie in `other` too; NaN if it has none."""
        self._same_frame(other)
        own = self.image_mask(limits)
        count = np.count_nonzero(own)
        return float(np.count_nonzero(own & other.image_mask(limits)) / count) if count else math.nan

    # --- geometry -------------------------------------------------------------------------------------------------

    def area(self, samples: int = 2000) -> float:
        """Area of the included shapes less the excluded ones, in square pixels or square degrees.

        In closed form where no shape meets another; otherwise sampled on a lattice of `samples` points a side
        across the bounding box (good to about 1e-3 of it at 2000).
        """
        plane, scale = self._plane()
        if not plane.included:
            raise RegionError("A region of excluded shapes only has no area of its own.", "Use pixel_count(limits).")
        return pixels.area(plane.shapes, samples) * scale**2

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Upright rectangle around the included shapes (excluded ones if there are no others): pixel frames only."""
        self._need_pixels("bounds")
        return pixels.bounds(self.included or self.shapes)

    @property
    def centre(self) -> tuple[float, float]:
        """Centre in the region's frame: of the included shapes (else the excluded), weighted by their areas."""
        plane, _ = self._plane()
        shapes = plane.included or plane.shapes
        weights = np.array([shape.area for shape in shapes])
        x, y = weights @ np.array([shape.centre for shape in shapes]) / weights.sum()
        if self.frame != "icrs":
            return float(x), float(y)
        ra, dec = sky.pixel_to_world(np.array([x]), np.array([y]), self._tangent_wcs("centre"))
        return float(ra[0]), float(dec[0])

    def outline(self, n: int = 100) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Closed curves to draw, in the region's frame, two for a ring; curved edges have `n` points."""
        plane, _ = self._plane()
        curves = [curve for shape in plane.shapes for curve in shape.outlines(n)]
        if self.frame != "icrs":
            return curves
        wcs = self._tangent_wcs("outline")
        return [sky.pixel_to_world(x, y, wcs) for x, y in curves]

    def _plane(self) -> tuple[RegionSet, float]:
        """The region on a plane, and the size of the plane's unit in units of the region's frame."""
        if self.frame != "icrs":
            return self, 1.0
        wcs = self._tangent_wcs("")
        return self.to_pixels(wcs), sky.pixel_scale(wcs)

    def _tangent_wcs(self, what: str) -> WCS:
        if self.frame != "icrs":
            raise RegionError(f"{what} needs a region on the sky, not {self.frame} pixels.", "Give the WCS.")
        shape = self.shapes[0]
        ra, dec = shape.values[:2] if shape.name != "polygon" else (shape.values[0], shape.values[1])
        return sky.local_wcs(ra, dec)

    def _need_pixels(self, what: str) -> None:
        if self.frame == "icrs":
            raise RegionError(
                f"{what} needs a region in pixels; this one is on the sky.", "Convert it with to_pixels(wcs)."
            )


def _check_declination(shape: Shape) -> None:
    declinations = shape.values[1::2] if shape.name == "polygon" else shape.values[1:2]
    if any(abs(declination) > 90 for declination in declinations):
        raise RegionError(
            f"The {shape.name} has a declination beyond the poles: {max(declinations, key=abs):g} degrees.",
            "Give right ascension first, then declination.",
        )
