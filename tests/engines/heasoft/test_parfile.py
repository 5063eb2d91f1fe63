"""Parameter files: the syntax of the installed ones, and what a task may be given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtendsrc.engines.heasoft.parfile import ParFile, read_parfile
from xtendsrc.errors import InputFileError, TaskParameterError, UnitsError

EXTRACTOR = """#
filename,s,a,"good.evt",,,"Input event file name"
binf,i,h,1,1,,"Image binning factor"
phafile,s,a,'test.pha',,,Output PHA file
lcthresh,d,h,1.0,0.0,1.0,"Threshold, as a fraction"
stopsys,s,h,SKY,SKY|FOC|DET,,"Where to stop"
comm,s,a,"group min 20 & exit",,,"Command, \\"quoted\\""
emin,i,h,INDEF,,,"energy"
logprob1,r,h,-5.6,,,
level,i,h,2,1|2|3,,"one of three"

clobber,b,h,yes,,,"Overwrite?"
mode,s,h,"ql",,,
"""


@pytest.fixture
def par(tmp_path):
    path = tmp_path / "extractor.par"
    path.write_text(EXTRACTOR)
    return read_parfile(path)


def test_defaults_lose_their_quotes_only(par):
    assert par["filename"].default == "good.evt"
    assert par["phafile"].default == "test.pha"
    assert par["comm"].default == "group min 20 & exit"
    assert par["comm"].prompt == 'Command, "quoted"'
    assert par["logprob1"].default == "-5.6"


def test_prompts_with_commas_do_not_shift_the_limits(par):
    assert (par["lcthresh"].minimum, par["lcthresh"].maximum) == ("0.0", "1.0")
    assert par["stopsys"].choices == ("SKY", "FOC", "DET")


def test_every_parameter_is_given_in_the_order_of_the_file(par):
    arguments = par.arguments({"binf": 4})
    assert list(arguments) == list(par.parameters)
    assert arguments["binf"] == "4"
    assert arguments["phafile"] == "test.pha"


def test_a_misspelt_name_is_refused_with_the_right_one(par):
    with pytest.raises(TaskParameterError, match=r"(?s)phafil.*did you mean phafile"):
        par.arguments({"phafil": "x.pha"})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("clobber", True, "yes"),
        ("clobber", "N", "no"),
        ("binf", np.int64(4), "4"),
        ("binf", 4.0, "4"),
        ("binf", "INDEF", "INDEF"),
        ("lcthresh", np.float32(0.5), "0.5"),
        ("logprob1", -30, "-30.0"),
        ("stopsys", "det", "DET"),
        ("level", 3, "3"),
        ("filename", None, "NONE"),
        ("filename", [1, 2], "1,2"),
    ],
)
def test_values_are_written_as_tasks_read_them(par, name, value, text):
    assert par.arguments({name: value})[name] == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("binf", 1.5),
        ("binf", "four"),
        ("binf", True),
        ("binf", 0),
        ("binf", None),
        ("lcthresh", "abc"),
        ("lcthresh", float("nan")),
        ("lcthresh", 1.01),
        ("stopsys", "RADEC"),
        ("level", 4),
        ("clobber", "maybe"),
        ("filename", "a\nb"),
    ],
)
def test_values_a_task_cannot_take_are_refused(par, name, value):
    with pytest.raises(TaskParameterError, match=name):
        par.arguments({name: value})


def test_a_quantity_is_not_stripped_of_its_unit(par):
    import astropy.units as u

    with pytest.raises(UnitsError, match="arcmin"):
        par.arguments({"lcthresh": 0.5 * u.arcmin})


@given(
    text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    number=st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_private_copy_says_what_was_asked_for(tmp_path_factory, text, number):
    directory = tmp_path_factory.mktemp("par")
    path = directory / "extractor.par"
    path.write_text(EXTRACTOR)
    par = ParFile.read(path)
    arguments = par.arguments({"filename": text, "logprob1": number, "comm": text})
    path.write_text(par.with_values(arguments))
    again = ParFile.read(path)
    assert [p.name for p in again] == [p.name for p in par]
    assert again["filename"].default == again["comm"].default == text
    assert float(again["logprob1"].default) == number
    assert again["stopsys"] == par["stopsys"]


def test_a_file_without_parameters_is_refused(tmp_path):
    (tmp_path / "x.par").write_text("# nothing\n")
    with pytest.raises(InputFileError, match=r"x\.par"):
        ParFile.read(tmp_path / "x.par")


def test_a_replaced_file_is_read_again(tmp_path):
    path = tmp_path / "t.par"
    path.write_text("a,i,h,1,,,\n")
    assert read_parfile(path)["a"].default == "1"
    path.write_text("a,i,h,12345,,,\n")
    assert read_parfile(path)["a"].default == "12345"
