"""Drawing events: when, where on the detector and in which channel.

Each component (a source, the sky background, the particles, the calibration sources) is an inhomogeneous Poisson
process over frames. What a frame collects is proportional to its live time, so a burst mode loses events and the
expected counts are the rate times the live time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xtendsrc.errors import RequestError
from xtendsrc.instrument import (
    CALIBRATION_SOURCES,
    CCD_SIZE,
    EV_PER_CHANNEL,
    PI_CHANNELS,
    PIXEL_ARCSEC,
    Geometry,
    ccd_id_at,
    det_to_act,
    foc_to_det,
)
from xtendsrc.responses import nominal

if TYPE_CHECKING:
    from xtendsrc.simulate.conditions import Background, Conditions
    from xtendsrc.simulate.detector import Detector, FlickeringPixels
    from xtendsrc.simulate.sources import Source

NULL_PI = -999
PIXELS_PER_ARCMIN = 60 / PIXEL_ARCSEC
BAD_GRADES = (1, 5, 7)

Pointing = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Hits:
    """Events as they fall on the detector; arrays of one length.

    Attributes
    ----------
    frame : ndarray of int
        Index into the frames.
    detx, dety : ndarray of int
        Pixel.
    pi : ndarray of int
        Channel, or -999.
    grade : ndarray of int
        Grade; -1 where one of the good ones is yet to be drawn.
    """

    frame: np.ndarray
    detx: np.ndarray
    dety: np.ndarray
    pi: np.ndarray
    grade: np.ndarray

    @classmethod
    def of(cls, frame: np.ndarray, detx: np.ndarray, dety: np.ndarray, pi: np.ndarray, grade: int = -1) -> Hits:
        """Events of one component."""
        return cls(frame, detx.astype(np.int32), dety.astype(np.int32), pi, np.full(len(frame), grade, dtype=np.int16))

    @classmethod
    def join(cls, parts: list[Hits]) -> Hits:
        """All components in one."""
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("frame", "detx", "dety", "pi", "grade")))

    def __getitem__(self, index: np.ndarray) -> Hits:
        return Hits(self.frame[index], self.detx[index], self.dety[index], self.pi[index], self.grade[index])

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class Frames:
    """Frames of one data class.

    Attributes
    ----------
    middle : ndarray
        Mission time of the middle of each integration.
    good : ndarray of bool
        Whether it lies in a good time interval; celestial photons arrive in these only.
    live : float
        Mean seconds of each in which photons are collected.
    epoch : float
        Start of the first good time interval, the zero of light curves.
    pointing : tuple of ndarray
        Right ascension, declination and roll in the middle of each frame, deg.
    """

    middle: np.ndarray
    good: np.ndarray
    live: float
    epoch: float
    pointing: Pointing

    def pointed(self, frame: np.ndarray) -> Pointing:
        """Pointing in chosen frames."""
        ra, dec, roll = self.pointing
        return ra[frame], dec[frame], roll[frame]

    def draw(self, rng: np.random.Generator, rate: float, source: Source | None = None) -> np.ndarray:
        """Frames of Poisson events of a mean rate (counts/s of live time), in good frames for a source only."""
        if source is None:
            return rng.integers(0, len(self.middle), rng.poisson(rate * self.live * len(self.middle)))
        index = np.nonzero(self.good)[0]
        total = np.cumsum(self.brightness(source))
        count = rng.poisson(rate * self.live * total[-1]) if len(total) else 0
        return index[np.searchsorted(total, rng.random(count) * total[-1], side="right")] if count else index[:0]

    def brightness(self, source: Source) -> np.ndarray:
        """Relative brightness of a source in each good frame."""
        time = self.middle[self.good] - self.epoch
        if source.lightcurve is None:
            return np.ones(len(time))
        value = np.broadcast_to(np.asarray(source.lightcurve(time), dtype=float), time.shape)
        if not np.all(np.isfinite(value)) or value.min() < 0:
            raise RequestError(
                f"The light curve of source {source.name!r} is not a finite, non-negative number everywhere.",
                "give a function of seconds since the start that returns relative brightness.",
            )
        return value


@dataclass(frozen=True)
class Sky:
    """Where celestial photons fall: the optics and the detector.

    Attributes
    ----------
    geometry, conditions, detector
        Of the observation and the data class.
    """

    geometry: Geometry
    conditions: Conditions
    detector: Detector

    def land(
        self, source: Source, pointing: Pointing, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unrounded DETX, DETY of photons after the PSF, and their source point's distance off axis, arcmin."""
        size = len(pointing[0])
        east, north = source.shape.sample(rng, size)
        x0, y0 = self.geometry.icrs_to_sky(source.position)
        x, y = x0 - east * PIXELS_PER_ARCMIN, y0 + north * PIXELS_PER_ARCMIN
        offset = self.geometry.foc_offset
        true = foc_to_det(*self.geometry.sky_to_pointed(x, y, *pointing), offset)
        blur_x, blur_y = nominal.sample_psf(rng, size, self.conditions.hpd)
        detx, dety = true[0] + blur_x * PIXELS_PER_ARCMIN, true[1] + blur_y * PIXELS_PER_ARCMIN
        return detx, dety, self.geometry.off_axis(*true)


def pixel(position: np.ndarray) -> np.ndarray:
    """Pixel that holds a position; centres are integers. What is not finite is off the grid."""
    return np.floor(np.where(np.isfinite(position), position, -1.0) + 0.5).astype(np.int32)


def _energies(rng: np.random.Generator, photons: np.ndarray, size: int) -> np.ndarray:
    """Random energies in keV from the photons of each model energy bin."""
    low, high = nominal.response_energies()
    total = np.cumsum(photons)
    index = np.searchsorted(total, rng.random(size) * total[-1], side="right")
    found: np.ndarray = low[index] + (high - low)[index] * rng.random(size)
    return found


def source_hits(source: Source, sky: Sky, frames: Frames, rng: np.random.Generator) -> Hits:
    """Events of a source that fall on pixels read."""
    photons = source.photons()
    frame = frames.draw(rng, float(photons.sum()), source)
    energy = _energies(rng, photons, len(frame)) if len(frame) else np.empty(0)
    detx, dety, off_axis = sky.land(source, frames.pointed(frame), rng)
    x, y = pixel(detx), pixel(dety)
    kept = sky.detector.reads(x, y) & (rng.random(len(frame)) < nominal.vignetting(energy, off_axis))
    return Hits.of(frame[kept], x[kept], y[kept], nominal.sample_channels(rng, energy[kept]))


def sky_background(background: Background, sky: Sky, frames: Frames, rng: np.random.Generator) -> Hits:
    """Events of the cosmic X-ray background, uniform on the sky and vignetted."""
    photons = cxb_photons(background) * sky.detector.solid_angle
    rate = float(photons.sum())
    good = np.nonzero(frames.good)[0]
    count = rng.poisson(rate * frames.live * len(good))
    frame = good[rng.integers(0, len(good), count)] if count else good[:0]
    energy = _energies(rng, photons, count) if count else np.empty(0)
    x, y = sky.detector.uniform(rng, count)
    kept = rng.random(count) < nominal.vignetting(energy, sky.geometry.off_axis(x, y))
    return Hits.of(frame[kept], x[kept], y[kept], nominal.sample_channels(rng, energy[kept]))


def cxb_photons(background: Background) -> np.ndarray:
    """Photons/s/arcmin2 of the cosmic X-ray background in each model energy bin, on axis."""
    low, high = nominal.response_energies()
    centre = (low + high) / 2
    found: np.ndarray = (
        background.cxb_norm * centre**-background.cxb_index * (high - low) * nominal.effective_area(centre)
    )
    return found


def particle_rate(background: Background) -> float:
    """Counts/s/arcmin2 of the particle background in all channels, continuum and lines, mean over a CCD."""
    kev = PI_CHANNELS * EV_PER_CHANNEL / 1000
    return background.continuum * kev + sum(rate for _, rate in background.lines)


def _particle_channels(background: Background, rng: np.random.Generator, size: int) -> np.ndarray:
    rates = np.array(
        [particle_rate(background) - sum(r for _, r in background.lines), *(r for _, r in background.lines)]
    )
    kind = rng.choice(len(rates), size, p=rates / rates.sum())
    pi = rng.integers(0, PI_CHANNELS, size).astype(np.int32)
    energies = np.array([0.0, *(e for e, _ in background.lines)])
    pi[kind > 0] = nominal.sample_channels(rng, energies[kind[kind > 0]])
    return pi


def _graded_rows(x: np.ndarray, y: np.ndarray, gradient: float, rng: np.random.Generator) -> np.ndarray:
    """Which uniform events to keep for a linear change along the rows of a CCD, of mean 1/(1 + |gradient|/2)."""
    acty = det_to_act(ccd_id_at(x, y), x, y)[1]
    level = 1 + gradient * ((acty - 0.5) / CCD_SIZE - 0.5)
    return rng.random(len(x)) * (1 + abs(gradient) / 2) < level


def particles(
    background: Background, detector: Detector, frames: Frames, rng: np.random.Generator, grade: int = -1
) -> Hits:
    """Particle events, in every frame, occulted ones included; with ``grade`` those of rejected grades."""
    density = particle_rate(background) if grade < 0 else background.bad_grade_rate
    frame = frames.draw(rng, density * detector.solid_angle * (1 + abs(background.gradient) / 2))
    x, y = detector.uniform(rng, len(frame))
    kept = _graded_rows(x, y, background.gradient, rng)
    count = int(kept.sum())
    if grade < 0:
        pi = _particle_channels(background, rng, count) if count else np.empty(0, dtype=np.int32)
    else:
        pi = rng.integers(0, PI_CHANNELS, count).astype(np.int32)
    hits = Hits.of(frame[kept], x[kept], y[kept], pi, grade)
    return hits if grade < 0 else replace(hits, grade=rng.choice(BAD_GRADES, count).astype(np.int16))


def calibration(background: Background, detector: Detector, frames: Frames, rng: np.random.Generator) -> list[Hits]:
    """Events of the two 55Fe sources, uniform in their circles, in every frame."""
    parts = []
    for circle in CALIBRATION_SOURCES:
        frame = frames.draw(rng, background.calibration_rate)
        radius = circle.radius * np.sqrt(rng.random(len(frame)))
        angle = rng.uniform(0, 2 * np.pi, len(frame))
        x, y = pixel(circle.x + radius * np.cos(angle)), pixel(circle.y + radius * np.sin(angle))
        kept = detector.reads(x, y)
        count = int(kept.sum())
        lines = np.array(background.calibration_lines).reshape(-1, 2)
        share = lines[:, 1] / lines[:, 1].sum() if count else None
        energy = rng.choice(lines[:, 0], count, p=share) if count else np.empty(0)
        parts.append(Hits.of(frame[kept], x[kept], y[kept], nominal.sample_channels(rng, energy)))
    return parts


def without_energy(background: Background, detector: Detector, frames: Frames, rng: np.random.Generator) -> Hits:
    """Events whose PI is null, uniform over the pixels read."""
    frame = frames.draw(rng, background.null_rate)
    x, y = detector.uniform(rng, len(frame))
    return Hits.of(frame, x, y, np.full(len(frame), NULL_PI, dtype=np.int32))


def flicker(pixels: FlickeringPixels, rate: float, frames: Frames, rng: np.random.Generator) -> list[Hits]:
    """Events of flickering pixels: low channels, while they flicker."""
    parts = []
    for x, y, start, stop in zip(*pixels.det, pixels.start, pixels.stop, strict=True):
        index = np.nonzero((frames.middle >= start) & (frames.middle <= stop))[0]
        count = rng.poisson(rate * frames.live * len(index))
        frame = index[rng.integers(0, len(index), count)] if count else index[:0]
        pi = rng.integers(10, 120, count).astype(np.int32)
        parts.append(Hits.of(frame, np.full(count, x), np.full(count, y), pi, 0))
    return parts
