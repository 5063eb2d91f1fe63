"""Names, arguments and types that users' scripts rely on."""

import inspect

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from astropy.wcs import WCS

import xtendsrc as xs
from xtendsrc.events.gti import GTI


def arguments(function):
    return {n: p.default for n, p in inspect.signature(function).parameters.items() if n != "self"}


def test_signatures(full):
    promised = {"delta": None, "numphi": None, "frame": "SKY", "binning": 1, "mask_calibration": True, "engine": "auto"}
    found = arguments(full.expmap)
    assert list(found)[: len(promised)] == list(promised)
    assert promised.items() <= found.items()
    assert {"jobs": None, "executor": None, "engine": "auto", "progress": True, "force": False}.items() <= arguments(
        xs.compute
    ).items()
    assert {"kind": None, "source": None, "obs_id": None}.items() <= arguments(xs.Registry.table).items()


def test_an_observation_and_its_events(full):
    assert full.obs_id == "900001010"
    events = full.events
    assert len(events) == len(events["PI"]) > 1000
    assert isinstance(events.gti, GTI)
    assert events.header["DATACLAS"] == "300000a0"


def test_an_image(full, tmp_path):
    image = full.image(channels=(83, 1666), binning=4, frame="SKY")
    assert image.data.dtype == np.int32
    assert image.data.shape == (607, 607)
    assert isinstance(image.wcs, WCS)
    assert isinstance(image.header, fits.Header)
    assert image.path.is_relative_to(tmp_path)
    assert full.image((0.5, 10) * u.keV, binning=4).key == image.key
    assert full.image(frame="DET", binning=2).data.shape == (905, 905)


@pytest.fixture
def region(full, tmp_path, position):
    x, y = full.geometry.icrs_to_sky(position)
    path = tmp_path / "src.reg"
    path.write_text(f"physical\ncircle({x},{y},60)\n")
    return path


def test_a_light_curve(full, region):
    start = float(full.gti.start[0]) - 64
    curve = full.lightcurve(region=region, channels=(83, 1666), bin=200 * u.s, min_fraction=0.0, start=start)
    assert isinstance(curve.table, Table)
    assert curve.table.colnames[:4] == ["TIME", "RATE", "ERROR", "FRACEXP"]
    assert isinstance(curve.time, Time)
    assert len(curve.time) == len(curve.table)
    assert curve.header["EXTNAME"] == "RATE"
    assert curve.path.exists()
    same = full.lightcurve(region=str(region), channels=(83, 1666), start=xs_time(start))
    assert same.table["TIME"][0] == pytest.approx(curve.table["TIME"][0], abs=1e-3)


def xs_time(seconds):
    from xtendsrc.events.time import mission_time

    return mission_time(seconds)


def test_a_spectrum(full, region, position):
    from regions import CircleSkyRegion

    spectrum = full.spectrum(region=region, exclude_calibration=False)
    assert spectrum.counts.shape == spectrum.channels.shape == (4096,)
    assert spectrum.counts.dtype.kind == "i"
    assert spectrum.exposure.unit == u.s
    assert isinstance(spectrum.backscal, float)
    assert spectrum.path.exists()
    assert spectrum.background is None
    sky = CircleSkyRegion(position, 60 * xs.instrument.PIXEL_ARCSEC * u.arcsec)
    for given in (sky, [sky], xs.regions.RegionSet.of(sky)):
        np.testing.assert_array_equal(full.spectrum(given).counts, spectrum.counts)


def test_what_every_product_has(full):
    image = full.image(binning=8)
    assert (len(image.key), image.status, bool(image.status_reason)) == (32, "missing", True)
    assert image.compute() is image
    assert (image.status, image.status_reason) == ("ready", "")
    assert image.provenance["engine"] == "native"
    assert isinstance(image.log, str)
    ax = image.view()
    assert image.view(ax=ax) is ax


def test_exposure_and_rate_maps(full, position):
    expmap = full.expmap(binning=4)
    image = full.image(binning=4)
    assert isinstance(expmap.wcs, WCS)
    assert expmap.exposure.to_value(u.s) == pytest.approx(full.gti.total)
    assert expmap.data.max() <= full.gti.total * (1 + 1e-6)
    rates = xs.RateMap(image, expmap)
    good = rates.sensor_mask
    np.testing.assert_allclose(rates.data[good], image.data[good] / (expmap.data[good] * full.events.deadc), rtol=1e-5)


def test_a_source_spectrum_can_be_read_back_with_its_companions(source):
    spectrum = source.spectrum(obs_id="900001010", response="nominal").compute()
    read = xs.Spectrum.read(spectrum.path)
    np.testing.assert_array_equal(read.counts, spectrum.counts)
    assert read.background.counts.sum() == spectrum.background.counts.sum()
    assert read.rmf.matrix.shape == (6400, 4096)
    assert read.arf.area.unit == u.cm**2
    assert xs.RMF.read(spectrum.rmf.path).matrix.nnz == read.rmf.matrix.nnz
    assert xs.ARF.read(spectrum.arf.path).area_cm2.max() > 50
    assert read.grouped("min 1").counts.sum() == read.counts.sum()


def test_the_registry(full, tmp_path):
    full.image(binning=8).compute()
    registry = xs.Registry(tmp_path / "out")
    assert len(registry.table(kind="image", obs_id="900001010")) == 1
    assert len(registry.table(source="nobody")) == 0
    assert len(registry.verify()) == 0
    registry.prune()
    registry.rebuild()
    assert len(registry.table()) == 1
    assert len(xs.plan(full.image(binning=8))) == 0
