"""Ties between parameters: arithmetic over parameter names, read without executing anything."""

from __future__ import annotations

import ast
import difflib
import math
import operator
import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

NAME = re.compile(r"[A-Za-z_][\w:]*+(?:\.[A-Za-z_]\w*+)?+(?:\[\d+\])?+(?!\s*\()")
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log10": math.log10,
    "abs": abs,
}
_HINT = 'write arithmetic over parameter names and numbers, for instance "2 * powerlaw.norm".'


@dataclass(frozen=True)
class Tie:
    """A parameter that follows others.

    Attributes
    ----------
    target : str
        The parameter tied.
    expression : str
        What it follows, as written.
    needs : tuple of str
        The parameters in the expression.
    """

    target: str
    expression: str
    needs: tuple[str, ...]
    _tree: ast.expr

    def value(self, values: Mapping[str, float]) -> float:
        """Return the value of the expression."""
        return _evaluate(self._tree, {f"p{i}": values[name] for i, name in enumerate(self.needs)}, self.expression)


def parse_tie(target: str, expression: str, names: Sequence[str]) -> Tie:
    """Read one tie.

    Parameters
    ----------
    target : str
        The parameter that is tied.
    expression : str
        A parameter's name, or arithmetic (``+ - * / **``, sqrt, exp, log, log10, abs) over names and numbers.
    names : sequence of str
        Every parameter of the fit.

    Raises
    ------
    RequestError
        If a name is unknown, or the text is no expression.
    """
    target = full_name(target, names)
    needs: list[str] = []

    def replace(match: re.Match[str]) -> str:
        name = full_name(match.group(), names)
        if name not in needs:
            needs.append(name)
        return f"p{needs.index(name)}"

    if not isinstance(expression, str):
        raise RequestError(f"{target} is tied to {expression!r}, which is no text.", _HINT)
    text = NAME.sub(replace, expression)
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise RequestError(f"The tie of {target}, {expression!r}, is not understood.", _HINT) from error
    _evaluate(tree, dict.fromkeys((f"p{i}" for i in range(len(needs))), 1.0), expression, structure_only=True)
    return Tie(target, expression, tuple(needs), tree)


def in_order(ties: Iterable[Tie]) -> list[Tie]:
    """Return ties so that each comes after those that it needs.

    Raises
    ------
    RequestError
        If ties follow each other in a circle.
    """
    by_target = {tie.target: tie for tie in ties}
    try:
        order = TopologicalSorter({t: tie.needs for t, tie in by_target.items()}).static_order()
        return [by_target[name] for name in order if name in by_target]
    except CycleError as error:
        raise RequestError(f"Ties go in a circle: {', '.join(error.args[1])}.", "leave one parameter free.") from error


def full_name(name: str, names: Sequence[str]) -> str:
    """Return the full name of a parameter, given in any case, or without its component where that is clear.

    Raises
    ------
    RequestError
        If there is none, with the nearest that is one, or several.
    """
    if name in names:
        return name
    lower = {full.lower(): full for full in reversed(names)}
    if str(name).lower() in lower:
        return lower[name.lower()]
    short = [full for full in names if full.split(".", 1)[-1].lower() == str(name).lower()]
    if len(short) == 1:
        return short[0]
    if short:
        raise RequestError(f"{name!r} could be {' or '.join(short)}.", "give the full name.")
    near = difflib.get_close_matches(str(name).lower(), list(lower), 1, 0.4)
    hint = f"did you mean {lower[near[0]]}? " if near else ""
    raise RequestError(f"The model has no parameter {name!r}.", f"{hint}It has {', '.join(names)}.")


def _evaluate(node: ast.expr, values: Mapping[str, float], text: str, structure_only: bool = False) -> float:
    def of(inner: ast.expr) -> float:
        return _evaluate(inner, values, text, structure_only)

    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in values:
        return values[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return -of(node.operand) if isinstance(node.op, ast.USub) else of(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = of(node.left), of(node.right)
        return 1.0 if structure_only else _calculated(_OPERATORS[type(node.op)], text, left, right)
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        function = _FUNCTIONS.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is not None:
            inside = of(node.args[0])
            return 1.0 if structure_only else _calculated(function, text, inside)
    raise RequestError(f"The expression {text!r} is not understood.", _HINT)


def _calculated(function: Callable[..., float], text: str, *numbers: float) -> float:
    try:
        value = function(*numbers)
    except (ArithmeticError, ValueError) as error:
        raise RequestError(f"The expression {text!r} has no value: {error}.", "change the tie or the start.") from error
    if isinstance(value, complex):
        raise RequestError(f"The expression {text!r} has no real value.", "change the tie or the start.")
    return value
