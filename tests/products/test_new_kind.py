"""A kind of product from one file outside the package goes all the way: compute, registry, staleness, view, sample."""

import importlib
import sys
from pathlib import Path

import astropy.units as u
import matplotlib.axes
import numpy as np
import pytest

import xtendsrc as xs
from xtendsrc.products import Request, kinds

EXTENDING = Path(__file__).parents[2] / "docs" / "extending"
BANDS = {"soft": (0.5, 2) * u.keV, "hard": (2, 10) * u.keV}


@pytest.fixture
def hardness(monkeypatch):
    monkeypatch.syspath_prepend(EXTENDING)
    monkeypatch.setattr(kinds, "_registered", {})
    module = importlib.import_module("hardness")
    kinds.register(module.KIND)
    yield module
    sys.modules.pop("hardness")


def test_it_is_made_after_what_it_needs_and_found_again(hardness, source):
    maps = source.declare(hardness.Hardness, hardness.hardness_request, obs_id="900001010", **BANDS)
    assert len(xs.compute(maps, executor="serial").made) == 3
    soft, hard = (source.image(band, binning=8, obs_id="900001010").data for band in BANDS.values())
    seen = (soft + hard) > 0
    np.testing.assert_allclose(maps[0].data[seen] * (hard + soft)[seen], (hard - soft)[seen], atol=1e-4)
    assert np.isnan(maps[0].data[~seen]).all()
    again = source.declare(hardness.Hardness, hardness.hardness_request, obs_id="900001010", **BANDS)
    assert again == maps
    assert len(xs.compute(again, executor="serial").made) == 0
    assert len(source.registry.table(kind="hardness")) == 1
    assert Request.from_dict(maps[0].request.to_dict()) == maps[0].request


def test_it_is_stale_when_the_algorithm_changes(hardness, full, monkeypatch):
    (one,) = full.declare(hardness.Hardness, hardness.hardness_request, **BANDS)
    assert one.compute(executor="serial").status == "ready"
    monkeypatch.setattr(hardness.HardnessRequest, "schema", 2)
    (other,) = full.declare(hardness.Hardness, hardness.hardness_request, **BANDS)
    assert other.status == "stale"


def test_it_is_drawn_and_declared_for_samples(hardness, source, tmp_path):
    maps = xs.Sample([source]).declare(hardness.Hardness, hardness.hardness_request, obs_id="900001010", **BANDS)
    assert len(maps.select(kind="hardness")) == 1
    assert isinstance(maps[0].compute(executor="serial").view(), matplotlib.axes.Axes)
    assert maps[0].save_view(tmp_path / "hardness.png").stat().st_size > 1000
