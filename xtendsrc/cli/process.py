"""``xtendsrc process PATH ...``: cleaned events with the task xtdpipeline, where they are absent or old."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``xtendsrc``."""
    parser = subparsers.add_parser(
        "process",
        help="make cleaned events with xtdpipeline",
        description="Calibrate and screen observations with xtdpipeline (stages 1 and 2) where cleaned events are "
        "absent, or older than a calibration. Exits with 1 if an observation failed.",
    )
    parser.add_argument("path", nargs="+", help="directories of ObsIDs, or archive folders with several")
    parser.add_argument("--output", default="XRISM_output", help="output directory (XRISM_output)")
    parser.add_argument("--caldb", help="also where events are older than this release: 'installed', or its date")
    parser.add_argument("--again", action="store_true", help="whatever is there")
    parser.add_argument("--jobs", type=int, help="observations at once (one a core)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Process every observation; 1 if one failed."""
    from xtendsrc.archive.layout import find_observations
    from xtendsrc.generate import process

    paths = [found for path in args.path for found in find_observations(path) or [Path(path)]]
    report = process(*paths, output=args.output, jobs=args.jobs, caldb=args.caldb, again=args.again)
    for outcome in report.outcomes:
        text = f"  {outcome.reason}" if outcome.reason else ""
        log = f"  [{outcome.log}]" if outcome.log else ""
        print(f"{outcome.obs_id}  {outcome.dataclass:<18} {outcome.result:<7}{text}{log}")
    return int(bool(report.failed))
