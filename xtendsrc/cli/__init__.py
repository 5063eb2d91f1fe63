"""The ``xtendsrc`` command: one module a subcommand."""

from __future__ import annotations

import argparse
import importlib
import re
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xtendsrc import __version__
from xtendsrc.errors import XtendsrcError

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = (
    "demo",
    "search",
    "download",
    "process",
    "products",
    "inspect",
    "registry",
    "caldb",
    "doctor",
    "simulate",
    "models",
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 for an error, 130 for Ctrl-C, 143 for SIGTERM.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; those of the process if not given.
    """
    parser = argparse.ArgumentParser(prog="xtendsrc", description="Source-centred analysis of XRISM-Xtend data.")
    parser.add_argument("--version", action="version", version=f"xtendsrc {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"xtendsrc.cli.{name}").add_parser(subparsers)
    args = parser.parse_args([_as_word(word) for word in (sys.argv[1:] if argv is None else argv)])
    try:
        with _sigterm_unwinds():
            return int(args.run(args))
    except XtendsrcError as error:
        print(f"xtendsrc: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


_NEGATIVE = re.compile(r"-(\d|\.\d)")


def _as_word(argument: str) -> str:
    """Keep argparse from taking a negative number for an option: it knows -1, but neither -5e-1 nor -69:38:38."""
    return f" {argument}" if _NEGATIVE.match(argument) else argument


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: tasks stopped and scratch directories cleared."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
