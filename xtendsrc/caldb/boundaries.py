"""Boundaries of calibration files (OGIP CAL/GEN/92-003) and the expressions that select by them.

A file may state for which values it holds, as ``CISTATUS(1)``, ``DATAMODE("WINDOW1")``, ``CHAN(0-4095)`` or
``THETA(0,5,10)deg``. An expression such as ``DATAMODE.eq.WINDOW1.and.CISTATUS.eq.1`` selects files; a boundary that
the expression does not name holds everywhere. Conditions are joined from left to right, as ``quzcif`` does.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xtendsrc.errors import CaldbError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_BOUNDARY = re.compile(r"^(?P<name>[A-Za-z][\w.:/-]*)\s*\((?P<values>[^()]*)\)\s*(?P<unit>[^()\"]*)$")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"^\s*(?P<low>{_NUMBER})\s*(?:-\s*(?P<high>{_NUMBER})\s*)?$")
_CONDITION = re.compile(
    r"^\s*(?P<name>[A-Za-z][\w-]*)\s*\.(?P<operator>[a-z]{2})\.\s*(?P<value>.+?)\s*$", re.IGNORECASE
)
_JOINT = re.compile(r"\.(and|or)\.", re.IGNORECASE)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@dataclass(frozen=True)
class Value:
    """One value of a boundary: a number, a range of numbers, or a text (upper case)."""

    text: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Boundary:
    """A parameter and the values for which a file holds."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Condition:
    """One comparison of an expression, and how it is joined to those before it."""

    name: str
    operator: str
    value: Value
    joint: str


def parse_boundary(text: str) -> Boundary | None:
    """Read one element of CAL_CBD; None for an empty one or ``NONE``.

    Raises
    ------
    CaldbError
        If it has another syntax.
    """
    stripped = text.strip()
    if not stripped or stripped.upper().startswith("NONE"):
        return None
    match = _BOUNDARY.match(stripped)
    if match is None:
        raise CaldbError(
            f"The boundary {stripped!r} has an unknown syntax.",
            "it should look like CISTATUS(1) or CHAN(0-4095); report it to the keepers of the database.",
        )
    values = tuple(_value(part) for part in match["values"].split(",") if part.strip())
    if not values:
        raise CaldbError(f"The boundary {stripped!r} names no value.", "report it to the keepers of the database.")
    return Boundary(match["name"].upper(), values)


def parse_expression(text: str) -> tuple[Condition, ...]:
    """Read an expression; ``-`` or an empty text has no condition.

    Raises
    ------
    RequestError
        If it cannot be understood.
    """
    if text.strip() in ("", "-"):
        return ()
    pieces = _JOINT.split(text)
    joints = ["and", *(joint.lower() for joint in pieces[1::2])]
    return tuple(_condition(piece, joint, text) for piece, joint in zip(pieces[0::2], joints, strict=True))


def satisfied(conditions: Iterable[Condition], boundaries: Iterable[Boundary]) -> bool:
    """Whether every boundary of a file agrees with the conditions."""
    wanted = tuple(conditions)
    return all(_agrees(wanted, boundary) for boundary in boundaries)


def _agrees(conditions: tuple[Condition, ...], boundary: Boundary) -> bool:
    result = True
    for condition in conditions:
        holds = condition.name != boundary.name or any(_holds(condition, value) for value in boundary.values)
        result = (result or holds) if condition.joint == "or" else (result and holds)
    return result


def _holds(condition: Condition, value: Value) -> bool:
    wanted = condition.value.low
    if wanted is None or value.low is None or value.high is None:
        same = condition.value.text == value.text
        return same if condition.operator == "eq" else condition.operator == "ne" and not same
    if condition.operator in ("eq", "ne"):
        return (value.low <= wanted <= value.high) == (condition.operator == "eq")
    edge = value.low if condition.operator in ("lt", "le") else value.high
    return _COMPARE[condition.operator](edge, wanted)


def _condition(piece: str, joint: str, whole: str) -> Condition:
    match = _CONDITION.match(piece)
    known = ("eq", "ne", *_COMPARE)
    if match is None or match["operator"].lower() not in known:
        raise RequestError(
            f"The selection {whole!r} cannot be understood at {piece!r}.",
            f"write NAME.eq.VALUE, joined by .and. or .or.; operators are {', '.join(known)}.",
        )
    return Condition(match["name"].upper(), match["operator"].lower(), _value(match["value"]), joint)


def _value(text: str) -> Value:
    bare = text.strip().strip("\"'").strip().upper()
    if (match := _RANGE.match(text)) is None:
        return Value(bare)
    low = float(match["low"])
    return Value(bare, low, float(match["high"]) if match["high"] else low)
