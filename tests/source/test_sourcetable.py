"""Tables of sources: every row at its position, or an error that names the row."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table

import xtendsrc as xs
from xtendsrc.cli import main
from xtendsrc.cli.search import target_of
from xtendsrc.errors import InputFileError, RequestError, XtendsrcError

HERE = SkyCoord("05:25:02.16 -69:38:38.4", unit=("hourangle", "deg"))


@pytest.fixture
def sample(tmp_path):
    def read(table):
        if isinstance(table, str):
            (tmp_path / "t.csv").write_text(table)
            table = tmp_path / "t.csv"
        return xs.Sample.from_table(table, archive=tmp_path, output=tmp_path / "out")

    return read


@pytest.mark.parametrize(
    "row",
    [
        "a,81.259,-69.644",
        "a,05:25:02.16,-69:38:38.4",
        "a,05h25m02.16s,-69d38m38.4s",
        'a,"05 25 02.16","-69 38 38.4"',
        "a,8.1259e1,-6.9644e1",
    ],
)
@pytest.mark.parametrize("head", ["name,ra,dec", "Name,RA,Dec"])
def test_a_position_in_every_form_is_that_position(sample, row, head):
    source = sample(f"{head}\n{row}\n")[0]
    assert source.name == "a"
    assert source.position.separation(HERE) < 0.01 * u.arcsec


@pytest.mark.parametrize("unit", [u.deg, u.hourangle, u.rad])
def test_units_of_columns_count(sample, unit):
    table = QTable({"name": ["a"], "ra": [HERE.ra.to(unit)], "dec": [HERE.dec.to(u.rad)]})
    assert sample(table)[0].position.separation(HERE) < 0.001 * u.arcsec


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("b,,-69.6", "right ascension is missing"),
        ("b,81.2,", "declination is missing"),
        ("b,nan,-69.6", "right ascension"),
        ("b,inf,-69.6", "right ascension"),
        ("b,81,-95", "declination"),
        ("b,400,-69", "right ascension"),
        ("b,05:25:02,-69:99:00", "declination"),
        ('b,"81,259","-69,644"', "right ascension"),
        ("b,somewhere,-69", "right ascension"),
        (",81.2,-69.6", "no name"),
        ("--,81.2,-69.6", "no name"),
    ],
)
def test_a_row_without_a_position_or_name_is_named(sample, tmp_path, row, reason):
    with pytest.raises(RequestError, match=reason) as caught:
        sample(f"name,ra,dec\na,81.259,-69.644\n{row}\n")
    assert f"{tmp_path / 't.csv'}, row 2" in str(caught.value)


@pytest.mark.parametrize("form", ["t.fits", "t.ecsv", "t.vot", "t.csv"])
@pytest.mark.parametrize("lost", ["name", "ra", "dec"])
def test_a_masked_value_is_missing_in_every_format(sample, tmp_path, form, lost):
    columns = {"name": ["aa", "bb"], "ra": [81.2, 81.3], "dec": [-69.6, -69.7]}
    table = Table({n: MaskedColumn(v, mask=[False, n == lost]) for n, v in columns.items()}, masked=True)
    table.write(tmp_path / form, format={"t.vot": "votable"}.get(form))
    with pytest.raises(RequestError, match="row 2"):
        xs.Sample.from_table(tmp_path / form, archive=tmp_path, output=tmp_path / "out")


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("radius", [1.0, -1.0] * u.arcmin, r"row 2 \(bb\): the radius"),
        ("radius", [1.0, np.nan] * u.arcmin, r"row 2 \(bb\): the radius"),
        ("radius", [1.0, 2.0], "has no unit"),
        ("redshift", [0.1, np.inf], r"row 2 \(bb\): the redshift"),
        ("kind", ["point", "blob"], r"row 2 \(bb\) is of kind 'blob'"),
    ],
)
def test_other_columns_are_checked_too(sample, column, values, reason):
    table = QTable({"name": ["aa", "bb"], "ra": [81.2, 81.3] * u.deg, "dec": [-69.6, -69.7] * u.deg, column: values})
    with pytest.raises(RequestError, match=reason):
        sample(table)


def test_what_a_row_lacks_takes_its_default(sample):
    table = Table({"name": ["aa", "bb"], "ra": [81.2, 81.3], "dec": [-69.6, -69.7]}, masked=True)
    table["redshift"] = MaskedColumn([0.1, 0.2], mask=[False, True])
    table["radius"] = MaskedColumn([1.0, 2.0], mask=[False, True], unit="arcmin")
    first, second = sample(table)
    assert (first.redshift, second.redshift) == (0.1, None)
    assert second.radius == xs.PointSource(HERE, archive=".", output="out").radius != first.radius


def test_tables_that_are_none(sample, tmp_path):
    with pytest.raises(RequestError, match="none of dec"):
        sample("name,ra\na,81\n")
    (tmp_path / "bad.fits").write_bytes(b"SIMPLE  =" + bytes(100))
    with pytest.raises(InputFileError, match=r"bad\.fits cannot be read as a table"):
        xs.Sample.from_table(tmp_path / "bad.fits", archive=tmp_path, output=tmp_path / "out")
    with pytest.raises(XtendsrcError, match="is a directory"):
        xs.Sample.from_table(tmp_path, archive=tmp_path, output=tmp_path / "out")


def test_positions_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(RequestError, match="not finite"):
        xs.PointSource(SkyCoord(np.nan, 10, unit="deg"), archive=tmp_path, output=tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "ra", "dec"),
    [
        (["81.259", "-69.644"], 81.259, -69.644),
        (["5e-1", "-1"], 0.5, -1.0),
        (["1E2", "-5e-1"], 100.0, -0.5),
        (["05:25:02.16", "-69:38:38.4"], 81.259, -69.644),
        (["05h25m02.16s", "-69d38m38.4s"], 81.259, -69.644),
        (["81.259,-69.644"], 81.259, -69.644),
    ],
)
def test_numbers_of_the_command_line_are_numbers(words, ra, dec):
    found = target_of(words)
    assert (found.ra.deg, found.dec.deg) == pytest.approx((ra, dec))


def test_a_negative_number_is_no_option(tmp_path, capsys):
    for declination in ("-1", "-5e-1", "-00:30:00"):
        ascension = "00:02:00" if ":" in declination else "5e-1"
        place = ["--archive", str(tmp_path), "--output", str(tmp_path / "out")]
        assert main(["products", ascension, declination, *place]) == 1  # no observation there, and no usage error
        assert "00h02m00" in capsys.readouterr().err
    assert target_of(["M", "31"]) == "M 31"
