"""Writing FITS files whose bytes depend on their content alone."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.time import Time

from xtendsrc.instrument import PIXEL_DEG, SKY_CENTRE, Geometry, det_to_foc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from xtendsrc.simulate.conditions import Conditions

MJDREFI, MJDREFF = 58484, 8.007407407410000e-04
"""Epoch of mission time, 2019-01-01 00:00:00 UTC, in TT (real XRISM headers)."""
BLOCK = 2880
COMPRESSION = 4

UNITS = {"TIME": "s", "PI": "chan", "PHA": "chan"}
FORMATS = {"STATUS": "48X", "PROC_STATUS": "32X"}
LIMITS = {
    "CCD_ID": (0, 3, 255),
    "SEGMENT": (0, 1, 255),
    "READNODE": (0, 1, 255),
    "RAWX": (0, 319, -999),
    "RAWY": (0, 639, -999),
    "ACTX": (1, 640, -999),
    "ACTY": (1, 640, -999),
    "DETX": (1, 1810, -999),
    "DETY": (1, 1810, -999),
    "FOCX": (1, 2430, -1),
    "FOCY": (1, 2430, -1),
    "X": (1, 2430, -1),
    "Y": (1, 2430, -1),
    "PHA": (0, 4095, -999),
    "PI": (0, 4095, -999),
}
"""TLMIN, TLMAX and TNULL of columns; all of them are in pixels but PHA and PI."""
ONLY_IN_TABLES = ("TSTART", "TSTOP", "TELAPSE", "ONTIME", "LIVETIME", "EXPOSURE", "TIMEDEL", "TIMEPIXR", "HDUCLASS")
"""What primary headers of real files lack."""
_LETTERS = {"f8": "D", "f4": "E", "i2": "I", "i4": "J", "u1": "B"}

Cards = dict[str, Any]


def utc(time: float) -> str:
    """Mission time as an ISO date in UTC, whole seconds."""
    found: str = Time(MJDREFI + MJDREFF, time / 86400, format="mjd", scale="tt").utc.isot[:19]
    return found


@dataclass(frozen=True)
class Writer:
    """Keywords common to all files of a tree, and how files are written.

    Attributes
    ----------
    obs_id : str
        Nine digits.
    geometry : Geometry
        Of the observation.
    conditions : Conditions
        For OBJECT, OBSERVER and the like.
    target : tuple of float
        RA_OBJ, DEC_OBJ.
    compress : bool
        Whether files are gzipped.
    """

    obs_id: str
    geometry: Geometry
    conditions: Conditions
    target: tuple[float, float]
    compress: bool = True

    def identity(self, start: float, stop: float, instrument: str = "XTEND") -> Cards:
        """Who, what, where and when."""
        g = self.geometry
        foc = [float(v) for v in det_to_foc(*g.optical_axis, g.foc_offset)]
        sky = [float(v) for v in g.det_to_sky(*g.optical_axis)]
        axis = g.sky_to_icrs(*sky).transform_to(g.frame)
        return {
            "TELESCOP": "XRISM",
            "INSTRUME": instrument,
            "OBS_ID": self.obs_id,
            "OBS_MODE": "POINTING",
            "OBJECT": self.conditions.object_name,
            "OBSERVER": self.conditions.observer,
            "RA_OBJ": round(self.target[0], 9),
            "DEC_OBJ": round(self.target[1], 9),
            "RA_NOM": g.ra_nom,
            "DEC_NOM": g.dec_nom,
            "PA_NOM": g.pa_nom,
            "RA_PNT": round(axis.ra.deg, 9),
            "DEC_PNT": round(axis.dec.deg, 9),
            "EQUINOX": 2000.0,
            "RADECSYS": "FK5",
            "ABERRAT": True,
            "FOLOWSUN": True,
            "ABERORB": True,
            "OPTDETX": g.optical_axis[0],
            "OPTDETY": g.optical_axis[1],
            "OPTFOCX": foc[0],
            "OPTFOCY": foc[1],
            "OPTSKYX": round(sky[0], 9),
            "OPTSKYY": round(sky[1], 9),
            **self.timing(start, stop),
            "CREATOR": "xtendsrc simulate",
            "ORIGIN": "SIMULATION",
            "PROCVER": "00.00.000.000",
            "CALDBVER": "NOMINAL",
        }

    def timing(self, start: float, stop: float) -> Cards:
        """OGIP time keywords."""
        return {
            "TIMESYS": "TT",
            "TIMEUNIT": "s",
            "TIMEREF": "LOCAL",
            "TASSIGN": "SATELLITE",
            "MJDREFI": MJDREFI,
            "MJDREFF": MJDREFF,
            "GPSOFFET": 1230336018,
            "CLOCKAPP": True,
            "TSTART": start,
            "TSTOP": stop,
            "TELAPSE": stop - start,
            "DATE-OBS": utc(start),
            "DATE-END": utc(stop),
        }

    def table(self, name: str, rows: np.ndarray, cards: Cards, wcs: bool = False) -> bytes:
        """A binary table extension: header and data as they lie in the file."""
        header = _table_header(name, rows)
        if wcs:
            _add_wcs(header, rows.dtype.names or (), self.geometry)
        for key, value in cards.items():
            header[key] = value
        return _padded(header.tostring().encode("ascii"), b" ") + _padded(rows.tobytes(), b"\0")

    def intervals(self, name: str, start: np.ndarray, stop: np.ndarray, cards: Cards) -> bytes:
        """A table of good time intervals."""
        rows = np.zeros(len(start), dtype=[("START", ">f8"), ("STOP", ">f8")])
        rows["START"], rows["STOP"] = start, stop
        what = {"HDUCLASS": "OGIP", "HDUCLAS1": "GTI", "HDUCLAS2": "STANDARD", "HDUVERS": "1.0.0"}
        return self.table(name, rows, {**cards, **what})

    def save(self, path: Path, extensions: Iterable[bytes], primary: Cards, image: np.ndarray | None = None) -> None:
        """Write a file; ``.gz`` is added to its name where files are compressed."""
        buffer = io.BytesIO()
        hdu = fits.PrimaryHDU(image)
        hdu.header["EXTEND"] = True
        for key, value in primary.items():
            if key not in ONLY_IN_TABLES:
                hdu.header[key] = value
        hdu.writeto(buffer)
        content = buffer.getvalue() + b"".join(extensions)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.compress:
            content = gzip.compress(content, COMPRESSION, mtime=0)
            path = path.with_name(path.name + ".gz")
        path.write_bytes(content)


def _padded(content: bytes, filler: bytes) -> bytes:
    return content + filler * (-len(content) % BLOCK)


def _format(field: np.dtype, name: str) -> str:
    if name in FORMATS:
        return FORMATS[name]
    base, shape = (field.subdtype or (field, ()))[:2]
    letter = _LETTERS[base.str.lstrip(">|<")]
    return f"{int(np.prod(shape)) if shape else 1}{letter}"


def _table_header(name: str, rows: np.ndarray) -> fits.Header:
    names: Sequence[str] = rows.dtype.names or ()
    header = fits.Header(
        [
            ("XTENSION", "BINTABLE", "binary table extension"),
            ("BITPIX", 8),
            ("NAXIS", 2),
            ("NAXIS1", rows.dtype.itemsize),
            ("NAXIS2", len(rows)),
            ("PCOUNT", 0),
            ("GCOUNT", 1),
            ("TFIELDS", len(names)),
        ]
    )
    for number, column in enumerate(names, start=1):
        header[f"TTYPE{number}"] = column
        header[f"TFORM{number}"] = _format(rows.dtype[column], column)
        low, high, null = LIMITS.get(column, (None, None, None))
        unit = UNITS.get(column, "pixel" if low == 1 or column in ("RAWX", "RAWY") else None)
        unit = _other_unit(column) if unit is None else unit
        for key, value in (("TUNIT", unit), ("TNULL", null), ("TLMIN", low), ("TLMAX", high)):
            if value is not None:
                header[f"{key}{number}"] = value
    header["EXTNAME"] = name
    return header


def _other_unit(column: str) -> str | None:
    if column in ("START", "STOP", "T_SAA_SXI"):
        return "s"
    angles = (
        "RA",
        "DEC",
        "ROLL",
        "SXI_RA_PNT",
        "SXI_DEC_PNT",
        "EULER",
        "ELV",
        "DYE_ELV",
        "I",
        "AN",
        "AP",
        "MA",
        "ANG_DIST",
    )
    return "deg" if column in angles else {"A": "km", "CCD_TEMP": "degC", "COR": "GV"}.get(column)


CENTRES = {"ACT": 320.5, "DET": 905.5, "FOC": SKY_CENTRE}
"""Pixel in the middle of each grid that is counted in mm from there."""
PIXEL_MM = 0.048


def _add_wcs(header: fits.Header, names: Sequence[str], geometry: Geometry) -> None:
    """TAN keywords of the columns X, Y, with the seven digits of the coordinate tasks; mm for the detector's grids."""
    for column, kind, value, step in (
        ("X", "RA---TAN", geometry.ra_nom, -PIXEL_DEG),
        ("Y", "DEC--TAN", geometry.dec_nom, PIXEL_DEG),
    ):
        n = names.index(column) + 1
        header[f"TCTYP{n}"], header[f"TCUNI{n}"] = kind, "deg"
        header[f"TCRPX{n}"], header[f"TCRVL{n}"] = SKY_CENTRE, float(f"{value:.6e}")
        header[f"TCDLT{n}"] = float(f"{step:.6e}")
    header[f"TCROT{names.index('Y') + 1}"] = 0.0
    for column in (grid + axis for grid in CENTRES for axis in "XY"):
        n = names.index(column) + 1
        header[f"TCTYP{n}"], header[f"TCUNI{n}"] = column, "mm"
        header[f"TCRPX{n}"], header[f"TCRVL{n}"], header[f"TCDLT{n}"] = CENTRES[column[:3]], 0.0, PIXEL_MM
