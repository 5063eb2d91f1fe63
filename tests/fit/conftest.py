"""A simulated spectrum of known truth with its responses, and XSPEC's model library where it is installed."""

import pytest

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
