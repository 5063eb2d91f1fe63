"""Selection from an index, as the description of ``quzcif`` and CAL/GEN/92-003 have it."""

import pytest
from astropy.io import fits
from astropy.time import Time

from tests.caldb.conftest import MODES, row, write_index
from xtendsrc import errors
from xtendsrc.caldb import Query, read_index
from xtendsrc.caldb.boundaries import parse_boundary, parse_expression, satisfied

MODE = "DATAMODE.eq.WINDOW1.and.CISTATUS.eq.1"


@pytest.mark.parametrize(
    ("boundary", "expression", "holds"),
    [
        ("CISTATUS(1)", "CISTATUS.eq.1", True),
        ("CISTATUS(1)", "CISTATUS.eq.0", False),
        ("CISTATUS(1)", "cistatus.EQ.1.0", True),
        ('DATAMODE("WINDOW1")', "DATAMODE.eq.window1", True),
        ("DATAMODE(WINDOW1,WINDOW2)", "DATAMODE.eq.WINDOW2", True),
        ("DATAMODE(WINDOW1,WINDOW2)", "DATAMODE.eq.TIMING", False),
        ("CHAN(0-4095)", "CHAN.eq.4095", True),
        ("CHAN(0-4095)", "CHAN.eq.4096", False),
        ("CHAN(0-4095)", "CHAN.gt.4094", True),
        ("CHAN(0-4095)", "CHAN.lt.0", False),
        ("CHAN(0-4095)", "CHAN.le.0", True),
        ("THETA(0,5,10)deg", "THETA.eq.5", True),
        ("EFF.AREA/B(2)", "THETA.eq.5", True),
        ("TEMP(-110--90)C", "TEMP.eq.-100", True),
        ("CISTATUS(1)", "-", True),
        ("CISTATUS(1)", "DATAMODE.eq.WINDOW2", True),  # what is not named holds
        ("CISTATUS(1)", "CISTATUS.eq.0.or.CISTATUS.eq.1", True),
        ("CISTATUS(2)", "CISTATUS.eq.0.and.CISTATUS.eq.2", False),
    ],
)
def test_boundaries(boundary, expression, holds):
    assert satisfied(parse_expression(expression), [parse_boundary(boundary)]) is holds


def test_what_is_no_boundary_and_no_expression():
    assert parse_boundary("NONE") is None
    assert parse_boundary("  ") is None
    for text in ("CISTATUS", "CISTATUS(1", "(1)", "CISTATUS(1)(2)", "CISTATUS()", "CISTATUS=1"):
        with pytest.raises(errors.CaldbError, match=r"unknown syntax|names no value"):
            parse_boundary(text)
    for text in ("CISTATUS=1", "CISTATUS.is.1", "CISTATUS.eq.1.and."):
        with pytest.raises(errors.RequestError, match="cannot be understood"):
            parse_expression(text)


@pytest.fixture
def index(tmp_path):
    """Several releases and modes of one file, good and bad."""
    rows = [
        row("RMF_PARAMETERS", "v1", bounds=MODES),
        row("RMF_PARAMETERS", "v1w2", bounds=('DATAMODE("WINDOW2")', "CISTATUS(1)")),
        row("RMF_PARAMETERS", "v2", start="2024-06-01", bounds=MODES),
        row("RMF_PARAMETERS", "v3bad", start="2024-07-01", bounds=MODES, CAL_QUAL=5),
        row("RMF_PARAMETERS", "v2again", start="2024-06-01", bounds=MODES),
        row("RMF_PARAMETERS", "resolve", start="2024-06-01", INSTRUME="RESOLVE"),
        row("QE_OBL", "qe", DETNAM="CCD1"),
        row("QE_OBL", "qe2", DETNAM="CCD2"),
        row("BROKEN", "broken", bounds=("CISTATUS=1",)),
    ]
    write_index(tmp_path / "caldb.indx", rows)
    return read_index(tmp_path / "caldb.indx")


def chosen(index, date="2025-01-01", **query):
    return [e.file for e in index.select(Query(**query), Time(date))]


def test_the_latest_before_the_date_of_good_quality_is_taken(index):
    assert chosen(index, codename="RMF_PARAMETERS", expression=MODE) == ["v2", "v2again"]
    assert chosen(index, "2024-06-01", codename="RMF_PARAMETERS", expression=MODE) == ["v2", "v2again"]
    assert chosen(index, "2024-05-31T23:59:59", codename="rmf_parameters", expression=MODE) == ["v1"]
    assert chosen(index, "2018-12-31", codename="RMF_PARAMETERS", expression=MODE) == []


def test_boundaries_and_names_choose(index):
    window2 = MODE.replace("WINDOW1", "WINDOW2")
    assert chosen(index, codename="RMF_PARAMETERS", expression=window2) == ["v1w2"]
    assert chosen(index, codename="RMF_PARAMETERS", instrument="resolve") == ["resolve"]
    assert chosen(index, codename="QE_OBL") == ["qe", "qe2"]
    assert chosen(index, codename="QE_OBL", detector="CCD2") == ["qe2"]
    assert chosen(index, codename="QE_OBL", detector="NONE") == ["qe", "qe2"]
    assert chosen(index, codename="QE_OBL", telescope="HITOMI") == []


@pytest.mark.parametrize(
    ("query", "date", "words"),
    [
        ({"codename": "RMF_PARAMETER"}, "2025-01-01", "the nearest is RMF_PARAMETERS"),
        ({"codename": "QE_OBL", "telescope": "HITOMI"}, "2025-01-01", "none is for HITOMI XTEND"),
        ({"codename": "QE_OBL"}, "2018-01-01", "the first is valid from 2019-01-01"),
        (
            {"codename": "RMF_PARAMETERS", "expression": "CISTATUS.eq.0"},
            "2025-01-01",
            r"none holds for CISTATUS.eq.0 \(there are CISTATUS\(1\)",
        ),
    ],
)
def test_an_error_says_why_nothing_fits(index, query, date, words):
    with pytest.raises(errors.CalibrationMissingError, match=words):
        index.one(Query(**query), Time(date))


def test_an_unknown_syntax_is_an_error_of_the_file_that_has_it(index):
    with pytest.raises(errors.CaldbError, match=r"caldb\.indx, broken: The boundary 'CISTATUS=1'"):
        index.select(Query(codename="BROKEN"))


def test_what_is_no_index(tmp_path):
    with pytest.raises(errors.InputNotFoundError, match="no index"):
        read_index(tmp_path / "caldb.indx")
    path = tmp_path / "text"
    path.write_text("not FITS")
    with pytest.raises(errors.CaldbError, match="is not the index"):
        read_index(path)
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("X", "E", array=[1.0])])]).writeto(
        tmp_path / "other.fits"
    )
    with pytest.raises(errors.CaldbError, match="is not the index"):
        read_index(tmp_path / "other.fits")
