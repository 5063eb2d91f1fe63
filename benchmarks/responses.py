"""Time of calibrated responses made from calibration files.

    python benchmarks/responses.py

The line parameters and spectra are those of the reference matrices in ``tests/data/rmf``; for comparison, ``sxirmf`` of
HEASoft 6.20 took 0.7 s on the coarse grid and 5.0 s on the default one, and ``aharfgen`` 45 s for 25 energies of 20 000
photons. The telescope has 20 shells; Xtend's has 203.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import astropy.units as u
from astropy.coordinates import SkyCoord

from xtendsrc import responses
from xtendsrc.regions import RegionSet, Shape

DATA = Path(__file__).parents[1] / "tests" / "data"
COARSE = {"widths": (20, 240) * u.eV, "bins": (590, 50)}


def best_of(number: int, call) -> float:
    """Return the shortest of some runs, s."""
    times = []
    for _ in range(number):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def matrices(scratch: Path) -> None:
    """Print the time of a matrix on both grids, in both modes."""
    case = DATA / "rmf" / "full_src_coarse"
    print("matrix   mode   seconds")
    for name, grid in (("coarse", COARSE), ("default", {})):
        for mode in ("task", "right"):
            arguments = {"parameters": case / "rmfparam.fits.gz", "out": scratch / "a.rmf", "mode": mode, **grid}
            took = best_of(3, lambda a=arguments: responses.rmf(case / "in.pha.gz", **a))
            print(f"{name:8s} {mode:6s} {took:6.2f}")


def areas(scratch: Path) -> None:
    """Print the time of tracing a point source at 0.5 %, of its area, and of the area of a second region."""
    arf = DATA / "arf"
    files = responses.TelescopeFiles(
        arf / "tel20.fits.gz",
        arf / "ref.fits.gz",
        arf / "ea_coarse.fits.gz",
        arf / "xtd.teldef.gz",
        arf / "scat10.fits.gz",
    )
    source = SkyCoord(81.29115, -69.71546, unit="deg")
    arguments = {
        "exposure_map": arf / "emap.fits.gz",
        "rmf": arf / "grid.rmf.gz",
        "quantum_efficiency": arf / "qe.fits.gz",
        "contamination": arf / "contam.fits.gz",
        "fine_area": arf / "ea_fine.fits.gz",
        "coarse_area": arf / "ea_coarse.fits.gz",
        "region_frame": "DET",
        "out": scratch / "a.arf",
    }
    print("area                     seconds")
    for name, shape in (("point source", None), ("disc of 3'", responses.DiscShape(3 * u.arcmin))):
        start = time.perf_counter()
        rays = responses.source_rays(arguments["exposure_map"], files, source, shape=shape, precision=0.005)
        responses.arf(rays=rays, region=circle(24), **arguments)
        print(f"{name + ', traced':24s} {time.perf_counter() - start:6.2f}")
        took = best_of(3, lambda r=rays: responses.arf(rays=r, region=circle(40), **arguments))
        print(f"{'  a second region':24s} {took:6.2f}")


def circle(radius: float) -> RegionSet:
    """A circle at the image of the source, DET pixels."""
    return RegionSet("DET", (Shape("circle", (880.0, 722.0, radius)),))


def main() -> None:
    """Print one table a response."""
    with tempfile.TemporaryDirectory() as scratch:
        matrices(Path(scratch))
        areas(Path(scratch))


if __name__ == "__main__":
    main()
