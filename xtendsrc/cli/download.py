"""``xtendsrc download TARGET --into DIRECTORY``: observations from the archive to the disk."""

from __future__ import annotations

import logging
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from xtendsrc.archive import DownloadPlan


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``xtendsrc``."""
    from xtendsrc.cli.search import add_selection

    parser = subparsers.add_parser(
        "download",
        help="download observations",
        description="Download observations near a target, or of the ObsIDs given. Complete files are not fetched "
        "again, and an interrupted download goes on where it stopped. Exits with 1 if something could not be fetched.",
    )
    add_selection(parser, required=True)
    parser.add_argument("--into", default="XRISM", help="archive directory (XRISM)")
    parser.add_argument("--host", default="auto", choices=("auto", "aws", "heasarc", "sciserver"), help="where from")
    parser.add_argument(
        "--what",
        action="append",
        help="xtend (default), events (no unfiltered events), all (Resolve too), or patterns such as 'auxil/*'",
    )
    parser.add_argument("--jobs", type=int, default=4, help="files at once (4)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be fetched")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Download, or say what would be."""
    from xtendsrc import archive

    table = _observations(args)
    options = {"host": args.host, "what": _what(args.what), "jobs": args.jobs}
    if args.dry_run:
        _show(archive.plan_download(table, args.into, **options))
        return 0
    with _told():
        archive.download(table, args.into, **options)
    return 0


@contextmanager
def _told() -> Iterator[None]:
    """Show what the download logs: what it will bring before it starts, and what came."""
    logger = logging.getLogger("xtendsrc.archive.download")
    handler, level = logging.StreamHandler(sys.stdout), logger.level
    handler.addFilter(lambda record: record.levelno == logging.INFO)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _observations(args: argparse.Namespace) -> Any:
    from xtendsrc.cli.search import found, target_of

    if all(re.fullmatch(r"\d{9}", word) for word in args.target):
        return list(args.target)
    return found(args, target_of(args.target))


def _what(given: list[str] | None) -> str | list[str]:
    from xtendsrc.archive.remote import SELECTIONS

    if not given:
        return "xtend"
    return given[0] if len(given) == 1 and given[0] in SELECTIONS else given


def _show(plan: DownloadPlan) -> None:
    print(repr(plan).strip("<>"))
    print("\n".join(plan.table.pformat(max_lines=-1, max_width=-1)))
