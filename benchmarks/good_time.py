"""Products against the number of good time intervals: coarse good time, and one interval a frame.

Run: ``python benchmarks/good_time.py [ks]``. Simulates the 1/8 window twice, 125 ks by default: 250 000 frames.
"""

import logging
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import astropy.units as u
from astropy.coordinates import SkyCoord

import xtendsrc as xs
from xtendsrc import simulate

CENTRE = SkyCoord(81.259, -69.644, unit="deg")


def timed(label, function):
    start = perf_counter()
    result = function()
    print(f"  {label:52s} {perf_counter() - start:6.2f} s")
    return result


def measure(top, seconds, form):
    """Time the products of one data class with its good time in one form."""
    star = simulate.Source(CENTRE, simulate.PowerLaw(1.8), rate=1 * u.ct / u.s, name="star")
    files = simulate.Files(good_time=form)
    about = {"exposure": seconds, "dataclasses": "31100010", "seed": 1, "files": files}
    simulate.observation(top, "900002010", CENTRE, [star], **about)
    source = xs.PointSource(CENTRE, radius=1 * u.arcmin, archive=top, output=top / "out", name="star")
    (dc,) = source.dataclasses()
    print(f"{len(dc.gti)} intervals, {dc.exposure:.0f}")
    every_other = xs.GTI(dc.gti.start[::2], dc.gti.stop[::2])
    timed("exposure map", lambda: dc.expmap(binning=4).data)
    timed("net curve (with the map of its areas)", lambda: source.lightcurve(bin=200 * u.s).table)
    spectrum = timed("spectrum declared with gti=", lambda: source.spectrum(gti=every_other, response=None))
    timed("spectrum with gti= (with the map of its areas)", lambda: spectrum.counts)


def main():
    logging.disable(logging.WARNING)
    seconds = float(sys.argv[1] if len(sys.argv) > 1 else 125) * u.ks
    with tempfile.TemporaryDirectory() as folder, xs.settings(progress=False):
        for form in ("coarse", "frames"):
            measure(Path(folder) / form, seconds, form)


if __name__ == "__main__":
    main()
