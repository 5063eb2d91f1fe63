"""What a user asks of a fit, apart from data and models."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from xtendsrc.errors import RequestError
from xtendsrc.fit.data import FIT_GROUPING
from xtendsrc.fit.parameters import Choices
from xtendsrc.fit.statistic import STATISTICS

ERRORS = ("covariance", "profile")
ENGINES = ("auto", "native", "xspec-library", "xspec")


@dataclass(frozen=True)
class FitOptions:
    """Options of a fit.

    Attributes
    ----------
    band : (float, float) or None
        Energies in keV; None for the usual band of each data set.
    group : str or None
        Grouping of channels, see `xtendsrc.measure.grouping.Scheme.parse`; None for the file's own.
    stat : str
        ``auto`` or one of `xtendsrc.fit.statistic.STATISTICS`.
    errors : str
        ``covariance``, or ``profile`` for intervals of the profile likelihood.
    choices : Choices
        Starts, freezes, ties and limits.
    engine : str
        One of `ENGINES`.
    """

    band: tuple[float, float] | None = None
    group: str | None = FIT_GROUPING
    stat: str = "auto"
    errors: str = "covariance"
    choices: Choices = field(default_factory=Choices)
    engine: str = "auto"

    def __post_init__(self) -> None:
        check_choice("errors", self.errors, ERRORS)
        check_choice("engine", self.engine, ENGINES)
        check_choice("stat", self.stat, ("auto", *STATISTICS))


def check_choice(what: str, given: str, known: tuple[str, ...]) -> None:
    """Refuse a word that is none of those known, with the nearest that is.

    Raises
    ------
    RequestError
        If it is unknown.
    """
    if given not in known:
        near = difflib.get_close_matches(str(given), known, 1, 0.3)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RequestError(f"{what}={given!r} is unknown.", f"{hint}Choose one of {', '.join(known)}.")
