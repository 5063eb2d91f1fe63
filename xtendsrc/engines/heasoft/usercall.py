"""``heasoft.task("name")(...)``: any task, called with the same checks as the package's own products.

The user's files are linked into a private directory under short names, and what the task makes is moved to where the
user's names say, relative to the working directory at the time of the call.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.engines.heasoft.discovery import Installation, installation
from xtendsrc.engines.heasoft.parfile import FILE_WORDS, Parameter, ParFile
from xtendsrc.engines.heasoft.runners import runner_for
from xtendsrc.engines.heasoft.task import Call, TaskResult, move, run, with_paths
from xtendsrc.engines.heasoft.workspace import private_workspace, short_name
from xtendsrc.errors import InputNotFoundError, TaskError, TaskParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xtendsrc.settings import RunnerName

_FILE_NAMES = re.compile(r"file|^(in|out)(put|fil|root)|dir$|eventsout|fitsbinlc|unbinlc", re.IGNORECASE)
_OUTPUTS = re.compile(r"^out(put|file|fil|dir|root|.*file)?$|^(mergefile|eventsout|phafile|fitsbinlc|unbinlc|qdpfile)$")
_OUTPUTS_OF = {"extractor": frozenset({"imgfile"})}
_EDITED = {
    **dict.fromkeys(("ahbackscal", "fthedit", "ftchecksum", "fchecksum", "fparkey", "fmodhead", "ftdelhdu"), "infile"),
    **dict.fromkeys(("ftappend", "fappend"), "outfile"),
}
"""Parameter that names the file a task edits in place, where its parameter file does not say so (type ``fw``)."""
_EXPRESSIONS = frozenset({"expr", "expression"})
_QUOTED = re.compile(r"""(["'])(?P<path>[^"'\[]+)(?P<rest>\[[^"']*\])?\1""")
_EXTENDED = re.compile(r"(?P<mark>[!@]?)(?P<path>.+?)(?P<rest>(\[.*\]|\+\d+)?)\Z", re.DOTALL)


class UserTask:
    """One task of the installation, ready to be called with its own parameter names.

    Parameters
    ----------
    name : str
        Name of the task.
    headas : path, optional
        The HEASoft to use; by default the environment's.
    runner : {"auto", "heasoftpy", "direct"}, optional
        How to call it; by default ``settings.runner``.
    timeout : float, optional
        Seconds; by default ``settings.task_timeout``.

    Examples
    --------
    >>> clean = xs.heasoft.task("searchflickpix")                                       # doctest: +SKIP
    >>> result = clean(infile="xa000128000xtd_p031100010_cl.evt", outfile="flick.evt")  # doctest: +SKIP
    >>> result.outputs["outfile"]                                                       # doctest: +SKIP
    """

    def __init__(
        self,
        name: str,
        *,
        headas: str | os.PathLike[str] | None = None,
        runner: RunnerName | None = None,
        timeout: float | None = None,
    ) -> None:
        self.name = name
        self._installed: Installation = installation(headas)
        self._parfile: ParFile = self._installed.parfile(name)
        self._runner = runner
        self._timeout = timeout

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The task's parameters by name, as installed."""
        return self._parfile.parameters

    def __repr__(self) -> str:
        return f"<HEASoft task {self.name}: {', '.join(self.parameters)}>"

    def __call__(self, **parameters: Any) -> TaskResult:
        """Run the task.

        Parameters
        ----------
        **parameters
            Values by the names of the task's parameter file. Files are named as usual, with filters if needed.

        Returns
        -------
        TaskResult
            ``outputs`` holds the files made, by parameter name.

        Raises
        ------
        TaskParameterError, TaskError, InputNotFoundError
            As for any call; see `task.run`.
        """
        self._parfile.arguments(parameters)
        files = _resolve(self._parfile, parameters)
        outputs = tuple(o.name for o in files.outputs if o.required)
        optional = tuple(f"{o.name}*" for o in files.outputs)
        call = Call(
            task=self.name,
            parameters=files.parameters,
            links=files.links,
            copies=files.copies,
            texts=files.texts,
            outputs=outputs,
            optional=optional,
        )
        with private_workspace() as staging:
            result = run(call, staging.root, self._installed, runner_for(self._installed, self._runner), self._timeout)
            names = {output.name: output.target for output in files.outputs}
            command, call_text = (with_paths(text, names) for text in (result.command, result.heasoftpy_call))
            return _deliver(replace(result, command=command, heasoftpy_call=call_text), files.outputs)


@dataclass(frozen=True)
class _Output:
    parameter: str
    name: str
    target: Path
    required: bool


@dataclass
class _Files:
    """The user's parameters with files renamed, and what the new names stand for."""

    parameters: dict[str, Any]
    links: dict[str, Path] = field(default_factory=dict)
    copies: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    outputs: list[_Output] = field(default_factory=list)

    def link(self, path: Path) -> str:
        """A name for an input, the same for the same file."""
        for name, known in self.links.items():
            if known == path:
                return name
        name = self._free(short_name(path, f"in{len(self.links) + 1}"), "in")
        self.links[name] = path
        return name

    def output(self, parameter: str, target: Path, *, required: bool) -> str:
        """A name for an output."""
        name = self._free(short_name(target, f"out{len(self.outputs) + 1}"), "out")
        self.outputs.append(_Output(parameter, name, target, required))
        return name

    def edit(self, parameter: str, path: Path) -> str:
        """A name for a copy of a file that the task edits, and that replaces the file when it has."""
        name = self.output(parameter, path, required=True)
        self.copies[name] = path
        return name

    def _free(self, name: str, kind: str) -> str:
        taken = {*self.links, *self.copies, *self.texts, *(o.name for o in self.outputs)}
        return name if name not in taken else f"{kind}{len(taken) + 1}_{name}"[-60:]


def _resolve(parfile: ParFile, given: Mapping[str, Any]) -> _Files:
    """Find the files among the values; inputs first, so that an output never takes an input's name."""
    files = _Files(dict(given))
    words = {n: os.fspath(v) for n, v in given.items() if isinstance(v, (str, os.PathLike))}
    names = [n for n, text in words.items() if _may_be_file(parfile[n], text)]
    for name in sorted(names, key=lambda n: _is_output(parfile, n)):
        value = words[name]
        if (edited := _edited(parfile, name, value)) is not None:
            files.parameters[name] = f"{files.edit(name, edited)}{value[len(_path_of(value)) :]}"
        elif _is_output(parfile, name):
            files.parameters[name] = _output(files, parfile, name, value, given)
        else:
            files.parameters[name] = _input(files, parfile[name], value)
    for name, text in words.items():
        if name not in names and parfile[name].type == "s":
            files.parameters[name] = _expression(files, text)
    return files


def _path_of(value: str) -> str:
    match = _EXTENDED.match(value)
    return match["path"] if match else value


def _edited(parfile: ParFile, name: str, value: str) -> Path | None:
    """The file that a task edits in place: given as an input, but of type ``fw``."""
    written = parfile[name].type.startswith("fw") and not _OUTPUTS.match(name)
    path = Path(_path_of(value))
    if (written or _EDITED.get(parfile.task) == name) and path.is_file():
        return path.absolute()
    return None


def _expression(files: _Files, text: str) -> str:
    """An expression with the files it names, such as those of regfilter() and gtifilter(), linked in."""

    def linked(match: re.Match[str]) -> str:
        path = Path(match["path"])
        if not path.is_file():
            return match[0]
        return f"{match[1]}{files.link(path.absolute())}{match['rest'] or ''}{match[1]}"

    return _QUOTED.sub(linked, text)


def _may_be_file(parameter: Parameter, value: str) -> bool:
    if value.strip().lower() in FILE_WORDS or not (parameter.is_file or parameter.type == "s"):
        return False
    if _QUOTED.search(value) and not parameter.is_file and not Path(_path_of(value)).exists():
        return False  # an expression that names a file
    return parameter.is_file or _FILE_NAMES.search(parameter.name) is not None or os.sep in value or value[:1] == "@"


def _is_output(parfile: ParFile, name: str) -> bool:
    if parfile[name].type.startswith("fw"):
        return True
    return _OUTPUTS.match(name) is not None or name in _OUTPUTS_OF.get(parfile.task, ())


def _input(files: _Files, parameter: Parameter, value: str) -> str:
    """The new text of an input: a link's name with the mark and the filter it had."""
    if Path(value).exists():
        return files.link(Path(value).absolute())
    match = _EXTENDED.match(value)
    mark, path, rest = (match["mark"], match["path"], match["rest"]) if match else ("", value, "")
    rest = _expression(files, rest)
    if Path(path).exists():
        location = Path(path).absolute()
        if mark == "@" and parameter.name in _EXPRESSIONS:
            return f"@{files.link(location)}"
        return f"@{_list(files, location)}{rest}" if mark == "@" else f"{mark}{files.link(location)}{rest}"
    if parameter.type.startswith("fr") or (parameter.name.startswith("in") and parameter.is_file):
        raise InputNotFoundError(f"{parameter.name}: there is no file {path}.", "check the path.")
    if parameter.is_file and Path(path).absolute().parent.is_dir():
        return files.output(parameter.name, Path(path).absolute(), required=False)
    return value


def _list(files: _Files, path: Path) -> str:
    """A copy of a list of files with every entry linked in."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    entries = []
    for line in lines:
        match = _EXTENDED.match(line)
        place = Path(match["path"]) if match else Path(line)
        if not place.exists():
            raise InputNotFoundError(f"{path} lists {place}, which does not exist.", "correct the list.")
        entries.append(f"{files.link(place.absolute())}{match['rest'] if match else ''}")
    name = f"list{len(files.texts) + 1}.lis"
    files.texts[name] = "\n".join(entries) + "\n"
    return name


def _output(files: _Files, parfile: ParFile, name: str, value: str, given: Mapping[str, Any]) -> str:
    forced = value.startswith("!")
    target = Path(value.removeprefix("!")).absolute()
    if target.is_dir():
        return files.link(target)
    if not target.parent.is_dir():
        raise TaskParameterError(f"{name}: there is no directory {target.parent}.", "make it, or correct the path.")
    if target.exists() and not forced and not _clobbers(parfile, given):
        raise TaskError(f"{parfile.task}: {name}={target} exists already.", "pass clobber=True to replace it.")
    required = not name.endswith("root")
    return ("!" if forced else "") + files.output(name, target, required=required)


def _clobbers(parfile: ParFile, given: Mapping[str, Any]) -> bool:
    parameter = parfile.parameters.get("clobber")
    return parameter is not None and parameter.text(given.get("clobber", parameter.default)) == "yes"


def _deliver(result: TaskResult, expected: list[_Output]) -> TaskResult:
    """Move what was made from the staging directory to where the user wants it, the log beside it."""
    made: dict[str, Path] = {}
    for output in expected:
        for name, path in result.outputs.items():
            if name == output.name:
                made[output.parameter] = move(path, output.target)
            elif name.startswith(output.name) and output.parameter.endswith("root"):
                made[name] = move(path, output.target.with_name(output.target.name + name[len(output.name) :]))
    log = None
    if made and result.log is not None:
        first = next(iter(made.values()))
        log = move(result.log, first.with_name(f"{first.name}.log"))
    return replace(result, outputs=made, log=log)
