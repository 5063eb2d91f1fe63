"""The simulated spectrum of known truth with its responses."""

from tests.products.conftest import small as small
from tests.products.conftest import truth as truth
