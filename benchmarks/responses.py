"""Time of calibrated responses made from calibration files.

    python benchmarks/responses.py

The line parameters and spectra are those of the reference matrices in ``tests/data/rmf``; for comparison, ``sxirmf`` of
HEASoft 6.20 took 0.7 s on the coarse grid and 5.0 s on the default one.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import astropy.units as u

from xtendsrc import responses

DATA = Path(__file__).parents[1] / "tests" / "data"
COARSE = {"widths": (20, 240) * u.eV, "bins": (590, 50)}


def best_of(number: int, call) -> float:
    """Return the shortest of some runs, s."""
    times = []
    for _ in range(number):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def matrices(scratch: Path) -> None:
    """Print the time of a matrix on both grids, in both modes."""
    case = DATA / "rmf" / "full_src_coarse"
    print("matrix   mode   seconds")
    for name, grid in (("coarse", COARSE), ("default", {})):
        for mode in ("task", "right"):
            arguments = {"parameters": case / "rmfparam.fits.gz", "out": scratch / "a.rmf", "mode": mode, **grid}
            took = best_of(3, lambda a=arguments: responses.rmf(case / "in.pha.gz", **a))
            print(f"{name:8s} {mode:6s} {took:6.2f}")


def main() -> None:
    """Print one table a response."""
    with tempfile.TemporaryDirectory() as scratch:
        matrices(Path(scratch))


if __name__ == "__main__":
    main()
