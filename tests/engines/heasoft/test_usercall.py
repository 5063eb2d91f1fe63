"""Any task, called by users with their own files."""

import pytest

from xtendsrc.engines import heasoft
from xtendsrc.errors import EngineUnavailableError, InputNotFoundError, TaskError, TaskParameterError


@pytest.fixture
def place(tmp_path, monkeypatch):
    directory = tmp_path / "user's dir"
    directory.mkdir()
    (directory / "events.evt").write_text("42 events\n")
    monkeypatch.chdir(directory)
    return directory


def test_files_are_found_and_left_where_the_user_names_them(headas, place):
    result = heasoft.task("prober")(infile="events.evt", outfile="made.txt")
    assert result.outputs["outfile"] == place / "made.txt"
    assert "42 events" in (place / "made.txt").read_text()
    assert sorted(p.name for p in place.iterdir()) == ["events.evt", "made.txt", "made.txt.log"]


def test_a_filter_stays_with_its_file(headas, place, new_task):
    new_task("show", "infile,s,a,,,,\noutfile,s,a,,,,\n", '#!/bin/sh\necho "$@" > out1.txt; echo "$@" > made.txt\n')
    (place / "a file (1).evt").write_text("x")
    result = heasoft.task("show")(infile="a file (1).evt[PI=83:1666]", outfile="made.txt")
    assert "infile=in1.evt[PI=83:1666]" in result.outputs["outfile"].read_text()


def test_a_list_of_files_is_linked_one_by_one(headas, place, new_task):
    script = "#!/bin/sh\ncat $(cat list1.lis) > made.txt\n"
    new_task("join", "infile,s,a,,,,\noutfile,s,a,,,,\n", script)
    (place / "sub").mkdir()
    (place / "sub/b.evt").write_text("7 more\n")
    (place / "all.lis").write_text("events.evt\nsub/b.evt\n")
    result = heasoft.task("join")(infile="@all.lis", outfile=place / "made.txt")
    assert result.outputs["outfile"].read_text() == "42 events\n7 more\n"


def test_an_existing_output_is_kept_unless_asked(headas, place):
    (place / "made.txt").write_text("precious")
    prober = heasoft.task("prober")
    with pytest.raises(TaskError, match="exists already"):
        prober(infile="events.evt", outfile="made.txt")
    assert (place / "made.txt").read_text() == "precious"
    prober(infile="events.evt", outfile="made.txt", clobber=True)
    assert "42 events" in (place / "made.txt").read_text()


def test_a_failure_leaves_nothing(headas, place):
    with pytest.raises(TaskError, match="did not write"):
        heasoft.task("prober")(infile="events.evt", outfile="made.txt", how="nothing")
    assert [p.name for p in place.iterdir()] == ["events.evt"]


def test_misspelt_names_and_missing_files(headas, place):
    prober = heasoft.task("prober")
    with pytest.raises(TaskParameterError, match="did you mean outfile"):
        prober(infile="events.evt", outfiel="made.txt")
    with pytest.raises(InputNotFoundError, match=r"infile: there is no file nowhere\.evt"):
        prober(infile="nowhere.evt", outfile="made.txt")
    with pytest.raises(TaskParameterError, match="no directory"):
        prober(infile="events.evt", outfile="nowhere/made.txt")
    with pytest.raises(EngineUnavailableError, match="barycen is not installed"):
        heasoft.task("barycen")


def test_parameters_can_be_looked_at(headas):
    prober = heasoft.task("prober")
    assert prober.parameters["side"].choices == ("SKY", "DET")
    assert "outfile" in repr(prober)
