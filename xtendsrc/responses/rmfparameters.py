"""What ``sxirmf`` and ``xtdrmf`` read: the detector map of a spectrum and the table of line parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError, InputFileError, MissingKeywordError, RequestError
from xtendsrc.responses.calfile import CalibrationTable, check_instrument, open_calibration, read_table
from xtendsrc.responses.lineshape import LineParameters

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import Mode

    Floats = NDArray[np.float64]

_SHAPE_COLUMNS = (
    "PRIMARY_FWHM",
    "SECONDARY_OFFSET",
    "SECONDARY_AMP",
    "SECONDARY_FWHM",
    "ESCAPE_OFFSET",
    "ESCAPE_AMP",
    "ESCAPE_FWHM",
    "FLUOR_OFFSET",
    "FLUOR_AMP",
    "FLUOR_FWHM",
    "CONST_AMP",
)
_COLUMNS = ("TIME", "CORNER_DETX", "CORNER_DETY", "ENERGY", *_SHAPE_COLUMNS)
_WINDOWS = {"WINDOW1": 1, "WINDOW2": 2}
"""Extension of the parameter file for each read-out, by the first seven letters of DATAMODE."""

_KEYWORDS = ("INSTRUME", "TELESCOP", "DATAMODE", "TSTART", "TSTOP", "DATE-OBS", "X-OFFSET", "Y-OFFSET", "WMREBIN")
_REMAKE = "make the spectrum with a weighted map in DET pixels."


@dataclass(frozen=True, eq=False)
class SpectrumMap:
    """The weighted map of a spectrum: where on the detector its counts lie.

    Attributes
    ----------
    path : Path
        The spectrum.
    header : Header
        Header of the map.
    counts : ndarray, (ny, nx)
        Counts in each map pixel; negative outside the region.
    detx, dety : ndarray, (nx,) and (ny,)
        DET pixel at the lower left of each map pixel.
    """

    path: Path
    header: fits.Header
    counts: Floats
    detx: NDArray[np.int64]
    dety: NDArray[np.int64]

    @property
    def instrument(self) -> str:
        """INSTRUME of the spectrum."""
        return str(self.header["INSTRUME"]).strip().upper()

    @property
    def time(self) -> float:
        """Middle of the observation, mission time in s."""
        return (float(self.header["TSTART"]) + float(self.header["TSTOP"])) / 2.0

    @property
    def window(self) -> str:
        """WINDOW1 or WINDOW2, from DATAMODE."""
        return str(self.header["DATAMODE"]).strip().upper()[:7]


def read_map(spectrum: str | Path) -> SpectrumMap:
    """Read the weighted map in the primary HDU of a spectrum.

    Raises
    ------
    InputFileError
        If there is no map, it is not in DET pixels, or holds no count.
    MissingKeywordError
        If a keyword that places it is missing.
    """
    with open_calibration(spectrum) as hdus:
        header, data = hdus[0].header, hdus[0].data
    path = Path(spectrum)
    if data is None or np.ndim(data) != 2:
        raise InputFileError(f"{path} has no weighted map in its primary HDU.", _REMAKE)
    if str(header.get("MTYPE1", "DET")).strip() != "DET":
        raise InputFileError(f"The weighted map of {path} is in {header['MTYPE1']} pixels, not in DET.", _REMAKE)
    if missing := [name for name in _KEYWORDS if name not in header]:
        raise MissingKeywordError(f"The weighted map of {path} has no keyword {', '.join(missing)}.", _REMAKE)
    rebin = int(header["WMREBIN"])
    ny, nx = data.shape
    return SpectrumMap(
        path,
        header,
        np.asarray(data, float),
        (int(header["X-OFFSET"]) - 1 + np.arange(nx)) * rebin + 1,
        (int(header["Y-OFFSET"]) - 1 + np.arange(ny)) * rebin + 1,
    )


@dataclass(frozen=True, eq=False)
class ParameterBlock:
    """The line parameters of all parts of the detector at one epoch.

    Attributes
    ----------
    table : CalibrationTable
        The whole table.
    rows : slice
        The rows of the epoch.
    """

    table: CalibrationTable
    rows: slice

    @property
    def corners(self) -> Floats:
        """DETX, DETY of the corners, (parts, 4, 2)."""
        x, y = self.table.floats("CORNER_DETX")[self.rows], self.table.floats("CORNER_DETY")[self.rows]
        return np.stack([x, y], axis=-1)

    def at(self, energy: Floats, weight: Floats) -> LineParameters:
        """Return the parameters at photon energies in keV, for the parts that have weight.

        Values are linear between the energies of the table and go on along the outermost intervals beyond them.
        """
        used = np.flatnonzero(weight > 0)
        grid = self.table.kev("ENERGY")[self.rows][used]
        shape = {name: _interpolated(energy, grid, self.table.floats(name)[self.rows][used]) for name in _SHAPE_COLUMNS}
        zero = np.zeros((len(used), len(energy)))
        names = ("SECONDARY", "ESCAPE", "FLUOR")
        return LineParameters(
            energy=energy,
            offset=np.stack([zero, *(shape[f"{name}_OFFSET"] for name in names)]),
            fwhm=np.stack([shape["PRIMARY_FWHM"], *(shape[f"{name}_FWHM"] for name in names)]),
            amplitude=np.stack([zero + 1.0, *(shape[f"{name}_AMP"] for name in names), shape["CONST_AMP"]]),
            weight=weight[used] / weight.sum(),
        )


def _interpolated(x: Floats, grid: Floats, values: Floats) -> Floats:
    """Linear interpolation and extrapolation along the last axis, one grid a part: (parts, len(x))."""
    result = np.empty((len(grid), len(x)))
    for part, (xs, ys) in enumerate(zip(grid, values, strict=True)):
        low = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
        slope = (ys[low + 1] - ys[low]) / (xs[low + 1] - xs[low])
        result[part] = ys[low] + slope * (x - xs[low])
    return result


def read_parameters(path: str | Path, spectrum: SpectrumMap, mode: Mode) -> ParameterBlock:
    """Read the line parameters that belong to a spectrum: by read-out, charge injection and time.

    Raises
    ------
    CalibrationError
        If the file is of another instrument, has fewer rows than NSUBREG says, or (``right``) begins after the
        observation or is for another state of charge injection.
    RequestError
        If the read-out is neither WINDOW1 nor WINDOW2.
    """
    if spectrum.window not in _WINDOWS:
        raise RequestError(
            f"{spectrum.path}: DATAMODE {spectrum.header['DATAMODE']} has no line parameters.",
            "take a spectrum of WINDOW1 or WINDOW2 (the full or the window mode).",
        )
    with open_calibration(path) as hdus:
        extension = _extension(hdus, spectrum, mode)
        table = read_table(hdus, extension, _COLUMNS, path)
    check_instrument(table.header, path, spectrum.instrument)
    if table.columns["ENERGY"].ndim != 2 or table.columns["ENERGY"].shape[1] < 2:
        raise CalibrationError(f"{table.path}: {table.name} has fewer than two energies a row.", "give a whole file.")
    block = ParameterBlock(table, _epoch(table, spectrum.time, mode))
    _check_rows(block, mode)
    return block


def _extension(hdus: fits.HDUList, spectrum: SpectrumMap, mode: Mode) -> int:
    """The extension of the read-out: by place (as the task has it), or by its own DATAMODE and CISTATUS."""
    place = _WINDOWS[spectrum.window]
    if mode == "task":
        return place
    found = [i for i, hdu in enumerate(hdus) if str(hdu.header.get("DATAMODE", "")).strip()[:7] == spectrum.window]
    if not found:
        return place
    state = spectrum.header.get("CISTATUS")
    if state is None:
        return found[0]
    for i in found:
        if hdus[i].header.get("CISTATUS", state) == state:
            return i
    raise CalibrationError(
        f"The parameter file has {spectrum.window} for another charge injection than CISTATUS={state}.",
        "give the parameter file of this observation's mode.",
    )


def _epoch(table: CalibrationTable, time: float, mode: Mode) -> slice:
    """Rows of the last TIME that is not after the observation's middle."""
    times = table.floats("TIME")
    if (np.diff(times) < 0).any():
        raise CalibrationError(f"{table.path}: TIME of {table.name} goes backwards.", "give an undamaged file.")
    if mode == "task" and len(times) < 2:
        raise CalibrationError(f"{table.path} has one row: the task cannot read it.", 'use mode="right".')
    before = times[times <= time]
    if len(before) == 0 and mode == "right":
        raise CalibrationError(
            f"{table.path} is valid from mission time {times[0]:.0f} s; the observation is at {time:.0f} s.",
            'give a file that is valid then, or take its first epoch as the task does (mode="task").',
        )
    chosen = before[-1] if len(before) else times[0]
    return slice(int(np.searchsorted(times, chosen)), int(np.searchsorted(times, chosen, side="right")))


def _check_rows(block: ParameterBlock, mode: Mode) -> None:
    table, rows = block.table, block.rows.stop - block.rows.start
    declared = int(table.keyword("NSUBREG"))
    if rows < declared:
        raise CalibrationError(
            f"{table.path}: {table.name} has {rows} rows at this epoch; NSUBREG demands {declared}.",
            "give a whole file.",
        )
    if rows > declared and mode == "task":
        raise CalibrationError(
            f"{table.path}: NSUBREG is {declared} but the epoch has {rows} rows: the task would crash.",
            'use mode="right", which counts the rows.',
        )
