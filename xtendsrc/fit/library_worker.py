"""A process of its own that holds XSPEC's model library and answers questions about single components.

It is started by `xtendsrc.fit.library` as a script, and imports nothing of xtendsrc. The library comes from the package
xspectrampoline, which must not be imported anywhere else: it changes the environment, and many models end the process.

A message is four bytes with the length of a header, the header as JSON, and arrays of doubles. A question has the
header ``{"symbol", "table", "values", "bins", "photons", "settings"}``, followed by the ``bins + 1`` edges in keV and,
where ``photons`` is true, the ``bins`` photons to be convolved. The answer has the header ``{"bins"}`` and the values
of the bins, or ``{"error"}``. The process ends when its input does, or when its parent is no more.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer questions until there are none."""
    library = _Library()
    _send(answers, {"ready": True}, b"")
    while (header := _header(questions)) is not None:
        edges = _doubles(questions, header["bins"] + 1)
        photons = _doubles(questions, header["bins"]) if header["photons"] else None
        try:
            result = library.evaluate(header, edges, photons)
        except (AttributeError, ValueError, OSError) as error:
            _send(answers, {"error": f"{type(error).__name__}: {error}"}, b"")
        else:
            _send(answers, {"bins": result.size}, result.astype("<f8").tobytes())


def _header(stream: BinaryIO) -> dict[str, Any] | None:
    length = stream.read(4)
    return json.loads(stream.read(struct.unpack("<I", length)[0])) if len(length) == 4 else None


def _doubles(stream: BinaryIO, number: int) -> NDArray[np.float64]:
    return np.frombuffer(stream.read(8 * number), dtype="<f8").astype(float)


def _send(stream: BinaryIO, header: dict[str, Any], body: bytes) -> None:
    text = json.dumps(header).encode()
    stream.write(struct.pack("<I", len(text)) + text + body)
    stream.flush()


class _Library:
    """The shared library, and the global state it was last given."""

    def __init__(self) -> None:
        import xspectrampoline

        self._open = xspectrampoline.get_libraries().get_model
        self._functions = xspectrampoline.lib_XSFunctions
        self._settings: dict[str, Any] = {}
        self._functions.FPCHAT(0)

    def evaluate(
        self, question: dict[str, Any], edges: NDArray[np.float64], photons: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Return a component in each bin."""
        if question["settings"] != self._settings:
            self._set(question["settings"])
        if question["table"]:
            return self._tabulated(question, edges)
        single = question["symbol"].endswith("_")
        kind = np.float32 if single else np.float64
        values = np.ascontiguousarray(question["values"], dtype=kind)
        result = np.zeros(edges.size - 1, dtype=kind) if photons is None else photons.astype(kind)
        errors = np.zeros_like(result)
        self._open(question["symbol"])(np.ascontiguousarray(edges, dtype=kind), values, result, errors)
        return result.astype(np.float64)

    def _tabulated(self, question: dict[str, Any], edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a table model in each bin; ``symbol`` is its kind."""
        values = (ctypes.c_float * len(question["values"]))(*question["values"])
        energies = (ctypes.c_float * edges.size)(*edges)
        result, errors = ((ctypes.c_float * (edges.size - 1))() for _ in range(2))
        path, kind = question["table"].encode(), question["symbol"].encode()
        self._functions.tabint(energies, edges.size - 1, values, len(values), path, 1, kind, result, errors)
        return np.array(result, dtype=np.float64)

    def _set(self, settings: dict[str, Any]) -> None:
        failed = ctypes.c_int(0)
        self._functions.FPSOLR(settings["abund"].encode(), ctypes.byref(failed))
        if failed.value:
            raise ValueError(f"the library has no abundances {settings['abund']!r}")
        self._functions.FPXSCT(settings["xsect"].encode(), ctypes.byref(failed))
        if failed.value:
            raise ValueError(f"the library has no cross sections {settings['xsect']!r}")
        for function, name in (("csmph0", "hubble"), ("csmpq0", "deceleration"), ("csmpl0", "dark_energy")):
            call = getattr(self._functions, function)
            call.argtypes, call.restype = [ctypes.c_float], None
            call(settings[name])
        if settings.get("apec"):
            self._functions.FPMSTR(b"APECROOT", settings["apec"].encode())
        self._settings = settings


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    """Keep the pipe for answers, and send what the library prints to standard error."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
