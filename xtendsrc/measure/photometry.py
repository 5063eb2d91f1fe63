"""Counts and rates in circles: any number of positions in one pass over the events, and what follows from them.

Positions and radii are in pixels; a point belongs to a circle if its distance from the centre is at most the radius.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.measure.poisson import CountsPosterior, chance, significance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from xtendsrc.measure.psf import RadialPSF

LARGEST_GROUP = 3000
"""Overlapping apertures that are solved together at most: the matrix of their sources is dense."""


def counts_in_circles(x: np.ndarray, y: np.ndarray, centres: np.ndarray, radius: ArrayLike) -> np.ndarray:
    """Count events within circles.

    Parameters
    ----------
    x, y : ndarray, shape (m,)
        Positions of events.
    centres : ndarray, shape (n, 2)
        Centres; one that is not finite has no counts.
    radius : array_like, shape () or (n,)
        Of the circles, edge included.

    Returns
    -------
    ndarray of int, shape (n,)
        Counts; an event in several circles counts in each.
    """
    from scipy.spatial import cKDTree

    centres = np.asarray(centres, dtype=np.float64).reshape(-1, 2)
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(centres))
    counts = np.zeros(len(centres), dtype=np.int64)
    usable = np.isfinite(centres).all(axis=1) & (radii >= 0)
    if len(x) and usable.any():
        events = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
        tree = cKDTree(events, leafsize=64, balanced_tree=False, compact_nodes=False)
        counts[usable] = tree.query_ball_point(centres[usable], radii[usable], return_length=True)
    return counts


def sums_in_circles(image: np.ndarray, centres: np.ndarray, radius: ArrayLike) -> np.ndarray:
    """Sum the pixels whose centres lie within circles.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Values; beyond it everything is 0.
    centres : ndarray, shape (n, 2)
        Column and row, counted from 0; one that is not finite gives 0.
    radius : array_like, shape () or (n,)
        In pixels.

    Returns
    -------
    ndarray, shape (n,)
        Sums, from running sums along the rows: the time grows with the radius, not with its square.
    """
    values = np.asarray(image, dtype=np.float64)
    centres = np.asarray(centres, dtype=np.float64).reshape(-1, 2)
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(centres))
    sums = np.zeros(len(centres))
    usable = np.flatnonzero(np.isfinite(centres).all(axis=1) & (radii >= 0))
    if not len(usable):
        return sums
    ny, nx = values.shape
    running = np.concatenate([np.zeros((ny, 1)), np.cumsum(values, axis=1)], axis=1)
    cx, cy, r = centres[usable, 0], centres[usable, 1], radii[usable]
    first = np.ceil(cy - r).astype(np.int64)
    for step in range(int(np.ceil(2 * r.max())) + 1):
        row = first + step
        half = np.sqrt(np.maximum(r**2 - (row - cy) ** 2, 0.0))
        inside = (row >= 0) & (row < ny) & (np.abs(row - cy) <= r)
        left = np.clip(np.ceil(cx - half), 0, nx).astype(np.int64)
        right = np.clip(np.floor(cx + half) + 1, 0, nx).astype(np.int64)
        line = np.clip(row, 0, ny - 1)
        sums[usable] += np.where(inside & (right > left), running[line, right] - running[line, left], 0.0)
    return sums


@dataclass(frozen=True)
class Rates:
    """Rates of sources, arrays of one length; rates in counts/s of the whole source.

    Attributes
    ----------
    counts : ndarray
        In the apertures, source and background.
    background : ndarray
        Expected counts of the background in the apertures.
    background_error : ndarray
        Standard deviation of these, from the counts of the background regions.
    effective : ndarray
        Seconds of exposure times the part of the source that the net counts hold.
    rate : ndarray
        Net counts over exposure and enclosed fraction; negative where the background has more. NaN without exposure.
    rate_lo, rate_hi : ndarray
        Shortest interval of the posterior, which starts at 0.
    upper_limit : ndarray
        Quantile of the posterior.
    significance : ndarray
        Of the excess, in standard deviations (Li & Ma).
    chance : ndarray
        Probability of as many counts from background alone.
    """

    counts: np.ndarray
    background: np.ndarray
    background_error: np.ndarray
    effective: np.ndarray
    rate: np.ndarray
    rate_lo: np.ndarray
    rate_hi: np.ndarray
    upper_limit: np.ndarray
    significance: np.ndarray
    chance: np.ndarray


@dataclass(frozen=True)
class Levels:
    """Probabilities of what is reported.

    Attributes
    ----------
    interval : float
        Within the interval of the rate.
    limit : float
        Below the upper limit, one-sided.
    """

    interval: float = 0.6827
    limit: float = 0.9987


def rates(on: ArrayLike, off: ArrayLike, scale: ArrayLike, effective: ArrayLike, levels: Levels | None = None) -> Rates:
    """Return rates with intervals and upper limits from counts in apertures and background regions.

    Parameters
    ----------
    on, off : array_like, shape (n,)
        Counts in the apertures and in the background regions.
    scale : array_like, shape (n,)
        Area times exposure of the aperture over that of the background region.
    effective : array_like, shape (n,)
        Seconds of exposure times the fraction of the source within the aperture; where it is 0 the rates are NaN.
    levels : Levels, optional
        Probabilities of interval and limit: 68.27 % and 99.87 %.
    """
    levels = levels or Levels()
    on, off, scale, effective = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (on, off, scale, effective))
    )
    posterior = CountsPosterior.of(on, off, scale)
    low, high = posterior.interval(levels.interval)
    seconds = np.where(effective > 0, effective, np.nan)
    return Rates(
        counts=on.astype(np.int64),
        background=scale * off,
        background_error=scale * np.sqrt(off),
        effective=effective.copy(),
        rate=(on - scale * off) / seconds,
        rate_lo=low / seconds,
        rate_hi=high / seconds,
        upper_limit=posterior.quantile(levels.limit) / seconds,
        significance=significance(on, off, scale),
        chance=chance(on, off, scale),
    )


@dataclass(frozen=True)
class Blend:
    """Counts of sources whose apertures overlap, solved together.

    Attributes
    ----------
    counts : ndarray, shape (n,)
        Of the whole of each source, as far as its PSF's table reaches; may be negative.
    error : ndarray, shape (n,)
        One standard deviation, from the Poisson noise of the apertures and what they share.
    """

    counts: np.ndarray
    error: np.ndarray


def deblend(
    events: tuple[np.ndarray, np.ndarray], centres: np.ndarray, radius: float, psf: RadialPSF, background: ArrayLike
) -> Blend:
    """Share out the counts of overlapping apertures among their sources.

    The counts expected in aperture i are ``sum_j A_ij s_j + b_i``, where A_ij is the fraction of source j that falls
    into it; the system is solved for the s_j, each group of sources within reach of one another for itself. Two
    apertures with common events have these as their covariance.

    Parameters
    ----------
    events : (ndarray, ndarray)
        Positions x, y of events.
    centres : ndarray, shape (n, 2)
        Positions of the sources.
    radius : float
        Of every aperture.
    psf : RadialPSF
        In pixels.
    background : array_like, shape () or (n,)
        Expected background counts in each aperture.

    Raises
    ------
    RequestError
        If a group has more than 3000 sources, or two sources lie so close that nothing tells them apart.
    """
    centres = np.asarray(centres, dtype=np.float64).reshape(-1, 2)
    expected = np.broadcast_to(np.asarray(background, dtype=np.float64), len(centres))
    counts, error = np.zeros(len(centres)), np.zeros(len(centres))
    reach = radius + psf.radius_of(0.99 * float(psf.enclosed[-1]))
    for group in _groups(centres, reach):
        inside = _inside(events, centres[group], radius)
        counts[group], error[group] = _solve(inside, centres[group], radius, psf, expected[group])
    return Blend(counts, error)


def _groups(centres: np.ndarray, reach: float) -> list[np.ndarray]:
    """Indices of sources that are linked by steps of at most ``reach``."""
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    tree = cKDTree(centres)
    links = tree.sparse_distance_matrix(tree, reach, output_type="coo_matrix")
    links.data[:] = 1.0
    number, label = connected_components(links, directed=False)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.searchsorted(label[order], np.arange(1, number)))
    largest = max(map(len, groups), default=0)
    if largest > LARGEST_GROUP:
        raise RequestError(
            f"{largest} sources lie within reach of one another; at most {LARGEST_GROUP} are solved together.",
            "use smaller apertures, or fewer positions.",
        )
    return groups


def _inside(events: tuple[np.ndarray, np.ndarray], centres: np.ndarray, radius: float) -> np.ndarray:
    """Counts that each pair of apertures shares, shape (n, n); the diagonal holds the counts of each."""
    from scipy.sparse import csr_matrix

    x, y = events
    low, high = centres.min(axis=0) - radius, centres.max(axis=0) + radius
    near = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
    x, y = np.asarray(x, dtype=np.float64)[near], np.asarray(y, dtype=np.float64)[near]
    rows = [np.flatnonzero((x - cx) ** 2 + (y - cy) ** 2 <= radius**2) for cx, cy in centres]
    index = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
    start = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    member = csr_matrix((np.ones(len(index)), index, start), shape=(len(centres), max(len(x), 1)))
    return np.asarray((member @ member.T).todense())


def _solve(
    shared: np.ndarray, centres: np.ndarray, radius: float, psf: RadialPSF, background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    apart = np.hypot(*(centres[:, None, :] - centres[None, :, :]).transpose(2, 0, 1))
    grid = np.linspace(0.0, max(float(apart.max()), radius), 401)
    matrix = np.interp(apart, grid, psf.fraction_off_centre(grid, radius))
    if np.linalg.cond(matrix) > 1e6:
        raise RequestError("Two of the positions are the same, or nearly so.", "give each source once.")
    inverse = np.linalg.inv(matrix)
    counts = inverse @ (np.diag(shared) - background)
    variance = np.einsum("ij,jk,ik->i", inverse, shared, inverse)
    return counts, np.sqrt(np.maximum(variance, 0.0))


@dataclass(frozen=True)
class Threshold:
    """Threshold of a detection, and how often a source at the limiting rate is detected.

    Attributes
    ----------
    chance : float
        Probability of as many counts from background alone, at most.
    completeness : float
        Probability that a source is detected.
    """

    chance: float = 1.35e-3
    completeness: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.chance < 1 and 0 < self.completeness < 1):
            raise RequestError(f"{self} holds something that is no probability.", "give numbers between 0 and 1.")


def limiting_counts(background: ArrayLike, threshold: Threshold | None = None) -> np.ndarray:
    """Source counts in an aperture at which a source is detected with the probability asked for.

    The fewest counts n that background alone exceeds or equals with a probability of at most ``chance``; and the mean
    at which n or more are seen with the probability ``completeness`` (Kashyap et al. 2010, ApJ 719, 900).

    Parameters
    ----------
    background : array_like
        Expected background counts in the aperture, of any shape.
    threshold : Threshold, optional
        A one-sided 3 sigma and half of the sources if not given.
    """
    from scipy.special import gammaincinv
    from scipy.stats import poisson

    threshold = threshold or Threshold()
    b = np.asarray(background, dtype=np.float64)
    needed = poisson.isf(threshold.chance, b) + 1
    found: np.ndarray = np.maximum(gammaincinv(needed, threshold.completeness) - b, 0.0)
    return found


def sensitivity(
    background: np.ndarray, exposure: np.ndarray, psf: RadialPSF, radius: float, threshold: Threshold | None = None
) -> np.ndarray:
    """Map of the rate at which a point source is detected in a circular aperture.

    Parameters
    ----------
    background : ndarray, shape (ny, nx)
        Expected background counts a pixel.
    exposure : ndarray, shape (ny, nx)
        Seconds.
    psf : RadialPSF
        In pixels.
    radius : float
        Of the aperture, in pixels.
    threshold : Threshold, optional
        As for `limiting_counts`.

    Returns
    -------
    ndarray, shape (ny, nx)
        Counts/s of the whole source, with the mean exposure of the aperture; NaN where a pixel has no exposure.
    """
    rows, columns = np.nonzero(exposure > 0)
    centres = np.column_stack([columns, rows]).astype(np.float64)
    area = sums_in_circles(np.ones(exposure.shape), centres, radius)
    seconds = sums_in_circles(exposure, centres, radius) / np.maximum(area, 1)
    counts = limiting_counts(sums_in_circles(background, centres, radius), threshold)
    limits = np.full(exposure.shape, np.nan)
    limits[rows, columns] = counts / (seconds * float(psf.fraction(radius)))
    return limits
