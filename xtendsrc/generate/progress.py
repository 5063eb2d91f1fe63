"""Telling the user how far a batch is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from xtendsrc.generate.report import Outcome


class Reporter(Protocol):
    """What a batch tells while it runs."""

    def done(self, outcome: Outcome) -> None:
        """Take note of one finished product."""

    def close(self) -> None:
        """End."""


class SilentReporter:
    """Says nothing."""

    def done(self, outcome: Outcome) -> None:
        """Take no note."""

    def close(self) -> None:
        """End."""


class BarReporter:
    """One progress bar for the batch.

    Parameters
    ----------
    total : int
        How many products there are to make.
    """

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(total=total, unit="product", desc="xtendsrc", dynamic_ncols=True)
        self._failed = 0

    def done(self, outcome: Outcome) -> None:
        """Advance by one product and name it and its source."""
        self._failed += outcome.result == "failed"
        what = f"{outcome.source or outcome.obs_id} {outcome.product}"
        self._bar.set_postfix_str(f"{what}, {self._failed} failed" if self._failed else what, refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def reporter(total: int, visible: bool) -> Reporter:
    """Return a progress bar, or silence."""
    return BarReporter(total) if visible else SilentReporter()
