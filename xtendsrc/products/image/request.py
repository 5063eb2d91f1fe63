"""The statement of a counts image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xtendsrc.events.selection import Selection, whole
from xtendsrc.products.request import Frame, Request, check_grid


@dataclass(frozen=True, kw_only=True)
class ImageRequest(Request):
    """A counts image. ``binning`` is in SKY (or DET) pixels."""

    kind: ClassVar[str] = "image"
    selection: Selection
    binning: int = 1
    frame: Frame = "SKY"

    def __post_init__(self) -> None:
        object.__setattr__(self, "binning", whole("binning", self.binning))
        check_grid(self.binning, self.frame)

    @property
    def label(self) -> str:
        """``image_0.50-10.00keV_sky_b4``."""
        return f"image_{self.selection.band}_{self.frame.lower()}_b{self.binning}"
