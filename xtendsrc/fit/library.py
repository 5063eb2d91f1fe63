"""XSPEC's model library as an engine, in a process of its own.

The optional package xspectrampoline (GPL-3) holds it. Nothing here imports that package: a script run by a second
interpreter does, see `xtendsrc.fit.library_worker`.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import selectors
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from xtendsrc.errors import ComponentUnavailableError, LibraryCrashError
from xtendsrc.fit import atomdb as tables

if TYPE_CHECKING:
    from xtendsrc.fit.catalogue import Component
    from xtendsrc.fit.components.base import Array, ModelSettings

WORKER = Path(__file__).with_name("library_worker.py")
TABLE_KINDS = {"atable": "add", "mtable": "mul", "etable": "exp"}
"""What the library calls the kinds of table models."""
STARTING = 120.0
"""Seconds the library may take to be loaded."""
OTHER_HEASOFT = ("HEADAS", "HEADAS_LIB", "LHEASOFT", "LHEA_DATA", "PFILES", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables that would make the child load the libraries of another installation."""


@cache
def symbols() -> dict[str, str]:
    """Return the library's functions for the components measured to work: name in lower case to symbol."""
    return {row["component"].lower(): row["symbol"] for row in _measured() if row["state"] in ("works", "tables")}


@cache
def needing_tables() -> frozenset[str]:
    """Return the components of `symbols` that need AtomDB's tables."""
    return frozenset(row["component"].lower() for row in _measured() if row["state"] == "tables")


def _measured() -> list[dict[str, str]]:
    source = resources.files("xtendsrc") / "data" / "fit" / "library.csv"
    return list(csv.DictReader(source.read_text(encoding="utf-8").splitlines()))


def installed() -> bool:
    """Whether the package that holds the library is installed; it is not imported to find out."""
    return find_spec("xspectrampoline") is not None


class LibraryModels:
    """Components evaluated by XSPEC's model library.

    The process is started by the first question, answers one at a time, and is started again after it crashed or was
    stopped. It ends with this object, with `close`, or with the process that started it.

    Parameters
    ----------
    timeout : float, optional
        Seconds a component may take. Default is 60.
    atomdb : str, optional
        Beginning of the paths of AtomDB's tables, up to ``_line.fits``. Default is those that
        `xtendsrc.fit.atomdb.find` finds; without any, plasmas are not known.
    interpreter : str, optional
        The Python that has xspectrampoline. Default is the one running.
    """

    def __init__(self, timeout: float = 60.0, atomdb: str | None = None, interpreter: str = sys.executable) -> None:
        self.timeout = timeout
        self.atomdb = tables.root() if atomdb is None else atomdb
        self.interpreter = interpreter
        self._process: _Process | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"timeout": self.timeout, "atomdb": self.atomdb, "interpreter": self.interpreter}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # the same parameters; the process is not carried over

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def knows(self, component: Component) -> bool:
        """Whether a component was measured to work, and its tables are there if it needs any."""
        if component.table:
            return True
        return component.name in symbols() and (bool(self.atomdb) or component.name not in needing_tables())

    def evaluate(
        self, component: Component, values: Array, edges: Array, settings: ModelSettings, photons: Array | None = None
    ) -> Array:
        """Return a component in each bin.

        Parameters
        ----------
        component : Component
            Which.
        values : array of float
            Its parameters without the norm.
        edges : array of float, shape (n + 1,)
            Bin edges in keV.
        settings : ModelSettings
            Abundances, cross sections and cosmology.
        photons : array of float, shape (n,), optional
            What a convolution acts on.

        Raises
        ------
        ComponentUnavailableError
            If the library does not have it, or is not installed.
        TablesMissingError
            If it needs AtomDB's tables, and there are none.
        LibraryCrashError
            If the library ended the process, or took too long.
        """
        if component.name in needing_tables() and not self.atomdb:
            tables.find()
        if not self.knows(component):
            raise ComponentUnavailableError(
                f"{component.name} is not among the {len(symbols())} components of XSPEC's library that work here.",
                "use HEASoft's XSPEC for it (engine='xspec').",
            )
        header = {
            "symbol": TABLE_KINDS[component.name] if component.table else symbols()[component.name],
            "table": component.table,
            "values": [float(v) for v in values],
            "bins": edges.size - 1,
            "photons": photons is not None,
            "settings": {**asdict(settings), "apec": self.atomdb and str(Path(self.atomdb).absolute())},
        }
        body = edges.astype("<f8").tobytes() + (b"" if photons is None else photons.astype("<f8").tobytes())
        with self._lock:
            return self._answer(component.name, header, body)

    def _answer(self, name: str, header: dict[str, Any], body: bytes) -> Array:
        if self._process is None or not self._process.own:
            self._process = _Process(self.interpreter)
        try:
            answer, data = self._process.ask(header, body, self.timeout)
        except (TimeoutError, EOFError) as problem:
            told = self._process.end()
            self._process = None
            what = f"took longer than {self.timeout:g} s" if isinstance(problem, TimeoutError) else "ended its process"
            raise LibraryCrashError(
                f"XSPEC's library {what} at {name}{tuple(header['values'])}{f': {told}' if told else '.'}",
                "change the parameters or their limits, or use engine='xspec'.",
            ) from problem
        if "error" in answer:
            raise ComponentUnavailableError(
                f"XSPEC's library cannot evaluate {name}: {answer['error']}.", "use engine='xspec'."
            )
        return np.frombuffer(data, dtype="<f8").astype(float)


class _Process:
    """The second interpreter and its pipes."""

    def __init__(self, interpreter: str) -> None:
        if interpreter == sys.executable and not installed():
            raise ComponentUnavailableError(
                "XSPEC's model library is not installed.", "pip install 'xtendsrc[xspec-library]'."
            )
        self._owner = os.getpid()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  - open as long as the process
        self._folder = tempfile.mkdtemp(prefix="xtendsrc-library-")  # the library leaves files like fort.49 behind
        self._child = subprocess.Popen(
            [interpreter, "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=self._folder,
            bufsize=0,
            env={name: value for name, value in os.environ.items() if name not in OTHER_HEASOFT},
            start_new_session=True,
        )
        try:
            self._receive(time.monotonic() + STARTING)
        except (TimeoutError, EOFError) as problem:
            told = self.end()
            raise ComponentUnavailableError(
                f"XSPEC's model library could not be loaded{f': {told}' if told else '.'}",
                "reinstall xspectrampoline, or use another engine.",
            ) from problem

    @property
    def own(self) -> bool:
        """Whether it was started by this process, and not by one that this was forked from."""
        return self._owner == os.getpid()

    def ask(self, header: dict[str, Any], body: bytes, timeout: float) -> tuple[dict[str, Any], bytes]:
        """Send a question and return the answer.

        Raises
        ------
        EOFError
            If the process ended.
        TimeoutError
            If it did not answer in time.
        """
        text = json.dumps(header).encode()
        deadline = time.monotonic() + timeout
        self._send(struct.pack("<I", len(text)) + text + body)
        return self._receive(deadline)

    def _send(self, message: bytes) -> None:
        assert self._child.stdin is not None
        view = memoryview(message)
        try:
            while view:
                view = view[self._child.stdin.write(view) or 0 :]
        except BrokenPipeError as gone:
            raise EOFError from gone

    def _receive(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        (length,) = struct.unpack("<I", self._bytes(4, deadline))
        header = json.loads(self._bytes(length, deadline))
        return header, self._bytes(8 * header.get("bins", 0), deadline)

    def _bytes(self, number: int, deadline: float) -> bytes:
        assert self._child.stdout is not None
        found = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while len(found) < number:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise TimeoutError
                if not (piece := self._child.stdout.read(number - len(found))):
                    raise EOFError
                found += piece
        return bytes(found)

    def end(self) -> str:
        """End the process and return the last line it printed; one that another process started is left alone."""
        if not self.own:
            return ""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        with self._said as said:
            said.seek(0)
            lines = [line for line in said.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""
