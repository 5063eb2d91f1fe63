"""ahbackscal: BACKSCAL of a spectrum from the exposure map inside its region."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import fitsfile, regfile, wcs
from .fitsfile import FitsError
from .parfile import ParameterError
from .runtime import say

if TYPE_CHECKING:
    from .fitsfile import HDU
    from .parfile import Parameters

TEMPORARY = ("tmp_fix_backscal.img", "tmp_fix_backscal.fits")


def ahbackscal(pars: Parameters) -> int:
    """Run the task: edits the spectrum in place and leaves fixed-name files while it runs."""
    path = Path(fitsfile.split_name(pars.text("infile"))[0])
    hdus = fitsfile.read(path)
    spectrum = fitsfile.extension(hdus, "SPECTRUM")
    if spectrum is None:
        raise FitsError(107, f"no SPECTRUM extension in {path}")
    maps = fitsfile.read(fitsfile.split_name(pars.text("expfile"))[0])
    exposure = maps[0].data
    if exposure is None:
        raise FitsError(107, "the exposure map has no image")
    masked = _masked(exposure, pars.text("regfile"), maps)
    for name in TEMPORARY:
        fitsfile.write(name, [fitsfile.image(masked, maps[0].header)])
    total = float(masked.sum(dtype=float))
    norm = _norm(pars.text("norm"), masked, maps)
    if norm == 0:
        raise ParameterError(1, "Illegal division by zero")
    value = total / norm / exposure.size
    spectrum.header.set("BACKSCAL", value, "background file scaling factor")
    spectrum.header.drop("CHECKSUM", "DATASUM")
    partial = path.with_name(f"{path.name}_tmp")
    fitsfile.write(partial, hdus)
    shutil.move(partial, path)
    if pars.flag("cleanup"):
        for name in TEMPORARY:
            Path(name).unlink(missing_ok=True)
    say(f"sum = {total:.15g}, norm = {norm:.15g}")
    say(f"BACKSCAL = {value:.15g}")
    return 0


def _masked(exposure: np.ndarray, name: str, maps: list[HDU]) -> np.ndarray:
    try:
        region = regfile.read(name, wcs.of_image(maps[0].header))
    except regfile.RegionRejectedError as error:
        raise ParameterError(1, f"ftimgcalc: {error}") from error
    masked = np.zeros_like(exposure)
    x = np.arange(1, exposure.shape[1] + 1, dtype=float)
    for line in range(exposure.shape[0]):
        inside = region.inside(x, np.full_like(x, line + 1))
        masked[line, inside] = exposure[line, inside]
    return masked


def _norm(text: str, masked: np.ndarray, maps: list[HDU]) -> float:
    if text.upper() == "MAX":
        return float(masked.max())  # inside the region only
    if text.upper() == "EXPOSURE":
        table = fitsfile.extension(maps, "OFFAXISHIST")
        if table is None:
            raise FitsError(107, "no OFFAXISHIST extension in the exposure map")
        return float(table.header.get("EXPOSURE"))
    return float(text)
