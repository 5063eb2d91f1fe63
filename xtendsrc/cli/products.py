"""``xtendsrc products SOURCE``: make images, light curves and spectra of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    import argparse

    from astropy.units import Quantity

KINDS = ("images", "expmaps", "lightcurves", "spectra")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``xtendsrc``."""
    parser = subparsers.add_parser(
        "products",
        help="make products of a source",
        description="Make images, exposure maps, net light curves and spectra of a source from every observation that "
        "holds it. Products that are there are not made again. Exits with 1 if one could not be made.",
    )
    parser.add_argument("target", nargs="+", help="a name, or RA and Dec in degrees, or sexagesimal in quotes (ICRS)")
    parser.add_argument("--archive", default="XRISM", help="archive directory (XRISM)")
    parser.add_argument("--output", default="XRISM_output", help="output directory (XRISM_output)")
    parser.add_argument("--name", help="what to call the source")
    parser.add_argument("--radius", default="2 arcmin", help="radius of the extraction circle (2 arcmin)")
    parser.add_argument("--extended", action="store_true", help="the source is resolved")
    parser.add_argument("--kind", action="append", choices=KINDS, help="what to make; may be repeated (images)")
    parser.add_argument(
        "--energy", action="append", metavar="'LO HI'", help="band in keV for images and light curves; may be repeated"
    )
    parser.add_argument("--bin", default="200 s", help="bin of light curves (200 s)")
    parser.add_argument("--background", default="auto", choices=("auto", "none"), help="background (auto)")
    parser.add_argument("--response", default="auto", choices=("auto", "calibrated", "nominal"), help="of spectra")
    parser.add_argument("--engine", default="auto", choices=("auto", "heasoft", "native"), help="what makes them")
    parser.add_argument("--jobs", type=int, help="products at once (one a core)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the products and print what became of each; 1 if one failed."""
    import xtendsrc as xs

    source = _source(args)
    chosen: list[Any] = []
    for kind in dict.fromkeys(args.kind or ["images"]):
        chosen.extend(getattr(source, kind)(**_options(args, kind)))
    report = xs.compute(*chosen, jobs=args.jobs, engine=args.engine, quiet=True)
    lost = {outcome.key for outcome in report.failed}
    for product in chosen:
        if product.key not in lost:
            print(product.path)
    print(repr(report).replace("<", "", 1).replace(">", "", 1))
    return int(bool(lost))


def _source(args: argparse.Namespace) -> Any:
    import xtendsrc as xs
    from xtendsrc.cli.search import target_of

    kind = xs.ExtendedSource if args.extended else xs.PointSource
    radius = _quantity(args.radius, "2 arcmin")
    return kind(target_of(args.target), radius, archive=args.archive, output=args.output, name=args.name)


def _quantity(text: str, example: str) -> Quantity:
    import astropy.units as u

    try:
        return u.Quantity(text)
    except (TypeError, ValueError) as error:
        raise RequestError(str(error), f"write a number and a unit, e.g. '{example}'.") from error


def _options(args: argparse.Namespace, kind: str) -> dict[str, Any]:
    import astropy.units as u

    bands: dict[str, Any] = {}
    if args.energy:
        bands["energy"] = [_band(text) for text in args.energy] * u.keV
    if kind == "images":
        return bands
    if kind == "lightcurves":
        return {**bands, "bin": _quantity(args.bin, "200 s"), "background": args.background}
    if kind == "spectra":
        return {"background": args.background, "response": args.response}
    return {}


def _band(text: str) -> tuple[float, float]:
    try:
        low, high = (float(word) for word in text.replace("-", " ").replace(",", " ").split())
    except ValueError as error:
        raise RequestError(f"The band {text!r} is not understood.", "write for example --energy '0.6 2'.") from error
    return low, high
