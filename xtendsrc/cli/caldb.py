"""``xtendsrc caldb list|fetch|check``: the calibration files of products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    import argparse

    from xtendsrc.caldb import CalibrationFile, Situation

PRODUCTS = ("rmf", "raytrace", "arf", "expmap")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "caldb",
        help="calibration files: which are used, fetch them, check them",
        description="The calibration database is settings.caldb or CALDB if it is a directory, else a cache that is "
        "filled from HEASARC. The index that was fetched first stays until --update.",
    )
    parser.add_argument("action", choices=("list", "fetch", "check"), help="what to do")
    parser.add_argument(
        "products", nargs="*", metavar="PRODUCT", help=f"of {', '.join(PRODUCTS)}; all if none is given"
    )
    parser.add_argument("--date", help="when the files must be valid, as 2024-03-01; now if not given")
    parser.add_argument("--datamode", default="WINDOW1", help="DATAMODE of the observation (WINDOW1)")
    parser.add_argument("--update", action="store_true", help="fetch the present index first")
    parser.add_argument("--version", metavar="YYYYMMDD", dest="pinned", help="pin the index of this date")
    parser.add_argument("--offline", action="store_true", help="do not use the network")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do what is asked for; 1 if something is missing or wrong."""
    from xtendsrc import caldb

    products, situation = tuple(args.products) or PRODUCTS, _situation(args)
    if args.action == "check":
        problems = caldb.check(products, situation)
        print("\n".join(problems) or f"{caldb.find_place().root}: nothing is missing or changed.")
        return 1 if problems else 0
    if args.action == "list":
        found = caldb.files(products, situation, offline=args.offline)
    elif args.offline:
        raise RequestError("Nothing can be fetched offline.", "leave out --offline.")
    else:
        found = caldb.fetch(products, situation, update=args.update, version=args.pinned)
    print(f"{caldb.find_place().root}: {caldb.version(situation)}")
    for file in found:
        print(_line(file))
    return 0 if all(file.present for file in found) else 1


def _line(file: CalibrationFile) -> str:
    size = "size unknown" if file.size is None else f"{file.size / 1e6:.2f} MB"
    state = "here" if file.present else "missing"
    return f"{file.product:9s} {file.role:24s} {state:8s} {size:>12s}  from {file.entry.start}  {file.entry.path}"


def _situation(args: argparse.Namespace) -> Situation:
    from astropy.time import Time

    from xtendsrc.caldb import Situation

    try:
        time = Time(args.date, scale="utc") if args.date else None
    except ValueError as err:
        raise RequestError(f"{args.date!r} is not a date.", "write it as 2024-03-01.") from err
    return Situation(time=time, datamode=args.datamode)
