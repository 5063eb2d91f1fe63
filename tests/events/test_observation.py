"""Observation and data class: what is on disk, what of the sky it covers, and what it refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from xtendsrc import Observation
from xtendsrc.errors import EncryptedFileError, InputFileError, InputNotFoundError
from xtendsrc.instrument import Geometry
from xtendsrc.regions import RegionSet, Shape


@pytest.fixture(scope="module")
def observation(files, tmp_path_factory):
    return Observation(files.observation(tmp_path_factory.mktemp("archive")))


@pytest.fixture(scope="module")
def geometry(files):
    return Geometry(*(files.HEADER[k] for k in ("RA_NOM", "DEC_NOM", "PA_NOM")))


def test_what_it_holds(observation):
    dc = observation.dataclasses["300000A0"]
    assert (observation.obs_id, list(observation.dataclasses)) == ("900001010", ["300000a0"])
    assert len(dc.events) == 2000
    assert dc.events is dc.events
    assert dc.exposure.to_value("s") == 3000.0
    assert dc.gti.pairs == ((1000.0, 3000.0), (5000.0, 6000.0))
    assert "2000 events" in repr(dc)
    assert "full window" in observation._repr_html_()


def test_an_unknown_data_class_lists_the_choices(observation):
    with pytest.raises(KeyError, match=r"no data class '31100010'; it has 300000a0.*Next step"):
        observation.dataclasses["31100010"]
    assert "31100010" not in observation.dataclasses
    assert observation.dataclasses._ipython_key_completions_() == ["300000a0"]


def test_an_encrypted_data_class_is_told_so(files, tmp_path):
    top = files.observation(tmp_path)
    (top / "xtend/event_cl/xa900001010xtd_p031100010_cl.evt.gz.gpg").touch()
    with pytest.raises(EncryptedFileError, match=r"31100010_cl.evt.gz.gpg.*public date"):
        Observation(top).dataclasses["31100010"]


def test_a_missing_auxiliary_file_fails_only_what_needs_it(files, tmp_path):
    top = files.observation(tmp_path)
    (top / "auxil/xa900001010.ehk").unlink()
    dc = Observation(top).dataclasses["300000a0"]
    assert len(dc.events) == 2000
    with pytest.raises(InputNotFoundError, match=r"900001010: there is no ehk file.*Next step"):
        dc.file("ehk")


@pytest.mark.parametrize(("key", "value"), [("DATACLAS", "30000010"), ("OBS_ID", "900002010")])
def test_a_header_that_contradicts_the_name_is_refused(files, tmp_path, key, value):
    dc = Observation(files.observation(tmp_path, header={key: value})).dataclasses["300000a0"]
    with pytest.raises(InputFileError, match=rf"p0300000a0_cl.evt.gz.*{key} = {value}.*Next step"):
        _ = dc.events
    with pytest.raises(InputFileError, match=key):
        _ = dc.header


@given(st.floats(1, 1810), st.floats(1, 1810))
def test_covers_exactly_the_four_ccds(observation, geometry, detx, dety):
    # gap of 14 px between chips of 640 px, whose outer edges are at 258.5 and 1552.5
    def on_chip(v):
        return 258.5 <= v < 898.5 or 912.5 <= v < 1552.5

    if min(abs(v - e) for v in (detx, dety) for e in (258.5, 898.5, 912.5, 1552.5)) > 0.01:
        covered = observation.dataclasses["300000a0"].covers(geometry.det_to_icrs(detx, dety))
        assert covered == (on_chip(detx) and on_chip(dety))


def test_does_not_cover_the_other_side_of_the_sky(observation, geometry):
    aim = geometry.det_to_icrs(733, 731)
    assert observation.dataclasses["300000a0"].covers(aim)
    assert not observation.dataclasses["300000a0"].covers(SkyCoord(aim.ra.deg + 180, -aim.dec.deg, unit="deg"))


def test_the_window_is_what_the_header_says(files, tmp_path, geometry):
    header = {"DATACLAS": "31100010", "WIN_ST": 441, "WIN_SIZE": 80, "DATAMODE": "WINDOW2", "TIMEDEL": 0.5}
    dc = Observation(files.observation(tmp_path, code="31100010", header=header)).dataclasses["31100010"]
    for detx, inside in ((699, True), (778, True), (698, False), (779, False)):  # DETX = 258 + ACTY
        assert dc.covers(geometry.det_to_icrs(detx, 731)) is inside
    assert not dc.covers(geometry.det_to_icrs(1200, 731))


def test_covered_fraction_of_known_shapes(observation, geometry):
    dc = observation.dataclasses["300000a0"]
    x, y = geometry.det_to_sky(733, 731)
    whole = RegionSet("SKY", (Shape("circle", (float(x), float(y), 100.0)),))
    assert dc.covered_fraction(whole) == 1.0
    # a circle centred on the outer edge of CCD2 has half its area off it
    x, y = geometry.det_to_sky(258.5, 600)
    half = RegionSet("SKY", (Shape("circle", (float(x), float(y), 100.0)),))
    assert dc.covered_fraction(half) == pytest.approx(0.5, abs=0.01)
    # a circle of radius 100 centred on the gap of width 14: strip of about 200 x 14 of it
    x, y = geometry.det_to_sky(905.5, 600)
    gap = RegionSet("SKY", (Shape("circle", (float(x), float(y), 100.0)),))
    assert dc.covered_fraction(gap) == pytest.approx(1 - 2 * 7 * 2 * 100 / (np.pi * 1e4), abs=0.01)
    # the whole sky grid: four chips of 640 x 640 in a circle that holds them
    x, y = geometry.det_to_sky(905.5, 905.5)
    big = RegionSet("SKY", (Shape("circle", (float(x), float(y), 1200.0)),))
    assert dc.covered_fraction(big) == pytest.approx(4 * 640**2 / (np.pi * 1200**2), rel=0.01)


def test_it_travels_to_another_process(observation):
    dc = pickle.loads(pickle.dumps(observation.dataclasses["300000a0"]))
    assert np.array_equal(dc.events["PI"], observation.dataclasses["300000a0"].events["PI"])
