"""The observations below a directory."""

import logging
import shutil

from xtendsrc.source.catalogue import Catalogue


def test_a_second_copy_of_an_observation_is_named_and_left_out(archive, tmp_path, caplog):
    for copy in ("a", "b"):
        shutil.copytree(archive / "900001010", tmp_path / "two" / copy / "900001010")
    with caplog.at_level(logging.WARNING, logger="xtendsrc"):
        found = Catalogue(tmp_path / "two", tmp_path / "out").observations
    assert found["900001010"].path == tmp_path / "two" / "a" / "900001010"
    assert str(tmp_path / "two" / "b" / "900001010") in caplog.text
