"""From maxima of the evidence to a list of sources: positions, counts and sizes by maximum likelihood.

Each source is fitted in a cut-out around it, its neighbours' models added to the background: the counts of each band
and one position by scoring with the Fisher information, which gives their errors too. A maximum that the brighter
sources around it explain is dropped. A source is extended if a blurred PSF fits better by more than chance allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xtendsrc.measure.detect import SIZES, Detector, Field, Peaks, Search, improbability, joined_improbability

EXTENT = 15.0
"""Twice the gain in ln L at which a source counts as extended: one point source in 10^4 does by chance."""

SWEEPS = 2
"""How often all sources are fitted again with the others' models."""

STEPS = 12


@dataclass(frozen=True)
class Detections:
    """Sources found in a field, arrays of one length n, the most significant first.

    Attributes
    ----------
    x, y : ndarray
        Column and row counted from 0, pixels.
    error : ndarray
        One standard deviation of the position along each axis, pixels.
    counts, counts_error : ndarray, shape (n, bands)
        Of the whole source at the exposure of its position.
    exposure : ndarray
        Seconds there.
    evidence : ndarray
        -ln of the probability of as much from background alone.
    significance : ndarray
        The same in standard deviations of a Gaussian, one-sided.
    sigma : ndarray
        Standard deviation of the Gaussian that fits best, pixels; 0 for a point.
    extent_gain : ndarray
        Twice the gain in ln L over a point source.
    extended : ndarray of bool
        Whether that is more than chance allows.
    background : tuple of ndarray, shape (ny, nx)
        Expected counts a pixel without the sources, one a band.
    threshold : float
        Evidence that was asked for.
    false_alarms : float
        Expected number of detections if there were no source.
    """

    x: np.ndarray
    y: np.ndarray
    error: np.ndarray
    counts: np.ndarray
    counts_error: np.ndarray
    exposure: np.ndarray
    evidence: np.ndarray
    significance: np.ndarray
    sigma: np.ndarray
    extent_gain: np.ndarray
    extended: np.ndarray
    background: tuple[np.ndarray, ...]
    threshold: float
    false_alarms: float

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class _Source:
    """One source under way: position, size, counts by band, and how much it gains over nothing."""

    x: float
    y: float
    size: int
    counts: np.ndarray
    errors: np.ndarray
    place: float
    gain: float
    extent_gain: float = 0.0
    evidence: float = 0.0


@dataclass(frozen=True)
class _Cutout:
    """The surroundings of a source: what was counted, what is expected without it, and the relative exposure."""

    rows: slice
    columns: slice
    counts: np.ndarray
    expected: np.ndarray
    exposure: np.ndarray


def detect(field: Field, search: Search, threshold: float | None = None) -> Detections:
    """Find the sources of a field.

    Parameters
    ----------
    field : Field
        Counts by band, and exposure.
    search : Search
        How to look; its ``false_alarms`` sets the threshold.
    threshold : float, optional
        Evidence from which on a maximum is a source, from `Detector.threshold` of a field of like background; found
        from blank fields drawn for this one if not given.

    Returns
    -------
    Detections
        With the threshold, and the background of each band.
    """
    detector = Detector(field.exposure, search)
    background = detector.backgrounds(field.counts)
    limit = detector.threshold(background) if threshold is None else threshold
    peaks = detector.peaks(field.counts, background).above(limit)
    fitter = _Fitter(field, search, np.array(background))
    sources = fitter.list_of(peaks, limit)
    if sources:
        rest = tuple(c - m for c, m in zip(field.counts, fitter.model(sources), strict=True))
        fitter = _Fitter(field, search, np.array([detector.background(r) for r in rest]))
        refined = fitter.refined(sources)
        sources = [fitter.with_size(s, refined) for s in refined]
    return _detections(sources, fitter, limit)


class _Fitter:
    def __init__(self, field: Field, search: Search, background: np.ndarray) -> None:
        self.search, self.background = search, background
        self.counts, self.exposure = np.array(field.counts), field.exposure
        self.half, self.shapes = search.half_power, search.sizes
        self.reaches = [int(np.ceil(p.radius_of(0.95 * float(p.enclosed[-1])))) + 1 for p in self.shapes]

    # --- models --------------------------------------------------------------------------------------------------

    def _slices(self, x: float, y: float, reach: int) -> tuple[slice, slice, slice, slice]:
        """Rows and columns of the image around a position, and the same within a stamp of that reach."""
        ny, nx = self.exposure.shape
        row, column = round(y), round(x)
        r0, r1 = max(row - reach, 0), min(row + reach + 1, ny)
        c0, c1 = max(column - reach, 0), min(column + reach + 1, nx)
        top, left = row - reach, column - reach
        return slice(r0, r1), slice(c0, c1), slice(r0 - top, r1 - top), slice(c0 - left, c1 - left)

    def _stamp(self, x: float, y: float, size: int, reach: int) -> np.ndarray:
        """Fractions of a source in the pixels of its cut-out."""
        _, _, rows, columns = self._slices(x, y, reach)
        return self.shapes[size].image(reach, (x - round(x), y - round(y)))[rows, columns]

    def model(self, sources: list[_Source], without: _Source | None = None) -> np.ndarray:
        """Counts expected from sources, shape (bands, ny, nx)."""
        total = np.zeros(self.counts.shape)
        for source in sources:
            if source is not without:
                reach = 2 * self.reaches[source.size]
                rows, columns, _, _ = self._slices(source.x, source.y, reach)
                stamp = self._stamp(source.x, source.y, source.size, reach) * self._relative(source, rows, columns)
                total[:, rows, columns] += source.counts[:, None, None] * stamp
        return total

    def _relative(self, source: _Source, rows: slice, columns: slice) -> np.ndarray:
        own = self.exposure_at(source.x, source.y)
        part: np.ndarray = self.exposure[rows, columns] / own
        return part

    def _seen(self, x: float, y: float) -> bool:
        """Whether the pixel of a position is exposed."""
        ny, nx = self.exposure.shape
        return 0 <= round(y) < ny and 0 <= round(x) < nx and bool(self.exposure[round(y), round(x)] > 0)

    def exposure_at(self, x: float, y: float) -> float:
        """Exposure of the pixel of a position, or the largest next to it where it has none."""
        ny, nx = self.exposure.shape
        row, column = min(max(round(y), 0), ny - 1), min(max(round(x), 0), nx - 1)
        if self.exposure[row, column] > 0:
            return float(self.exposure[row, column])
        near = self.exposure[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4]
        return float(near.max()) or float(self.exposure.max())

    # --- one source ----------------------------------------------------------------------------------------------

    def _cutout(self, x: float, y: float, size: int, others: np.ndarray) -> _Cutout:
        rows, columns, _, _ = self._slices(x, y, self.reaches[size])
        expected = np.maximum(self.background[:, rows, columns] + others[:, rows, columns], 1e-9)
        relative = self.exposure[rows, columns] / self.exposure_at(x, y)
        return _Cutout(rows, columns, self.counts[:, rows, columns], expected, relative)

    def _amplitudes(self, cut: _Cutout, stamp: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Counts by band that fit best, their errors, and the gain in ln L over none."""
        shape = stamp * cut.exposure
        flux = max(float(shape.sum()), 1e-6)
        value = np.maximum((cut.counts - cut.expected).sum(axis=(1, 2)) / flux, 1.0)
        for _ in range(STEPS):
            part = cut.counts * shape / (cut.expected + value[:, None, None] * shape)
            slope = part.sum(axis=(1, 2)) - flux
            bend = np.maximum((part * shape / (cut.expected + value[:, None, None] * shape)).sum(axis=(1, 2)), 1e-12)
            value = np.clip(value + slope / bend, 0.1 * value, 10 * value + 1)
        mean = cut.expected + value[:, None, None] * shape
        gain = float((cut.counts * np.log(mean / cut.expected)).sum() - value.sum() * flux)
        errors = 1 / np.sqrt(np.maximum((shape**2 / mean).sum(axis=(1, 2)), 1e-12))
        return value, errors, gain

    def fit(self, x: float, y: float, others: np.ndarray, size: int = 0) -> _Source:
        """Fit position and counts, starting from a position."""
        start, place = (x, y), 1.0
        value, errors, gain = np.zeros(len(self.counts)), np.zeros(len(self.counts)), 0.0
        for _ in range(STEPS):
            cut = self._cutout(x, y, size, others)
            reach = self.reaches[size]
            stamp = self._stamp(x, y, size, reach)
            value, errors, gain = self._amplitudes(cut, stamp)
            step, place = self._step(cut, stamp, value, (x, y, size))
            far = np.hypot(x + step[0] - start[0], y + step[1] - start[1])
            if far > self.half + 1.5 or np.hypot(*step) < 0.01 or not self._seen(x + step[0], y + step[1]):
                break
            x, y = x + step[0], y + step[1]
        return _Source(x, y, size, value, errors, place, gain)

    def _step(
        self, cut: _Cutout, stamp: np.ndarray, value: np.ndarray, place: tuple[float, float, int]
    ) -> tuple[np.ndarray, float]:
        """Step towards the best position, at most a pixel; and the error of the position along each axis."""
        x, y, size = place
        reach, h = self.reaches[size], 0.25
        frac = (x - round(x), y - round(y))
        _, _, rows, columns = self._slices(x, y, reach)

        def moved(dx: float, dy: float) -> np.ndarray:
            return self.shapes[size].image(reach, (frac[0] + dx, frac[1] + dy))[rows, columns]

        slopes = np.array([moved(h, 0) - moved(-h, 0), moved(0, h) - moved(0, -h)]) / (2 * h) * cut.exposure
        mean = cut.expected + value[:, None, None] * stamp * cut.exposure
        change = value[:, None, None] * slopes[:, None]
        slope = (change * (cut.counts / mean - 1)).sum(axis=(1, 2, 3))
        fisher = np.einsum("ikrc,jkrc,krc->ij", change, change, 1 / mean) + 1e-9 * np.eye(2)
        step = np.linalg.solve(fisher, slope)
        length = float(np.hypot(*step))
        error = float(np.sqrt(0.5 * np.trace(np.linalg.inv(fisher))))
        return step * min(1.0, 1.0 / max(length, 1e-12)), error

    def evidence(self, x: float, y: float, others: np.ndarray) -> float:
        """Evidence at a pixel with the models of other sources as background, the best of the scales."""
        best = 0.0
        for kernel in self.search.kernels:
            reach = kernel.shape[0] // 2
            rows, columns, krows, kcolumns = self._slices(x, y, reach)
            weight = kernel[krows, kcolumns]
            expected = self.background[:, rows, columns] + others[:, rows, columns]
            mean = np.maximum((expected * weight).sum(axis=(1, 2)), 1e-12)
            variance = np.maximum((expected * weight**2).sum(axis=(1, 2)), 1e-15)
            total = (self.counts[:, rows, columns] * weight).sum(axis=(1, 2))
            joined = joined_improbability(np.atleast_1d(improbability(total, mean, variance).sum()), len(total))
            best = max(best, float(joined[0]))
        return best

    # --- all sources ---------------------------------------------------------------------------------------------

    def list_of(self, peaks: Peaks, threshold: float) -> list[_Source]:
        """Sources of the maxima, the brightest first; those that brighter ones explain are left out."""
        sources: list[_Source] = []
        model = np.zeros(self.counts.shape)
        for row, column in zip(peaks.row.tolist(), peaks.column.tolist(), strict=True):
            found = self.evidence(column, row, model)
            if found >= threshold:
                fitted = self.with_size(self.fit(column, row, model), sources, model)
                sources.append(replace(fitted, evidence=found))
                model += self.model(sources[-1:])
        return sources

    def refined(self, sources: list[_Source]) -> list[_Source]:
        """Fit each again with the others' models, in turn."""
        total = self.model(sources)
        for _ in range(SWEEPS):
            for number, source in enumerate(sources):
                others = total - self.model([source])
                again = self.fit(source.x, source.y, others, source.size)
                again = replace(again, evidence=source.evidence, extent_gain=source.extent_gain)
                sources = [*sources[:number], again, *sources[number + 1 :]]
                total = others + self.model([again])
        return sources

    def with_size(self, source: _Source, sources: list[_Source], model: np.ndarray | None = None) -> _Source:
        """The source with the size that fits best, if it is significantly not a point."""
        others = self.model(sources, without=source) if model is None else model
        point = self.fit(source.x, source.y, others)
        gains = self._gains(point, others)
        best = int(np.argmax(gains))
        gain = 2 * (gains[best] - gains[0])
        fitted = self.fit(point.x, point.y, others, best) if gain > EXTENT else point
        return replace(fitted, evidence=source.evidence, extent_gain=gain)

    def _gains(self, point: _Source, others: np.ndarray) -> list[float]:
        """Gain in ln L of each size at one position, on the same pixels."""
        reach = self.reaches[-1]
        cut = self._cutout(point.x, point.y, len(SIZES) - 1, others)
        gains: list[float] = []
        for size in range(len(SIZES)):
            gains.append(self._amplitudes(cut, self._stamp(point.x, point.y, size, reach))[2])
            if size > 2 and gains[-1] < gains[-2] < gains[-3]:
                break
        return gains


def _detections(sources: list[_Source], fitter: _Fitter, threshold: float) -> Detections:
    order = sorted(sources, key=lambda s: -s.evidence)
    bands = len(fitter.counts)

    def column(name: str) -> np.ndarray:
        return np.array([getattr(s, name) for s in order], dtype=np.float64)

    sizes = np.array([s.size for s in order], dtype=np.int64)
    return Detections(
        x=column("x"),
        y=column("y"),
        error=column("place"),
        counts=np.array([s.counts for s in order]).reshape(-1, bands),
        counts_error=np.array([s.errors for s in order]).reshape(-1, bands),
        exposure=np.array([fitter.exposure_at(s.x, s.y) for s in order]),
        evidence=column("evidence"),
        significance=gaussian_equivalent(column("evidence")),
        sigma=np.array(SIZES)[sizes] * fitter.half,
        extent_gain=column("extent_gain"),
        extended=sizes > 0,
        background=tuple(fitter.background),
        threshold=threshold,
        false_alarms=fitter.search.false_alarms,
    )


def gaussian_equivalent(evidence: np.ndarray) -> np.ndarray:
    """Standard deviations that a Gaussian exceeds with the probability exp(-evidence), one-sided."""
    from scipy.special import ndtri_exp

    return np.asarray(-ndtri_exp(-np.asarray(evidence, dtype=np.float64)))
