"""xaarfgen: a nominal effective area with a small ray-trace file in place of the real one.

What is kept of the real task is its contract: which files it reads, writes, reuses and leaves behind, and what
it refuses.  The area on the optical axis is a nominal table; the photons are drawn from a nominal point-spread
function and counted in the region.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import coordpnt, fitsfile, geometry, regfile, wcs
from .fitsfile import HDU, FitsError, Header
from .parfile import ParameterError, ask
from .runtime import say

if TYPE_CHECKING:
    from .parfile import Parameters

CREATOR = "xaarfgen stand-in, nominal"
AREA = {
    0.2: 20, 0.3: 60, 0.5: 168, 1.0: 343, 1.5: 393, 2.0: 335, 2.2: 327, 2.5: 244, 3.0: 266, 4.5: 304, 6.0: 310,
    6.4: 308, 7.0: 298, 8.0: 252, 9.0: 190, 10.0: 138, 11.0: 97, 12.0: 39, 13.0: 35, 15.0: 5, 24.0: 0,
}  # fmt: skip
ENERGIES = (0.3, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0)
DRAWN = 2000
HALF_POWER = 1.3  # arcmin, diameter
SOURCES = ("POINT", "FLATCIRCLE", "BETAMODEL", "IMAGE")


def xaarfgen(pars: Parameters) -> int:
    """Run the task."""
    kind, image = _check(pars)
    maps = fitsfile.read(fitsfile.split_name(pars.text("emapfile"))[0])
    histogram = fitsfile.extension(maps, "OFFAXISHIST")
    if histogram is None:
        raise FitsError(107, f"no OFFAXISHIST extension in {pars.text('emapfile')}")
    if float(histogram.header.get("OPTAOFFX", 0)) or float(histogram.header.get("OPTAOFFY", 0)):
        say("OPTAOFFX, OPTAOFFY are not zero")
    projection = wcs.of_image(maps[0].header)
    if projection is None:
        raise FitsError(506, "the exposure map is not on the sky")
    photons = _photons(pars, kind, image, histogram)
    region = _region(pars, histogram, projection)
    x, y = _pixels(photons, projection)
    fractions = _fractions(photons, region.inside(x, y))
    say(f"PSF fraction in the region: {fractions.mean():.4f}")
    response = fitsfile.extension(fitsfile.read(fitsfile.split_name(pars.text("rmffile"))[0]), "MATRIX")
    if response is None:
        raise FitsError(107, f"no MATRIX extension in {pars.text('rmffile')}")
    _write(pars, response, histogram, fractions, _vignetting(pars, histogram))
    if pars.flag("cleanup"):
        for name in _temporary(pars):
            Path(name).unlink(missing_ok=True)
    return 0


def _check(pars: Parameters) -> tuple[str, str | None]:
    out = pars.text("outfile")
    if Path(out.lstrip("!")).exists() and not pars.flag("clobber") and not out.startswith("!"):
        raise ParameterError(1, f"output file {out} exists; use clobber=yes")
    if pars.text("regmode") not in ("DET", "RADEC"):
        raise ParameterError(1, f"regmode must be DET or RADEC, not {pars.text('regmode')}")
    kind = pars.text("sourcetype").upper()
    if kind not in SOURCES:
        raise ParameterError(1, f"sourcetype {kind} is not one of {', '.join(SOURCES)}")
    image = pars.file("imgfile")
    if kind == "IMAGE" and image is None:
        image = ask(pars.table["imgfile"], fortran=False)
        if not image:
            raise ParameterError(1, "sourcetype IMAGE needs imgfile")
    if pars.integer("numphoton") < pars.integer("minphoton"):
        raise ParameterError(1, "fewer photons than minphoton reach the focal plane")
    for name in ("emapfile", "regionfile", "rmffile"):
        path = Path(fitsfile.split_name(pars.text(name))[0])
        if not path.is_file():
            raise ParameterError(1, f"{name} {path} not found")
    return kind, image


def _temporary(pars: Parameters) -> list[str]:
    return ["xaarfgen_region.lis", "arfgencgrid.fits", f"{pars.text('outfile')}region1.reg"]


def _photons(pars: Parameters, kind: str, image: str | None, histogram: HDU) -> HDU:
    """Reuse the ray-trace file if it exists, whatever it was made for; else make it."""
    name = pars.text("xrtevtfile")
    path = Path(name.lstrip("!"))
    if path.exists() and not name.startswith("!"):
        say(f"Using existing raytracing event file {name}")
        found = fitsfile.extension(fitsfile.read(path), "EVENTS")
        if found is None:
            raise FitsError(107, f"no EVENTS extension in {name}")
        return found
    say(f"Running xrtraytrace: {len(histogram.rows())} attitude bins, {len(ENERGIES)} energies")
    number = min(pars.integer("numphoton"), DRAWN)
    random = np.random.default_rng(pars.integer("seed"))
    ra, dec = _origins(pars, kind, image, number * len(ENERGIES), random)
    radius = random.gamma(2.0, HALF_POWER / 3.357, len(ra)) / 60
    angle = random.uniform(0, 2 * math.pi, len(ra))
    columns = [
        ("ENERGY", "E", "keV", np.repeat(ENERGIES, number)),
        ("RA", "D", "deg", ra + radius * np.cos(angle) / np.cos(np.radians(dec))),
        ("DEC", "D", "deg", dec + radius * np.sin(angle)),
    ]
    header = Header()
    header.set("CREATOR", CREATOR)
    header.set("NPHOTON", pars.integer("numphoton"))
    header.set("SEED", pars.integer("seed"))
    table = fitsfile.table("EVENTS", columns, header)
    fitsfile.write(name, [fitsfile.image(None), table])
    return table


def _origins(
    pars: Parameters, kind: str, image: str | None, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    ra, dec = np.full(count, pars.number("source_ra")), np.full(count, pars.number("source_dec"))
    if kind == "POINT":
        return ra, dec
    if kind == "IMAGE":
        return _from_image(str(image), count, random)
    if kind == "FLATCIRCLE":
        radius = pars.number("flatradius") * np.sqrt(random.uniform(size=count))
    else:
        core, beta, largest = (float(word) for word in pars.text("betapars").split())
        index = 1.5 - 3 * beta
        top = ((1 + (largest / core) ** 2) ** index - 1) * random.uniform(size=count) if index else None
        scaled = np.log1p((largest / core) ** 2) * random.uniform(size=count)
        square = (1 + top) ** (1 / index) - 1 if top is not None else np.expm1(scaled)
        radius = core * np.sqrt(square)
    angle = random.uniform(0, 2 * math.pi, count)
    return ra + radius / 60 * np.cos(angle) / np.cos(np.radians(dec)), dec + radius / 60 * np.sin(angle)


def _from_image(name: str, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    hdu = fitsfile.read(fitsfile.split_name(name)[0])[0]
    projection = wcs.of_image(hdu.header)
    if hdu.data is None or projection is None:
        raise FitsError(506, f"{name} has no image with celestial coordinates")
    weights = hdu.data.astype(float).ravel()
    if (weights < 0).any() or weights.sum() <= 0:
        raise ParameterError(1, f"{name} must be non-negative with a positive sum")
    places = random.choice(len(weights), count, p=weights / weights.sum())
    lines, columns = np.divmod(places, hdu.data.shape[1])
    found = [projection.to_sky(float(x), float(y)) for x, y in zip(columns + 1, lines + 1, strict=True)]
    return np.array([ra for ra, _ in found]), np.array([dec for _, dec in found])


def _region(pars: Parameters, histogram: HDU, projection: wcs.TanWCS) -> regfile.Region:
    """Carry the region to sky pixels by way of fixed-name files in the working directory."""
    where = geometry.load(pars.text("teldeffile"))
    text = Path(pars.text("regionfile")).read_text()
    if pars.text("regmode") == "RADEC":
        carried = coordpnt.transform_regions(text, projection.to_pixel, 0.0, (True, False, where.scale))
    else:
        pointing = tuple(float(histogram.column(name)[0]) for name in ("RANOMXP", "DECNOMXP", "PA_NOMXP"))
        nominal = (projection.crval[0], projection.crval[1], 0.0)
        step = geometry.joined(
            geometry.det_to_foc(where),
            geometry.foc_to_sky(where, (pointing[0], pointing[1], pointing[2]), nominal),
        )
        carried = coordpnt.transform_regions(text, step.apply, step.angle, (False, False, where.scale))
    listing, grid, name = _temporary(pars)
    Path(listing).write_text(f"{name}\n")
    Path(grid).write_text("stand-in\n")
    Path(name).write_text(carried)
    try:
        return regfile.read(name, projection)
    except regfile.RegionRejectedError as error:
        raise ParameterError(1, f"region file {pars.text('regionfile')}: {error}") from error


def _pixels(photons: HDU, projection: wcs.TanWCS) -> tuple[np.ndarray, np.ndarray]:
    pairs = zip(photons.column("RA").tolist(), photons.column("DEC").tolist(), strict=True)
    pixels = np.array([projection.to_pixel(ra, dec) for ra, dec in pairs])
    return pixels[:, 0], pixels[:, 1]


def _fractions(photons: HDU, inside: np.ndarray) -> np.ndarray:
    energies = photons.column("ENERGY")
    return np.array([inside[np.abs(energies - energy) < 1e-3].mean() for energy in ENERGIES])


def _vignetting(pars: Parameters, histogram: HDU) -> float:
    """Return the time-weighted telescope response of the source: half at 10 arcmin off axis."""
    total = 0.0
    d0 = math.radians(pars.number("source_dec"))
    pairs = zip(histogram.column("RA_PNT"), histogram.column("DEC_PNT"), histogram.column("FRACTION"), strict=True)
    for ra, dec, fraction in pairs:
        a, d = math.radians(pars.number("source_ra") - ra), math.radians(dec)
        cosine = math.sin(d) * math.sin(d0) + math.cos(d) * math.cos(d0) * math.cos(a)
        theta = math.degrees(math.acos(max(-1.0, min(1.0, cosine)))) * 60
        total += fraction / (1 + (theta / 10) ** 2)
    return total


def _write(pars: Parameters, response: HDU, histogram: HDU, fractions: np.ndarray, vignetting: float) -> None:
    low, high = response.column("ENERG_LO"), response.column("ENERG_HI")
    energy = (low + high) / 2
    area = np.interp(energy, list(AREA), list(AREA.values()))
    area *= np.interp(energy, ENERGIES, fractions) * vignetting
    limits = [float(word) for word in pars.text("erange").replace(",", " ").split()]
    area[(energy < limits[0]) | (energy > limits[1])] = 0
    header = Header()
    for key in ("OBS_ID", "OBJECT", "DATE-OBS", "RA_NOM", "DEC_NOM"):
        if key in histogram.header:
            header.set(key, histogram.header.get(key))
    values = {
        "TELESCOP": pars.text("telescop"),
        "INSTRUME": pars.text("instrume"),
        "FILTER": "NONE",
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "SPECRESP",
        "HDUVERS": "1.1.0",
        "ARFVERSN": "1992a",
        "CREATOR": CREATOR,
        "GEOMAREA": 1000.0,
        "EXMAPNAM": Path(pars.text("emapfile")).name[:60],
        "RTEVFILE": Path(pars.text("xrtevtfile")).name[:60],
        "OBSTIME": float(histogram.header.get("EXPOSURE", 0.0)),
    }
    for key, value in values.items():
        header.set(key, value)
    header.note("COMMENT", "Nominal response of a stand-in: not for science.")
    columns = [("ENERG_LO", "E", "keV", low), ("ENERG_HI", "E", "keV", high), ("SPECRESP", "E", "cm**2", area)]
    table = fitsfile.table("SPECRESP", columns, header)
    fitsfile.write(pars.text("outfile"), [fitsfile.image(None, header), table])
