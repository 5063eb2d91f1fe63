"""Sphinx configuration. Nothing here needs a network: the site builds on a machine that is offline."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import xtendsrc

HERE = Path(__file__).parent
(HERE / "tutorials").mkdir(exist_ok=True)
for tutorial in (HERE.parent / "tutorials").glob("*.md"):  # they are for readers of the repository too
    copy = HERE / "tutorials" / tutorial.name
    if not copy.exists() or copy.read_bytes() != tutorial.read_bytes():
        shutil.copyfile(tutorial, copy)

project = "xtendsrc"
author = "The xtendsrc developers"
copyright = f"2026, {author}"
version = release = xtendsrc.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
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
