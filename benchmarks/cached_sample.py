"""Time what users of a finished sample wait for: declaring and reading its cached net curves, and its table.

    python benchmarks/cached_sample.py [--sources 100] [--observations 10] [--keep DIRECTORY]

Sources are scattered around the aim point of every observation; everything is made once (and kept with ``--keep``), and
then asked for by new objects, as in a new session. Nothing is made in the timed parts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

import xtendsrc as xs
from xtendsrc import simulate

CENTRE = SkyCoord(81.2591, -69.6437, unit="deg")


def sample_of(root, number):
    """A sample of sources scattered around the aim point."""
    random = np.random.default_rng(3)
    places = CENTRE.directional_offset_by(
        random.uniform(0, 360, number) * u.deg, random.uniform(0, 3, number) * u.arcmin
    )
    table = Table({"name": [f"source {i:03d}" for i in range(number)], "ra": places.ra.deg, "dec": places.dec.deg})
    return xs.Sample.from_table(table, archive=root / "archive", output=root / "out", radius=1 * u.arcmin)


def timed(label, work):
    """Run, print how long it took, and give the result."""
    begin = time.perf_counter()
    result = work()
    print(f"{label:62s} {time.perf_counter() - begin:8.3f} s", flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sources", type=int, default=100)
    parser.add_argument("--observations", type=int, default=10)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = options.keep or Path(directory)
        for number in range(options.observations):
            obs_id = f"9000{number + 1:02d}010"
            if not (root / "archive" / obs_id).exists():
                simulate.observation(root / "archive", obs_id, CENTRE, exposure=2 * u.ks, seed=number)
        timed("everything made", lambda: xs.compute(sample_of(root, options.sources).lightcurves(), progress=False))
        paths = sorted((root / "archive").iterdir())
        timed(f"{len(paths)} observations opened", lambda: [xs.Observation(p, output=root / "out") for p in paths])
        sample = timed("sample opened", lambda: sample_of(root, options.sources))
        timed("observations found", lambda: [s.observations for s in sample])
        curves = timed("net curves declared", sample.lightcurves)
        timed(f"{len(curves)} cached net curves read", lambda: [c.rate for c in curves])
        timed("a property of each once more", lambda: [c.rate for c in curves])
        timed("one compute that finds all ready", lambda: xs.compute(curves, progress=False))
        timed("table()", sample.table)


if __name__ == "__main__":
    main()
