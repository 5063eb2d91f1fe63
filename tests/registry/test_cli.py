"""``xtendsrc registry`` in a terminal."""

from __future__ import annotations

import argparse

import pytest
from astropy.io import fits

from xtendsrc.cli import registry as command
from xtendsrc.errors import InputNotFoundError


def xtendsrc(*words: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["registry", *map(str, words)])
    return args.run(args)


@pytest.fixture
def out(reg, record, made):
    reg.commit(record(0, kind="image", source="A"), made(), "900001010/a.fits")
    reg.commit(record(1, kind="spectrum", source="B"), made(), "900001010/b.fits")
    reg.fail(record(2, kind="spectrum", source="B"), "no events in the region")
    reg.fold()
    return reg.root


def test_ls_lists_and_filters(out, capsys):
    assert xtendsrc("ls", out) == 0
    everything = capsys.readouterr().out
    assert all(text in everything for text in ("900001010/a.fits", "900001010/b.fits", "no events in the region"))
    assert xtendsrc("ls", out, "--source", "B", "--status", "ready") == 0
    some = capsys.readouterr().out
    assert "b.fits" in some
    assert "a.fits" not in some


def test_verify_exits_with_1_when_something_is_wrong(out, capsys):
    assert xtendsrc("verify", out) == 0
    assert "all is well" in capsys.readouterr().out
    fits.setval(out / "900001010/a.fits", "EXPOSURE", value=1.0)
    assert xtendsrc("verify", out) == 1
    assert "a.fits" in (said := capsys.readouterr().out)
    assert "edited" in said


def test_prune_and_rebuild(out, capsys):
    (out / "900001010/a.fits").unlink()
    assert xtendsrc("prune", "--dry-run", out) == 0
    assert xtendsrc("verify", out) == 1
    assert xtendsrc("prune", out) == 0
    assert xtendsrc("verify", out) == 0
    (out / "registry.h5").unlink()
    capsys.readouterr()
    assert xtendsrc("rebuild", out) == 0
    assert "b.fits" in capsys.readouterr().out


def test_a_mistyped_directory_is_an_error(tmp_path):
    with pytest.raises(InputNotFoundError, match="typo"):
        xtendsrc("ls", tmp_path / "typo")
