"""Samples of many sources in many observations: seconds and memory of photometry and of the table.

Run: ``python benchmarks/serendipity.py [folder] [observations]``. Simulated observations of 1 ks with five stars are
made in the folder (kept for the next run); twenty positions in each are measured, stars among them. Each size runs in
a process of its own, twice: with its exposure maps to make, and with these in the registry.
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

import xtendsrc as xs
from xtendsrc import simulate

BAND = (0.5, 7) * u.keV
PER_FIELD, STARS = 20, 5


def field(number):
    """Pointing and the positions of one observation; the first are stars."""
    rng = np.random.default_rng(number)
    centre = SkyCoord(6.0 * number + 1.0, -40.0, unit="deg")
    angle, apart = rng.uniform(0, 2 * np.pi, PER_FIELD), 11 * np.sqrt(rng.random(PER_FIELD))
    return centre, centre.directional_offset_by(angle * u.rad, apart * u.arcmin)


def apart(places):
    """Arcmin of each position from the nearest star."""
    return places[:STARS, None].separation(places).arcmin.min(axis=0)


def simulated(folder, number):
    obs_id = f"{900100000 + 10 * number}"
    if (folder / "XRISM" / obs_id).exists():
        return
    centre, places = field(number)
    stars = [
        simulate.Source(place, simulate.PowerLaw(1.8), rate=0.2 * u.ct / u.s, name=f"{number}-{k}")
        for k, place in enumerate(places[:STARS])
    ]
    options = {"exposure": 1 * u.ks, "seed": number, "files": simulate.Files(compress=False)}
    simulate.observation(folder / "XRISM", obs_id, centre, stars, **options)


def measured(folder, output, number):
    """Measure the sample of the first fields and print what it took."""
    rows = [(f"{n}-{k}", place.ra.deg, place.dec.deg) for n in range(number) for k, place in enumerate(field(n)[1])]
    table = QTable(rows=rows, names=("name", "ra", "dec"), units={"ra": "deg", "dec": "deg"})
    start = perf_counter()
    options = {"radius": 1 * u.arcmin, "mutual_interlopers": True}
    sample = xs.Sample.from_table(table, archive=folder / "XRISM", output=output, **options)
    made = sample.table(columns=["name", "counts", "rate", "rate_lo", "rate_hi", "detected", "problem"], energy=BAND)
    seconds = perf_counter() - start
    stars = np.tile(np.arange(PER_FIELD) < STARS, number)
    away = np.concatenate([apart(field(n)[1]) > 2 for n in range(number)])
    print(
        json.dumps(
            {
                "sources": len(sample),
                "seconds": seconds,
                "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "stars": float(np.mean(made["detected"][stars])),
                "empty": float(np.mean(made["detected"][~stars & away])),
            }
        )
    )


def main():
    if len(sys.argv) > 3:
        with xs.settings(progress=False, engine="native"):
            measured(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
        return
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    for number in range(most):
        simulated(folder, number)
    print("observations  sources   first (s)   again (s)   peak (MB)   stars detected   empty places detected")
    for number in (most // 4, most // 2, most):
        output = tempfile.mkdtemp(dir=folder)
        runs = []
        for _ in range(2):
            command = [sys.executable, __file__, str(folder), output, str(number)]
            runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        first, again = runs
        print(
            f"{number:12d} {first['sources']:8d} {first['seconds']:11.1f} {again['seconds']:11.1f} "
            f"{again['megabytes']:11.0f} {again['stars']:16.2f} {again['empty']:23.3f}"
        )


if __name__ == "__main__":
    main()
