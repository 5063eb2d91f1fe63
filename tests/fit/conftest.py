"""A simulated spectrum of known truth with its responses, and XSPEC's model library where it is installed."""

import os
from pathlib import Path

import pytest
from platformdirs import user_cache_path

import xtendsrc as xs
from tests.products.conftest import small as small
from tests.products.conftest import truth as truth
from xtendsrc.fit import library


@pytest.fixture(scope="session")
def xspec():
    """The library in a process of its own."""
    if not library.installed():
        pytest.skip("needs XSPEC's model library: pip install 'xtendsrc[xspec-library]'")
    with library.LibraryModels(timeout=60) as models:
        yield models


@pytest.fixture(scope="session")
def atomdb_root():
    """AtomDB's tables of version 3.0.9, up to ``_line.fits``; they are not part of the repository."""
    fetched = Path(__file__).parents[2] / ".atomdb"
    places = [os.environ.get("XTENDSRC_ATOMDB"), fetched, user_cache_path("xtendsrc") / "atomdb"]
    for place in filter(None, places):
        if (Path(place) / "apec_v3.0.9_line.fits").is_file():
            return Path(place) / "apec_v3.0.9"
    pytest.skip("needs AtomDB's tables 3.0.9: `make atomdb`, or their directory in XTENDSRC_ATOMDB")


@pytest.fixture
def atomdb(atomdb_root):
    """AtomDB's tables in the settings."""
    with xs.settings(atomdb=atomdb_root):
        yield atomdb_root
