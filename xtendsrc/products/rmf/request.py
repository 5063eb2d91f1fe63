"""The statement of a redistribution matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.products.request import Request, Response

if TYPE_CHECKING:
    from xtendsrc.products.arf.request import ARFRequest
    from xtendsrc.products.spectrum.request import SpectrumRequest


@dataclass(frozen=True, kw_only=True)
class RMFRequest(Request):
    """The redistribution matrix of one spectrum."""

    kind: ClassVar[str] = "rmf"
    uses_caldb: ClassVar[bool] = True
    spectrum: SpectrumRequest
    response: Response = "calibrated"

    @property
    def label(self) -> str:
        """``rmf``, or ``rmf-NOMINAL``."""
        return "rmf-NOMINAL" if self.response == "nominal" else "rmf"

    @property
    def calibrated(self) -> bool:
        """Whether the calibration database enters it: not for a nominal response."""
        return self.response == "calibrated"


def only_calibrated(request: RMFRequest | ARFRequest) -> str:
    """Return why HEASoft cannot make a response; an empty text for a calibrated one."""
    return "" if request.response == "calibrated" else "HEASoft makes no nominal response"
