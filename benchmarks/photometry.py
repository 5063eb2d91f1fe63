"""Count events in many circles, and turn the counts into rates: seconds for 10^6 events.

Run: ``python benchmarks/photometry.py``.
"""

from time import perf_counter

import numpy as np

from xtendsrc.measure.photometry import counts_in_circles, rates, sums_in_circles

EVENTS = 1_000_000
RADIUS = 34.0
"""Pixels of 1.768 arcsec: one arcmin."""


def timed(label, function):
    start = perf_counter()
    result = function()
    print(f"{label:48s} {perf_counter() - start:7.3f} s")
    return result


def main():
    rng = np.random.default_rng(1)
    x, y = rng.integers(1, 2431, (2, EVENTS)).astype(np.int16)
    image = np.ones((2430, 2430))
    for number in (1, 10_000, 100_000):
        centres = rng.uniform(100, 2300, (number, 2))
        counts = timed(f"counts in {number} circles", lambda c=centres: counts_in_circles(x, y, c, RADIUS))
        timed(f"sums of a map in {number} circles", lambda c=centres: sums_in_circles(image, c, RADIUS))
        timed(f"rates of {number} positions", lambda n=counts: rates(n, 9 * n, 1 / 9, 1e5))


if __name__ == "__main__":
    main()
