"""Everything that the simulator assumes: the spacecraft's orbit and pointing, the detector's faults, the background.

What the public documents do not say is a guess; it stands here, under a name, with its default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from xtendsrc.errors import RequestError
from xtendsrc.instrument import FOC_OFFSET, OPTICAL_AXIS
from xtendsrc.responses import nominal

FLUORESCENCE = (
    (1.487, 4e-5),
    (1.740, 3e-5),
    (2.118, 1e-5),
    (6.405, 1e-5),
    (7.480, 4e-5),
    (8.267, 6e-6),
    (9.713, 2e-5),
    (11.443, 1.5e-5),
)
"""Instrumental lines: keV (Al, Si, Au M, Fe, Ni Ka, Ni Kb, Au La, Au Lb) and counts/s/arcmin2 (*guesses*)."""


@dataclass(frozen=True, kw_only=True)
class Background:
    """Diffuse sky, particles and calibration sources.

    Attributes
    ----------
    cxb_norm, cxb_index : float
        Cosmic X-ray background, photons/keV/s/cm2/arcmin2 at 1 keV and photon index (Kushino et al. 2002).
    continuum : float
        Particle background, counts/s/keV/arcmin2, flat in energy (*guess* from its ratio to the CXB).
    lines : tuple of (float, float)
        Fluorescence lines on the same footing, keV and counts/s/arcmin2.
    gradient : float
        Relative change of the particle background from the first to the last row of a CCD (*guess*; below 0.5).
    calibration_rate : float
        Counts/s of each 55Fe source (*guess*; half-life 2.74 yr).
    calibration_lines : tuple of (float, float)
        Mn K lines: keV and share.
    bad_grade_rate : float
        Particle events with rejected grades, counts/s/arcmin2, in the unfiltered file only (*guess*).
    null_rate : float
        Events a second over the field whose PI could not be computed (*guess*); they stay in cleaned files.
    """

    cxb_norm: float = 8.4e-7
    cxb_index: float = 1.412
    continuum: float = 3e-5
    lines: tuple[tuple[float, float], ...] = FLUORESCENCE
    gradient: float = 0.3
    calibration_rate: float = 0.15
    calibration_lines: tuple[tuple[float, float], ...] = ((5.895, 0.88), (6.490, 0.12))
    bad_grade_rate: float = 1e-3
    null_rate: float = 2e-3

    def __post_init__(self) -> None:
        rates = ("cxb_norm", "continuum", "calibration_rate", "bad_grade_rate", "null_rate")
        if wrong := [name for name in rates if not getattr(self, name) >= 0]:
            raise RequestError(f"The background's {wrong[0]} = {getattr(self, wrong[0])} is below 0.", "give a rate.")
        if not abs(self.gradient) < 2:
            raise RequestError(f"gradient = {self.gradient} leaves rows with less than no events.", "stay within 0.5.")

    @classmethod
    def none(cls) -> Background:
        """No background of any kind."""
        return cls(
            cxb_norm=0, continuum=0, lines=(), calibration_rate=0, calibration_lines=(), bad_grade_rate=0, null_rate=0
        )


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Orbit, pointing and detector.

    Attributes
    ----------
    start : float
        Mission time of the first good time interval, s (2023-10-09).
    orbit_period, on_time, on_scatter : float
        Seconds of an orbit, of its unocculted stretch, and how much that varies (a XRISM observation of 2023).
    saa_orbits, saa_loss : int, float
        Of 15 orbits, how many pass the South Atlantic Anomaly, and the seconds each loses at most.
    wander : tuple of float
        Amplitude of the pointing's wander East and North, arcsec (*guess*).
    wander_roll : float
        Amplitude of the wander in roll, deg (*guess*).
    foc_offset, optical_axis : tuple of float
        As in `xtendsrc.instrument.Geometry`.
    hpd : float
        Half-power diameter of the PSF, arcmin.
    ci_period, ci_first, ci_offset : int
        Charge-injection keywords (setting of 2024 and later).
    window_start, window_size : int
        First row and number of rows of the 1/8 window.
    bad_columns, hot_pixels, flickering_pixels : int
        How many on each CCD (*guesses*).
    flicker_rate : float
        Events per second of a flickering pixel while it flickers (*guess*).
    detector_seed : int
        Draws which columns and pixels are bad: the detector stays the same from one observation to the next.
    grades : tuple of (int, float)
        Good grades and their shares (*guess*).
    timepixr : float, optional
        Where in TIMEDEL the column TIME lies: 0 start, 0.5 middle (written as TIMEPIXR). Without it the start of the
        integration, or, in coarse good time, the middle of the frame.
    timezero : float
        TIMEZERO of the files; TIME is smaller by it. Files of the archive have none.
    object_name, observer : str
        Keywords OBJECT and OBSERVER.
    background : Background
        Diffuse sky, particles and calibration sources.
    """

    start: float = 150541417.0
    orbit_period: float = 5756.0
    on_time: float = 3616.0
    on_scatter: float = 32.0
    saa_orbits: int = 5
    saa_loss: float = 1800.0
    wander: tuple[float, float] = (2.0, 2.0)
    wander_roll: float = 0.01
    foc_offset: tuple[float, float] = FOC_OFFSET
    optical_axis: tuple[float, float] = OPTICAL_AXIS
    hpd: float = nominal.HPD_ARCMIN
    ci_period: int = 80
    ci_first: int = 35
    ci_offset: int = 0
    window_start: int = 436
    window_size: int = 80
    bad_columns: int = 3
    hot_pixels: int = 20
    flickering_pixels: int = 4
    flicker_rate: float = 0.05
    detector_seed: int = 20230905
    grades: tuple[tuple[int, float], ...] = field(default=((0, 0.6), (2, 0.1), (3, 0.1), (4, 0.1), (6, 0.1)))
    timepixr: float | None = None
    timezero: float = 0.0
    object_name: str = "SIMULATED"
    observer: str = "SIMULATOR"
    background: Background = field(default_factory=Background)

    def __post_init__(self) -> None:
        if not 0 < self.on_scatter + self.on_time < self.orbit_period:
            raise RequestError("on_time and on_scatter do not fit into orbit_period.", "shorten them.")
        if self.on_time - self.on_scatter - self.saa_loss < 8:
            raise RequestError("saa_loss leaves nothing of on_time.", "make it shorter.")
        if self.timepixr is not None and not 0 <= self.timepixr <= 1:
            raise RequestError(f"timepixr = {self.timepixr} lies outside the frame.", "give 0 to 1.")
        if not self.grades:
            raise RequestError("grades = () leaves no good event.", "give pairs of a grade and its share.")


@dataclass(frozen=True, kw_only=True)
class Files:
    """Options for writing the tree.

    Attributes
    ----------
    compress : bool
        Whether files are gzipped, as in the archive.
    split : int
        Number of pieces an event file is cut into (``p1...``, ``p2...``); 1 leaves it whole (``p0...``).
    overwrite : bool
        Whether an existing tree is replaced.
    good_time : {"frames", "coarse"}
        ``frames``: one good time interval an integration, which is live time, as in the archive; no DEADC, no LIVETIME.
        ``coarse``: whole stretches, with DEADC and LIVETIME.
    """

    compress: bool = True
    split: int = 1
    overwrite: bool = False
    good_time: Literal["frames", "coarse"] = "frames"

    def __post_init__(self) -> None:
        if not isinstance(self.split, int) or not 1 <= self.split <= 9:
            raise RequestError(
                f"A file cannot be split into {self.split} pieces.", "give 1 to 9: names have one digit."
            )
        if self.good_time not in ("frames", "coarse"):
            raise RequestError(f"good_time={self.good_time!r} is unknown.", 'choose "frames" or "coarse".')
