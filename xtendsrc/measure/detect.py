"""Finding sources on counts images of several bands, with a known number of false alarms.

Each pixel is asked whether the counts around it, weighted with the shape of a source (the PSF, and the PSF of a larger
source), exceed the background. The weighted sum X of counts has mean m and variance v from background alone; X m / v
is nearly Poisson with mean m^2 / v, which gives a probability that holds for few counts and many (the scaled Poisson
distribution; Fay & Feuer 1997, Stat. Med. 16, 791). Bands are joined as Fisher does: the sum of their -ln p has a Gamma
distribution. Sources are the local maxima above a threshold.

The threshold comes from the field itself: fields with its background and exposure and no source are drawn and searched
in the same way, and it is set where they have the number of maxima that is allowed as false alarms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from xtendsrc.measure.psf import RadialPSF

SURE = 12.0
"""-ln p above which a pixel is taken out of the background: none in a field of 10^5 pixels by chance."""

FAINT = 0.5
"""A masked source leaves the background alone where its surface brightness is below this part of it."""

SIZES = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Standard deviations of sources that are fitted, in half-power radii of the PSF."""

WEAK = 3.0
"""Maxima of blank fields below this -ln p are not recorded."""


@dataclass(frozen=True)
class Field:
    """Counts and exposure of one field, by band.

    Parameters
    ----------
    counts : tuple of ndarray, shape (ny, nx)
        Counts a pixel, one image a band.
    exposure : ndarray, shape (ny, nx)
        Seconds; where there is none, counts are ignored.

    Raises
    ------
    RequestError
        If the shapes differ, counts are negative, or nothing is exposed.
    """

    counts: tuple[np.ndarray, ...]
    exposure: np.ndarray

    def __post_init__(self) -> None:
        if not self.counts or any(c.shape != self.exposure.shape for c in self.counts):
            raise RequestError("Counts and exposure of a field differ in shape.", "give images on one grid.")
        if not (self.exposure > 0).any() or any(c.min() < 0 for c in self.counts):
            raise RequestError("A field has no exposure, or negative counts.", "give counts and seconds.")
        seen = self.exposure > 0
        object.__setattr__(self, "counts", tuple(np.where(seen, c, 0).astype(np.float64) for c in self.counts))


@dataclass(frozen=True)
class Search:
    """Parameters of a search for sources.

    Parameters
    ----------
    psf : RadialPSF
        In pixels.
    scales : tuple of float
        Standard deviations in pixels of Gaussians with which the PSF is blurred; 0 for point sources.
    smoothing : float
        Standard deviation in pixels of the Gaussian with which the background is smoothed.
    false_alarms : float
        Expected number of detections in a field that has no source.
    trials : int
        Blank fields drawn to find the threshold; the number of false alarms is right to 1 / sqrt(trials x number).
    seed : int
        Of these fields.

    Raises
    ------
    RequestError
        If a number makes no sense.
    """

    psf: RadialPSF
    scales: tuple[float, ...] = (0.0,)
    smoothing: float = 17.0
    false_alarms: float = 1.0
    trials: int = 40
    seed: int = 1
    kernels: tuple[np.ndarray, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (self.false_alarms > 0 and self.trials > 0 and self.smoothing > 0 and self.scales):
            raise RequestError(
                f"A search with {self.false_alarms} false alarms from {self.trials} blank fields makes no sense.",
                "allow for example false_alarms=1.",
            )
        if self.false_alarms * self.trials < 1:
            raise RequestError(
                f"{self.trials} blank fields cannot tell what happens {self.false_alarms} times a field.",
                f"draw at least {int(np.ceil(1 / self.false_alarms))} of them.",
            )
        object.__setattr__(self, "kernels", tuple(_kernel(self.psf.blurred(s)) for s in self.scales))

    @cached_property
    def half_power(self) -> float:
        """Radius in pixels that holds half of a point source."""
        return self.psf.radius_of(0.5 * float(self.psf.enclosed[-1]))

    @property
    def separation(self) -> int:
        """Pixels within which there is one maximum: the half-power radius, at least 1."""
        return max(1, round(self.half_power))

    @cached_property
    def sizes(self) -> tuple[RadialPSF, ...]:
        """The PSF for each of the sizes that a source may have."""
        return tuple(self.psf.blurred(size * self.half_power) for size in SIZES)


@dataclass(frozen=True)
class Peaks:
    """Local maxima of the evidence, the strongest first.

    Attributes
    ----------
    row, column : ndarray of int
        Pixels.
    evidence : ndarray
        -ln of the probability of as much from background alone.
    scale : ndarray of int
        Which of the scales gives most.
    """

    row: np.ndarray
    column: np.ndarray
    evidence: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def above(self, threshold: float) -> Peaks:
        """Those with at least this evidence."""
        keep = self.evidence >= threshold
        return Peaks(self.row[keep], self.column[keep], self.evidence[keep], self.scale[keep])


def _kernel(psf: RadialPSF) -> np.ndarray:
    """A PSF's image out to the radius of 90 % of its flux, of sum 1."""
    reach = max(1, int(np.ceil(psf.radius_of(0.9 * float(psf.enclosed[-1])))))
    image = psf.image(reach)
    found: np.ndarray = image / image.sum()
    return found


class _Convolver:
    """Convolutions of images of one shape, their borders taken as 0."""

    def __init__(self, shape: tuple[int, int], reach: int) -> None:
        from scipy.fft import next_fast_len

        self.shape = shape
        self._size = tuple(next_fast_len(n + 2 * reach, real=True) for n in shape)
        self._known: dict[int, np.ndarray] = {}

    def transform(self, image: np.ndarray) -> np.ndarray:
        from scipy.fft import rfft2

        return np.asarray(rfft2(image, self._size))

    def kernel(self, kernel: np.ndarray) -> np.ndarray:
        """Transform of a kernel whose middle pixel is moved to the origin; kept."""
        if id(kernel) not in self._known:
            padded = np.zeros(self._size)
            padded[: kernel.shape[0], : kernel.shape[1]] = kernel
            shifted = np.roll(padded, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), axis=(0, 1))
            self._known[id(kernel)] = self.transform(shifted)
        return self._known[id(kernel)]

    def back(self, product: np.ndarray) -> np.ndarray:
        from scipy.fft import irfft2

        image: np.ndarray = irfft2(product, self._size)[: self.shape[0], : self.shape[1]]
        return image


class Detector:
    """A search of fields with one exposure.

    Parameters
    ----------
    exposure : ndarray, shape (ny, nx)
        Seconds.
    search : Search
        How to look.
    """

    def __init__(self, exposure: np.ndarray, search: Search) -> None:
        self.search = search
        self.exposure = np.asarray(exposure, dtype=np.float64)
        self.seen = self.exposure > 0
        squares = [k**2 for k in search.kernels]
        self._kernels = list(zip(search.kernels, squares, strict=True))
        wide = int(np.ceil(3 * search.smoothing))
        line = np.exp(-0.5 * (np.arange(-wide, wide + 1) / search.smoothing) ** 2)
        self._gauss = line[:, None] * line[None, :]
        reach = max(wide, *(k.shape[0] // 2 for k in search.kernels))
        self._convolver = _Convolver((self.exposure.shape[0], self.exposure.shape[1]), reach)

    def background(self, counts: np.ndarray, usable: np.ndarray | None = None) -> np.ndarray:
        """Background counts a pixel: exposure times the ratio of smoothed counts to smoothed exposure.

        Parameters
        ----------
        counts : ndarray, shape (ny, nx)
            Counts.
        usable : ndarray of bool, optional
            Pixels without sources; all if not given.
        """
        use = self.seen if usable is None else self.seen & usable
        back, gauss = self._convolver.back, self._convolver.kernel(self._gauss)
        above = back(self._convolver.transform(np.where(use, counts, 0.0)) * gauss)
        below = back(self._convolver.transform(np.where(use, self.exposure, 0.0)) * gauss)
        everywhere = counts[use].sum() / max(self.exposure[use].sum(), 1e-300)
        known = below > 1e-6 * below.max()
        rate = np.where(known, np.maximum(above, 0.0) / np.where(known, below, 1.0), everywhere)
        floor = 1e-3 * everywhere
        return np.where(self.seen, np.maximum(rate, floor) * self.exposure, 0.0)

    def evidence(
        self, counts: tuple[np.ndarray, ...], background: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """-ln of the probability of the counts around each pixel from background alone; and the scale that gives most.

        Returns
        -------
        evidence : ndarray, shape (ny, nx)
            The largest of the scales; 0 without exposure.
        scale : ndarray of int, shape (ny, nx)
            Its number.
        """
        sums = [np.zeros(self.exposure.shape) for _ in self._kernels]
        back, kernel = self._convolver.back, self._convolver.kernel
        for image, expected in zip(counts, background, strict=True):
            seen, dark = self._convolver.transform(image), self._convolver.transform(expected)
            for total, (weight, square) in zip(sums, self._kernels, strict=True):
                mean = np.maximum(back(dark * kernel(weight)), 1e-12)
                variance = np.maximum(back(dark * kernel(square)), 1e-15)
                total += improbability(np.maximum(back(seen * kernel(weight)), 0.0), mean, variance)
        joined = np.array([joined_improbability(total, len(counts)) for total in sums])
        return np.where(self.seen, joined.max(axis=0), 0.0), joined.argmax(axis=0)

    def peaks(self, counts: tuple[np.ndarray, ...], background: tuple[np.ndarray, ...]) -> Peaks:
        """Local maxima of the evidence, the strongest first."""
        from scipy.ndimage import maximum_filter

        evidence, scale = self.evidence(counts, background)
        reach = self.search.separation
        dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        highest = maximum_filter(evidence, footprint=dx**2 + dy**2 <= reach**2 + reach, mode="constant")
        row, column = np.nonzero((evidence == highest) & (evidence > WEAK))
        order = np.argsort(-evidence[row, column], kind="stable")
        row, column = row[order], column[order]
        return Peaks(row, column, evidence[row, column], scale[row, column])

    def backgrounds(self, counts: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Background of each band with the surely detected sources left out."""
        first = tuple(self.background(c) for c in counts)
        for _ in range(2):
            sure = self.peaks(counts, first).above(SURE)
            if not len(sure):
                break
            first = tuple(self.background(c, self._outside(sure, c, b)) for c, b in zip(counts, first, strict=True))
        return first

    def _outside(self, peaks: Peaks, counts: np.ndarray, background: np.ndarray) -> np.ndarray:
        """Pixels where none of the sources is bright against the background."""
        usable = np.ones(self.exposure.shape, dtype=bool)
        rows, columns = np.indices(self.exposure.shape)
        radii = np.linspace(0.0, self.search.psf.reach, 200)
        shape = self.search.psf.brightness(radii)
        core = self.search.half_power
        for row, column, scale in zip(peaks.row, peaks.column, peaks.scale, strict=True):
            distance = np.hypot(rows - row, columns - column)
            near = (distance <= core) & self.seen
            net = 2 * max(float((counts - background)[near].sum()), 1.0)
            bright = radii[net * shape > FAINT * background[row, column]].max(initial=core)
            usable &= distance > bright + 2 * self.search.scales[scale]
        return usable

    def threshold(self, background: tuple[np.ndarray, ...]) -> float:
        """Evidence at which fields of this background alone have the allowed number of maxima."""
        rng = np.random.default_rng(self.search.seed)
        found = []
        for _ in range(self.search.trials):
            blank = tuple(rng.poisson(b).astype(np.float64) for b in background)
            found.append(self.peaks(blank, self.backgrounds(blank)).evidence)
        strongest = np.sort(np.concatenate([*found, np.full(2, WEAK)]))[::-1]
        last = min(round(self.search.false_alarms * self.search.trials), len(strongest) - 1)
        return float(0.5 * (strongest[last - 1] + strongest[last]))


def improbability(total: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """-ln of the probability that a weighted sum of Poisson counts reaches a value.

    Parameters
    ----------
    total : ndarray
        Weighted sums of counts.
    mean, variance : ndarray
        Of the sums, from the expected counts.

    Returns
    -------
    ndarray
        0 or more; below about a standard deviation of excess 0, as nothing of interest is there.
    """
    from scipy.special import gammainc

    out = np.zeros(total.shape)
    high = total > mean + np.sqrt(variance)
    factor = mean[high] / variance[high]
    seen, expected = total[high] * factor, mean[high] * factor
    probability = gammainc(seen, expected)
    far = probability < 1e-280
    bound = seen * np.log(seen / expected) - seen + expected + 0.5 * np.log(2 * np.pi * seen)
    out[high] = np.where(far, bound, -np.log(np.maximum(probability, 1e-290)))
    return out


def joined_improbability(total: np.ndarray, bands: int) -> np.ndarray:
    """-ln of the probability that the -ln p of several bands add up to a value (Fisher's method)."""
    from scipy.special import gammaincc, gammaln

    if bands == 1:
        return total
    probability = gammaincc(bands, total)
    far = total - (bands - 1) * np.log(np.maximum(total, 1.0)) + gammaln(bands)
    found: np.ndarray = np.where(probability < 1e-280, far, -np.log(np.maximum(probability, 1e-290)))
    return found
