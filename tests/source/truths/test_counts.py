"""Source products against events counted with NumPy and angles on the sky alone."""

import astropy.units as u
import numpy as np
import pytest
from regions import CircleSkyRegion

import xtendsrc as xs
from xtendsrc.instrument import CALIBRATION_SOURCES
from xtendsrc.products import ExpMap, LightCurve, Spectrum

ONE = {"obs_id": "900001010"}


@pytest.fixture(scope="module")
def events(archive, tmp_path_factory):
    """Time, PI, sky position and DET position of the events of the full window."""
    dc = xs.Observation(archive / "900001010", output=tmp_path_factory.mktemp("x")).dataclasses["300000a0"]
    columns = {name: np.asarray(dc.events[name], float) for name in ("X", "Y", "DETX", "DETY", "PI")}
    columns["sky"] = dc.geometry.sky_to_icrs(columns["X"], columns["Y"])
    in_disc = np.zeros(len(columns["X"]), bool)
    for disc in CALIBRATION_SOURCES:
        in_disc |= np.hypot(columns["DETX"] - disc.x, columns["DETY"] - disc.y) < disc.radius
    return dc, columns, in_disc


def source_at(position, archive, tmp_path, **options):
    return xs.PointSource(position, 2 * u.arcmin, name="s", archive=archive, output=tmp_path / "out", **options)


def test_calibration_sources_are_taken_out_of_spectra_and_curves(events, archive, tmp_path):
    """A source two thirds outside the disc, whose iron line is brighter than it."""
    dc, columns, in_disc = events
    disc = CALIBRATION_SOURCES[0]
    place = dc.geometry.det_to_icrs(disc.x - disc.radius - 25.0, disc.y - 70.0)
    source = source_at(place, archive, tmp_path)
    near = columns["sky"].separation(place) < 2 * u.arcmin
    assert np.count_nonzero(near & in_disc) > 10
    spectrum = source.spectrum(response=None, background="none", **ONE)
    raw = Spectrum(spectrum.request.spectrum, spectrum.target)
    assert abs(int(raw.counts.sum()) - np.count_nonzero(near & ~in_disc)) <= 2  # the discs' edges wander with attitude
    assert spectrum.counts.sum() == raw.counts.sum()
    net = source.lightcurve(bin=500 * u.s, background="none", channels=(0, 4095), min_fraction=0, **ONE)
    curve = LightCurve(net.request.source, net.target)
    counts = (curve.table["RATE"] * curve.table["FRACEXP"] * 500).sum()
    assert counts == pytest.approx(raw.counts.sum(), abs=0.01)


def test_interlopers_are_taken_out_of_the_background(events, archive, position, tmp_path):
    """The star is the interloper in the annulus around a place 4' beside it: left in, it would be nearly all of it."""
    _, columns, in_disc = events
    place = position.directional_offset_by(45 * u.deg, 4 * u.arcmin)
    source = source_at(place, archive, tmp_path, interlopers=CircleSkyRegion(position, 1.5 * u.arcmin))
    ring = columns["sky"].separation(place)
    ring = (ring > 2 * u.arcmin) & (ring < 6 * u.arcmin)
    outside = columns["sky"].separation(position) > 1.5 * u.arcmin
    spectrum = source.spectrum(response=None, background=(1, 3), **ONE)
    raw = Spectrum(spectrum.request.background.spectrum, spectrum.target)
    expected = np.count_nonzero(ring & outside & ~in_disc)
    assert np.count_nonzero(ring) > 2 * expected
    assert abs(int(raw.counts.sum()) - expected) <= 0.01 * expected + 2
    net = source.lightcurve(bin=500 * u.s, background=(1, 3), channels=(0, 4095), min_fraction=0, **ONE)
    curve = LightCurve(net.request.background, net.target)
    counts = (curve.table["RATE"] * curve.table["FRACEXP"] * 500).sum()
    assert counts == pytest.approx(raw.counts.sum(), abs=0.01)


def test_good_time_of_the_users_own_reaches_the_exposure_map(events, archive, position, tmp_path):
    """Half of the good time gives half of the exposure, in the map of spectra and of curves."""
    dc, _, _ = events
    first = float(dc.gti.start[0])
    gti = [(first, first + 1000.0)]
    inside = np.clip(np.minimum(dc.gti.stop, first + 1000) - np.maximum(dc.gti.start, first), 0, None).sum()
    source = source_at(position, archive, tmp_path)
    spectrum = source.spectrum(response="nominal", gti=gti, **ONE)
    curve = source.lightcurve(gti=gti, **ONE)
    assert inside < 0.5 * dc.gti.total
    expmap = ExpMap(spectrum.request.expmap, spectrum.target)
    assert expmap.data.max() == pytest.approx(inside, rel=1e-3)
    assert {r.expmap.key for r in (spectrum.request, spectrum.request.background, curve.request)} == {expmap.key}
    assert spectrum.request.arf.expmap.key == expmap.key
