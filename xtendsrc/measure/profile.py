"""Radial profiles of extended sources: annuli, surface brightness, growth, centre, and mixing by the PSF.

Radii are in arcmin, positions in pixels (column, row) counted from 0. A pixel belongs to the annulus that holds its
centre; area and exposure are summed over the same pixels, so that gaps and masked sources cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RegionError, RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from xtendsrc.measure.psf import RadialPSF

SUBRINGS = 24
"""Rings into which an annulus is cut where its light is spread by the PSF."""

MOST_DISTANCES = 1000
"""Distances at which the fraction within a circle is computed at most; it is interpolated between them."""


@dataclass(frozen=True)
class Picture:
    """Images from which a profile is made.

    Parameters
    ----------
    counts : ndarray, shape (ny, nx)
        Counts a pixel.
    exposure : ndarray, shape (ny, nx)
        Live seconds a pixel; pixels without any, and those of other sources set to 0, do not count.
    background : ndarray or float
        Expected background counts a pixel.
    side : float
        Of a pixel, arcmin.

    Raises
    ------
    RequestError
        If shapes differ.
    """

    counts: np.ndarray
    exposure: np.ndarray
    background: np.ndarray | float
    side: float

    def __post_init__(self) -> None:
        shapes = {self.counts.shape, self.exposure.shape, np.broadcast(self.counts, self.background).shape}
        if len(shapes) > 1 or not self.side > 0:
            raise RequestError("Counts, exposure and background of a profile differ in shape.", "use one grid.")

    @property
    def dark(self) -> np.ndarray:
        """Expected background counts a pixel, as an image."""
        return np.broadcast_to(np.asarray(self.background, dtype=np.float64), self.counts.shape)

    def distances(self, centre: tuple[float, float]) -> np.ndarray:
        """Distance of each pixel's centre from a position, arcmin."""
        rows, columns = np.indices(self.counts.shape)
        return np.asarray(np.hypot(columns - centre[0], rows - centre[1]) * self.side)


@dataclass(frozen=True)
class RadialProfile:
    """Counts in annuli around a centre, arrays of n annuli.

    Attributes
    ----------
    edges : ndarray, shape (n + 1,)
        Radii, arcmin.
    counts : ndarray
        Counts.
    background : ndarray
        Expected counts of the background.
    seconds_area : ndarray
        Live exposure times area summed over the pixels, s arcmin2.
    area : ndarray
        Of the pixels with exposure, arcmin2.
    """

    edges: np.ndarray
    counts: np.ndarray
    background: np.ndarray
    seconds_area: np.ndarray
    area: np.ndarray

    @property
    def radius(self) -> np.ndarray:
        """Radii that halve the area of the annuli, arcmin."""
        found: np.ndarray = np.sqrt(0.5 * (self.edges[1:] ** 2 + self.edges[:-1] ** 2))
        return found

    @property
    def brightness(self) -> np.ndarray:
        """Net surface brightness, counts/s/arcmin2; NaN without exposure."""
        return self._over_exposure(self.counts - self.background)

    @property
    def error(self) -> np.ndarray:
        """Its standard deviation, from the Poisson noise of the counts (at least one count's)."""
        return self._over_exposure(np.sqrt(np.maximum(self.counts, 1.0)))

    @property
    def full_area(self) -> np.ndarray:
        """Area of the whole annuli, arcmin2."""
        return np.pi * np.diff(self.edges**2)

    @property
    def growth(self) -> tuple[np.ndarray, np.ndarray]:
        """Net counts within the outer radius of each annulus, and their errors; gaps are filled with its mean."""
        filled = np.divide(self.full_area, self.area, out=np.zeros(len(self.area)), where=self.area > 0)
        net = np.cumsum((self.counts - self.background) * filled)
        return net, np.sqrt(np.cumsum(self.counts * filled**2))

    @property
    def signal_to_noise(self) -> np.ndarray:
        """Net counts over the square root of the counts of each annulus; 0 without counts."""
        noise = np.sqrt(np.maximum(self.counts, 1.0))
        found: np.ndarray = (self.counts - self.background) / noise
        return found

    def _over_exposure(self, values: np.ndarray) -> np.ndarray:
        seen = self.seconds_area > 0
        found: np.ndarray = np.divide(values, self.seconds_area, out=np.full(len(values), np.nan), where=seen)
        return found


def radial_profile(picture: Picture, centre: tuple[float, float], edges: ArrayLike) -> RadialProfile:
    """Sum counts, background, exposure and area over annuli.

    Parameters
    ----------
    picture : Picture
        Counts, exposure and background.
    centre : (float, float)
        Column and row.
    edges : array_like, shape (n + 1,)
        Radii in arcmin, rising; an annulus holds its inner edge.

    Raises
    ------
    RequestError
        If the radii do not rise.
    RegionError
        If no annulus has exposure.
    """
    edges = checked_edges(edges)
    index = np.searchsorted(edges, picture.distances(centre), side="right") - 1
    use = (picture.exposure > 0) & (index >= 0) & (index < len(edges) - 1)
    if not use.any():
        raise RegionError("No annulus of the profile has exposure.", "check the centre and the radii.")

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(index[use], values[use].astype(np.float64), minlength=len(edges) - 1)

    square = picture.side**2
    area = square * np.bincount(index[use], minlength=len(edges) - 1)
    return RadialProfile(edges, summed(picture.counts), summed(picture.dark), square * summed(picture.exposure), area)


def checked_edges(edges: ArrayLike) -> np.ndarray:
    """Radii of annuli as an array.

    Raises
    ------
    RequestError
        If there are fewer than two, or they do not rise from 0 or more.
    """
    values = np.asarray(edges, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or values[0] < 0 or not np.all(np.diff(values) > 0):
        raise RequestError(f"The radii {values} are no annuli.", "give two or more rising radii.")
    return values


def joined(profiles: Sequence[RadialProfile]) -> RadialProfile:
    """Profiles of several images with the same radii as one; areas are averaged with the exposures as weights."""
    edges = profiles[0].edges
    if any(len(p.edges) != len(edges) or not np.allclose(p.edges, edges) for p in profiles):
        raise RequestError("Profiles with different radii cannot be joined.", "make them with the same.")
    counts, background, seconds_area = (
        np.sum([getattr(p, name) for p in profiles], axis=0) for name in ("counts", "background", "seconds_area")
    )
    weight = sum(float(p.seconds_area.sum()) for p in profiles)
    area = sum(p.area * float(p.seconds_area.sum()) for p in profiles) / weight
    return RadialProfile(edges, counts, background, seconds_area, np.asarray(area))


def edges_of_equal_counts(rings: RadialProfile, number: int) -> np.ndarray:
    """Radii, in arcmin, of annuli that hold equal numbers of counts, put together from narrow rings.

    Raises
    ------
    RequestError
        If there are fewer counts, or fewer rings with counts, than annuli.
    """
    total = np.cumsum(rings.counts)
    if number < 1 or total[-1] < number or np.count_nonzero(rings.counts) < number:
        raise RequestError(
            f"Within {rings.edges[-1]:g}' there are not enough counts for {number} annuli.", "ask for fewer."
        )
    inner = np.searchsorted(total, total[-1] * np.arange(1, number) / number) + 1
    return checked_edges(rings.edges[[0, *inner, len(total)]])


def edges_of_signal(rings: RadialProfile, least: float) -> np.ndarray:
    """Radii, in arcmin, of the narrowest annuli with a signal-to-noise ratio of at least ``least``.

    Narrow rings are joined outwards; what is left outside, with too little, ends the last annulus early.

    Raises
    ------
    RequestError
        If not even the whole disc reaches the ratio.
    """
    edges, counts, dark = [float(rings.edges[0])], 0.0, 0.0
    for outer, more, behind in zip(rings.edges[1:], rings.counts, rings.background, strict=True):
        counts, dark = counts + more, dark + behind
        if counts - dark >= least * np.sqrt(max(counts, 1.0)):
            edges.append(float(outer))
            counts = dark = 0.0
    if len(edges) < 2:
        raise RequestError(
            f"The source has no signal-to-noise ratio of {least} within {rings.edges[-1]:g}'.", "ask for less."
        )
    return np.array(edges)


# --- where the middle is -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Centre:
    """A position and its standard deviation along each axis, pixels."""

    x: float
    y: float
    error: float


def centroid(picture: Picture, start: tuple[float, float], radius: float) -> Centre:
    """Mean position of the net counts in a circle that follows it.

    Parameters
    ----------
    picture : Picture
        Counts are divided by the relative exposure, so that gaps and vignetting of time do not shift the mean.
    start : (float, float)
        Column and row to begin at.
    radius : float
        Of the circle, arcmin.

    Raises
    ------
    RegionError
        If the circle has no net counts.
    """
    grid = np.indices(picture.counts.shape)[::-1]
    weight = np.divide(1.0, picture.exposure, out=np.zeros(picture.counts.shape), where=picture.exposure > 0)
    weight *= picture.exposure.max()
    place, error = np.array(start, dtype=np.float64), np.inf
    for _ in range(30):
        near = picture.distances((place[0], place[1])) <= radius
        net = ((picture.counts - picture.dark) * weight)[near]
        offset = grid[:, near] - place[:, None]
        total = float(net.sum())
        if not total > 0:
            raise RegionError(f"The circle of {radius}' has no net counts to take the mean of.", "widen it.")
        step = (offset * net).sum(axis=1) / total
        spread = (offset**2 * picture.counts[near] * weight[near] ** 2).sum()
        error = float(np.sqrt(0.5 * spread) / total)
        place = place + step
        if np.hypot(*step) < 0.01:
            break
    return Centre(float(place[0]), float(place[1]), error)


def peak(picture: Picture, psf: RadialPSF, within: np.ndarray | None = None) -> tuple[float, float]:
    """Column and row of the brightest place: the highest net rate smoothed with the PSF.

    Parameters
    ----------
    picture : Picture
        Counts, exposure, background.
    psf : RadialPSF
        In pixels.
    within : ndarray of bool, optional
        Where to look; everywhere with more than half the largest smoothed exposure if not given.
    """
    from scipy.signal import fftconvolve

    kernel = psf.image(max(1, int(np.ceil(psf.radius_of(0.9 * float(psf.enclosed[-1]))))))
    seconds = fftconvolve(picture.exposure, kernel, mode="same")
    net = fftconvolve(np.where(picture.exposure > 0, picture.counts - picture.dark, 0.0), kernel, mode="same")
    usable = seconds > 0.5 * seconds.max() if within is None else np.asarray(within, bool) & (picture.exposure > 0)
    if not usable.any():
        raise RegionError("There is no exposure where the peak is looked for.", "look elsewhere.")
    rate = np.where(usable, net / np.maximum(seconds, 1e-300), -np.inf)
    row, column = divmod(int(np.argmax(rate)), rate.shape[1])
    return float(column), float(row)


# --- the PSF -------------------------------------------------------------------------------------------------------


def mixing_matrix(psf: RadialPSF, edges: ArrayLike, onto: ArrayLike | None = None) -> np.ndarray:
    """Fractions of the light of each annulus that the PSF puts into each annulus.

    Parameters
    ----------
    psf : RadialPSF
        In arcmin.
    edges : array_like, shape (n + 1,)
        Radii of the annuli that emit, arcmin, each of even surface brightness.
    onto : array_like, shape (m + 1,), optional
        Radii of those that receive; the same if not given.

    Returns
    -------
    ndarray, shape (n, m)
        Row i: where the light of annulus i goes. A row adds up to the fraction within the largest radius received,
        less what falls within the smallest.
    """
    edges = checked_edges(edges)
    receive = edges if onto is None else checked_edges(onto)
    share = (np.arange(SUBRINGS) + 0.5) / SUBRINGS
    distance = np.sqrt(edges[:-1, None] ** 2 + share * np.diff(edges**2)[:, None])
    step = min(edges[-1] / 200, psf.radius_of(0.5 * float(psf.enclosed[-1])) / 10)
    grid = np.linspace(0.0, edges[-1], int(min(edges[-1] / step, MOST_DISTANCES)) + 1)
    within = np.zeros((len(receive), len(edges) - 1))
    for number, radius in enumerate(receive):
        if radius > 0:
            within[number] = np.interp(distance, grid, psf.fraction_off_centre(grid, radius)).mean(axis=1)
    return np.diff(within, axis=0).T
