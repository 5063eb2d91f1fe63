"""The ``xtendsrc`` command: one module a subcommand."""

from __future__ import annotations

import argparse
import importlib
import sys

from xtendsrc import __version__
from xtendsrc.errors import XtendsrcError

COMMANDS = (
    "demo",
    "search",
    "download",
    "process",
    "products",
    "inspect",
    "registry",
    "doctor",
    "simulate",
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 for an error, 130 for Ctrl-C.

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
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except XtendsrcError as error:
        print(f"xtendsrc: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
