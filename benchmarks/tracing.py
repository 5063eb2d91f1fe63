"""Time and precision of traced rays and of the effective areas made from them.

    python benchmarks/tracing.py

The telescopes and the observation are those of the tests. Every line is timed from nothing but the import, calibration
files read anew, unless it says otherwise.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits

from xtendsrc import responses
from xtendsrc.responses import tracing

DATA = Path(__file__).parents[1] / "tests" / "data" / "arf"
COARSE = DATA / "ea_coarse.fits.gz"
FILES = {
    "exposure_map": DATA / "emap.fits.gz",
    "region_frame": "DET",
    "rmf": DATA / "grid.rmf.gz",
    "quantum_efficiency": DATA / "qe.fits.gz",
    "contamination": DATA / "contam.fits.gz",
    "fine_area": DATA / "ea_fine.fits.gz",
    "coarse_area": COARSE,
    "degree": 3,
}


def energies() -> u.Quantity:
    """The 25 energies of the coarse on-axis area from 0.4 to 12 keV."""
    with fits.open(COARSE) as hdus:
        energy = hdus["EFFAREACRS"].data["ENERGY"].astype(float)
    return energy[(energy >= 0.4) & (energy <= 12)] * u.keV


def trace(mirror: str, **more: object) -> responses.Trace:
    """Trace a source 4 arcmin off axis."""
    files = (DATA / f"{mirror}.fits.gz", DATA / "ref.fits.gz", DATA / "scat10.fits.gz")
    return responses.trace(*files, energies=energies(), off_axis=3.98 * u.arcmin, roll=180 * u.deg, **more)


def region(folder: str, radius: float) -> Path:
    """A circle about the source in DET coordinates."""
    path = Path(folder) / f"{radius:.0f}.reg"
    path.write_text(f"physical\ncircle(880,722,{radius})\n")
    return path


def timed(label: str, function: object, *args: object, **more: object) -> object:
    """Call a function and print its time."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*args, **more)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    what = ""
    if isinstance(result, responses.Trace):
        worst = np.max(result.effective_area_error / result.effective_area)
        what = f"{result.rays_drawn.sum():9d} rays, worst error {worst:.2%}"
    print(f"{label:58s} {wall:6.2f} s ({cpu:5.2f} s of CPU) {what}")
    return result


def point_source(folder: str) -> responses.Trace:
    """Rays at 0.5 % and the area of a region from them."""
    traced = trace("tel20", precision=0.5 * u.percent)
    responses.arf(rays=traced.as_rays(), region=region(folder, 24), out=Path(folder) / "a.arf", **FILES)
    return traced


def second_region(folder: str, traced: responses.Trace) -> None:
    """The area of another region from the same rays."""
    responses.arf(rays=traced.as_rays(), region=region(folder, 12), out=Path(folder) / "b.arf", **FILES)


def main() -> None:
    """Print one line a task."""
    disc = responses.DiscShape(3 * u.arcmin)
    with tempfile.TemporaryDirectory() as folder:
        traced = timed("ARF of a point source, 25 energies, 0.5 %", point_source, folder)
        timed("  ARF of a second region, same rays", second_region, folder, traced)
        tracing._read_telescope.cache_clear()
        timed("disc of 3 arcmin, 20 shells, 0.5 %", trace, "tel20", precision=0.005, shape=disc)
        timed("point, 60 shells x 12 sectors, 0.5 %", trace, "tel60", precision=0.005)
        timed("disc of 3 arcmin, 60 shells x 12 sectors, 0.5 %", trace, "tel60", precision=0.005, shape=disc)
        timed("point, 20 shells, 20 000 photons for each of 25 energies", trace, "tel20", photons=20_000)
        timed("  the same on one core", trace, "tel20", photons=20_000, cores=1)


if __name__ == "__main__":
    main()
