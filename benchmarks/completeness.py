"""Completeness of the detection: the part of simulated sources that is found, by their counts and the background.

Run: ``python benchmarks/completeness.py [fields]``. Each field of 110 x 110 pixels of 14 arcsec holds 16 sources of one
brightness; the threshold is that of one false alarm a full field of Xtend (160 x 160 pixels).
"""

import sys
from dataclasses import replace
from time import perf_counter

import numpy as np

from xtendsrc.measure.detect import Detector, Field, Search
from xtendsrc.measure.psf import RadialPSF
from xtendsrc.measure.sourcefit import detect

SCALE = 1.87
"""Scale length of the nominal PSF in pixels of 14 arcsec."""
SIZE = 110
COUNTS = (10, 15, 20, 30, 40, 60, 80, 120)
BACKGROUNDS = (0.05, 0.3, 1.3)
"""Counts a pixel; the last is that of 20 ks in 0.5-10 keV."""


def drawn(rng, background, places, counts):
    image = rng.poisson(background, (SIZE, SIZE)).astype(float)
    for x0, y0 in places:
        size = rng.poisson(counts)
        radius, angle = rng.gamma(2.0, SCALE, size), rng.uniform(0, 2 * np.pi, size)
        x, y = (np.rint(c).astype(int) for c in (x0 + radius * np.cos(angle), y0 + radius * np.sin(angle)))
        on = (x >= 0) & (y >= 0) & (x < SIZE) & (y < SIZE)
        np.add.at(image, (y[on], x[on]), 1)
    return image


def completeness(background, counts, fields, search, threshold, rng):
    grid = np.stack(np.meshgrid(*[np.linspace(16, SIZE - 16, 4)] * 2), -1).reshape(-1, 2)
    found = 0
    for _ in range(fields):
        places = grid + rng.uniform(-4, 4, grid.shape)
        field = Field((drawn(rng, background, places, counts),), np.ones((SIZE, SIZE)))
        made = detect(field, search, threshold)
        apart = np.hypot(made.x[:, None] - places[:, 0], made.y[:, None] - places[:, 1])
        found += int((apart < 3).any(axis=0).sum()) if len(made) else 0
    return found / (fields * len(grid))


def main():
    fields = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    psf = RadialPSF.of(lambda r: 1 - (1 + r / SCALE) * np.exp(-r / SCALE), 30 * SCALE)
    search = Search(psf, (0.0, 5.0), trials=40)
    rng = np.random.default_rng(1)
    print("counts of the source   " + "".join(f"{c:>7d}" for c in COUNTS))
    for background in BACKGROUNDS:
        start = perf_counter()
        whole = np.ones((160, 160))
        threshold = Detector(whole, replace(search)).threshold((background * whole,))
        row = [completeness(background, c, fields, search, threshold, rng) for c in COUNTS]
        cells = "".join(f"{v:7.2f}" for v in row)
        print(f"{background:5.2f} counts a pixel     {cells}   ({threshold:.1f}, {perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
