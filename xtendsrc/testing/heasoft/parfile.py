"""Parameter files: search along PFILES, prompts, learned values, written back like the real libraries do.

Two libraries are imitated: that of the Fortran FTOOLS (``fortran=True``), which ends with status 0 and no
output when it meets an unknown or repeated parameter, and that of the C, C++ and Perl tasks, which ends with
status 1.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

TRUE = {"yes", "y", "true", "t", "1"}
FALSE = {"no", "n", "false", "f", "0"}


class ParameterError(Exception):
    """A parameter that stops the task before it starts, with the exit status that results."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Parameter:
    """One line of a parameter file."""

    name: str
    kind: str
    mode: str
    value: str
    low: str = ""
    high: str = ""
    prompt: str = ""

    def line(self) -> str:
        """Return the line as it stands in a parameter file."""
        value = f'"{self.value}"' if re.search(r"[,\s]", self.value) or not self.value else self.value
        return f'{self.name},{self.kind},{self.mode},{value},{self.low},{self.high},"{self.prompt}"'


def read_lines(path: Path) -> list[Parameter]:
    """Read a parameter file."""
    found = []
    for raw in path.read_text(encoding="latin-1").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        fields = _fields(line)
        fields += [""] * (7 - len(fields))
        found.append(Parameter(*fields[:7]))
    return found


def _fields(line: str) -> list[str]:
    fields, current, quoted = [], "", False
    for char in line:
        if char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            fields.append(current.strip())
            current = ""
        else:
            current += char
    return [*fields, current.strip()]


def search(task: str) -> tuple[Path | None, Path | None, Path]:
    """Return (user file, system file, where the user file is to be written) for a task, from PFILES."""
    pfiles = os.environ.get("PFILES")
    if not pfiles:
        raise ParameterError(1, "PFILES is not set; initialise HEASoft first")
    user_part, _, system_part = pfiles.partition(";")
    users = [Path(name) for name in user_part.split(":") if name]
    systems = [Path(name) for name in system_part.split(":") if name] or users
    user = next((d / f"{task}.par" for d in users if (d / f"{task}.par").is_file()), None)
    system = next((d / f"{task}.par" for d in systems if (d / f"{task}.par").is_file()), None)
    if user is None and system is None:
        raise ParameterError(1, f"could not find a parameter file for {task}")
    return user, system, (users[0] if users else Path()) / f"{task}.par"


class Parameters:
    """The parameters of one run of a task."""

    def __init__(self, task: str, arguments: list[str], fortran: bool) -> None:
        self.task = task
        self.fortran = fortran
        user, system, self.target = search(task)
        self.table = {p.name: p for p in read_lines(newer(user, system))}
        if user is not None and system is not None and newer(user, system) == system:
            user = None
        self.given = self._parse(arguments)
        for name, value in self.given.items():
            self.table[name] = replace(self.table[name], value=value)
        self._ask()
        self._check()
        self.save()

    def _stop(self, text: str) -> ParameterError:
        return ParameterError(0 if self.fortran else 1, text)

    def _parse(self, arguments: list[str]) -> dict[str, str]:
        given: dict[str, str] = {}
        order = [p.name for p in self.table.values() if p.name != "mode"]
        for place, argument in enumerate(arguments):
            name, equals, value = argument.partition("=")
            if not equals or not re.fullmatch(r"\w+\s*", name):
                if place >= len(order):
                    raise self._stop(f"Too many parameters: {argument}")
                name, value = order[place], argument
            name = name.strip()
            if name not in self.table or name in given:
                raise self._stop(f"Parameter name not found: {name}")
            given[name] = _unquote(value.strip())
        return given

    def mode_of(self, parameter: Parameter) -> str:
        """Return the mode in force: that of the line, or of the whole file for ``a``."""
        if "a" not in parameter.mode:
            return parameter.mode
        whole = self.table.get("mode")
        return (whole.value if whole else "ql") or "ql"

    def _ask(self) -> None:
        if "HEADASNOQUERY" in os.environ:
            return
        for name, parameter in list(self.table.items()):
            if name in self.given or "q" not in self.mode_of(parameter):
                continue
            self.table[name] = replace(parameter, value=ask(parameter, self.fortran))
            self.given[name] = self.table[name].value

    def _check(self) -> None:
        if self.fortran:
            return
        for parameter in self.table.values():
            if parameter.name in self.given:
                _checked(parameter)

    def save(self) -> None:
        """Write the user's parameter file with the learned values."""
        lines = []
        system = {p.name: p for p in read_lines(newer(*search(self.task)[:2]))}
        for name, parameter in self.table.items():
            learned = "l" in self.mode_of(parameter) or name not in self.given
            lines.append((parameter if learned else replace(parameter, value=system[name].value)).line())
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self.target.write_text("\n".join(lines) + "\n", encoding="latin-1")
        except OSError as error:
            sys.stderr.write(f"warning: parameter file {self.target} not written: {error}\n")

    def put(self, name: str, value: object) -> None:
        """Set an output parameter and, if parameters are learned at all, write it to the user's file.

        With ``mode=h`` nothing is learned: the value is lost, as with the real library.
        """
        whole = self.table.get("mode")
        if whole is not None and "l" not in whole.value:
            return
        text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        self.table[name] = replace(self.table[name], value=text)
        self.given.pop(name, None)
        self.save()

    def __contains__(self, name: str) -> bool:
        return name in self.table

    def text(self, name: str) -> str:
        """Return a parameter as text."""
        return self.table[name].value.strip()

    def file(self, name: str) -> str | None:
        """Return a file name, None for NONE or an empty value."""
        value = self.text(name)
        return None if value.upper() in ("NONE", "", "-") else value

    def flag(self, name: str) -> bool:
        """Return a yes/no parameter."""
        return self.text(name).lower() in TRUE

    def number(self, name: str) -> float:
        """Return a number; the Fortran library takes a non-number for the default in silence."""
        try:
            return float(self.text(name))
        except ValueError:
            if not self.fortran:
                raise ParameterError(1, f"parameter {name} is not a number: {self.text(name)}") from None
        _, system, _ = search(self.task)
        defaults = {p.name: p.value for p in read_lines(system)} if system else {}
        return float(defaults.get(name, 0) or 0)

    def integer(self, name: str) -> int:
        """Return a whole number."""
        return int(self.number(name))


def newer(user: Path | None, system: Path | None) -> Path:
    """Return the parameter file to read: the user's, unless that of the system is newer."""
    if user is None or (system is not None and system.stat().st_mtime > user.stat().st_mtime):
        assert system is not None
        return system
    return user


def _unquote(value: str) -> str:
    if value == "$( )":
        return ""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def ask(parameter: Parameter, fortran: bool) -> str:
    """Ask for a value on standard input, as a task does when nobody gave it one."""
    sys.stdout.write(f"{parameter.prompt or parameter.name}[{parameter.value}] ")
    sys.stdout.flush()
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if not answer:
        raise ParameterError(0 if fortran else 1, f"\nUnable to get parameter: {parameter.name}")
    return answer.strip() or parameter.value


def _checked(parameter: Parameter) -> None:
    value, kind = parameter.value, parameter.kind
    bad = False
    if kind in ("i", "r", "d"):
        bad = not _is_number(value, whole=kind == "i")
    elif kind == "b":
        bad = value.lower() not in TRUE | FALSE
    elif "|" in parameter.low:
        bad = value.upper() not in parameter.low.upper().split("|")
    if kind in ("i", "r", "d") and not bad and parameter.low:
        bad = float(value) < float(parameter.low) or (bool(parameter.high) and float(value) > float(parameter.high))
    if bad:
        raise ParameterError(1, f"parameter {parameter.name}: value {value!r} is not allowed")


def _is_number(value: str, whole: bool) -> bool:
    try:
        number = float(value)
    except ValueError:
        return value.upper() in ("INDEF", "NONE")
    return not whole or number == int(number)
