"""Time and precision of traced rays and of the effective areas made from them.

    python benchmarks/tracing.py

The telescopes of 20 and 60 shells and the observation are those of the tests; the one of 203 shells in 36 sectors is as
large as Xtend's, its foils tilted, twisted and shifted at random, with 120 bars. Every line is timed from nothing but
the import, calibration files read anew, unless it says otherwise.
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


def large_telescope(folder: Path) -> Path:
    """Write the description of a telescope of 203 shells in 36 sectors, misaligned, with 120 bars."""
    random = np.random.default_rng(1)
    radius, height = 60.0, 101.6
    with fits.open(DATA / "tel60.fits.gz", memmap=False) as hdus:
        foil = hdus["MIRROR"].data[:1]
        foils = np.repeat(np.asarray(foil), 203 * 36 * 2).reshape(2, 36, 203)
        for shell in range(203):
            slope, thickness = np.tan(np.arctan(radius / 5600) / 4), (0.152, 0.229, 0.305)[shell // 70]
            for layer, (bottom, low, steep) in enumerate(((5610.0, 0.0, 1), (5488.4, -20 * 2 - height * 3, 3))):
                rows = foils[layer, :, shell]
                rows["NUMBER"], rows["LAYER"], rows["BOTD"], rows["TOPD"] = (
                    shell + 1,
                    layer + 1,
                    bottom,
                    bottom + height,
                )
                rows["BOTINR"], rows["TOPINR"] = radius + low * slope, radius + (low + steep * height) * slope
                for edge in ("BOT", "TOP"):
                    rows[f"{edge}OUTR"] = rows[f"{edge}INR"] + thickness
            radius += height * slope + thickness
        for sector in range(36):
            foils["ASSEMBLY"][:, sector], foils["SECTORNUMBER"][:, sector] = sector // 9 + 1, sector % 9 + 1
            foils["FSTART"][:, sector], foils["FEND"][:, sector] = np.deg2rad([10 * sector, 10 * sector + 10])
        for name, size in (("SYSTILT", 15.0), ("SYSTWIST", 15.0), ("SECTORSHIFT", 0.02)):
            foils[name] = random.normal(0, size, foils.shape)
        header = hdus["MIRROR"].header
        header["PMINRAD"], header["PMAXRAD"] = 59.5, radius + 0.5
        hdus["MIRROR"] = fits.BinTableHDU(foils.ravel(), header, name="MIRROR")
        corners = np.array([(55, -0.4), (radius, -0.4), (radius, 0.4), (55, 0.4)])
        bars = [
            (1, i + 1, 5720.0, x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a))
            for i, a in enumerate(np.deg2rad(np.arange(0, 360, 3)))
            for x, y in corners
        ]
        kind = hdus["OBSTRUCT"].data.dtype.newbyteorder("=")
        hdus["OBSTRUCT"] = fits.BinTableHDU(np.array(bars, kind), name="OBSTRUCT")
        hdus.writeto(folder / "tel203.fits")
    return folder / "tel203.fits"


def trace(mirror: str | Path, **more: object) -> responses.Trace:
    """Trace a source 4 arcmin off axis."""
    mirror = mirror if isinstance(mirror, Path) else DATA / f"{mirror}.fits.gz"
    files = (mirror, DATA / "ref.fits.gz", DATA / "scat10.fits.gz")
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
        large = large_telescope(Path(folder))
        timed("point, 203 shells x 36 sectors, misaligned, 0.5 %", trace, large, precision=0.005)
        tracing._read_telescope.cache_clear()
        timed("disc of 3 arcmin, 203 shells x 36 sectors, 0.5 %", trace, large, precision=0.005, shape=disc)
        timed("point, 20 shells, 20 000 photons for each of 25 energies", trace, "tel20", photons=20_000)
        timed("  the same on one core", trace, "tel20", photons=20_000, cores=1)


if __name__ == "__main__":
    main()
