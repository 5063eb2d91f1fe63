"""The statement of a source spectrum with its background and responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.errors import RequestError
from xtendsrc.products.request import Content, Request

if TYPE_CHECKING:
    from xtendsrc.products.arf.request import ARFRequest
    from xtendsrc.products.expmap.request import ExpMapRequest
    from xtendsrc.products.rmf.request import RMFRequest
    from xtendsrc.products.spectrum.request import SpectrumRequest


@dataclass(frozen=True, kw_only=True)
class SourceSpectrumRequest(Request):
    """A spectrum with exposure-weighted BACKSCAL, its background, its responses and its grouping.

    The background is a request of this kind itself, without background and responses of its own, so that both are
    scaled with one exposure map and one norm. With ``optional_responses``, RMF and ARF are linked where they can be
    made, and left out elsewhere; the statement, and so the key, is the same on every machine. ``content`` says
    whether it is a background itself.
    """

    kind: ClassVar[str] = "sourcespectrum"
    spectrum: SpectrumRequest
    expmap: ExpMapRequest
    background: SourceSpectrumRequest | None = None
    rmf: RMFRequest | None = None
    arf: ARFRequest | None = None
    optional_responses: bool = False
    grouping: str | None = None
    content: Content = "source"

    def __post_init__(self) -> None:
        if self.content not in ("source", "background"):
            raise RequestError(f"content={self.content!r} is unknown.", 'choose "source" or "background".')

    def optional_needs(self) -> frozenset[str]:
        """Return ``rmf`` and ``arf`` if they may be left out."""
        return frozenset(("rmf", "arf")) if self.optional_responses else frozenset()

    @property
    def label(self) -> str:
        """``spectrum-scaled``."""
        return "spectrum-scaled"

    @property
    def file_label(self) -> str:
        """``pha``, short, because other files link to it by name."""
        return "pha"
