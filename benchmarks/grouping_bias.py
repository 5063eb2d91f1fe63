"""How the grouping of a spectrum biases a fit with the W-statistic.

    python benchmarks/grouping_bias.py [simulations]

An absorbed power law (nH 0.3e22, photon index 1.8) is simulated on the nominal response with a flat background: 18 140
source counts and 373 of the background in 0.5-10 keV (norm 1e-3 at 1 keV, 50 ks); fainter: a source of a tenth and a
fiftieth on the same background, or exposures as much shorter. The background is known from a region of four times the
source's area. The spectra are grouped in several ways and fitted with the profile likelihood of two Poisson spectra
(W-statistic; Wachter, Leach & Kellogg 1979). The table shows the mean pull, (fit - truth) / error, of nH, photon index
and logarithm of the norm; its own error is one over the root of the number of simulations. Channels left over by a
grouping (QUALITY 2) are not fitted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from scipy.optimize import least_squares
from scipy.sparse import csr_array
from scipy.special import ndtr

from xtendsrc.measure.grouping import group
from xtendsrc.responses import nominal

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, LAST = 83, 1666
RATIO = 0.25  # source over background area
TRUTH = np.array([0.3, 1.8, 0.0])
SOURCE, BACKGROUND = 18140.0, 373.0  # counts in the source region at 50 ks
CENTRE = (np.arange(FIRST, LAST + 1) + 0.5) * 0.006
CROSS_SECTIONS = Path(__file__).parents[1] / "tests/data/spectral/xsect_tbabs_wilm.fits.gz"


def response() -> csr_array:
    """Nominal area and redistribution on the channels used, (channel, energy)."""
    edges = np.arange(FIRST, LAST + 2) * 0.006
    spread = nominal.sigma(CENTRE)
    shares = np.diff(ndtr((edges[:, None] - CENTRE[None, :]) / spread[None, :]), axis=0)
    return csr_array(np.where(shares > 1e-9, shares, 0.0) * nominal.effective_area(CENTRE)[None, :])


def cross_section() -> np.ndarray:
    """Absorption cross section per 1e22 hydrogen atoms, interpolated in logarithms."""
    table = fits.getdata(CROSS_SECTIONS, 1)
    energy, sigma = (np.asarray(table[name], dtype=float) for name in ("ENERGY", "SIGMA"))
    return np.exp(np.interp(np.log(CENTRE), np.log(energy), np.log(sigma)))


MATRIX = response()
SIGMA = cross_section()


def model(pars: np.ndarray, norm: float) -> np.ndarray:
    """Expected source counts a channel: nH (1e22), index, log of the norm in units of ``norm``."""
    return MATRIX @ (norm * np.exp(pars[2] - pars[0] * SIGMA) * CENTRE ** -pars[1])


def filled(on: np.ndarray, off: np.ndarray, least: int) -> tuple[np.ndarray, int]:
    """Bins of at least one source count and ``least`` of the background."""
    starts, at, sums = [], 0, [0, 0]
    for channel, counts in enumerate(zip(on, off, strict=True)):
        sums = [a + b for a, b in zip(sums, counts, strict=True)]
        if sums[0] >= 1 and sums[1] >= least:
            starts.append(at)
            at, sums = channel + 1, [0, 0]
    return np.array(starts), at


def flagged(scheme: str, use_background: bool = True) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, int]]:
    """Bins of a grouping of the package: first channels, and the end of the last bin."""

    def bins(on: np.ndarray, off: np.ndarray) -> tuple[np.ndarray, int]:
        flags = group(on, scheme, off if use_background else None, nominal.fwhm(CENTRE) / 0.006)
        bad = np.flatnonzero(flags.quality)
        end = int(bad[0]) if len(bad) else len(on)
        return flags.starts[flags.starts < end], end

    return bins


SCHEMES = {
    "source >= 1 (min 1)": flagged("min 1"),
    "source >= 5 (min 5)": flagged("min 5"),
    "none": flagged("none"),
    "source >= 1, background >= 1": lambda on, off: filled(on, off, 1),
    "source >= 1, background >= 5": lambda on, off: filled(on, off, 5),
    "fwhm/3, fixed": flagged("fwhm/3", use_background=False),
    "fwhm/3, background >= 1": flagged("fwhm/3, background >= 1"),
}


def residuals(
    pars: np.ndarray, norm: float, on: np.ndarray, off: np.ndarray, starts: np.ndarray, end: int
) -> np.ndarray:
    """Signed roots of the terms of the W-statistic; the background of each bin is profiled out."""
    source = np.maximum(np.add.reduceat(model(pars, norm)[:end], starts), 1e-12)
    a, b = RATIO * (1 + RATIO), RATIO * (on + off) - (1 + RATIO) * source
    root = (b + np.sqrt(b * b + 4 * a * off * source)) / (2 * a)
    mean_on, mean_off = source + RATIO * root, np.maximum(root, 1e-300)
    term = mean_on - on + mean_off - off
    term += np.where(on > 0, on * np.log(np.maximum(on, 1e-300) / mean_on), 0.0)
    term += np.where(off > 0, off * np.log(np.maximum(off, 1e-300) / mean_off), 0.0)
    return np.sign(on - mean_on) * np.sqrt(2 * np.maximum(term, 0.0))


def curvature_errors(pars: np.ndarray, norm: float, background: np.ndarray, starts: np.ndarray, end: int) -> np.ndarray:
    """Errors at the fit, from the expected information of source and background counts together."""
    step = 1e-4
    slopes = np.array(
        [
            np.add.reduceat((model(pars + step * e, norm) - model(pars - step * e, norm))[:end], starts) / (2 * step)
            for e in np.eye(3)
        ]
    )
    off = np.add.reduceat(background[:end], starts)
    variance = np.add.reduceat(model(pars, norm)[:end], starts) + RATIO * off + RATIO**2 * off
    return np.sqrt(np.diag(np.linalg.inv((slopes / variance) @ slopes.T)))


def pulls(source: float, under: float, number: int, seed: int) -> dict[str, np.ndarray]:
    """Pulls of each scheme, (simulation, parameter), for counts of source and background; a last column counts bins."""
    rng = np.random.default_rng(seed)
    norm = source / model(TRUTH, 1.0).sum()
    background = np.full(len(CENTRE), under / RATIO / len(CENTRE))
    out: dict[str, list[np.ndarray]] = {scheme: [] for scheme in SCHEMES}
    for _ in range(number):
        on = rng.poisson(model(TRUTH, norm) + RATIO * background)
        off = rng.poisson(background)
        for scheme, bins in SCHEMES.items():
            starts, end = bins(on, off)
            grouped = [np.add.reduceat(v[:end], starts).astype(float) for v in (on, off)]
            fit = least_squares(
                residuals, TRUTH, args=(norm, *grouped, starts, end), x_scale=[0.1, 0.1, 0.1], diff_step=1e-4
            )
            error = curvature_errors(fit.x, norm, background, starts, end)
            out[scheme].append(np.append((fit.x - TRUTH) / error, len(starts)))
    return {scheme: np.array(values) for scheme, values in out.items()}


def main() -> None:
    """Print the table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"mean pulls of nH, index, log norm; standard error {1 / np.sqrt(number):.2f}")
    for scale, shorter in ((1.0, False), (0.1, False), (0.02, False), (0.1, True), (0.02, True)):
        under = BACKGROUND * (scale if shorter else 1.0)
        print(f"{scale * SOURCE:.0f} source counts, {under:.0f} of the background")
        for scheme, values in pulls(scale * SOURCE, under, number, seed=int(1000 * scale) + shorter).items():
            means = " ".join(f"{v:+.2f}" for v in values.mean(axis=0)[:3])
            print(f"  {scheme:30s} {means}  {values[:, 3].mean():5.0f} bins", flush=True)


if __name__ == "__main__":
    main()
