"""What became of a batch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from xtendsrc.errors import BatchError, ProductError

if TYPE_CHECKING:
    from astropy.table import Table

NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Outcome of one product.

    ``result`` is ``made``, ``ready`` (there before, nothing was done) or ``failed``; ``seconds`` is its share of the
    wall time of the job it was made in.
    """

    root: str
    key: str
    source: str
    obs_id: str
    dataclass: str
    product: str
    result: str
    engine: str = ""
    seconds: float = 0.0
    reason: str = ""
    log: str = ""
    warnings: tuple[str, ...] = ()


class Report:
    """The outcomes of a batch, in the order they came.

    Attributes
    ----------
    outcomes : list of Outcome
        One for each product, including those that were needed on the way.
    """

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes

    def _of(self, result: str) -> list[Outcome]:
        return [o for o in self.outcomes if o.result == result]

    @property
    def made(self) -> list[Outcome]:
        """The products that were made."""
        return self._of("made")

    @property
    def ready(self) -> list[Outcome]:
        """The products that were there already."""
        return self._of("ready")

    @property
    def failed(self) -> list[Outcome]:
        """The products that could not be made."""
        return self._of("failed")

    @property
    def table(self) -> Table:
        """Table with one row for each product: its outcome, the engine, seconds, the reason of a failure, its log."""
        from astropy.table import Table

        names = ("source", "obs_id", "dataclass", "product", "result", "engine", "seconds", "reason", "log", "key")
        rows = [tuple(getattr(o, n) for n in names) for o in self.outcomes]
        kinds = tuple("f8" if n == "seconds" else "U64" for n in names)
        return Table(rows=rows, names=names) if rows else Table(names=names, dtype=kinds)

    def raise_for(self, *keys: str) -> None:
        """Raise if a product failed; with keys, if one of those did.

        Raises
        ------
        ProductError
            With the reason, for one failure; `BatchError` carrying this report for several.
        """
        failed = [o for o in self.failed if not keys or o.key in keys]
        if not failed:
            return
        if len(failed) == 1:
            others = [o for o in self.failed if o is not failed[0]]  # what it needs and why that failed
            raise ProductError("\n  ".join(map(_sentence, [failed[0], *others])))
        lines = "\n".join(f"  {_sentence(o)}" for o in failed)
        raise BatchError(f"{len(failed)} products could not be made:\n{lines}", "see report.table.", self)

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def remarks(self) -> list[str]:
        """What the engines remarked on the products that were made, each kind of remark in one line."""
        return _lines([(o, warning) for o in self.outcomes for warning in o.warnings])

    def __repr__(self) -> str:
        counts = f"{len(self.made)} made, {len(self.ready)} ready, {len(self.failed)} failed"
        lines = [f"  {line}" for line in _lines([(o, o.reason) for o in self.failed])[:20]]
        return "\n".join([f"<{len(self)} products: {counts}>", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(o.product)}</td><td>{escape(o.result)}</td><td>{escape(o.reason)}</td></tr>"
            for o in self.outcomes
        )
        return f"<table><caption>{escape(repr(self).splitlines()[0])}</caption>{rows}</table>"


def _lines(said: list[tuple[Outcome, str]]) -> list[str]:
    """Say what is said of several products once: sentences that differ in numbers alone count as the same."""
    groups: dict[str, list[tuple[Outcome, str]]] = {}
    for outcome, text in said:
        groups.setdefault(NUMBER.sub("#", text), []).append((outcome, text))
    lines = []
    for members in groups.values():
        outcome, text = members[0]
        more = len({o.key for o, _ in members}) - 1
        others = f" (and {more} more product{'s' if more > 1 else ''})" if more else ""
        lines.append(f"{_name(outcome)}{others}: {text}")
    return lines


def _name(outcome: Outcome) -> str:
    return " ".join(x for x in (outcome.source, outcome.obs_id, outcome.dataclass, outcome.product) if x)


def _sentence(outcome: Outcome) -> str:
    return f"{_name(outcome)}: {outcome.reason}"
