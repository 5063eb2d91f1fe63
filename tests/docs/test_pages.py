"""The code in README and pages runs as it is printed: a page goes on from the five-minute start."""

import ast
import gzip
import re
from pathlib import Path

import pytest

from xtendsrc.products import Products
from xtendsrc.products.base import Product

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guide").glob("*.md"))
    if "```python" in path.read_text(encoding="utf-8")
)
START = "docs/start.md"
CALIBRATION = {"telescope.fits": "tel20", "reftrans.fits": "ref", "scatter.fits": "scat10"}
"""Calibration files that pages name, and what stands for them."""

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(page, names):
    """Run the blocks of a page one after the other; line numbers of errors are those of the page.

    Gives the names that the page assigns.
    """
    import matplotlib.pyplot as plt

    assigned = set()
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        lines = "\n" * text[: block.start(1)].count("\n")
        tree = ast.parse(lines + block.group(1), page)
        exec(compile(tree, page, "exec"), names)
        targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
        assigned |= {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
        plt.close("all")
    return assigned


def products_of(names):
    """Products among the values of names, also in collections of them."""
    for value in names.values():
        if isinstance(value, Product):
            yield value
        elif isinstance(value, Products):
            yield from value


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Directory and names that the five-minute start leaves behind."""
    import xtendsrc as xs

    directory, names = tmp_path_factory.mktemp("start"), {}
    for name, file in CALIBRATION.items():
        (directory / name).write_bytes(gzip.decompress((ROOT / f"tests/data/arf/{file}.fits.gz").read_bytes()))
    with pytest.MonkeyPatch.context() as patch, xs.settings(progress=False, engine="native"):
        patch.chdir(directory)
        run(START, names)
    return directory, names


def test_start_makes_what_it_says(started):
    directory, names = started
    assert not names["report"].failed
    assert (directory / "curve.png").stat().st_size > 10_000
    assert names["spectra"][0].path.is_relative_to(directory / "XRISM_output")


@pytest.mark.parametrize("page", [page for page in PAGES if page != START])
def test_page(page, started, monkeypatch, capsys):
    directory, names = started
    monkeypatch.chdir(directory)
    mine = dict(names)
    assigned = run(page, mine)
    assert assigned <= mine.keys()
    failed = {p.request.label for p in products_of(mine) if p.status == "failed"}
    assert failed == set()
    printed = capsys.readouterr().out
    assert assigned or printed
    assert "Traceback" not in printed


def test_every_command_is_on_the_page_of_commands():
    from xtendsrc.cli import COMMANDS

    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"`xtendsrc {name}`" not in page] == []


def test_every_page_is_in_the_navigation():
    docs = ROOT / "docs"
    listed = set(re.findall(r"^(?:[a-z-]+/)*[a-z-]+$", (docs / "index.md").read_text(encoding="utf-8"), re.MULTILINE))
    pages = {
        path.relative_to(docs).with_suffix("").as_posix()
        for path in docs.rglob("*.md")
        if not {"_build", "generated", "tutorials"} & set(path.relative_to(docs).parts)
    }
    assert pages - listed == {"index"}
    assert {name for name in listed if "/" in name} - pages == {"tutorials/getting-started"}


def test_every_class_and_function_of_the_top_level_is_in_the_reference():
    import xtendsrc

    page = (ROOT / "docs" / "api" / "index.md").read_text(encoding="utf-8")
    top = "\n".join(re.findall(r"currentmodule:: xtendsrc\n(.*?)```", page, re.DOTALL))
    listed = set(re.findall(r"^   (\w+)$", top, re.MULTILINE))
    public = {name for name in xtendsrc.__all__ if callable(getattr(xtendsrc, name))}
    in_sections_of_their_own = {"XtendsrcError", "fit", "settings"}
    assert public - listed - in_sections_of_their_own == set()


def test_every_benchmark_is_explained():
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    scripts = [path.name for path in (ROOT / "benchmarks").glob("*.py")]
    assert [name for name in scripts if f"`{name}`" not in page] == []


def test_signatures_show_the_options_of_products():
    import inspect

    from xtendsrc import Source

    shown = inspect.signature(Source.lightcurves).parameters
    assert shown.keys() >= {"energy", "channels", "bin", "background", "engine", "gti", "grades", "obs_id", "dataclass"}
    assert not [name for name, parameter in shown.items() if parameter.kind is inspect.Parameter.VAR_KEYWORD]
