"""What the assembly of an effective area takes from an exposure map: attitude bins, geometry, exposed pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError, InputFileError, MissingKeywordError
from xtendsrc.responses.calfile import CalibrationTable, fingerprint, open_calibration, read_table

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import Mode
    from xtendsrc.responses.rays import Rays

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_COLUMNS = ("FRACTION", "RANOMXP", "DECNOMXP", "PA_NOMXP")
_KEYWORDS = (
    *("OPTAXISX", "OPTAXISY", "DET_XSCL", "DET_YSCL", "OPT_ROTD", "OPTXFLIP", "OPTYFLIP", "FOCALLEN", "DET_XSIZ"),
    *("CRVAL1", "CRPIX1", "CDELT1", "CRVAL2", "CRPIX2", "CDELT2", "RA_NOM", "DEC_NOM"),
)
_MAKE = "make the exposure map with xaexpmap, or the native engine."


@dataclass(frozen=True, eq=False)
class ExposureBins:
    """Attitude bins of an exposure map and the detector under them.

    Attributes
    ----------
    path : Path
        The file.
    header : Header
        Header of OFFAXISHIST.
    fraction : ndarray, (bins,)
        Share of the exposure of each bin.
    pointing : ndarray, (bins, 3)
        Mean RA, Dec and roll of each bin, deg.
    exposed : list of ndarray or None
        Exposure of each detector pixel of each bin as a fraction of the bin's, indexed [DETX - 1, DETY - 1]; None
        where the map says nothing.
    time : float
        Start of the observation, mission time in s.
    """

    path: Path
    header: fits.Header
    fraction: Floats
    pointing: Floats
    exposed: list[NDArray[np.float32] | None]
    time: float

    @property
    def repeats(self) -> Integers:
        """Number of times the tracer uses each bin: as many times as its exposure exceeds the mean, at least once."""
        return np.maximum((self.fraction * len(self.fraction) + 0.5).astype(np.int64), 1)

    @property
    def size(self) -> int:
        """Pixels of the detector along either axis."""
        return int(self.header["DET_XSIZ"])

    @property
    def nominal(self) -> tuple[float, float]:
        """RA_NOM and DEC_NOM, deg."""
        return float(self.header["RA_NOM"]), float(self.header["DEC_NOM"])

    def on_detector(self, rays: Rays) -> tuple[Floats, Floats]:
        """Return DETX and DETY, not rounded, of rays in the focal plane."""
        h = self.header
        angle = np.radians(float(h["OPT_ROTD"]))
        x, y = float(h["OPTXFLIP"]) * rays.x, float(h["OPTYFLIP"]) * rays.y
        detx = float(h["OPTAXISX"]) + (np.cos(angle) * x - np.sin(angle) * y) / float(h["DET_XSCL"])
        dety = float(h["OPTAXISY"]) + (np.sin(angle) * x + np.cos(angle) * y) / float(h["DET_YSCL"])
        return detx, dety

    def pixels(self, detx: Floats, dety: Floats) -> tuple[Integers, Integers, NDArray[np.bool_]]:
        """Return the detector pixel (from 0) of places, and whether there is one."""
        numbers, inside = [], np.ones(len(detx), bool)
        for axis, place in ((1, detx), (2, dety)):
            value, pixel, step = (float(self.header[f"{name}{axis}"]) for name in ("CRVAL", "CRPIX", "CDELT"))
            low = (0.5 - pixel) * step + value
            high = (self.size + 0.5 - pixel) * step + value
            inside &= (place >= low) & (place <= high)
            numbers.append(np.clip((place - low).astype(np.int64), 0, self.size - 1))
        return numbers[0], numbers[1], inside

    def exposure_of(self, pointing: Integers, ix: Integers, iy: Integers) -> Floats:
        """Return the exposed fraction of pixels, each in its own attitude bin."""
        result = np.ones(len(ix))
        for number, image in enumerate(self.exposed):
            if image is not None:
                here = pointing == number
                result[here] = image[ix[here], iy[here]]
        return result

    def off_axis(self, detx: Floats, dety: Floats) -> Floats:
        """Return the angle of places on the detector to the optical axis, arcmin."""
        dx = (detx - float(self.header["OPTAXISX"])) * float(self.header["DET_XSCL"])
        dy = (dety - float(self.header["OPTAXISY"])) * float(self.header["DET_YSCL"])
        return np.degrees(np.arctan(np.hypot(dx, dy) / float(self.header["FOCALLEN"]))) * 60


def read_exposure_map(path: str | Path, mode: Mode) -> ExposureBins:
    """Read the attitude bins and the partially exposed pixels of an exposure map; the last two are remembered.

    Raises
    ------
    InputFileError
        If the file has no OFFAXISHIST, or (``right``) lacks the exposed pixels of a bin.
    MissingKeywordError
        If the geometry is not complete.
    """
    return _read(Path(path), fingerprint(path), mode)


@lru_cache(maxsize=2)
def _read(path: Path, _: tuple[int, int], mode: Mode) -> ExposureBins:
    with open_calibration(path) as hdus:
        if "OFFAXISHIST" not in hdus:
            raise InputFileError(f"{path} is no exposure map: it has no extension OFFAXISHIST.", _MAKE)
        table = read_table(hdus, "OFFAXISHIST", _COLUMNS, path)
        _check_header(table)
        time = _start(hdus, table)
        number = int(table.keyword("NUMEXMAP"))
        exposed = [_pixels_of_bin(hdus, i + 1, int(table.header["DET_XSIZ"]), path, mode) for i in range(number)]
    if number != len(table):
        raise InputFileError(f"{path}: NUMEXMAP is {number}, but OFFAXISHIST has {len(table)} rows.", _MAKE)
    pointing = np.column_stack([table.floats(name) for name in _COLUMNS[1:]])
    return ExposureBins(path, table.header, table.floats("FRACTION"), pointing, exposed, time)


def _check_header(table: CalibrationTable) -> None:
    if missing := [name for name in _KEYWORDS if name not in table.header]:
        raise MissingKeywordError(f"{table.path}: OFFAXISHIST has no keyword {', '.join(missing)}.", _MAKE)


def _start(hdus: fits.HDUList, table: CalibrationTable) -> float:
    """TSTART of the attitude bins, else of the map, else of the first good time."""
    first = hdus["GTIEXP001"].header if "GTIEXP001" in hdus else {}
    for header in (table.header, hdus[0].header, first):
        if "TSTART" in header:
            return float(header["TSTART"])
    raise MissingKeywordError(f"{table.path} has no TSTART: the time of the observation is unknown.", _MAKE)


def _pixels_of_bin(
    hdus: fits.HDUList, number: int, size: int, path: str | Path, mode: Mode
) -> NDArray[np.float32] | None:
    name = f"PARTIALEXP{number:03d}"
    if name not in hdus:
        if mode == "task":
            return None
        raise InputFileError(f"{path} has no extension {name}: gaps and bad pixels are unknown.", _MAKE)
    image = np.ones((size, size), np.float32)
    if int(hdus[name].header["NAXIS2"]):
        table = read_table(hdus, name, ("DETX", "DETY", "FRACTION"), path)
        x, y = (np.asarray(table.columns[c], np.int64) - 1 for c in ("DETX", "DETY"))
        if min(x.min(), y.min()) < 0 or max(x.max(), y.max()) >= size:
            raise CalibrationError(f"{path}: {name} names pixels that the detector does not have.", _MAKE)
        image[x, y] = table.columns["FRACTION"]
    return image
