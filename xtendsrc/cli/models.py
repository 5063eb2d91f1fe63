"""``xtendsrc models list|fetch``: components of spectral models, and the tables that plasmas need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "models",
        help="components of spectral models; fetch the tables that apec needs",
        description="'list' shows the components whose names hold WORD, and which engines evaluate them. 'fetch' "
        "brings AtomDB's tables from AtomDB's own site and condenses them; a download that broke off goes on where it "
        "stopped.",
    )
    parser.add_argument("action", choices=("list", "fetch"), help="what to do")
    parser.add_argument("word", nargs="?", default="", metavar="WORD", help="part of a name")
    parser.add_argument("--version", dest="atomdb", help="version of AtomDB to fetch (3.0.9)")
    parser.add_argument("--into", type=Path, help="directory for the tables; the cache if not given")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List, or fetch."""
    return _list(args.word) if args.action == "list" else _fetch(args)


def _list(word: str) -> int:
    from xtendsrc.fit.catalogue import models

    table = models()
    table = table[[word.lower() in name for name in table["name"]]]
    if not len(table):
        print(f"No component has {word!r} in its name.")
        return 1
    print("\n".join(table.pformat(max_lines=-1, max_width=-1)))
    return 0


def _fetch(args: argparse.Namespace) -> int:
    from tqdm.auto import tqdm

    from xtendsrc.archive import atomdb as site
    from xtendsrc.fit import atomdb
    from xtendsrc.settings import cache_directory, settings

    into = args.into or cache_directory() / "atomdb"
    version = args.atomdb or site.DEFAULT
    with tqdm(desc=f"AtomDB {version}", unit="B", unit_scale=True, disable=not settings.progress) as bar:
        lines, continua = site.fetch_tables(into, version, tell=bar.update)
    with settings(atomdb=lines.with_name(lines.name.removesuffix("_line.fits"))):
        tables = atomdb.load()
    checked = "compared with their known SHA-256" if lines.name in site.KNOWN else "read through (no checksum is known)"
    print(f"{lines}\n{continua}\n{tables.temperatures.size} temperatures, {checked}")
    if args.into:
        print(f"Use them with xs.settings.atomdb = {str(into)!r}.")
    return 0
