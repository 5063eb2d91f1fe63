"""``xtendsrc simulate``: write a simulated observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    import argparse

    from astropy.coordinates import SkyCoord

    from xtendsrc.simulate import Source


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "simulate",
        help="write a simulated observation in the archive's names and formats",
        description="Write a simulated observation: directory/OBSID/{auxil,xtend,log}. The truth is in log/.",
    )
    parser.add_argument("directory", help="where the tree is made")
    parser.add_argument("obs_id", help="nine digits, e.g. 900001010")
    parser.add_argument("--target", default="81.259 -69.644", help="nominal pointing, RA and Dec in deg (ICRS)")
    parser.add_argument(
        "--source",
        action="append",
        metavar="'RA DEC RATE [INDEX]'",
        help="a point source: deg, deg, on-axis counts/s in 0.5-10 keV, photon index (1.8); may be repeated. "
        "Without it, one of 0.5 counts/s lies at the target",
    )
    parser.add_argument("--exposure", default="20 ks", help="good time, dead time of its frames included (20 ks)")
    parser.add_argument("--dataclass", action="append", help="data class (300000a0); may be repeated")
    parser.add_argument("--roll", default="0 deg", help="PA_NOM (0 deg)")
    parser.add_argument("--name", default="SIMULATED", help="OBJECT keyword")
    parser.add_argument("--seed", type=int, default=0, help="seed; the same seed gives the same bytes (0)")
    parser.add_argument("--split", type=int, default=1, help="number of pieces of each event file (1)")
    parser.add_argument(
        "--good-time", choices=("frames", "coarse"), default="frames", help="one interval a frame, or whole stretches"
    )
    parser.add_argument("--plain", action="store_true", help="do not gzip")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing tree")
    parser.set_defaults(run=run)


def _numbers(text: str, counts: tuple[int, ...], what: str) -> list[float]:
    try:
        values = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise RequestError(f"{what} {text!r} is not understood.", "see xtendsrc simulate --help.")
    return values


def _position(ra: float, dec: float, what: str) -> SkyCoord:
    from astropy.coordinates import SkyCoord

    try:
        return SkyCoord(ra, dec, unit="deg")
    except ValueError as error:
        raise RequestError(f"{what} at {ra:g} {dec:g} is not on the sky: {error}", "give RA and Dec in deg.") from error


def _source(text: str, number: int) -> Source:
    import astropy.units as u

    from xtendsrc.simulate import PowerLaw, Source

    ra, dec, rate, *index = _numbers(text, (3, 4), "The source")
    return Source(
        _position(ra, dec, "The source"), PowerLaw(*(index or [1.8])), rate=rate * u.ct / u.s, name=f"source {number}"
    )


def run(args: argparse.Namespace) -> int:
    """Make the tree and print where it is."""
    import astropy.units as u

    from xtendsrc.simulate import Conditions, Files, observation

    ra, dec = _numbers(args.target, (2,), "The target")
    texts = args.source or [f"{ra} {dec} 0.5"]
    tree = observation(
        args.directory,
        args.obs_id,
        _position(ra, dec, "The target"),
        [_source(text, number) for number, text in enumerate(texts, start=1)],
        exposure=_quantity(args.exposure, u.s),
        dataclasses=args.dataclass or "300000a0",
        roll=_quantity(args.roll, u.deg),
        seed=args.seed,
        conditions=Conditions(object_name=args.name),
        files=Files(compress=not args.plain, split=args.split, overwrite=args.overwrite, good_time=args.good_time),
    )
    print(tree)
    return 0


def _quantity(text: str, unit: object) -> object:
    import astropy.units as u

    try:
        value = u.Quantity(text)
        value.to(unit)
    except (TypeError, ValueError) as error:
        raise RequestError(f"{text!r} is not in {unit}.", f"give a number and its unit, e.g. '20 {unit}'.") from error
    return value
