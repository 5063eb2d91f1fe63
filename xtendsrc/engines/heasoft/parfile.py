"""Parameter files (``.par``) of HEASoft tasks: what a task takes, and whether a value fits.

A parameter file has one line a parameter, ``name,type,mode,value,min,max,prompt`` (IRAF syntax, as read by XPI, PIL
and APE). The installed file is the only authority on a task's parameters: a name that is not in it is refused here,
because the tasks themselves, and heasoftpy, drop it without a word.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral, Real
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import InputFileError, TaskParameterError, UnitsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIELD = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,]*?)\s*(,|$)""")
_YES = frozenset({"yes", "y", "true", "t"})
_NO = frozenset({"no", "n", "false", "f"})
_UNDEFINED = frozenset({"indef", "none", "inf", "undef"})
FILE_WORDS = frozenset({"", "-", "none", "caldb", "default", "refdata", "!default"})
"""Values of a file parameter that are words of the task, not names of files (lower case)."""


@dataclass(frozen=True)
class Parameter:
    """One line of a parameter file.

    Attributes
    ----------
    name, type, mode : str
        As in the file: type ``b`` (yes/no), ``i``, ``r`` or ``d``, ``s``, ``f`` (``fr`` read, ``fw`` write).
    default : str
        The value of the installed file, without its quotes.
    minimum, maximum : str
        Limits, or an enumeration ``a|b|c`` in ``minimum``; empty when there is none.
    prompt : str
        The question a task would ask.
    """

    name: str
    type: str
    mode: str
    default: str
    minimum: str = ""
    maximum: str = ""
    prompt: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """Allowed values, when the file enumerates them."""
        return tuple(c.strip() for c in self.minimum.split("|")) if "|" in self.minimum else ()

    @property
    def is_file(self) -> bool:
        """Whether the parameter is declared as the name of a file."""
        return self.type.startswith("f")

    @property
    def queried(self) -> bool:
        """Whether the task would ask for it when it is not given."""
        return self.mode[:1] in {"q", "a"}

    def text(self, value: Any, task: str = "the task") -> str:
        """Write `value` as the task reads it, after checking type, enumeration and range.

        Raises
        ------
        TaskParameterError
            The task cannot take this value.
        """
        if hasattr(value, "unit"):
            raise UnitsError(
                f"{task}: {self.name} is a quantity in {value.unit}; HEASoft tasks take plain numbers.",
                f"convert it to the unit the task expects ({self.prompt or 'see the task help'}) and pass .value.",
            )
        written = self._written(value, task)
        if re.search(r"[\x00-\x1f\x7f]", written):
            raise self._refuse(task, value, "it contains a control character")
        if self.choices:
            return self._choice(written, task)
        if self.type in {"i", "r", "d"} and written and not _word(written):
            self._check_range(float(written), task)
        return written

    def _written(self, value: Any, task: str) -> str:
        if self.type == "b":
            return self._boolean(value, task)
        if self.type == "i":
            return self._integer(value, task)
        if self.type in {"r", "d"}:
            return self._real(value, task)
        if value is None:
            return "NONE"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, (list, tuple)):
            return ",".join(str(v) for v in value)
        return fspath(value) if isinstance(value, PathLike) else str(value)

    def _boolean(self, value: Any, task: str) -> str:
        word = str(value).strip().lower()
        if word in _YES:
            return "yes"
        if word in _NO:
            return "no"
        raise self._refuse(task, value, "it is yes or no")

    def _integer(self, value: Any, task: str) -> str:
        if isinstance(value, bool):
            raise self._refuse(task, value, "it is an integer")
        if isinstance(value, (Integral, Real)) and float(value).is_integer():
            return str(int(value) if isinstance(value, Integral) else int(float(value)))
        if isinstance(value, str) and (_word(value) or not value or re.fullmatch(r"\s*[+-]?\d+\s*", value)):
            return value.strip()
        raise self._refuse(task, value, "it is an integer")

    def _real(self, value: Any, task: str) -> str:
        if isinstance(value, str) and (_word(value) or not value):
            return value.strip()
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise self._refuse(task, value, "it is a finite number")
        return value.strip() if isinstance(value, str) else repr(number)

    def _choice(self, written: str, task: str) -> str:
        for choice in self.choices:
            if written.lower() == choice.lower():
                return choice
        if self.type in {"i", "r", "d"}:
            for choice in self.choices:
                if _number(choice) is not None and _number(choice) == _number(written):
                    return choice
        raise self._refuse(task, written, f"it is one of {', '.join(self.choices)}")

    def _check_range(self, number: float, task: str) -> None:
        low, high = _number(self.minimum), _number(self.maximum)
        if (low is not None and number < low) or (high is not None and number > high):
            limits = f"{self.minimum or '-inf'} to {self.maximum or 'inf'}"
            raise self._refuse(task, number, f"it lies between {limits}")

    def _refuse(self, task: str, value: Any, rule: str) -> TaskParameterError:
        return TaskParameterError(f"{task}: parameter {self.name} cannot be {value!r}: {rule}.", "correct the value.")


def _word(text: str) -> bool:
    """Whether a number's place is taken by a word (INDEF), or by a redirection to another parameter."""
    return text.strip().lower() in _UNDEFINED or text.strip().startswith((")", "$"))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _unquote(field: str) -> str:
    if len(field) > 1 and field[0] == field[-1] and field[0] in "\"'":
        return re.sub(r"\\([\"'\\])", r"\1", field[1:-1])
    return field


def _fields(line: str) -> list[str]:
    """Split a line at its commas, at most into seven fields, leaving quoted ones whole."""
    found: list[str] = []
    at = 0
    while len(found) < 6:
        match = _FIELD.match(line, at)
        if match is None:
            break
        found.append(_unquote(match[1]))
        at = match.end()
        if not match[2]:
            return found
    return [*found, _unquote(line[at:].strip())]


def _read_line(line: str) -> Parameter | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    fields = [*_fields(text), *[""] * 7][:7]
    name, kind, mode, default, low, high, prompt = fields
    if not name or not kind:
        return None
    return Parameter(name, kind.lower(), mode.lower(), default, low, high, prompt)


@dataclass(frozen=True)
class ParFile:
    """The parameters of one task, in the order of its file.

    Parameters
    ----------
    task : str
        Name of the task.
    parameters : mapping of str to Parameter
        By name.
    lines : tuple of str
        The file itself, to be copied into a private directory.
    """

    task: str
    parameters: Mapping[str, Parameter]
    lines: tuple[str, ...]

    @classmethod
    def read(cls, path: str | PathLike[str]) -> ParFile:
        """Read a parameter file.

        Raises
        ------
        InputFileError
            The file holds no parameter.
        """
        location = Path(path)
        lines = tuple(location.read_text(encoding="utf-8", errors="replace").splitlines())
        found = {p.name: p for p in map(_read_line, lines) if p is not None}
        if not found:
            raise InputFileError(f"{location} holds no parameter.", "reinstall HEASoft's parameter files.")
        return cls(location.stem, found, lines)

    def __contains__(self, name: object) -> bool:
        return name in self.parameters

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters.values())

    def __getitem__(self, name: str) -> Parameter:
        try:
            return self.parameters[name]
        except KeyError:
            near = difflib.get_close_matches(name, self.parameters, n=3, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self.parameters)}."
            raise TaskParameterError(f"{self.task} has no parameter {name!r}.", hint) from None

    def arguments(self, given: Mapping[str, Any], fallback: Mapping[str, str] | None = None) -> dict[str, str]:
        """Every parameter of the task with the text of its value, in the order of the file.

        Parameters
        ----------
        given : mapping
            Values asked for; each name must be in the file.
        fallback : mapping, optional
            Values to use instead of the file's defaults where `given` is silent; names the task lacks are left out.

        Raises
        ------
        TaskParameterError
            A name is not in the file, or a value does not fit.
        """
        chosen = {self[name].name: self[name].text(value, self.task) for name, value in given.items()}
        other = {k: v for k, v in (fallback or {}).items() if k in self}
        return {name: chosen.get(name, other.get(name, p.default)) for name, p in self.parameters.items()}

    def with_values(self, values: Mapping[str, str]) -> str:
        """The file's text with other values in its fourth column, for a private copy."""
        return "\n".join(_rewritten(line, values) for line in self.lines) + "\n"


def _rewritten(line: str, values: Mapping[str, str]) -> str:
    parameter = _read_line(line)
    if parameter is None or values.get(parameter.name, parameter.default) == parameter.default:
        return line
    start = 0
    for _ in range(3):
        match = _FIELD.match(line, start)
        start = match.end() if match else start
    match = _FIELD.match(line, start)
    rest = line[match.end(1) :] if match else ""
    value = values[parameter.name]
    if parameter.type in {"s"} or parameter.is_file or not value:
        value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return line[:start] + value + rest


@lru_cache(maxsize=256)
def _cached(path: str, mtime_ns: int, size: int) -> ParFile:  # the stamp is part of the key
    return ParFile.read(path)


def read_parfile(path: str | PathLike[str]) -> ParFile:
    """Read a parameter file, or take it from memory while it is unchanged on disk."""
    stat = Path(path).stat()
    return _cached(fspath(path), stat.st_mtime_ns, stat.st_size)
