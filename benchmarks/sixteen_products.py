"""Time sixteen products through the public interface: made, written, registered; and asked for a second time.

    python benchmarks/sixteen_products.py [--numbers 100000 1000000] [--repeats 5]

The set and the plain-NumPy yardstick are those of ``native_products.py``. Every repeat starts from an empty output
directory in the same process; medians are printed. The second call asks for the same products again.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from native_products import BANDS, BIN, CIRCLES, CURVES, DISCS, event_file, numpy_products

import xtendsrc as xs
from xtendsrc.regions import RegionSet, Shape


def declare(dc):
    """The sixteen products of one data class."""
    import astropy.units as u

    discs = tuple(Shape("circle", disc, exclude=True) for disc in DISCS)
    regions = [RegionSet("SKY", (Shape("circle", circle), *discs)) for circle in CIRCLES.values()]
    curves = [dc.lightcurves(region, channels=CURVES, bin=BIN * u.s) for region in regions]
    return [dc.images(channels=BANDS, binning=(1, 4)), *curves, [dc.spectrum(region) for region in regions]]


def measure(number, repeats):
    """Median seconds of the yardstick, the first call and the second call."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "900001010"
        folder.mkdir()
        path = folder / "xa900001010xtd_p0300000a0_cl.evt"
        event_file(path, number)
        plain, first, second = [], [], []
        for _ in range(repeats):
            shutil.rmtree(Path(directory) / "out", ignore_errors=True)
            begin = time.perf_counter()
            numpy_products(path)
            plain.append(time.perf_counter() - begin)
            for times, made in ((first, 16), (second, 0)):
                begin = time.perf_counter()
                dc = xs.Observation(folder, output=Path(directory) / "out").dataclasses["300000a0"]
                report = xs.compute(declare(dc), progress=False)
                times.append(time.perf_counter() - begin)
                if len(report.made) != made or report.failed:
                    raise SystemExit(f"unexpected: {report}")
    return [statistics.median(times) for times in (plain, first, second)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--numbers", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print("events     yardstick   first call (x yardstick)   second call (of the first)")
    for number in options.numbers:
        plain, first, second = measure(number, options.repeats)
        print(
            f"{number:9d}  {plain:7.3f} s   {first:7.3f} s ({first / plain:4.2f})          "
            f"{second:7.3f} s ({100 * second / first:4.1f} %)"
        )


if __name__ == "__main__":
    main()
