"""DET, FOC, SKY and RADEC: the coordinate chain of Xtend from a telescope definition or nominal numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import fitsfile
from .wcs import TanWCS

CCDS = ((259, 898, 913, 1552), (259, 898, 259, 898), (913, 1552, 913, 1552), (913, 1552, 259, 898))
CALIBRATION = ((920.0, 1530.0, 92.0), (919.0, 271.0, 91.0))


def footprints(size: int) -> np.ndarray:
    """Return 1 for the DET pixels of the four nominal CCDs, 0 elsewhere."""
    good = np.zeros((size, size))
    for x1, x2, y1, y2 in CCDS:
        good[y1 - 1 : y2, x1 - 1 : x2] = 1
    return good


def in_calibration(size: int) -> np.ndarray:
    """Tell which DET pixels the calibration sources light."""
    lines, columns = np.indices((size, size))
    lit = np.zeros((size, size), bool)
    for x, y, radius in CALIBRATION:
        lit |= (columns + 1 - x) ** 2 + (lines + 1 - y) ** 2 <= radius**2
    return lit


@dataclass(frozen=True)
class Geometry:
    """The numbers of the chain; the defaults are nominal for Xtend."""

    det_size: int = 1810
    foc_size: int = 2430
    xoff: float = -172.5
    yoff: float = -174.5
    rotd: float = 0.0
    focal_length: float = 5600.0
    pixel: float = 0.048
    optical_axis: tuple[float, float] = (733.0, 731.0)

    @property
    def scale(self) -> float:
        """Degrees per SKY pixel."""
        return math.degrees(self.pixel / self.focal_length)

    @property
    def det_centre(self) -> float:
        """Centre of the DET plane."""
        return (self.det_size + 1) / 2

    @property
    def foc_centre(self) -> float:
        """Centre of the FOC and SKY planes."""
        return (self.foc_size + 1) / 2


def load(name: str | None) -> Geometry:
    """Read the geometry keywords of a telescope definition or instrument map; CALDB gives the nominal numbers."""
    if name is None or name.upper() in ("CALDB", "DEFAULT"):
        return Geometry()
    for hdu in fitsfile.read(name):
        header = hdu.header
        if "FOC_XOFF" in header:
            return Geometry(
                int(header.get("DET_XSIZ", 1810)),
                int(header.get("FOC_XSIZ", 2430)),
                float(header.get("FOC_XOFF")),
                float(header.get("FOC_YOFF")),
                float(header.get("FOC_ROTD", 0.0)),
                float(header.get("FOCALLEN", 5600.0)),
                float(header.get("FOC_XSCL", 0.048)),
                (float(header.get("OPTAXISX", 733.0)), float(header.get("OPTAXISY", 731.0))),
            )
    raise fitsfile.FitsError(202, f"no geometry keywords in {name}")


@dataclass(frozen=True)
class Step:
    """A linear step of the chain: out = centre + M (point - origin)."""

    origin: tuple[float, float]
    centre: tuple[float, float]
    matrix: tuple[float, float, float, float]

    def apply(self, x: float, y: float) -> tuple[float, float]:
        """Carry a point."""
        dx, dy = x - self.origin[0], y - self.origin[1]
        a, b, c, d = self.matrix
        return self.centre[0] + a * dx + b * dy, self.centre[1] + c * dx + d * dy

    def invert(self, x: float, y: float) -> tuple[float, float]:
        """Carry a point back."""
        dx, dy = x - self.centre[0], y - self.centre[1]
        a, b, c, d = self.matrix
        scale = a * d - b * c
        return self.origin[0] + (d * dx - b * dy) / scale, self.origin[1] + (a * dy - c * dx) / scale

    @property
    def angle(self) -> float:
        """The rotation in degrees."""
        return math.degrees(math.atan2(self.matrix[2], self.matrix[0]))


def det_to_foc(geometry: Geometry) -> Step:
    """Return the step from DET to FOC."""
    angle = math.radians(-geometry.rotd)
    origin = (geometry.det_centre + geometry.xoff, geometry.det_centre + geometry.yoff)
    cosine, sine = math.cos(angle), math.sin(angle)
    return Step(origin, (geometry.foc_centre, geometry.foc_centre), (cosine, -sine, sine, cosine))


def _axes(ra: float, dec: float) -> np.ndarray:
    """Return the unit vectors to the West, to the North and outwards at a direction."""
    a, d = math.radians(ra), math.radians(dec)
    west = [math.sin(a), -math.cos(a), 0.0]
    north = [-math.sin(d) * math.cos(a), -math.sin(d) * math.sin(a), math.cos(d)]
    outward = [math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)]
    return np.array([west, north, outward])


def foc_to_sky(geometry: Geometry, pointing: tuple[float, float, float], nominal: tuple[float, float, float]) -> Step:
    """Return the step from FOC to SKY for a pointing (RA, Dec, roll) and the nominal one, in degrees.

    Between the two tangent planes the linear part of the perspective is kept: the rotation matrix of the
    attitudes divided by its last element, to which the measured transform of the real task agrees to 1e-9 px.
    """
    there, here = _axes(*pointing[:2]), _axes(*nominal[:2])
    roll, base = math.radians(pointing[2]), math.radians(nominal[2])
    first = math.cos(roll) * there[0] + math.sin(roll) * there[1]
    second = -math.sin(roll) * there[0] + math.cos(roll) * there[1]
    west = math.cos(base) * here[0] + math.sin(base) * here[1]
    north = -math.sin(base) * here[0] + math.cos(base) * here[1]
    depth = float(here[2] @ there[2])
    radius = geometry.focal_length / geometry.pixel / depth
    centre = geometry.foc_centre
    matrix = [float(axis @ vector) / depth for axis in (west, north) for vector in (first, second)]
    shifted = (centre + radius * float(west @ there[2]), centre + radius * float(north @ there[2]))
    return Step((centre, centre), shifted, (matrix[0], matrix[1], matrix[2], matrix[3]))


def joined(first: Step, second: Step) -> Step:
    """Return the one step that two make together."""
    a, b, c, d = second.matrix
    p, q, r, t = first.matrix
    return Step(first.origin, second.apply(*first.centre), (a * p + b * r, a * q + b * t, c * p + d * r, c * q + d * t))


def sky_projection(geometry: Geometry, nominal: tuple[float, float, float]) -> TanWCS:
    """Return the projection of the SKY plane."""
    centre = geometry.foc_centre
    return TanWCS((centre, centre), nominal[:2], (-geometry.scale, geometry.scale), nominal[2])
