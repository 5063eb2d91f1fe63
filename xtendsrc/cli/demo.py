"""``xtendsrc demo``: the main job from an observation directory to viewed products, on simulated data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from astropy.coordinates import SkyCoord

    from xtendsrc.products.base import Product
    from xtendsrc.source.source import Source

SEED = 20190101
OBSERVATIONS = {"900001010": ("300000a0",), "900002010": ("31100010", "32000010")}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "demo",
        help="run the whole chain on simulated observations",
        description="Simulate a full-window and a windowed observation of a point source, make their products through "
        "the public interface, and write FITS files, pictures and a table below DIRECTORY.",
    )
    parser.add_argument("directory", nargs="?", default="demo_output", help="where everything goes (demo_output)")
    parser.add_argument("--engine", choices=("auto", "native", "heasoft"), default="auto", help="what makes products")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate, make, draw, and say what was done."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from regions import CircleSkyRegion

    import xtendsrc as xs

    started = time.perf_counter()
    root = Path(args.directory)
    position = SkyCoord(81.2591, -69.6437, unit="deg")
    _simulate(root / "archive", position)
    with xs.settings(engine=args.engine):
        source = xs.PointSource(
            position,
            radius=2 * u.arcmin,
            name="Demo source",
            interlopers=CircleSkyRegion(_cloud(position), 4.5 * u.arcmin),
            archive=root / "archive",
            output=root / "products",
        )
        products = _declare(source)
        report = xs.compute(products)
        report.raise_for()
        again = xs.compute(products)
        print(f"First run:  {report}")
        print(f"Second run: {again}")
        pictures = _draw(source, products, root / "pictures")
    _print_table(products, pictures)
    print(f"Done in {time.perf_counter() - started:.0f} s.")
    return 0


def _cloud(position: SkyCoord) -> SkyCoord:
    """Where the extended source beside the star is."""
    import astropy.units as u

    return position.directional_offset_by(300 * u.deg, 9 * u.arcmin)


def _simulate(archive: Path, position: SkyCoord) -> None:
    """Write the two observations unless they are there: a steady star in a small crowd, and the star flickering."""
    import astropy.units as u
    import numpy as np

    from xtendsrc import simulate

    def flicker(seconds: np.ndarray) -> np.ndarray:
        return 1 + 0.6 * np.sin(2 * np.pi * seconds / 9000.0)

    star = simulate.Source(position, simulate.PowerLaw(1.8), rate=1.2 * u.ct / u.s, name="star", lightcurve=flicker)
    cloud = simulate.Source(
        _cloud(position),
        simulate.Thermal(2.5),
        rate=1.5 * u.ct / u.s,
        shape=simulate.Beta(1.2 * u.arcmin),
        name="cloud",
    )
    for number, (obs_id, classes) in enumerate(OBSERVATIONS.items()):
        if not (archive / obs_id).exists():
            print(f"Simulating observation {obs_id} ({', '.join(classes)}) ...")
            simulate.observation(
                archive,
                obs_id,
                position,
                [star, cloud],
                exposure=30 * u.ks,
                dataclasses=classes,
                roll=(30 + 230 * number) * u.deg,
                seed=SEED + number,
            )


def _declare(source: Source) -> list[Any]:
    import astropy.units as u

    bands = [(0.5, 2), (2, 10)] * u.keV
    response = "nominal" if not _calibrated() else "calibrated"
    return [
        source.images(energy=bands, binning=(1, 4)),
        source.expmaps(binning=4),
        source.lightcurves(bin=200 * u.s),
        source.spectra(response=response),
    ]


def _calibrated() -> bool:
    from xtendsrc.products.kinds import available

    return all(available(kind, "heasoft")[0] for kind in ("rmf", "arf", "raytrace"))


def _draw(source: Source, products: list[Any], pictures: Path) -> dict[str, Path]:
    """Draw one picture of each kind of product and observation."""
    import astropy.units as u

    images, expmaps, curves, spectra = products
    drawn: dict[str, Path] = {}

    def draw(product: Product, name: str, **options: Any) -> None:
        path = pictures / f"{product.obs_id}_{product.dataclass}_{name}.png"
        drawn[product.key] = product.save_view(path, **options)

    for image in images.select(binning=4):
        low, high = image.energy.to_value(u.keV)
        draw(image, f"image_{low:.1f}-{high:.1f}keV", smooth=1.0, view_regions=True)
    for image in images.select(binning=1):
        low, high = image.energy.to_value(u.keV)
        draw(image, f"zoom_{low:.1f}-{high:.1f}keV", view_regions=True, zoom_in=True)
    for expmap in expmaps:
        draw(expmap, "expmap")
    for curve in curves:
        draw(curve, "lightcurve")
    for spectrum in spectra:
        draw(spectrum, "spectrum")
    for dc in source.dataclasses():
        from xtendsrc.products.image.view import view_source_regions
        from xtendsrc.view import save

        image = images.select(obs_id=dc.obs_id, dataclass=str(dc.code), binning=4)[0]
        path = pictures / f"{dc.obs_id}_{dc.code}_regions.png"
        background = source.background_region(dc)
        save(view_source_regions, image, path, source=source, background=background, smooth=1.0)
    return drawn


def _print_table(products: list[Any], pictures: dict[str, Path]) -> None:
    print(f"\n{'ObsID':10} {'class':9} {'product':36} {'engine':8} file")
    for product in (p for group in products for p in group):
        engine = product.provenance["engine"]
        print(f"{product.obs_id:10} {product.dataclass:9} {product.request.label:36} {engine:8} {product.path}")
    place = next(iter(pictures.values())).parent
    print(f"\n{len(list(place.glob('*.png')))} pictures in {place}")
