"""``xtendsrc registry ls|verify|prune|rebuild``: look after the products of an output directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from astropy.table import Table

COLUMNS = ("status", "kind", "source", "obs_id", "dataclass", "engine", "size", "created", "path", "reason")
FILTERS = ("kind", "source", "obs_id", "dataclass", "status")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``xtendsrc``."""
    parser = subparsers.add_parser("registry", help="list, check and tidy the products of an output directory")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("ls", help="list products")
    for name in FILTERS:
        listing.add_argument(f"--{name.replace('_', '-')}", help=f"only products of this {name}")
    actions.add_parser("verify", help="read everything through; exits with 1 if something is wrong")
    prune = actions.add_parser("prune", help="clear away what is missing, damaged, stale or left over")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be done")
    actions.add_parser("rebuild", help="make the index anew from the FITS files")
    for action in actions.choices.values():
        action.add_argument("output", nargs="?", default=".", help="output directory (default: the current one)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 1 if something is wrong with a product."""
    from xtendsrc.errors import InputNotFoundError
    from xtendsrc.registry import Registry

    if not Path(args.output).is_dir():
        raise InputNotFoundError(f"{args.output} is not a directory.", "name the output directory of your products.")
    registry = Registry(args.output, read_only=args.action == "ls")
    if args.action == "ls":
        wanted = {name: value for name in FILTERS if (value := getattr(args, name)) is not None}
        _show(registry.table(**wanted)[COLUMNS], "no products")
        return 0
    if args.action == "verify":
        problems = registry.verify()
        _show(problems, f"{len(registry)} products, all is well")
        return int(len(problems) > 0)
    if args.action == "prune":
        _show(registry.prune(dry_run=args.dry_run), "nothing to clear away")
        return 0
    _show(registry.rebuild()[COLUMNS], "no products found")
    return 0


def _show(table: Table, empty: str) -> None:
    print("\n".join(table.pformat(max_lines=-1, max_width=-1, align="<")) if len(table) else empty)
