"""Questions to the archive that make no sense are refused with their reason, before anything is asked or fetched."""

import astropy.units as u
import pytest
from astropy.table import MaskedColumn, Table

from xtendsrc import archive
from xtendsrc.archive.observation_table import ObservationTable
from xtendsrc.errors import RequestError


@pytest.fixture
def table():
    columns = {"obsid": ["000126000", "000128000"], "exposure": [20e3, 30e3], "time": [60000.0, 60100.0]}
    rows = Table({name: MaskedColumn(values) for name, values in columns.items()})
    rows["xtd_dataclas1"] = MaskedColumn(["300000a0", "31100010"])
    rows["xtd_dataclas2"] = MaskedColumn(["", "32000010"])
    return ObservationTable(rows)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"table": 128000}, "names no observations"),
        ({"table": None}, "names no observations"),
        ({"table": "128000"}, "nine digits"),
        ({"jobs": "4"}, "whole number"),
        ({"jobs": 0}, "whole number"),
        ({"what": None}, "names no files"),
        ({"what": "everything"}, "not known"),
        ({"host": "elsewhere"}, "no host"),
    ],
)
@pytest.mark.parametrize("call", [archive.plan_download, archive.download])
def test_downloads(tmp_path, call, options, words):
    with pytest.raises(RequestError, match=words) as caught:
        call(**({"table": "000128000", "into": tmp_path / "XRISM", "host": "heasarc"} | options))
    assert caught.value.next_step
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": (81.26, -69.64)}, "neither a name nor a SkyCoord"),
        ({"max_age": "long"}, "not a time"),
        ({"target": " "}, "not the name"),
    ],
)
def test_searches(options, words):
    with pytest.raises(RequestError, match=words):
        archive.search(**options, offline=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"exposure": (1 * u.ks, 2 * u.ks, 3 * u.ks)}, "not a pair"),
        ({"date": ("2024-01-01",)}, "not a pair"),
        ({"dataclass": 31100010}, "not text"),
    ],
)
def test_choices(table, options, words):
    with pytest.raises(RequestError, match=words):
        table.filter(**options)


def test_choices_that_make_sense(table):
    assert table.filter(exposure=[25, 35] * u.ks).obs_ids == ("000128000",)
    assert table.filter(dataclass=["320*", "999*"]).obs_ids == ("000128000",)
