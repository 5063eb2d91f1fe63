"""fversion, and the commands that read and write parameter files: punlearn, plist, pget, pset."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .parfile import Parameter, ParameterError, Parameters, newer, read_lines, search
from .runtime import say

if TYPE_CHECKING:
    from pathlib import Path

VERSION_TEXT = "V6.36"


def fversion(pars: Parameters) -> int:
    """Print the version of this HEASoft."""
    say(f"2025-09-01_{VERSION_TEXT}")
    return 0


def _load(task: str) -> tuple[list[Parameter], Path] | None:
    try:
        user, system, target = search(task)
    except ParameterError as error:
        say(str(error))
        return None
    return read_lines(newer(user, system)), target


def punlearn(arguments: list[str]) -> int:
    """Set the parameters of tasks back to their defaults."""
    for task in arguments:
        try:
            _, system, target = search(task)
        except ParameterError as error:
            say(str(error))
            return 1
        if system is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(system.read_bytes())
    return 0


def plist(arguments: list[str]) -> int:
    """List the parameters of a task."""
    for task in arguments:
        loaded = _load(task)
        if loaded is None:
            return 1
        say(f"Parameters for {loaded[1]}")
        for parameter in loaded[0]:
            value = parameter.value if "h" not in parameter.mode else f"({parameter.name} = {parameter.value})"
            say(f"{parameter.name:>13s} = {value:16s} {parameter.prompt}")
    return 0


def pget(arguments: list[str]) -> int:
    """Print the values of parameters, one a line."""
    loaded = _load(arguments[0]) if arguments else None
    if loaded is None:
        return 1
    values = {parameter.name: parameter.value for parameter in loaded[0]}
    for name in arguments[1:]:
        if name not in values:
            say(f"parameter {name} not found")
            return 1
        say(values[name])
    return 0


def pset(arguments: list[str]) -> int:
    """Set parameters given as name=value."""
    loaded = _load(arguments[0]) if arguments else None
    if loaded is None:
        return 1
    lines, target = loaded
    for argument in arguments[1:]:
        name, _, value = argument.partition("=")
        if name not in {line.name for line in lines}:
            say(f"parameter {name} not found")
            return 1
        lines = [replace(line, value=value) if line.name == name else line for line in lines]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(line.line() for line in lines) + "\n", encoding="latin-1")
    return 0
