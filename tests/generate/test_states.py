"""What makes a product stale, which engine makes it, and what becomes of products whose needs failed."""

import gzip
import shutil
from pathlib import Path

import pytest

import xtendsrc as xs
from xtendsrc.generate import run
from xtendsrc.generate.plan import States
from xtendsrc.products.image.request import ImageRequest


@pytest.fixture
def own(archive, tmp_path):
    """An observation whose files the test may change."""
    shutil.copytree(archive / "900001010", tmp_path / "archive" / "900001010")
    return tmp_path / "archive"


def opened(own, position, tmp_path):
    return xs.PointSource(position, archive=own, output=tmp_path / "out", name="star").spectrum(response=None)


def test_a_changed_input_of_a_need_makes_a_product_stale(own, position, tmp_path):
    """A spectrum reads events only; the exposure map that scales it reads the attitude file, too."""
    before = opened(own, position, tmp_path)
    (attitude,) = (Path(p) for p in before.target.files["ehk"])
    assert "ehk" not in before.request.roles
    old = States().of(before.request, before.target)[0], States().of(before.request.spectrum, before.target)[0]
    data = gzip.decompress(attitude.read_bytes()) if attitude.suffix == ".gz" else attitude.read_bytes()
    changed = data[:-1] + bytes([data[-1] ^ 1])
    attitude.write_bytes(gzip.compress(changed) if attitude.suffix == ".gz" else changed)
    after = opened(own, position, tmp_path)
    new = States().of(after.request, after.target)[0], States().of(after.request.spectrum, after.target)[0]
    assert new[0] != old[0]
    assert new[1] == old[1]


def test_a_new_algorithm_makes_earlier_products_stale(full, monkeypatch):
    image = full.image(binning=8).compute()
    assert image.status == "ready"
    monkeypatch.setattr(ImageRequest, "schema", ImageRequest.schema + 1)
    again = full.image(binning=8)
    assert again.key == image.key
    assert again.status == "stale"
    assert "algorithm" in again.status_reason
    assert len(again.compute().path.read_bytes()) > 0
    assert again.status == "ready"


@pytest.mark.parametrize("units", ["one", "each its own"])
def test_what_needs_a_failed_product_fails_for_that_reason(units, full, position, tmp_path, monkeypatch):
    """The raw spectrum of a region off the field fails; its scaled spectrum is not even tried."""
    if units == "each its own":
        monkeypatch.setattr(run, "WEIGHT_OF_A_UNIT", 0.1)
    source = xs.PointSource(position, archive=full.observation.path.parent, output=tmp_path / "out", name="star")
    off = tmp_path / "off.reg"
    off.write_text('fk5\ncircle(86.0,-69.6,60")\n')
    good = source.spectrum(obs_id="900001010", response=None, background="none")
    bad = xs.PointSource(
        position, archive=full.observation.path.parent, output=tmp_path / "out", name="off", region=off
    ).spectrum(obs_id="900001010", response=None, background="none")
    report = xs.compute(bad, good, jobs=2, quiet=True)
    reasons = {o.key: o.reason for o in report.failed}
    assert set(reasons) == {bad.key, bad.request.spectrum.key}
    assert reasons[bad.key] == "the spectrum it needs could not be made"
    assert good.status == "ready"


def test_the_engine_of_a_product_comes_before_the_settings(full):
    with xs.settings(engine="heasoft"):
        assert xs.plan(full.image(binning=8, engine="native"))["engine"].tolist() == ["native"]
        assert "HEASoft" in xs.plan(full.image(binning=8))["reason"][0]
        assert xs.plan(full.image(binning=8), engine="native")["engine"].tolist() == ["native"]
    with xs.settings(engine="native"):
        assert "HEASoft" in xs.plan(full.image(binning=8, engine="heasoft"))["reason"][0]
