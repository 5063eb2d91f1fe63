"""The statement of an exposure map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.errors import RequestError
from xtendsrc.events.selection import as_gti, whole
from xtendsrc.products.request import Frame, Request, check_grid

if TYPE_CHECKING:
    from xtendsrc.events.gti import GTI


@dataclass(frozen=True, kw_only=True)
class ExpMapRequest(Request):
    """An exposure map in seconds.

    ``delta`` (arcmin) and ``numphi`` are the attitude bins; None chooses them from the measured wander.
    """

    kind: ClassVar[str] = "expmap"
    roles: ClassVar[tuple[str, ...]] = ("events", "ehk", "bimg")
    optional_roles: ClassVar[tuple[str, ...]] = ("fpix",)
    gti: GTI | None = None
    delta: float | None = None
    numphi: int | None = None
    frame: Frame = "SKY"
    binning: int = 1
    mask_calibration: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "binning", whole("binning", self.binning))
        check_grid(self.binning, self.frame)
        if self.gti is not None:
            object.__setattr__(self, "gti", as_gti(self.gti))
        if self.delta is not None and not 0 < self.delta < math.inf:
            raise RequestError(f"The attitude bin delta={self.delta} arcmin is not positive.", "give arcmin, or None.")
        if self.numphi is not None:
            object.__setattr__(self, "numphi", whole("numphi", self.numphi))
        if self.numphi is not None and self.numphi < 1:
            raise RequestError(f"numphi={self.numphi} is not a number of azimuth bins.", "give 1 or more, or None.")

    @property
    def label(self) -> str:
        """``expmap_sky_b1``."""
        return f"expmap_{self.frame.lower()}_b{self.binning}"
