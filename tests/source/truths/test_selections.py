"""Pieces of files, extended sources, interlopers, samples and good time of the user's own."""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

import xtendsrc as xs
from xtendsrc import simulate
from xtendsrc.events.time import mission_time
from xtendsrc.instrument import PIXEL_ARCSEC, Geometry
from xtendsrc.regions import RegionSet, Shape
from xtendsrc.responses import nominal

CENTRE = SkyCoord(81.259, -69.644, unit="deg")
ROLL = 110.0
CODE = "300000a0"
LIVE = 2000 - 500 * 0.036864
"""Live seconds of 2 ks in full window: 500 frames, each after a dead interval."""
DISC = 2.5
ARCMIN = 60 / PIXEL_ARCSEC


def geometry():
    fk5 = CENTRE.fk5
    return Geometry(round(float(fk5.ra.deg), 6), round(float(fk5.dec.deg), 6), ROLL)


def places():
    """A star, its neighbour 4 arcmin away, and a disc on another CCD."""
    star = geometry().det_to_icrs(700.0, 600.0)
    near = geometry().det_to_icrs(700.0 - 4 * ARCMIN, 600.0)
    return {"star": star, "near": near, "disc": geometry().det_to_icrs(1150.0, 1150.0)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """One observation twice: in one file, and in three pieces."""
    root = tmp_path_factory.mktemp("selections")
    shapes = {"disc": simulate.Disc(DISC * u.arcmin)}
    rates = {"star": 2.0, "near": 4.0, "disc": 10.0}
    sky = [
        simulate.Source(p, rate=rates[n] * u.ct / u.s, shape=shapes.get(n, simulate.Point()), name=n)
        for n, p in places().items()
    ]
    for obs_id, split in (("900001010", 1), ("900002010", 3)):
        files = simulate.Files(compress=False, split=split)
        simulate.observation(
            root, obs_id, CENTRE, sky, exposure=2 * u.ks, dataclasses=CODE, roll=ROLL * u.deg, seed=11, files=files
        )
    return root


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("output")


def truth(archive):
    record = json.loads((archive / "900001010" / "log" / "xa900001010_truth.json").read_text())
    return {s["name"]: s["rate"]["0.5-10.0"] / s["live"] for s in record["dataclasses"][CODE]["sources"]}


def circle(position, radius):
    return RegionSet("icrs", (Shape("circle", (float(position.ra.deg), float(position.dec.deg), radius / 60)),))


def distance(x, y, name):
    """Arcmin of SKY positions from a source."""
    x0, y0 = geometry().icrs_to_sky(places()[name])
    return np.hypot(x - x0, y - y0) / ARCMIN


def star(archive, output):
    return xs.PointSource(
        places()["star"], name="star", archive=archive, output=output, interlopers=circle(places()["near"], 2.6)
    )


def computed(*products):
    assert not xs.compute(*products, executor="serial").failed
    return products


def test_pieces_of_a_file_are_one_data_class(archive, output):
    source = star(archive, output)
    pair = [source.spectrum(obs_id=o, response="nominal") for o in ("900001010", "900002010")]
    curves = [source.lightcurve(obs_id=o, bin=100 * u.s) for o in ("900001010", "900002010")]
    computed(*pair, *curves)
    np.testing.assert_array_equal(pair[0].counts, pair[1].counts)
    np.testing.assert_array_equal(pair[0].background.counts, pair[1].background.counts)
    assert pair[0].exposure == pair[1].exposure
    assert pair[0].backscal == pytest.approx(pair[1].backscal, rel=1e-9)
    np.testing.assert_allclose(curves[0].rate.value, curves[1].rate.value, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(curves[0].seconds, curves[1].seconds, rtol=0, atol=1e-6)


def test_a_neighbour_is_taken_out_of_source_and_background(archive, output, known_rates):
    """Its 2.6' circle cuts into the 2' circle of the star; counted here from the events themselves."""
    source = star(archive, output)
    (spectrum,) = computed(source.spectrum(obs_id="900001010", response="nominal"))
    dc = source.observations["900001010"].dataclasses[CODE]
    x, y = (np.asarray(dc.events[n], float) for n in ("X", "Y"))
    own, other = (distance(x, y, name) for name in ("star", "near"))
    valid = np.asarray(dc.events["PI"]) >= 0
    assert spectrum.counts.sum() == (valid & (own <= 2) & (other > 2.6)).sum()
    assert (valid & (own <= 2) & (other <= 2.6)).sum() > 10
    rate, error, enclosed = known_rates.spectral_rate(spectrum)
    assert 0.8 < enclosed < 0.915
    assert abs(rate - truth(archive)["star"]) < 3.5 * error
    region = source.background_region(dc).to_pixels(dc.geometry.wcs)
    assert not region.mask(x[other < 2.6], y[other < 2.6]).any()
    row, column = np.indices(dc.expmap().data.shape) + 1.0
    inside = distance(column, row, "star") <= 2
    kept = inside & (distance(column, row, "near") > 2.6)
    assert spectrum.covered == pytest.approx(dc.expmap().data[kept].sum() / LIVE / inside.sum(), rel=1e-4)
    assert 0.7 < spectrum.covered < 0.97


def test_a_disc_gives_back_its_rate(archive, output, known_rates):
    """An extended source: the telescope blurs a quarter of its light out of its own radius."""
    source = xs.ExtendedSource(places()["disc"], DISC * u.arcmin, name="disc", archive=archive, output=output)
    (spectrum,) = computed(source.spectrum(obs_id="900001010", response="nominal"))
    rate, error, enclosed = known_rates.spectral_rate(spectrum)
    assert 0.6 < enclosed < 0.8
    assert error < 0.02 * rate
    assert abs(rate - truth(archive)["disc"]) < 3.5 * error
    area = spectrum.arf.area.to_value(u.cm**2)
    low, high = (spectrum.arf.energies[:, n].to_value(u.keV) for n in (0, 1))
    one = simulate.Source(places()["disc"], rate=10 * u.ct / u.s)
    centre = (low + high) / 2
    norm = one.photons().sum() / (one.spectrum(centre) * (high - low) * nominal.effective_area(centre)).sum()
    folded = spectrum.rmf.fold(norm * one.spectrum(centre) * (high - low) * area)[known_rates.CHANNELS].sum()
    assert folded == pytest.approx(truth(archive)["disc"] * enclosed, rel=0.01)


def test_a_sample_notes_who_is_off_the_field(archive, output):
    spots = {**places(), "elsewhere": SkyCoord(83.0, -69.0, unit="deg")}
    sample = xs.Sample(
        xs.PointSource(spots[n], name=n, archive=archive, output=output) for n in ("star", "disc", "elsewhere")
    )
    spectra = sample.spectra(obs_id="900001010", response="nominal", background="none")
    assert len(spectra) == 2
    assert list(sample.failures) == ["elsewhere"]
    assert "elsewhere" in sample.failures["elsewhere"]
    computed(*spectra)
    assert all(s.counts.sum() > 500 for s in spectra)


def test_good_time_of_the_users_own_reaches_every_product(archive, output):
    """Two halves of the observation add up to the whole, in counts, exposure and exposure map."""
    source = star(archive, output)
    dc = source.observations["900001010"].dataclasses[CODE]
    start, stop = float(dc.events.gti.start[0]), float(dc.events.gti.stop[-1])
    middle = start + 0.3 * (stop - start)
    cuts = [[(start - 1, middle)], [(middle, stop + 1)]]
    times = [[tuple(mission_time(np.array(pair)))] for (pair,) in cuts]
    whole = source.spectrum(obs_id="900001010", response="nominal")
    halves = [source.spectrum(obs_id="900001010", response="nominal", gti=cut) for cut in times]
    curves = [source.lightcurve(obs_id="900001010", gti=cut, bin=20 * u.s) for cut in times]
    maps = [dc.expmap(gti=cut) for cut in times]
    computed(whole, *halves, *curves, *maps)
    np.testing.assert_array_equal(halves[0].counts + halves[1].counts, whole.counts)
    for half, curve, (low, high) in zip(halves, curves, ((start, middle), (middle, stop)), strict=True):
        assert half.exposure.to_value(u.s) == pytest.approx((high - low) * LIVE / 2000, abs=0.04)
        assert half.backscal == pytest.approx(whole.backscal, rel=5e-3)
        assert half.background.exposure == half.exposure
        assert curve.exposed.sum().to_value(u.s) == pytest.approx((high - low) * LIVE / 2000, abs=10.1)
        with fits.open(half.arf.path) as hdus:
            assert hdus["SPECRESP"].header["ENCFRAC"] == pytest.approx(
                fits.getheader(whole.arf.path, "SPECRESP")["ENCFRAC"], rel=5e-3
            )
    total = maps[0].data.astype(float) + maps[1].data
    full = source.expmap(obs_id="900001010").data
    weight = sum(float(h.exposure.value) * h.backscal for h in halves)
    assert weight == pytest.approx(float(whole.exposure.value) * whole.backscal, rel=1e-4)
    assert total.sum() == pytest.approx(full.sum(), rel=1e-4)
