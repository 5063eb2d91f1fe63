"""``xtendsrc search [TARGET]``: which observations there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``xtendsrc``."""
    parser = subparsers.add_parser(
        "search",
        help="find observations in the archive",
        description="List XRISM observations near a target, or all of them. Only public ones unless --all is given.",
    )
    add_selection(parser, required=False)
    parser.add_argument("--save", metavar="FILE", help="write the table to a file (.ecsv, .fits, .csv)")
    parser.add_argument("--plot", metavar="FILE", help="draw the pointings into an image file")
    parser.add_argument("--timeline", metavar="FILE", help="draw when they were observed into an image file")
    parser.set_defaults(run=run)


def add_selection(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add the options that choose observations, shared with ``xtendsrc download``."""
    parser.add_argument(
        "target",
        nargs="*" if not required else "+",
        help="a name, or RA and Dec in degrees, or sexagesimal in quotes (ICRS)" + (", or ObsIDs" if required else ""),
    )
    parser.add_argument("--radius", default="35 arcmin", help="largest angle to the pointing (35 arcmin)")
    parser.add_argument("--all", action="store_true", help="also observations that are not public yet")
    parser.add_argument("--exposure", help="least exposure, e.g. '20 ks'")
    parser.add_argument("--dataclass", action="append", help="data class, * allowed; may be repeated")
    parser.add_argument("--after", help="start not before this date")
    parser.add_argument("--before", help="start not after this date")
    parser.add_argument("--offline", action="store_true", help="use the table kept on disk, whatever its age")
    parser.add_argument("--refresh", action="store_true", help="ask the archive anew")


def run(args: argparse.Namespace) -> int:
    """Search and print; 1 if nothing was found."""
    table = found(args, target_of(args.target))
    print(repr(table).removeprefix("<ObservationTable: ").replace(")>", ")", 1))
    if args.save:
        _written(lambda: table.table.write(args.save, overwrite=True), args.save)
    for drawer, path in (("view_sky", args.plot), ("view_timeline", args.timeline)):
        if path:
            _written(lambda d=drawer, p=path: _draw(table, d, p), path)  # type: ignore[misc]
    return 0 if len(table) else 1


def _written(write: Callable[[], None], path: str) -> None:
    """Write a file, or say why it cannot be written."""
    from astropy.io.registry import IORegistryError

    try:
        write()
    except (OSError, ValueError, IORegistryError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(
            f"{path} cannot be written: {reason}", "choose another name, directory or ending."
        ) from error


def target_of(words: list[str]) -> Any:
    """Convert words into a position, a name, or None: numbers and sexagesimal angles are a position."""
    from astropy.coordinates import SkyCoord

    text = " ".join(" ".join(words).replace(",", " ").split())
    if not text:
        return None
    numbers = all(NUMBER.fullmatch(word) for word in text.split())
    sexagesimal = any(mark in text for mark in ":hms") or len(text.split()) > 2
    if not numbers and (not set(text) <= set("0123456789.+-: hmsd") or text[0] in "hmsd"):
        return " ".join(words).strip()
    try:
        if numbers and not sexagesimal:
            return SkyCoord(*(float(word) for word in text.split()), unit="deg", frame="icrs")
        return SkyCoord(text, unit=("hourangle", "deg"), frame="icrs")
    except (ValueError, TypeError) as error:
        raise RequestError(f"{text!r} is not a position: {error}", "write for example 81.26 -69.64.") from error


def found(args: argparse.Namespace, target: Any) -> Any:
    """Search as the options say."""
    import astropy.units as u

    from xtendsrc import archive

    try:
        radius = u.Quantity(args.radius)
        exposure = u.Quantity(args.exposure) if args.exposure else None
    except (TypeError, ValueError) as error:
        raise RequestError(str(error), "write a number and a unit, e.g. '20 ks'.") from error
    table = archive.search(
        target,
        radius,
        public=None if args.all else True,
        offline=args.offline,
        max_age=0 * u.s if args.refresh else None,
    )
    dates = (args.after, args.before) if args.after or args.before else None
    return table.filter(exposure=exposure, dataclass=args.dataclass, date=dates)


def _draw(table: Any, drawer: str, path: str) -> None:
    from xtendsrc.view import archive as view

    figure = view.draw(getattr(view, drawer), table)
    figure.savefig(path, dpi=150)
    print(path)
