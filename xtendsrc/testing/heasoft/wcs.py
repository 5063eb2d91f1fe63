"""The tangent projection of an event file's columns, written out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fitsfile import HDU, Header


@dataclass(frozen=True)
class TanWCS:
    """A gnomonic projection: reference pixel, reference direction and increments in degrees."""

    crpix: tuple[float, float]
    crval: tuple[float, float]
    cdelt: tuple[float, float]
    rotation: float = 0.0

    @property
    def scale(self) -> float:
        """Degrees per pixel; pixels are taken as square, as CFITSIO does."""
        return abs(self.cdelt[1])

    def to_pixel(self, ra: float, dec: float) -> tuple[float, float]:
        """Return the pixel of a direction in degrees."""
        a, d = math.radians(ra - self.crval[0]), math.radians(dec)
        d0 = math.radians(self.crval[1])
        depth = math.sin(d0) * math.sin(d) + math.cos(d0) * math.cos(d) * math.cos(a)
        xi = math.degrees(math.cos(d) * math.sin(a) / depth)
        eta = math.degrees((math.cos(d0) * math.sin(d) - math.sin(d0) * math.cos(d) * math.cos(a)) / depth)
        cosine, sine = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        u, v = xi * cosine + eta * sine, -xi * sine + eta * cosine
        return self.crpix[0] + u / self.cdelt[0], self.crpix[1] + v / self.cdelt[1]

    def to_sky(self, x: float, y: float) -> tuple[float, float]:
        """Return the direction (RA, Dec in degrees) of a pixel."""
        u, v = (x - self.crpix[0]) * self.cdelt[0], (y - self.crpix[1]) * self.cdelt[1]
        cosine, sine = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        xi, eta = math.radians(u * cosine - v * sine), math.radians(u * sine + v * cosine)
        d0 = math.radians(self.crval[1])
        depth = math.cos(d0) - eta * math.sin(d0)
        ra = self.crval[0] + math.degrees(math.atan2(xi, depth))
        dec = math.degrees(math.atan2(math.sin(d0) + eta * math.cos(d0), math.hypot(xi, depth)))
        return ra % 360.0, dec


def of_columns(hdu: HDU, xcol: str, ycol: str) -> TanWCS | None:
    """Return the projection of two columns of an event table, None when they have none."""
    nx, ny = hdu.column_number(xcol), hdu.column_number(ycol)
    header = hdu.header
    if not nx or not ny or "TAN" not in str(header.get(f"TCTYP{nx}", "")):
        return None
    return TanWCS(
        (float(header.get(f"TCRPX{nx}", 0)), float(header.get(f"TCRPX{ny}", 0))),
        (float(header.get(f"TCRVL{nx}", 0)), float(header.get(f"TCRVL{ny}", 0))),
        (float(header.get(f"TCDLT{nx}", 1)), float(header.get(f"TCDLT{ny}", 1))),
        float(header.get(f"TCROT{ny}", 0) or 0),
    )


def of_image(header: Header) -> TanWCS | None:
    """Return the projection of an image header, None when it has none."""
    if "TAN" not in str(header.get("CTYPE1", "")):
        return None
    return TanWCS(
        (float(header.get("CRPIX1")), float(header.get("CRPIX2"))),
        (float(header.get("CRVAL1")), float(header.get("CRVAL2"))),
        (float(header.get("CDELT1")), float(header.get("CDELT2"))),
        float(header.get("CROTA2", 0) or 0),
    )
