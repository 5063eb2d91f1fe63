"""The statement of the counts spectrum of one region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.errors import RequestError
from xtendsrc.products.request import Request

if TYPE_CHECKING:
    from xtendsrc.events.selection import Selection
    from xtendsrc.regions import RegionSet


@dataclass(frozen=True, kw_only=True)
class SpectrumRequest(Request):
    """A counts spectrum of one region, on all 4096 channels."""

    kind: ClassVar[str] = "spectrum"
    selection: Selection
    region: RegionSet | None = None
    exclude_calibration: bool = False

    def __post_init__(self) -> None:
        if self.selection.channels is not None:
            raise RequestError(
                "A spectrum takes no energy cut: its 4096 channels must match those of the response.",
                "leave energy and channels out here and notice channels when fitting.",
            )
