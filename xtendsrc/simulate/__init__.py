"""A realistic observation directory, for tutorials and tests.

Examples
--------
>>> import astropy.units as u
>>> from astropy.coordinates import SkyCoord
>>> from xtendsrc import simulate
>>> centre = SkyCoord(81.259, -69.644, unit="deg")
>>> source = simulate.Source(centre, simulate.PowerLaw(1.8), rate=0.5 * u.ct / u.s, name="star")
>>> simulate.observation("XRISM", "900001010", centre, [source], exposure=20 * u.ks, seed=1)  # doctest: +SKIP
"""

from __future__ import annotations

from xtendsrc.simulate.conditions import Background, Conditions, Files
from xtendsrc.simulate.fakespectrum import SimulatedSpectrum, expected_errors, spectrum
from xtendsrc.simulate.sources import Beta, Disc, Gaussian, Point, Source
from xtendsrc.simulate.spectra import Line, PowerLaw, Spectrum, Thermal
from xtendsrc.simulate.tree import observation

__all__ = [
    "Background",
    "Beta",
    "Conditions",
    "Disc",
    "Files",
    "Gaussian",
    "Line",
    "Point",
    "PowerLaw",
    "SimulatedSpectrum",
    "Source",
    "Spectrum",
    "Thermal",
    "expected_errors",
    "observation",
    "spectrum",
]
