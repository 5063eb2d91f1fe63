"""Where the telescope pointed: the attitude of an observation, cut into bins of nearly constant pointing.

The bins are those of HEASoft's ``xaexpmap``: annuli of width ``delta`` around the target, the n-th of them cut into
``numphi`` x n sectors (the innermost is whole). Within a good time interval the rows of the extended housekeeping
(EHK) form stretches: from the start of the interval to the EHK time at which the bin changes, and so on to its end.
The pointing of a stretch is the mean of its rows, that of a bin the mean of its stretches weighted by their length.

Right ascension, roll and azimuth are averaged as directions, where the task takes arithmetic means and turns a map
by 180 degrees when the roll crosses 0/360.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import GTIError

if TYPE_CHECKING:
    from xtendsrc.events.gti import GTI

PIXEL_DEG = 4.91106681540706e-4
"""Angle of a pixel: 48 um at 5600 mm."""

MAX_GAP = 60.0
"""Longest time without attitude, in seconds, that is bridged inside a good time interval."""

WIDE_DELTA = 20.0
"""Attitude bin (arcmin) that holds all of a steady pointing: what is usually given to xaexpmap."""

MAX_SPREAD2 = 1.5
"""Largest mean square distance, in pixels squared, of the pointing from the mean of its bin (see `choose_bins`)."""


@dataclass(frozen=True)
class Attitude:
    """The pointing against time, and the reference of the sky grid.

    Attributes
    ----------
    time : ndarray
        Rising mission seconds.
    ra, dec, roll : ndarray
        Direction of the spacecraft axis, degrees; ``roll`` is the angle of +DETY East of North.
    ra_axis, dec_axis : ndarray
        Direction of Xtend's optical axis, degrees.
    nominal : tuple of float
        RA_NOM, DEC_NOM, PA_NOM, degrees.
    target : tuple of float
        RA_OBJ, DEC_OBJ, degrees: centre of the attitude bins.
    source : str
        What errors call it.
    """

    time: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    roll: np.ndarray
    ra_axis: np.ndarray
    dec_axis: np.ndarray
    nominal: tuple[float, float, float]
    target: tuple[float, float]
    source: str = "the EHK"

    def at(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """RA, Dec and roll at given times, degrees, interpolated along the shorter way round."""
        ra0, _, pa0 = self.nominal
        ra = ra0 + np.interp(time, self.time, wrap(self.ra - ra0))
        roll = pa0 + np.interp(time, self.time, np.degrees(np.unwrap(np.radians(wrap(self.roll - pa0)))))
        return ra, np.interp(time, self.time, self.dec), roll

    @property
    def cadence(self) -> float:
        """Median distance of the rows, seconds."""
        return float(np.median(np.diff(self.time))) if len(self.time) > 1 else 0.0


@dataclass(frozen=True)
class AttitudeBin:
    """One bin of the attitude histogram: a row of the extension OFFAXISHIST.

    Attributes
    ----------
    theta, phi : tuple of float
        Lower edge, upper edge and value at the mean pointing of the distance (arcmin) and azimuth (degrees) of the
        optical axis from the target, in the frame of the telescope.
    pointing : tuple of float
        Mean RA, Dec and roll of the spacecraft, degrees.
    axis : tuple of float
        Mean RA and Dec of the optical axis, degrees.
    start, stop : ndarray
        The times spent in this bin, mission seconds.
    spread2 : float
        Mean square distance of the pointing from its mean, pixels squared.
    """

    theta: tuple[float, float, float]
    phi: tuple[float, float, float]
    pointing: tuple[float, float, float]
    axis: tuple[float, float]
    start: np.ndarray
    stop: np.ndarray
    spread2: float

    @property
    def seconds(self) -> float:
        """Time spent in this bin."""
        return float(np.sum(self.stop - self.start))


def wrap(angle: np.ndarray) -> np.ndarray:
    """Angles in degrees brought to -180 <= angle < 180."""
    return (np.asarray(angle, dtype=float) + 180.0) % 360.0 - 180.0


def tangent_plane(ra: np.ndarray, dec: np.ndarray, ra0: float, dec0: float) -> tuple[np.ndarray, np.ndarray]:
    """Gnomonic projection: degrees to the East and to the North of the reference (ra0, dec0)."""
    a, d, d0 = np.radians(wrap(np.asarray(ra) - ra0)), np.radians(dec), np.radians(dec0)
    denominator = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a)
    east = np.cos(d) * np.sin(a) / denominator
    north = (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a)) / denominator
    return np.degrees(east), np.degrees(north)


def sky_matrix(
    ra: np.ndarray, dec: np.ndarray, roll: np.ndarray, nominal: tuple[float, float, float]
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Linear part of FOC to SKY for a pointing: rows X and Y, columns FOCX and FOCY.

    The rotation between the two attitudes, its elements in the plane divided by the cosine of the angle between the
    two axes: what is left of the projection from one tangent plane to the other when distances from the centre are
    taken as small. HEASoft's coordinate library has the same.
    """
    a, d, d0, phi = np.radians(wrap(np.asarray(ra) - nominal[0])), np.radians(dec), np.radians(nominal[1]), roll
    depth = np.cos(d0) * np.cos(d) * np.cos(a) + np.sin(d0) * np.sin(d)
    west = np.cos(a), np.sin(d) * np.sin(a)  # of the nominal plane along West and North of the pointing
    north = -np.sin(d0) * np.sin(a), np.sin(d0) * np.sin(d) * np.cos(a) + np.cos(d0) * np.cos(d)
    c, s = np.cos(np.radians(phi)) / depth, np.sin(np.radians(phi)) / depth
    return (
        (c * west[0] + s * west[1], c * west[1] - s * west[0]),
        (c * north[0] + s * north[1], c * north[1] - s * north[0]),
    )


def pointing_on_sky(
    ra: np.ndarray, dec: np.ndarray, roll: np.ndarray, nominal: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a pointing lies on the SKY grid of the nominal one.

    Returns
    -------
    tuple of ndarray
        Pixels in X and Y from the centre of the grid, and the angle, degrees, by which FOC is rotated on it: the
        rotation nearest to `sky_matrix`, which is the roll less the convergence of the meridians.
    """
    east, north = tangent_plane(ra, dec, nominal[0], nominal[1])
    (xx, xy), (yx, yy) = sky_matrix(ra, dec, roll, nominal)
    return -east / PIXEL_DEG, north / PIXEL_DEG, np.degrees(np.arctan2(yx - xy, xx + yy))


def check_coverage(attitude: Attitude, gti: GTI) -> None:
    """Refuse good time intervals during which the attitude is not known.

    Raises
    ------
    GTIError
        If there is no good time, if an interval begins before or ends after the EHK by more than its own step, or
        if the EHK has a gap of more than a minute inside an interval.
    """
    if len(gti) == 0 or gti.total <= 0:
        raise GTIError(f"There is no good time to expose for {attitude.source}.", "check the intervals asked for.")
    slack = max(attitude.cadence, 1.0)
    early, late = gti.start[0] - attitude.time[0], attitude.time[-1] - gti.stop[-1]
    if early < -slack or late < -slack:
        raise GTIError(
            f"Good time {gti.start[0]:.1f} to {gti.stop[-1]:.1f} reaches beyond the attitude in {attitude.source}, "
            f"{attitude.time[0]:.1f} to {attitude.time[-1]:.1f}.",
            "use the .ehk file of the same observation, or cut the intervals.",
        )
    steps = np.diff(attitude.time)
    wide = np.flatnonzero(steps > max(MAX_GAP, 3 * attitude.cadence))
    lost = gti.overlap(attitude.time[wide], attitude.time[wide + 1])
    if np.any(lost > MAX_GAP):
        worst = int(np.argmax(lost))
        i = wide[worst]
        raise GTIError(
            f"{attitude.source} has no attitude for {steps[i]:.0f} s after {attitude.time[i]:.1f}, "
            f"{lost[worst]:.0f} s of them good time.",
            "leave that time out of the intervals.",
        )


def _polar(
    axis: tuple[np.ndarray, np.ndarray], roll: np.ndarray, target: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Distance (arcmin) and azimuth (degrees, 0 to 360) of the optical axis from the target, in the telescope frame.

    The azimuth is that of the flat sky, differences of RA times the cosine of the target's Dec, as in the task.
    """
    a, d, d0 = np.radians(wrap(axis[0] - target[0])), np.radians(axis[1]), np.radians(target[1])
    haversine = np.sin((d - d0) / 2) ** 2 + np.cos(d) * np.cos(d0) * np.sin(a / 2) ** 2
    theta = 60 * np.degrees(2 * np.arcsin(np.sqrt(haversine)))
    west, north, phi = -a * np.cos(d0), d - d0, np.radians(roll)
    dx, dy = west * np.cos(phi) + north * np.sin(phi), -west * np.sin(phi) + north * np.cos(phi)
    return theta, np.degrees(np.arctan2(-dy, dx)) % 360.0


def _bin_numbers(theta: np.ndarray, phi: np.ndarray, delta: float, numphi: int) -> tuple[np.ndarray, np.ndarray]:
    ring = np.floor(theta / delta).astype(np.int64)
    sector = np.floor(phi * (np.maximum(numphi * ring, 1) / 360.0)).astype(np.int64)
    return ring, np.minimum(sector, np.maximum(numphi * ring, 1) - 1)


@dataclass(frozen=True)
class _Stretches:
    """Times without change of bin: limits, first and last-plus-one row, ring and sector."""

    start: np.ndarray
    stop: np.ndarray
    first: np.ndarray
    last: np.ndarray
    ring: np.ndarray
    sector: np.ndarray


def _stretches(attitude: Attitude, gti: GTI, ring: np.ndarray, sector: np.ndarray) -> _Stretches:
    """Cut every good time interval at the rows where the bin changes; all intervals at once."""
    time = attitude.time
    a, b = _rows_within(time, gti)
    change = np.flatnonzero((np.diff(ring) != 0) | (np.diff(sector) != 0)) + 1
    lowest = np.searchsorted(change, a, side="right")
    cuts = np.maximum(np.searchsorted(change, b, side="left") - lowest, 0)
    head = np.cumsum(cuts + 1) - (cuts + 1)  # where the stretches of an interval begin
    number = np.arange(int(np.sum(cuts + 1))) - np.repeat(head, cuts + 1)
    cut = change[np.minimum(np.repeat(lowest, cuts + 1) + number, len(change) - 1)] if len(change) else number
    tail = np.append(head[1:], len(number)) - 1
    first = np.roll(cut, 1)
    first[head], last = a, cut.copy()
    last[tail] = b
    start, stop = time[first], time[np.minimum(last, len(time) - 1)]
    start[head], stop[tail] = gti.start, gti.stop
    return _Stretches(start, stop, first, last, ring[first], sector[first])


def _rows_within(time: np.ndarray, gti: GTI) -> tuple[np.ndarray, np.ndarray]:
    """First and last-plus-one row of each interval; the nearest row stands for an interval that holds none."""
    a, b = np.searchsorted(time, gti.start), np.searchsorted(time, gti.stop, side="right")
    empty = np.flatnonzero(a == b)
    middle = 0.5 * (gti.start[empty] + gti.stop[empty])
    above = np.clip(np.searchsorted(time, middle), 1, max(len(time) - 1, 1))
    nearest = np.where(middle - time[above - 1] <= time[np.minimum(above, len(time) - 1)] - middle, above - 1, above)
    a[empty] = np.minimum(nearest, len(time) - 1)
    b[empty] = a[empty] + 1
    return a, b


def _sums(values: np.ndarray, runs: _Stretches) -> np.ndarray:
    """Mean of the rows of each stretch."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    found: np.ndarray = (total[runs.last] - total[runs.first]) / (runs.last - runs.first)
    return found


def attitude_bins(attitude: Attitude, gti: GTI, delta: float, numphi: int) -> list[AttitudeBin]:
    """Cut the good time into bins of nearly constant pointing.

    Parameters
    ----------
    attitude : Attitude
        The pointing; see `xtendsrc.measure.ehk.read_attitude`.
    gti : GTI
        Good time; its intervals do not overlap, so that no time counts twice.
    delta : float
        Width of the annuli, arcmin.
    numphi : int
        The n-th annulus has ``numphi`` x n sectors.

    Returns
    -------
    list of AttitudeBin
        Sorted by annulus and azimuth; their times add up to those of ``gti``.

    Raises
    ------
    GTIError
        If the attitude is not known in all of the good time (see `check_coverage`).
    """
    check_coverage(attitude, gti)
    theta, phi = _polar((attitude.ra_axis, attitude.dec_axis), attitude.roll, attitude.target)
    ring, sector = _bin_numbers(theta, phi, delta, numphi)
    runs = _stretches(attitude, gti, ring, sector)
    ra0, dec0, pa0 = attitude.nominal
    columns = {
        "ra": wrap(attitude.ra - ra0),
        "dec": attitude.dec - dec0,
        "roll": wrap(attitude.roll - _near(attitude.roll, pa0)),
        "ra_axis": wrap(attitude.ra_axis - ra0),
        "dec_axis": attitude.dec_axis - dec0,
    }
    columns |= {f"{name}2": columns[name] ** 2 for name in ("ra", "dec")}
    means = {name: _sums(values, runs) for name, values in columns.items()}
    means["roll"] += _near(attitude.roll, pa0)
    order = np.lexsort((runs.sector, runs.ring))
    keys = np.stack([runs.ring, runs.sector])[:, order]
    cuts = np.flatnonzero(np.any(np.diff(keys, axis=1) != 0, axis=0)) + 1
    groups = np.split(order, cuts)
    bins = [_bin(np.sort(group), runs, means, attitude, (delta, numphi)) for group in groups]
    return [one for one in bins if one.seconds > 0]  # a row at the very end of an interval may be alone in its bin


def _near(angle: np.ndarray, fallback: float) -> float:
    """Mean direction of angles, degrees; the zero about which they can be averaged as numbers."""
    a = np.radians(angle)
    s, c = float(np.mean(np.sin(a))), float(np.mean(np.cos(a)))
    return float(np.degrees(np.arctan2(s, c))) if np.hypot(s, c) > 1e-3 else fallback


def _bin(
    group: np.ndarray,
    runs: _Stretches,
    means: dict[str, np.ndarray],
    attitude: Attitude,
    width: tuple[float, int],
) -> AttitudeBin:
    nominal, (delta, numphi) = attitude.nominal, width
    start, stop = runs.start[group], runs.stop[group]
    length = stop - start
    weight = length / length.sum() if length.sum() > 0 else np.full(len(group), 1 / len(group))
    mean = {name: float(np.sum(values[group] * weight)) for name, values in means.items()}
    ring, sector = int(runs.ring[group[0]]), int(runs.sector[group[0]])
    sector_width = 360.0 / max(numphi * ring, 1)
    shrink = np.cos(np.radians(nominal[1] + mean["dec"]))
    spread = (mean["ra2"] - mean["ra"] ** 2) * shrink**2 + mean["dec2"] - mean["dec"] ** 2
    axis = ((nominal[0] + mean["ra_axis"]) % 360.0, nominal[1] + mean["dec_axis"])
    theta, phi = _polar((np.array(axis[0]), np.array(axis[1])), np.array(mean["roll"]), attitude.target)
    return AttitudeBin(
        theta=(ring * delta, (ring + 1) * delta, float(theta)),
        phi=(sector * sector_width, (sector + 1) * sector_width, float(phi)),
        pointing=((nominal[0] + mean["ra"]) % 360.0, nominal[1] + mean["dec"], mean["roll"] % 360.0),
        axis=axis,
        start=start,
        stop=stop,
        spread2=max(spread, 0.0) / PIXEL_DEG**2,
    )


def choose_bins(ehk: Attitude, gti: GTI) -> tuple[float, int]:
    """Attitude bins narrow enough for sums over regions to be right to 1e-4.

    Replacing the pointings of a bin by their mean changes the exposure summed over a region in second order only: by
    half the mean square distance from the mean, times the curvature of that sum. For a circle of radius r cut by a
    straight edge the relative curvature is about 1/(pi r^2): 7e-5 a square pixel at 2 arcmin (measured with a
    wander of 1.3 arcmin: 2e-3 at 45 square pixels). So 1.5 square pixels are allowed, averaged over the exposure.

    Parameters
    ----------
    ehk : Attitude
        The pointing.
    gti : GTI
        Good time.

    Returns
    -------
    tuple
        ``delta`` in arcmin and ``numphi``: the widest that will do, (20, 1) for a steady pointing.
    """
    for delta in (WIDE_DELTA, 2.0, 1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.13, 0.1, 0.07):
        for numphi in (1, 4, 6):
            bins = attitude_bins(ehk, gti, delta, numphi)
            if sum(b.spread2 * b.seconds for b in bins) <= MAX_SPREAD2 * gti.total:
                return delta, numphi
    return 0.05, 6
