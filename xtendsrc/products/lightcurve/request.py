"""The statement of the light curve of one region."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.errors import RequestError
from xtendsrc.products.request import FractionOf, Request

if TYPE_CHECKING:
    from xtendsrc.events.selection import Selection
    from xtendsrc.regions import RegionSet


@dataclass(frozen=True, kw_only=True)
class LightCurveRequest(Request):
    """A light curve of one region: ``bin`` in seconds, ``start`` in mission seconds.

    ``min_fraction`` is the least exposed part of the bin, or, where ``fraction_of`` is ``"reachable"``, of the live
    time that the read-out mode could have had in the bin.
    """

    kind: ClassVar[str] = "lightcurve"
    selection: Selection
    region: RegionSet | None = None
    exclude_calibration: bool = False
    bin: float
    min_fraction: float = 0.0
    fraction_of: FractionOf = "bin"
    start: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "bin", float(self.bin))
        if not 0 < self.bin < math.inf:
            raise RequestError(f"A light-curve bin of {self.bin} s is not positive.", "give a time such as 200 * u.s.")
        if not 0 <= self.min_fraction <= 1:
            raise RequestError(f"min_fraction={self.min_fraction} is not within 0..1.", "give a fraction of a bin.")
        if self.fraction_of not in ("bin", "reachable"):
            raise RequestError(f"fraction_of={self.fraction_of!r} is unknown.", 'choose "bin" or "reachable".')
        if self.start is not None and not math.isfinite(self.start):
            raise RequestError(f"A light curve cannot start at {self.start} s.", "give mission seconds or a Time.")

    @property
    def label(self) -> str:
        """``lightcurve_0.60-10.00keV_200s``."""
        return f"lightcurve_{self.selection.band}_{self.bin:g}s"
