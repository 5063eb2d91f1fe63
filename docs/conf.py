"""Sphinx configuration. Nothing here needs a network: the site builds on a machine that is offline."""

from __future__ import annotations

import shutil
import tomllib
import warnings
import zlib
from pathlib import Path

import xtendsrc

HERE = Path(__file__).parent
(HERE / "tutorials").mkdir(exist_ok=True)
for tutorial in (HERE.parent / "tutorials").glob("*.md"):  # they are for readers of the repository too
    copy = HERE / "tutorials" / tutorial.name
    if not copy.exists() or copy.read_bytes() != tutorial.read_bytes():
        shutil.copyfile(tutorial, copy)


def inventory(project: str, names: dict[str, str]) -> Path:
    """Write what intersphinx reads: names, their kinds and where they are documented."""
    rows = (f"{name} {where.split()[0]} 1 {where.split()[1]} -" for name, where in names.items())
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
    path = HERE / "_build" / "inventories" / f"{project}.inv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        f"{head}# The remainder of this file is compressed using zlib.\n".encode()
        + zlib.compress("\n".join(rows).encode())
    )
    return path


LINKS = tomllib.loads((HERE / "links.toml").read_text(encoding="utf-8"))

project = "xtendsrc"
author = "The xtendsrc developers"
copyright = f"2026, {author}"
version = release = xtendsrc.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
]
root_doc = "index"
smartquotes = False  # 2' and 7" are angles
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]

# pages and notebooks
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True

# reference
autosummary_generate = True
autodoc_typehints = "none"  # types stand in the docstrings, in the words a user writes
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# links: names in backticks are Python's, ours or those of links.toml; words of parameter types likewise
default_role = "py:obj"
intersphinx_mapping = {name: (site["url"], str(inventory(name, site["names"]))) for name, site in LINKS.items()}
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # words that are no type
numpydoc_xref_aliases = {
    **{full.rpartition(".")[2]: full for site in LINKS.values() for full in site["names"] if full != "array_like"},
    **{name: f"xtendsrc.{name}" for name in xtendsrc.__all__ if name[0].isupper()},
    "array": "numpy.ndarray",
    "callable": "collections.abc.Callable",
    "iterable": "collections.abc.Iterable",
    "mapping": "collections.abc.Mapping",
    "path": "pathlib.Path",
    "sequence": "collections.abc.Sequence",
    "EventList": "xtendsrc.events.eventlist.EventList",
    "RegionSet": "xtendsrc.regions.RegionSet",
    "Shape": "xtendsrc.regions.Shape",
}

# looks
html_theme = "pydata_sphinx_theme"
html_title = "xtendsrc"
html_static_path = ["_static"]
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_show_sourcelink = False

# a theme or an extension that is about to change must not stop the site from building
warnings.filterwarnings("ignore", category=DeprecationWarning)
