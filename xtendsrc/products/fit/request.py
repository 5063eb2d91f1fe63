"""The statement of a fit of one source spectrum."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xtendsrc.fit.statement import FitStatement
from xtendsrc.products.request import Request

if TYPE_CHECKING:
    from xtendsrc.products.sourcespectrum.request import SourceSpectrumRequest

LONGEST = 40
"""Characters of a model that enter a file name."""


@dataclass(frozen=True, kw_only=True)
class FitRequest(Request):
    """A model fitted to a source spectrum with its background and responses.

    ``fit`` is the canonical text of a `xtendsrc.fit.statement.FitStatement`.
    """

    kind: ClassVar[str] = "fit"
    roles: ClassVar[tuple[str, ...]] = ()
    spectrum: SourceSpectrumRequest
    fit: str

    @property
    def statement(self) -> FitStatement:
        """Model and options."""
        return FitStatement.from_json(self.fit)

    def needs(self) -> dict[str, Request]:
        """Return the spectrum and what belongs to it: ``background``, ``rmf``, ``arf``."""
        own = self.spectrum
        found: dict[str, Request | None] = {
            "spectrum": own,
            "background": own.background,
            "rmf": own.rmf,
            "arf": own.arf,
        }
        return {name: request for name, request in found.items() if request is not None}

    def optional_needs(self) -> frozenset[str]:
        """Return what the spectrum may be without."""
        return self.spectrum.optional_needs()

    @property
    def label(self) -> str:
        """``fit_tbabs-powerlaw``."""
        words = re.sub(r"[^A-Za-z0-9.]+", "-", self.statement.model).strip("-")
        return f"fit_{words[:LONGEST]}"
