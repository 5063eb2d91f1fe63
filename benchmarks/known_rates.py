"""Recover known rates: simulated sources at five places, in full window and in the 1/8 window.

    python benchmarks/known_rates.py [--seeds 100] [--processes 2] [--dataclass 300000a0 31100010]

Every seed is an observation of five sources; each gives back its rate through ``src.spectrum()`` and
``src.lightcurve()``, net counts / exposure / enclosed fraction, against the rate the simulator was given (on-axis rate
times vignetting, 0.5-10 keV). Mean and standard deviation of the pulls are printed, with the errors they have if the
pulls are unit normal: 1/sqrt(n) and 1/sqrt(2 (n - 1)).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits

import xtendsrc as xs
from xtendsrc import simulate
from xtendsrc.instrument import Geometry
from xtendsrc.regions import RegionSet, Shape

CENTRE = SkyCoord(81.259, -69.644, unit="deg")
ROLL = 30.0
BAND = (0.5, 10.0) * u.keV
CHANNELS = slice(83, 1667)
RATE, EXPOSURE = 4.0, 1.25 * u.ks
"""So bright that the vignetted sky, which no background region has right, is 0.1 sigma."""
PLACES = {
    "300000a0": {
        "on axis": (733.0, 731.0),
        "17' off axis": (1300.0, 600.0),
        "on the gap": (895.0, 1250.0),
        "field's edge": (268.0, 1200.0),
        "calibration disc": (1000.0, 360.0),
    },
    "31100010": {
        "on axis": (733.0, 731.0),
        "14' off axis": (733.0, 1150.0),
        "on the gap": (733.0, 895.0),
        "window's edge": (696.0, 480.0),
        "window's corner": (771.0, 275.0),
    },
}
"""DETX, DETY of five sources; the calibration discs are out of reach of the window."""
OTHERS_ARCMIN = {"300000a0": 3.0, "31100010": 3.3}
"""Radius in which the other four sources are taken out: their wings beyond 2.5 would make 0.3 sigma in the window."""


def geometry() -> Geometry:
    """The sky grid that the simulator writes."""
    fk5 = CENTRE.fk5
    return Geometry(round(float(fk5.ra.deg), 6), round(float(fk5.dec.deg), 6), ROLL)


def simulated(folder: Path, code: str, seed: int, exposure: u.Quantity) -> Path:
    """One observation with a source at each place."""
    shine = simulate.PowerLaw(1.8)
    sources = [
        simulate.Source(geometry().det_to_icrs(*place), shine, rate=RATE * u.ct / u.s, name=name)
        for name, place in PLACES[code].items()
    ]
    return simulate.observation(
        folder,
        f"9{seed:05d}010",
        CENTRE,
        sources,
        exposure=exposure,
        dataclasses=code,
        roll=ROLL * u.deg,
        seed=seed,
        files=simulate.Files(compress=False),
    )


def sources(code: str, archive: Path, output: Path) -> dict[str, xs.PointSource]:
    """The five sources; each takes the other four for interlopers."""
    positions = {name: geometry().det_to_icrs(*place) for name, place in PLACES[code].items()}
    circles = {
        name: Shape("circle", (float(p.ra.deg), float(p.dec.deg), OTHERS_ARCMIN[code] / 60))
        for name, p in positions.items()
    }
    return {
        name: xs.PointSource(
            position,
            archive=archive,
            output=output,
            name=name,
            interlopers=RegionSet("icrs", tuple(c for other, c in circles.items() if other != name)),
        )
        for name, position in positions.items()
    }


def spectral_rate(spectrum) -> tuple[float, float, float]:
    """Net rate of the spectrum in the band over the enclosed fraction, its error, and that fraction."""
    enclosed = float(fits.getheader(spectrum.arf.path, "SPECRESP")["ENCFRAC"])
    background = spectrum.background
    scale = spectrum.backscal / background.backscal * float(spectrum.exposure / background.exposure)
    on, off = spectrum.counts[CHANNELS].sum(), background.counts[CHANNELS].sum()
    seconds = spectrum.exposure.to_value(u.s) * enclosed
    return float(on - scale * off) / seconds, float(np.sqrt(on + scale**2 * off)) / seconds, enclosed


def curve_rate(curve, enclosed: float) -> tuple[float, float]:
    """Mean of the net light curve over the enclosed fraction, and its error."""
    seconds = curve.exposed.to_value(u.s)
    rate, error = (v.to_value(u.ct / u.s) for v in (curve.rate, curve.error))
    total = seconds.sum() * enclosed
    return float((rate * seconds).sum() / total), float(np.sqrt(((error * seconds) ** 2).sum()) / total)


def pulls(code: str, seed: int, exposure: u.Quantity = EXPOSURE) -> dict[str, tuple[float, float]]:
    """Pulls of the spectral and of the light curve's rate at each place, in one observation."""
    with tempfile.TemporaryDirectory() as folder, xs.settings(progress=False):
        tree = simulated(Path(folder) / "XRISM", code, seed, exposure)
        record = json.loads(next((tree / "log").glob("*_truth.json")).read_text())["dataclasses"][code]
        made = {}
        for name, source in sources(code, tree.parent, Path(folder) / "output").items():
            made[name] = source.spectrum(response="nominal"), source.lightcurve(energy=BAND)
        report = xs.compute(*(product for pair in made.values() for product in pair), executor="serial")
        if report.failed:
            raise SystemExit(f"products failed: {report}")
        out = {}
        for truth in record["sources"]:
            spectrum, curve = made[truth["name"]]
            wanted = truth["rate"]["0.5-10.0"] / truth["live"]
            rate, error, enclosed = spectral_rate(spectrum)
            again, its_error = curve_rate(curve, enclosed)
            out[truth["name"]] = (rate - wanted) / error, (again - wanted) / its_error
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--dataclass", nargs="+", choices=list(PLACES), default=list(PLACES))
    args = parser.parse_args()
    with ProcessPoolExecutor(args.processes) as pool:
        for code in args.dataclass:
            found = list(pool.map(pulls, [code] * args.seeds, range(1, args.seeds + 1)))
            for name in PLACES[code]:
                values = np.array([one[name] for one in found])
                mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
                text = "   ".join(f"{m:+.2f} {s:.2f}" for m, s in zip(mean, spread, strict=True))
                print(f"{code}  {name:18}{text}", flush=True)
    n = args.seeds
    print(f"spectrum: mean, deviation; light curve: mean, deviation; errors {n**-0.5:.2f}, {(2 * n - 2) ** -0.5:.2f}")


if __name__ == "__main__":
    main()
