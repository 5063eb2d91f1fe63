"""Findings: the places where files differ from what is assumed, as `xtendsrc.archive.inspect` gathers them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from xtendsrc.errors import XtendsrcError

if TYPE_CHECKING:
    from collections.abc import Iterator

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One place where a file differs from what is assumed.

    Attributes
    ----------
    severity : {"error", "warning", "note"}
        ``error``: products that need this will fail or be wrong; ``warning``: look before trusting them; ``note``:
        handled, good to know.
    file : str
        The file.
    subject : str
        The column, keyword or quantity.
    assumed : str
        What xtendsrc takes for granted.
    found : str
        What the file has.
    consequence : str
        What that means for products.
    """

    severity: Severity
    file: str
    subject: str
    assumed: str
    found: str
    consequence: str


@dataclass
class Collector:
    """Gathers the findings of one file."""

    file: str
    found: list[Finding] = field(default_factory=list)

    def add(self, severity: Severity, subject: str, assumed: Any, found: Any, consequence: str) -> None:
        """Add a finding."""
        self.found.append(Finding(severity, self.file, subject, str(assumed), str(found), consequence))

    def compare(self, subject: str, assumed: Any, found: Any, severity: Severity, consequence: str) -> None:
        """Add a finding if two values differ; numbers are compared to nine digits."""
        if not _same(assumed, found):
            self.add(severity, subject, assumed, "absent" if found is None else found, consequence)

    @contextmanager
    def guard(self, subject: str) -> Iterator[None]:
        """Convert an error of a check into a finding, so that the other checks go on."""
        try:
            yield
        except XtendsrcError as error:
            self.add("error", subject, "can be read", error.what, error.next_step or "this check could not be made")
        except (
            ValueError,
            TypeError,
            LookupError,
            ArithmeticError,
            OSError,
        ) as error:  # what a check did not foresee is a finding too, and stops no other check
            self.add(
                "error", subject, "can be read", f"{type(error).__name__}: {error}", "this check could not be made"
            )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, (int, float)):
        return abs(a - b) <= 1e-9 * max(1.0, abs(a))
    if isinstance(a, str) and isinstance(b, str):
        return a.strip().upper() == b.strip().upper()
    return bool(a == b)
