"""DET <-> FOC <-> SKY <-> ICRS for the nominal pointing of an observation, and for any other pointing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from xtendsrc.errors import InputFileError, MissingKeywordError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS
    from numpy.typing import ArrayLike

DET_SIZE = 1810
"""Pixels along each side of the DET grid (HEASoft ``heasim.mdb``, Hitomi SXI)."""
DET_CENTRE = 905.5
SKY_SIZE = 2430
"""Pixels along each side of the FOC and SKY grids (``heasim.mdb``; SKY confirmed on a XRISM header)."""
SKY_CENTRE = 1215.5
PIXEL_DEG = 4.91106681541e-4
"""Angle of a pixel: 48 um at a focal length of 5600 mm (``heasim.mdb``; the same scale in XRISM headers)."""
PIXEL_ARCSEC = PIXEL_DEG * 3600
FOC_OFFSET = (-172.5, -174.5)
"""FOC_XOFF, FOC_YOFF of the telescope definition: puts the aim point on DET (733, 731) (*computed guess*)."""
HEMISPHERE = np.cos(np.radians(89.0))
OPTICAL_AXIS = (733.0, 731.0)
"""OPTDETX, OPTDETY if the header lacks them: where on-axis targets land, on CCD2, to 10 pixels."""


def celestial_frame(header: Mapping[str, Any]) -> str:
    """Celestial frame of the sky grid, ``fk5`` (J2000) or ``icrs``: RADECSYS (or RADESYS) of a header, else FK5.

    Raises
    ------
    InputFileError
        If it is another one, or of another equinox than 2000.
    """
    frame = str(header.get("RADECSYS", header.get("RADESYS", "FK5"))).strip().lower()
    if frame not in ("fk5", "icrs"):
        raise InputFileError(f"RADECSYS is {frame.upper()!r}, not FK5 or ICRS.", "check the header of the file.")
    equinox = header.get("EQUINOX", 2000.0)
    if frame == "fk5" and equinox != 2000.0:
        raise InputFileError(f"EQUINOX is {equinox!r}, not 2000.", "check the header of the file.")
    return frame


def det_to_foc(
    detx: ArrayLike, dety: ArrayLike, offset: tuple[float, float] = FOC_OFFSET
) -> tuple[np.ndarray, np.ndarray]:
    """FOC of DET positions: ``FOC = DET - (905.5 + offset) + 1215.5`` (HEASoft ``ahexpmap``, FOC_ROTD = 0)."""
    shift = SKY_CENTRE - DET_CENTRE
    return np.asarray(detx) - offset[0] + shift, np.asarray(dety) - offset[1] + shift


def foc_to_det(
    focx: ArrayLike, focy: ArrayLike, offset: tuple[float, float] = FOC_OFFSET
) -> tuple[np.ndarray, np.ndarray]:
    """DET of FOC positions, the inverse of `det_to_foc`."""
    shift = SKY_CENTRE - DET_CENTRE
    return np.asarray(focx) + offset[0] - shift, np.asarray(focy) + offset[1] - shift


def _rotate(x: ArrayLike, y: ArrayLike, angle: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    dx, dy = np.asarray(x) - SKY_CENTRE, np.asarray(y) - SKY_CENTRE
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return SKY_CENTRE + dx * c - dy * s, SKY_CENTRE + dx * s + dy * c


def _unit(ra: ArrayLike, dec: ArrayLike) -> np.ndarray:
    """Unit vectors to positions in degrees; shape (3, ...)."""
    a, d = np.radians(ra), np.radians(dec)
    if a.shape != d.shape:
        a, d = np.broadcast_arrays(a, d)
    cd = np.cos(d)
    return np.array([cd * np.cos(a), cd * np.sin(a), np.sin(d)])


def _axes(ra: ArrayLike, dec: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors to a position, to its East and to its North; shape (3, ...)."""
    a, d = np.broadcast_arrays(np.radians(ra), np.radians(dec))
    sa, ca, sd, cd = np.sin(a), np.cos(a), np.sin(d), np.cos(d)
    return np.stack([cd * ca, cd * sa, sd]), np.stack([-sa, ca, 0 * sa]), np.stack([-sd * ca, -sd * sa, cd])


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    found: np.ndarray = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return found


def _reproject(
    x: ArrayLike, y: ArrayLike, start: tuple[Any, Any], stop: tuple[Any, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the tangent plane around ``start`` (X to the West) on the one around ``stop``."""
    scale = np.radians(PIXEL_DEG)
    px, py = (np.asarray(x) - SKY_CENTRE) * scale, (np.asarray(y) - SKY_CENTRE) * scale
    r, e, n = _axes(*start)
    to_r, to_e, to_n = _axes(*stop)

    def along(axis: np.ndarray) -> np.ndarray:
        found: np.ndarray = _dot(r, axis) - px * _dot(e, axis) + py * _dot(n, axis)
        return found

    depth = along(to_r) * scale
    return SKY_CENTRE - along(to_e) / depth, SKY_CENTRE + along(to_n) / depth


def _offset_of(header: Mapping[str, Any]) -> tuple[float, float]:
    """FOC offset from the optical axis in both grids, where the header has it in both."""
    names = ("OPTDETX", "OPTFOCX", "OPTDETY", "OPTFOCY")
    if any(name not in header for name in names):
        return FOC_OFFSET
    detx, focx, dety, focy = (float(header[name]) for name in names)
    shift = SKY_CENTRE - DET_CENTRE
    return detx - focx + shift, dety - focy + shift


@dataclass(frozen=True)
class Geometry:
    """The sky grid of one observation and how the detector lies on it.

    Attributes
    ----------
    ra_nom, dec_nom : float
        Reference of the tangent plane, deg, FK5 (equal to ICRS within 0.03 arcsec).
    pa_nom : float
        Angle of +FOCY (and +DETY), East of North, deg.
    foc_offset : tuple of float
        FOC_XOFF, FOC_YOFF in pixels.
    optical_axis : tuple of float
        DETX, DETY of the optical axis.
    frame : str
        Celestial frame of the sky grid, ``fk5`` or ``icrs``.

    Notes
    -----
    With phi = PA_NOM and dx, dy from the centre of FOC, ``X = 1215.5 + dx cos phi - dy sin phi`` and
    ``Y = 1215.5 + dx sin phi + dy cos phi``, as HEASoft's ``coordpnt`` has it and the OPTFOC and OPTSKY keywords
    of XRISM files confirm. X increases to the West.
    """

    ra_nom: float
    dec_nom: float
    pa_nom: float
    foc_offset: tuple[float, float] = FOC_OFFSET
    optical_axis: tuple[float, float] = OPTICAL_AXIS
    frame: str = "fk5"

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Geometry:
        """Read RA_NOM, DEC_NOM, PA_NOM and, where present, OPTDETX/Y, OPTFOCX/Y and RADECSYS.

        Raises
        ------
        MissingKeywordError
            If one of the three nominal values is missing.
        InputFileError
            If one is not a finite number, or the grid is of another frame than FK5 (J2000) or ICRS.
        """
        values: list[float] = []
        for name in ("RA_NOM", "DEC_NOM", "PA_NOM"):
            if name not in header:
                raise MissingKeywordError(
                    f"The header has no keyword {name}: DET cannot be placed on the sky.", "use the archive's file."
                )
            try:
                values.append(float(header[name]))
            except (TypeError, ValueError):
                values.append(np.nan)
            if not np.isfinite(values[-1]):
                raise InputFileError(f"{name} is {header[name]!r}, not a number.", "check the header of the file.")
        axis = (float(header.get("OPTDETX", OPTICAL_AXIS[0])), float(header.get("OPTDETY", OPTICAL_AXIS[1])))
        ra, dec, pa = values
        return cls(ra, dec, pa, foc_offset=_offset_of(header), optical_axis=axis, frame=celestial_frame(header))

    @cached_property
    def wcs(self) -> WCS:
        """WCS of the SKY grid; its pixel (1-based) is (X, Y), so 0-based functions take X - 1."""
        from astropy.wcs import WCS

        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crpix = [SKY_CENTRE, SKY_CENTRE]
        wcs.wcs.crval = [self.ra_nom, self.dec_nom]
        wcs.wcs.cdelt = [-PIXEL_DEG, PIXEL_DEG]
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.radesys = self.frame.upper()
        if self.frame == "fk5":
            wcs.wcs.equinox = 2000.0
        wcs.array_shape = (SKY_SIZE, SKY_SIZE)
        return wcs

    def det_to_sky(self, detx: ArrayLike, dety: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """SKY X, Y (not rounded) of DET positions, for the nominal pointing."""
        return _rotate(*det_to_foc(detx, dety, self.foc_offset), self.pa_nom)

    def sky_to_det(self, x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """DETX, DETY (not rounded) of SKY positions, for the nominal pointing."""
        return foc_to_det(*_rotate(x, y, -self.pa_nom), self.foc_offset)

    def sky_to_icrs(self, x: ArrayLike, y: ArrayLike) -> SkyCoord:
        """ICRS coordinates of SKY positions."""
        from astropy.coordinates import SkyCoord

        return SkyCoord(*self.sky_to_degrees(x, y), unit="deg", frame="icrs")

    def sky_to_degrees(self, x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """RA and Dec (ICRS, degrees) of SKY positions: the inverse of `degrees_to_sky`."""
        scale = np.radians(PIXEL_DEG)
        px, py = (np.asarray(x) - SKY_CENTRE) * scale, (np.asarray(y) - SKY_CENTRE) * scale
        r, e, n = self._nominal_axes
        place = np.tensordot(self._from_icrs.T, r + np.multiply.outer(px, -e) + np.multiply.outer(py, n), axes=(1, -1))
        ra = np.degrees(np.arctan2(place[1], place[0])) % 360.0
        return ra, np.degrees(np.arctan2(place[2], np.hypot(place[0], place[1])))

    def icrs_to_sky(self, position: SkyCoord) -> tuple[np.ndarray, np.ndarray]:
        """SKY X, Y of celestial positions (of any frame); NaN beyond the hemisphere of the pointing."""
        place = position.icrs
        return self.degrees_to_sky(place.ra.deg, place.dec.deg)

    def degrees_to_sky(self, ra: ArrayLike, dec: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """SKY X, Y of RA and Dec (ICRS, degrees); NaN beyond the hemisphere of the pointing."""
        unit = _unit(ra, dec)
        shape = unit.shape[1:]
        unit = np.dot(self._from_icrs, unit.reshape(3, -1))  # np.tensordot takes longer than this for one position
        depth, east, north = (np.dot(axis[None], unit)[0] for axis in self._nominal_axes)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(depth > HEMISPHERE, depth, np.nan) * np.radians(PIXEL_DEG)
            x, y = SKY_CENTRE - east / scale, SKY_CENTRE + north / scale
        return x.reshape(shape)[()], y.reshape(shape)[()]

    @cached_property
    def _nominal_axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit vectors to the nominal pointing, its East and its North."""
        return _axes(self.ra_nom, self.dec_nom)

    @cached_property
    def _from_icrs(self) -> np.ndarray:
        """The rotation from ICRS to the frame of the sky grid, as astropy has it."""
        from astropy.coordinates import SkyCoord

        axes = SkyCoord(np.eye(3), representation_type="cartesian", frame="icrs").transform_to(self.frame)
        return np.asarray(axes.cartesian.xyz.value)

    def det_to_icrs(self, detx: ArrayLike, dety: ArrayLike) -> SkyCoord:
        """ICRS coordinates of DET positions, for the nominal pointing."""
        return self.sky_to_icrs(*self.det_to_sky(detx, dety))

    def icrs_to_det(self, position: SkyCoord) -> tuple[np.ndarray, np.ndarray]:
        """DETX, DETY of celestial positions, for the nominal pointing."""
        return self.sky_to_det(*self.icrs_to_sky(position))

    def pointed_to_sky(
        self, focx: ArrayLike, focy: ArrayLike, ra: ArrayLike, dec: ArrayLike, roll: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray]:
        """SKY X, Y of FOC positions while the telescope points elsewhere than nominal.

        Parameters
        ----------
        focx, focy : array_like
            FOC positions.
        ra, dec, roll : array_like
            Pointing (centre of FOC) and its angle of +FOCY East of the North there, deg; one each or one a position.

        Returns
        -------
        x, y : ndarray
            Exact for any distance: tangent plane of the pointing -> sphere -> tangent plane of the nominal one.
        """
        x, y = _rotate(focx, focy, roll)
        return _reproject(x, y, (ra, dec), (self.ra_nom, self.dec_nom))

    def sky_to_pointed(
        self, x: ArrayLike, y: ArrayLike, ra: ArrayLike, dec: ArrayLike, roll: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray]:
        """FOC positions of SKY positions for any pointing, the inverse of `pointed_to_sky`."""
        px, py = _reproject(x, y, (self.ra_nom, self.dec_nom), (ra, dec))
        return _rotate(px, py, -np.asarray(roll))

    def off_axis(self, detx: ArrayLike, dety: ArrayLike) -> np.ndarray:
        """Arcminutes from the optical axis at DET positions (tangent plane)."""
        dx, dy = np.asarray(detx) - self.optical_axis[0], np.asarray(dety) - self.optical_axis[1]
        return np.hypot(dx, dy) * (PIXEL_ARCSEC / 60)
