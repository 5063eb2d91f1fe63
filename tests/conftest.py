"""Fixtures that every test may use: a small simulated archive, quiet settings, and no traces outside tmp_path."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ["MPLBACKEND"] = "Agg"
# the same examples in every run; `pytest --hypothesis-profile=default` looks for new ones
# and no judgement by the clock: a busy machine makes no example wrong
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

CENTRE = (81.2591, -69.6437)
NOT_BY_DEFAULT = {
    "slow": "takes long: `make test-slow`",
    "soak": "takes 20 minutes: `make soak`",
    "remote_data": "talks to the real archive: `pytest --also remote_data`",
    "heasoft": "needs HEASoft: `pytest --also heasoft`",
    "xga": "needs the package xga: `pytest --also xga`",
}


def pytest_addoption(parser):
    parser.addoption("--also", action="append", default=[], choices=NOT_BY_DEFAULT, help="run tests of this mark, too")


def pytest_collection_modifyitems(config, items):
    """Skip, with the reason, what is not run by default."""
    left_out = {name: why for name, why in NOT_BY_DEFAULT.items() if name not in config.getoption("--also")}
    for item in items:
        for name, why in left_out.items():
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"{name}: {why}"))


@pytest.fixture(autouse=True)
def _quiet(monkeypatch, tmp_path):
    """No progress bars, no HEASoft of the machine, and caches below tmp_path."""
    import xtendsrc as xs

    monkeypatch.delenv("HEADAS", raising=False)
    monkeypatch.setenv("XTENDSRC_CACHE", str(tmp_path / "cache"))
    with xs.settings(progress=False):
        yield


@pytest.fixture(scope="session")
def position():
    from astropy.coordinates import SkyCoord

    return SkyCoord(*CENTRE, unit="deg")


@pytest.fixture(scope="session")
def archive(tmp_path_factory, position) -> Path:
    """Two observations of one star: full window, and a windowed pair."""
    import astropy.units as u

    from xtendsrc import simulate

    root = tmp_path_factory.mktemp("archive")
    star = simulate.Source(position, simulate.PowerLaw(1.8), rate=1.0 * u.ct / u.s, name="star")
    for number, (obs_id, classes) in enumerate(
        {"900001010": ("300000a0",), "900002010": ("31100010", "32000010")}.items()
    ):
        simulate.observation(
            root,
            obs_id,
            position,
            [star],
            exposure=5 * u.ks,
            dataclasses=classes,
            roll=(20 + 200 * number) * u.deg,
            seed=number,
        )
    return root


@pytest.fixture
def source(archive, position, tmp_path):
    import astropy.units as u

    import xtendsrc as xs

    return xs.PointSource(position, radius=2 * u.arcmin, name="star", archive=archive, output=tmp_path / "out")


@pytest.fixture
def full(archive, tmp_path):
    """The full-window data class."""
    import xtendsrc as xs

    return xs.Observation(archive / "900001010", output=tmp_path / "out").dataclasses["300000a0"]


@pytest.fixture(scope="session")
def star(archive, position, tmp_path_factory):
    """The simulated star with the products of one observation made once; nothing here may change them."""
    import astropy.units as u

    import xtendsrc as xs

    source = xs.PointSource(
        position, radius=2 * u.arcmin, name="a <star> & more", archive=archive, output=tmp_path_factory.mktemp("star")
    )
    one = {"obs_id": "900001010"}
    products = [source.images(energy=(0.5, 2) * u.keV, binning=(1, 4), **one), source.expmaps(binning=4, **one)]
    products += [source.lightcurves(bin=200 * u.s, **one), source.spectra(response="nominal", **one)]
    xs.compute(*products, progress=False).raise_for()
    return source
