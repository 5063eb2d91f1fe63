"""Files of rays that were traced here, to be shared between the effective areas of one source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import CalibrationError
from xtendsrc.responses.calfile import open_calibration, read_table
from xtendsrc.responses.rays import Rays, read_rays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xtendsrc.responses.calfile import Mode

_RAYS, _POINTINGS, _ENERGIES = "RAYS", "POINTINGS", "ENERGIES"


def write_rays(rays: Rays, path: str | Path, history: Sequence[str] = ()) -> Path:
    """Write rays to a FITS file of three tables.

    Parameters
    ----------
    rays : Rays
        Rays with a weight at each energy.
    path : path
        The file; replaced if it exists.
    history : sequence of str
        Lines of HISTORY.

    Notes
    -----
    ``RAYS`` has X, Y (mm), POINTING (from 0), WEIGHT (one a ray and energy, 4 bytes) and, if the rays are of several
    samples, REPLICATE (from 0); ``POINTINGS`` has OFFAXIS (arcmin) and INJECTED (photons for each energy);
    ``ENERGIES`` has ENERGY (keV).
    """
    from astropy.io import fits

    number = len(rays.energy)
    columns = [
        fits.Column("X", "D", "mm", array=rays.x),
        fits.Column("Y", "D", "mm", array=rays.y),
        fits.Column("POINTING", "I", array=rays.pointing),
        fits.Column("WEIGHT", f"{number}E", array=rays.weight),
    ]
    if rays.replicate is not None:
        columns.append(fits.Column("REPLICATE", "I", array=rays.replicate))
    table = fits.BinTableHDU.from_columns(columns, name=_RAYS)
    table.header["TELESCOP"], table.header["INSTRUME"] = rays.telescope, rays.instrument
    table.header["GEOMAREA"] = (rays.area, "[cm2] aperture that was lit")
    table.header["RAYNAME"] = rays.name
    for line in history:
        table.header.add_history(line)
    pointings = fits.BinTableHDU.from_columns(
        [
            fits.Column("OFFAXIS", "D", "arcmin", array=rays.off_axis),
            fits.Column("INJECTED", f"{number}D", array=rays.injected.T),
        ],
        name=_POINTINGS,
    )
    energies = fits.BinTableHDU.from_columns([fits.Column("ENERGY", "D", "keV", array=rays.energy)], name=_ENERGIES)
    path = Path(path)
    part = path.with_name(path.name + ".part")
    fits.HDUList([fits.PrimaryHDU(), table, pointings, energies]).writeto(part, overwrite=True)
    part.replace(path)
    return path


def open_rays(path: str | Path, coarse: NDArray[np.float64], repeats: NDArray[np.int64], mode: Mode) -> Rays:
    """Read rays, of `write_rays` or of ``xrtraytrace``.

    Parameters
    ----------
    path : path
        The file.
    coarse, repeats, mode
        As for `read_rays`; without meaning for rays that were traced here.

    Raises
    ------
    CalibrationError
        If the file is damaged.
    """
    with open_calibration(path) as hdus:
        if _RAYS not in hdus:
            return read_rays(path, coarse, repeats, mode)
        replicated = "REPLICATE" in hdus[_RAYS].columns.names
        table = read_table(hdus, _RAYS, ("X", "Y", "POINTING", "WEIGHT", *["REPLICATE"] * replicated), path)
        pointings = read_table(hdus, _POINTINGS, ("OFFAXIS", "INJECTED"), path)
        energy = read_table(hdus, _ENERGIES, ("ENERGY",), path).kev()
    pointing = np.asarray(table.columns["POINTING"], np.int64)
    weight = table.floats("WEIGHT").reshape(len(table), -1)
    injected = pointings.floats("INJECTED").reshape(len(pointings), -1)
    if weight.shape[1] != len(energy) or injected.shape[1] != len(energy) or pointing.max() >= len(pointings):
        raise CalibrationError(f"{path}: its tables do not belong together.", "trace the rays again.")
    return Rays(
        x=table.floats("X"),
        y=table.floats("Y"),
        pointing=pointing,
        weight=weight,
        energy=energy,
        injected=injected.T,
        off_axis=pointings.floats("OFFAXIS"),
        area=float(table.keyword("GEOMAREA")),
        telescope=str(table.keyword("TELESCOP")).strip(),
        instrument=str(table.keyword("INSTRUME")).strip(),
        name=Path(path).name,
        replicate=np.asarray(table.columns["REPLICATE"], np.int64) if replicated else None,
    )
