"""Time of a native exposure map against the number of attitude bins.

    python benchmarks/expmap.py

A pointing that wanders on a Lissajous figure is cut into ever narrower bins; the detector is that of the golden case.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from xtendsrc.events.eventlist import read_header
from xtendsrc.events.gti import GTI
from xtendsrc.measure.attitude import Attitude, choose_bins
from xtendsrc.measure.detector import detector_of
from xtendsrc.measure.exposure import exposure_map
from xtendsrc.measure.focalplane import FocalPlane

DATA = Path(__file__).parents[1] / "tests" / "data" / "expmap" / "steady"


def wandering(seconds: int, arcmin: float, roll: float = 137.9) -> Attitude:
    """One row a second of a pointing that wanders by some arcminutes."""
    t = np.arange(seconds + 1.0)
    ra = 80.0 + arcmin / 60 * np.sin(t / 3000)
    dec = 5.0 + arcmin / 60 * np.cos(t / 2170)
    return Attitude(t, ra, dec, np.full_like(t, roll), ra, dec, nominal=(80.0, 5.0, roll), target=(80.0, 5.0))


def main() -> None:
    """Print one line a width of the bins."""
    detector = detector_of(DATA / "bimg.fits.gz", read_header(DATA / "events.fits.gz"))
    gti = GTI([10.0], [40000.0])
    print("wander  delta numphi  bins  seconds  seconds/bin")
    for arcmin, widths in ((0.0, ((20, 1),)), (0.3, ((20, 1), (0.5, 4), (0.2, 4), (0.1, 4), None))):
        attitude = wandering(40010, arcmin)
        for width in widths:
            chosen = width or choose_bins(attitude, gti)
            start = time.perf_counter()
            made = exposure_map(attitude, gti, detector, FocalPlane(), width=chosen)
            took = time.perf_counter() - start
            name = "" if width else "  (chosen)"
            print(
                f"{arcmin:6.2f} {chosen[0]:6.2f} {chosen[1]:6d} {len(made.bins):5d} {took:8.2f} "
                f"{took / len(made.bins):8.3f}{name}"
            )


if __name__ == "__main__":
    main()
