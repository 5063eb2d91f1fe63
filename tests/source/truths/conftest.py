"""The benchmark's code on known rates, and helpers that count events without the package's own selections."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def known_rates():
    """The module ``benchmarks/known_rates.py``."""
    path = Path(__file__).parents[3] / "benchmarks" / "known_rates.py"
    spec = importlib.util.spec_from_file_location("known_rates", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
