"""Regions: where photons are taken from, read and written so that HEASoft and xtendsrc mean the same."""

from __future__ import annotations

from xtendsrc.regions.calibration import calibration_discs
from xtendsrc.regions.pixels import Limits, grid_limits
from xtendsrc.regions.regionset import RegionSet
from xtendsrc.regions.shapes import Shape

__all__ = ["Limits", "RegionSet", "Shape", "calibration_discs", "grid_limits"]
