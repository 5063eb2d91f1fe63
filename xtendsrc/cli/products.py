"""``xtendsrc products SOURCE``: make images, light curves and spectra of a source, or of a table of sources."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    import argparse

    from astropy.units import Quantity

    from xtendsrc.products.base import Product

PAIR = re.compile(r"(?<=[\d.])\s*[-,]\s*(?=[\d.])")
"""What may stand between two numbers besides a blank: ``0.6-2``, ``0.6, 2``; the minus of ``5e-1`` is none of these."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``xtendsrc``."""
    parser = subparsers.add_parser(
        "products",
        help="make products of a source, or of a table of sources",
        description="Make images, exposure and rate maps, net light curves and spectra of a source, or of every source "
        "of a table, from every observation that holds it. Products that are there are not made again. Exits with 1 "
        "if one could not be made.",
    )
    parser.add_argument("target", nargs="*", help="a name, or RA and Dec in degrees, or sexagesimal in quotes (ICRS)")
    parser.add_argument("--archive", default="XRISM", help="archive directory (XRISM)")
    parser.add_argument(
        "--events", default="cl", metavar="NAME", help="event files called ..._NAME.evt, * allowed (cl)"
    )
    parser.add_argument("--output", default="XRISM_output", help="output directory (XRISM_output)")
    _add_source(parser.add_argument_group("the source"))
    _add_choice(parser.add_argument_group("what is made"))
    parser.add_argument("--picture", metavar="DIR", help="also draw each product into a PNG file in this directory")
    parser.add_argument("--engine", default="auto", choices=("auto", "heasoft", "native"), help="what makes them")
    parser.add_argument("--jobs", type=int, help="products at once (one a core)")
    parser.set_defaults(run=run)


def _add_source(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--name", help="what to call the source")
    group.add_argument("--sample", metavar="TABLE", help="a table of sources instead: name, ra, dec, radius, kind")
    group.add_argument("--radius", default="2 arcmin", help="radius of the extraction circle (2 arcmin)")
    group.add_argument("--region", metavar="FILE", help="a region file (ICRS or FK5) instead of the circle")
    group.add_argument("--extended", action="store_true", help="the source is resolved")
    group.add_argument("--interlopers", metavar="FILE", help="other sources: a region file or a catalogue")
    group.add_argument("--interloper-radius", help="their radius, where the catalogue has none, e.g. '1 arcmin'")
    group.add_argument("--mutual", action="store_true", help="the sources of the table are interlopers of one another")
    group.add_argument("--obs-id", help="only this observation")
    group.add_argument("--dataclass", help="only this data class")


def _add_choice(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--kind", action="append", choices=commands(), help="may be repeated (images)")
    group.add_argument(
        "--energy", action="append", metavar="'LO HI'", help="band in keV for images and light curves; may be repeated"
    )
    group.add_argument(
        "--binning", action="append", type=int, metavar="N", help="pixels on a side; may be repeated (1)"
    )
    group.add_argument("--bin", action="append", help="bin of light curves; may be repeated (200 s)")
    group.add_argument("--gti", metavar="FILE", help="good time intervals to be ANDed with those of the events")
    group.add_argument(
        "--background",
        default="auto",
        metavar="HOW",
        help="auto, none, 'INNER OUTER' for an annulus in source radii, or a region file (auto)",
    )
    group.add_argument("--response", default="auto", choices=("auto", "calibrated", "nominal", "none"), help="(auto)")
    group.add_argument("--grouping", help="of spectra: 'min 1', 'constant 10', 'fwhm/3'")


def run(args: argparse.Namespace) -> int:
    """Make the products and print what became of each; 1 if one failed."""
    import xtendsrc as xs

    holder = _holder(args)
    chosen: list[Any] = []
    lost: dict[str, str] = {}
    for kind in dict.fromkeys(args.kind or ["images"]):
        method = getattr(holder, kind)
        chosen.extend(method(**_options(args, method)))
        lost.update(holder.failures)
    for who, reason in lost.items():
        print(f"{who} is left out: {reason}", file=sys.stderr)
    report = xs.compute(*chosen, jobs=args.jobs, engine=args.engine, quiet=True)
    failed = {outcome.key for outcome in report.failed}
    for product in chosen:
        if product.key not in failed:
            print(product.path)
            if args.picture:
                print(_drawn(product, Path(args.picture)))
    print(repr(report).replace("<", "", 1).replace(">", "", 1))
    return int(bool(failed))


def _drawn(product: Product, directory: Path) -> Path:
    return product.save_view(directory / f"{product.path.name.removesuffix('.fits')}.png")


def _holder(args: argparse.Namespace) -> Any:
    """Return the source, or the sample, that the options describe."""
    import xtendsrc as xs
    from xtendsrc.cli.search import target_of

    if bool(args.target) == bool(args.sample):
        raise RequestError("Give either a source or a table of sources.", "write a TARGET, or --sample TABLE.")
    options: dict[str, Any] = {"archive": args.archive, "output": args.output, "interlopers": args.interlopers}
    options |= {"radius": _quantity(args.radius, "2 arcmin"), "events": args.events}
    if args.interloper_radius:
        options["interloper_radius"] = _quantity(args.interloper_radius, "1 arcmin")
    if args.sample:
        if args.region or args.name or args.extended:
            raise RequestError(
                "--region, --name and --extended are of one source.", "give columns name and kind in the table."
            )
        return xs.Sample.from_table(args.sample, mutual_interlopers=args.mutual, **options)
    cls = xs.ExtendedSource if args.extended else xs.PointSource
    return cls(target_of(args.target), name=args.name, region=args.region, **options)


def _quantity(text: str, example: str) -> Quantity:
    import astropy.units as u

    try:
        return u.Quantity(text)
    except (TypeError, ValueError) as error:
        raise RequestError(str(error), f"write a number and a unit, e.g. '{example}'.") from error


def commands() -> tuple[str, ...]:
    """Return what can be made: the plural methods that the kinds of products name."""
    from xtendsrc.products.kinds import kinds

    return tuple(kind.command for kind in kinds() if kind.command)


def _options(args: argparse.Namespace, method: Any) -> dict[str, Any]:
    """Return the options that were given, as far as a method has them."""
    import astropy.units as u

    given: dict[str, Any] = {
        "obs_id": args.obs_id,
        "dataclass": args.dataclass,
        "energy": [_pair(text, "energy", "0.6 2") for text in args.energy] * u.keV if args.energy else None,
        "binning": args.binning,
        "bin": [_quantity(text, "200 s") for text in args.bin] if args.bin else None,
        "gti": args.gti,
        "background": _background(args.background),
        "response": args.response,
        "grouping": args.grouping,
    }
    known = inspect.signature(method).parameters
    options = {name: value for name, value in given.items() if value is not None and name in known}
    if options.get("response") == "none":
        options["response"] = None
    return options


def _background(text: str) -> Any:
    if text in ("auto", "none") or Path(text).is_file():
        return text
    return _pair(text, "background", "1.5 3")


def _pair(text: str, option: str, example: str) -> tuple[float, float]:
    try:
        low, high = (float(word) for word in PAIR.sub(" ", text).split())
    except ValueError as error:
        raise RequestError(
            f"--{option} {text!r} is not understood.", f"write two numbers, for example --{option} '{example}'."
        ) from error
    return low, high
