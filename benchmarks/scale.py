"""Time what must stay quick when there is much: a cached sample of sources, and cached light curves.

    python benchmarks/scale.py [--sources 100] [--curves 1000] [--ready 10000]

Sources lie in one simulated observation; everything is made once and then asked for by a fresh process' objects
(catalogue, registry, sources), as in a new session. Nothing is made in the timed parts. The many ready products are
copies of one light curve, committed under the keys and states of light curves of other bins.
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
from xtendsrc.generate.plan import States
from xtendsrc.registry import Record

CENTRE = SkyCoord(81.2591, -69.6437, unit="deg")


def sample_of(root, number):
    """A sample of sources scattered around the aim point."""
    random = np.random.default_rng(3)
    places = CENTRE.directional_offset_by(
        random.uniform(0, 360, number) * u.deg, random.uniform(0, 3, number) * u.arcmin
    )
    table = Table({"name": [f"source {i:03d}" for i in range(number)], "ra": places.ra.deg, "dec": places.dec.deg})
    return xs.Sample.from_table(table, archive=root / "archive", output=root / "out")


def timed(label, work):
    """Run, print how long it took, and give the result."""
    begin = time.perf_counter()
    result = work()
    print(f"{label:55s} {time.perf_counter() - begin:7.3f} s")
    return result


def ready(dc, number):
    """Light curves of as many bins, all ready."""
    curves = [dc.lightcurve(bin=(100 + 4 * i) * u.s) for i in range(number)]
    registry = xs.Registry(dc.registry.root, durable=False)
    made = curves[0].path
    states = States()
    for curve in curves[1:]:
        request = curve.request
        state, inputs = states.of(request, curve.target)
        about = {"obs_id": request.obs_id, "dataclass": request.dataclass, "kind": request.kind, "inputs": inputs}
        record = Record(key=request.key, state=state, request=request.to_json(), **about)
        registry.commit(record, made, f"ready/{request.file_name()}")
    registry.fold()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sources", type=int, default=100)
    parser.add_argument("--curves", type=int, default=1000)
    parser.add_argument("--ready", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        simulate.observation(root / "archive", "900001010", CENTRE, exposure=10 * u.ks, seed=1)

        def curves(sample):
            return sample.lightcurves(bin=200 * u.s, background="none")

        made = timed(
            f"{options.sources} sources: first call, all made",
            lambda: xs.compute(curves(sample_of(root, options.sources)), progress=False),
        )
        assert not made.failed, made
        again = timed(
            f"{options.sources} sources: second call, nothing made",
            lambda: xs.compute(curves(sample_of(root, options.sources)), progress=False),
        )
        assert not again.made
        timed(f"{options.sources} sources: table()", lambda: sample_of(root, options.sources).table())

        def dc(output="out"):
            return xs.Observation(root / "archive" / "900001010", output=root / output).dataclasses["300000a0"]

        def declare():
            one = dc()
            return [one.lightcurve(bin=(100 + 4 * i) * u.s) for i in range(options.curves)]

        timed(f"{options.curves} light curves: made", lambda: xs.compute(declare(), progress=False))
        declared = timed(f"{options.curves} light curves: declared anew", declare)
        timed(f"{options.curves} light curves: read from the registry", lambda: [c.table for c in declared])

        ready(dc("many"), options.ready)
        for _ in range(3):
            one = dc("many")
            many = [one.lightcurve(bin=(100 + 4 * i) * u.s) for i in range(options.ready)]
            found = timed(f"{options.ready} products: found ready", lambda: xs.compute(many, progress=False))  # noqa: B023
            assert len(found.outcomes) == options.ready
            assert not found.made


if __name__ == "__main__":
    main()
