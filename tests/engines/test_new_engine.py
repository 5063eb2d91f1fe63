"""An engine from one file outside the package is asked for by name, and its products are the same."""

import importlib
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest

import xtendsrc as xs
from xtendsrc import engines
from xtendsrc.engines.protocol import Engine

EXTENDING = Path(__file__).parents[2] / "docs" / "extending"


@pytest.fixture
def histogram(monkeypatch):
    monkeypatch.syspath_prepend(EXTENDING)
    monkeypatch.setattr(engines, "_registered", {})
    module = importlib.import_module("histogram_engine")
    engines.register(module.HISTOGRAM)
    yield module
    sys.modules.pop("histogram_engine")


def test_its_images_have_the_native_counts(histogram, full):
    assert isinstance(histogram.HISTOGRAM, Engine)
    other = full.image((0.5, 2) * u.keV, binning=10, engine="histogram").compute()
    assert other.provenance["engine"] == "histogram"
    assert other.provenance["versions"] == {"numpy": np.__version__}
    counts = other.data.copy()
    own = full.image((0.5, 2) * u.keV, binning=10, engine="native")
    assert own == other
    assert len(xs.compute(own).made) == 1
    assert own.provenance["engine"] == "native"
    np.testing.assert_array_equal(counts, own.data)


def test_it_is_not_asked_for_what_it_does_not_make(histogram, full):
    with xs.settings(engine="histogram"):
        table = xs.plan(full.expmap())
    assert "the histogram engine makes no expmap" in table["reason"][0]
