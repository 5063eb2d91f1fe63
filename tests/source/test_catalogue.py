"""The observations below a directory."""

import logging
import shutil

import astropy.units as u

from xtendsrc.source.catalogue import Catalogue


def test_a_second_copy_of_an_observation_is_named_and_left_out(archive, tmp_path, caplog):
    for copy in ("a", "b"):
        shutil.copytree(archive / "900001010", tmp_path / "two" / copy / "900001010")
    with caplog.at_level(logging.WARNING, logger="xtendsrc"):
        found = Catalogue(tmp_path / "two", tmp_path / "out").observations
    assert found["900001010"].path == tmp_path / "two" / "a" / "900001010"
    assert str(tmp_path / "two" / "b" / "900001010") in caplog.text


def test_an_observation_is_held_only_where_its_ccds_read(archive, position, tmp_path):
    """The field is 38' square: a place 26' from the axis in the middle of a side is off it, and within 35'."""
    catalogue = Catalogue(archive, tmp_path / "out")
    radius = 35 * u.arcmin
    assert set(catalogue.holding(position, radius)) == {"900001010", "900002010"}
    dc = catalogue.observations["900001010"].dataclasses["300000a0"]
    area = dc.active_area
    low, high = min(b.detx[0] for b in area), max(b.detx[1] for b in area)
    for detx in (low - 60.0, high + 60.0):
        place = dc.geometry.det_to_icrs(detx, 731.0)
        assert catalogue.observations["900001010"].pointing.separation(place) < radius
        assert "900001010" not in catalogue.holding(place, radius)
    inside = dc.geometry.det_to_icrs(low + 60.0, 731.0)
    assert "900001010" in catalogue.holding(inside, radius)
    assert catalogue.holding(inside, 1 * u.arcsec) == {}
