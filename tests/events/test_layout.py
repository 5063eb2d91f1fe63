"""Discovery of an ObsID's files from the names in an archive tree or a flat folder."""

from __future__ import annotations

import os

import pytest

from xtendsrc.archive.layout import discover, find_observations
from xtendsrc.errors import EncryptedFileError, InputNotFoundError, NoObservationsError
from xtendsrc.events.eventlist import read_header

STEM = "xa900001010"


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.fixture
def archive(tmp_path):
    """An ObsID with a windowed pair, slew files, a split file, Resolve and products beside it."""
    return tree(
        tmp_path / "XRISM" / "900001010",
        f"auxil/{STEM}.att.gz",
        f"auxil/{STEM}.ehk.gz",
        f"auxil/{STEM}_gen.gti.gz",
        f"xtend/hk/{STEM}xtd_a0.hk.gz",
        f"xtend/event_cl/{STEM}xtd_p031100010_cl.evt.gz",
        f"xtend/event_cl/{STEM}xtd_p132000010_cl.evt.gz",
        f"xtend/event_cl/{STEM}xtd_p232000010_cl.evt.gz",
        f"xtend/event_uf/{STEM}xtd_p031100010_uf.evt.gz",
        f"xtend/event_uf/{STEM}xtd_s031100010_uf.evt.gz",
        f"xtend/event_uf/{STEM}xtd_p031100010.bimg.gz",
        f"xtend/event_uf/{STEM}xtd_a031100010.fpix.gz",
        f"xtend/products/{STEM}xtd_p031100010_cl.sky.img.gz",
        f"resolve/event_cl/{STEM}rsl_p0px1000_cl.evt.gz",
    )


def names(roles):
    return {role: [p.rsplit("/", 1)[-1] for p in paths] for role, paths in roles.items()}


def test_the_archive_s_tree(archive):
    files = discover(archive)
    assert files.obs_id == "900001010"
    assert sorted(files.dataclasses) == ["31100010", "32000010"]
    assert names(files.roles("31100010")) == {
        "events": [f"{STEM}xtd_p031100010_cl.evt.gz"],
        "uf_events": [f"{STEM}xtd_p031100010_uf.evt.gz"],
        "bimg": [f"{STEM}xtd_p031100010.bimg.gz"],
        "fpix": [f"{STEM}xtd_a031100010.fpix.gz"],
        "att": [f"{STEM}.att.gz"],
        "ehk": [f"{STEM}.ehk.gz"],
        "gen_gti": [f"{STEM}_gen.gti.gz"],
        "hk": [f"{STEM}xtd_a0.hk.gz"],
    }
    assert all(p.startswith("/") for paths in files.roles("31100010").values() for p in paths)


def test_pieces_in_order_and_absent_roles_absent(archive):
    roles = discover(archive).roles("32000010")
    assert names(roles)["events"] == [f"{STEM}xtd_p{n}32000010_cl.evt.gz" for n in (1, 2)]
    assert "bimg" not in roles
    assert "orb" not in roles


def test_a_missing_piece_stops_its_data_class_alone(archive):
    (archive / f"xtend/event_cl/{STEM}xtd_p132000010_cl.evt.gz").unlink()
    files = discover(archive)
    assert files.roles("31100010")
    with pytest.raises(InputNotFoundError, match=r"p232000010_cl.*piece 1 .*missing.*Next step"):
        files.roles("32000010")


def test_a_local_run_s_flat_folder(tmp_path):
    folder = tree(tmp_path / "reduced", f"{STEM}xtd_p0300000a0_cl.evt", f"{STEM}xtd_p0300000a0.bimg")
    files = discover(folder)
    assert files.obs_id == "900001010"
    assert names(files.roles("300000a0")) == {
        "events": [f"{STEM}xtd_p0300000a0_cl.evt"],
        "bimg": [f"{STEM}xtd_p0300000a0.bimg"],
    }


def test_own_processing_comes_first_a_whole_data_class_at_a_time(archive, tmp_path):
    output = tmp_path / "out"
    tree(output / "900001010", f"run/{STEM}xtd_p031100010_cl.evt", f"run/{STEM}xtd_p031100010.bimg")
    tree(output / "900001010", f"run/{STEM}xtd_p032000010.bimg")  # stage 1 only: no events to go with it
    files = discover(archive, output)
    mine, theirs = files.dataclasses["31100010"], files.dataclasses["32000010"]
    assert mine.own
    assert {p.parent.name for p in (*mine.events, *mine.bimg)} == {"run"}
    assert mine.uf_events[0].parent.name == "event_uf"
    assert not theirs.own
    assert not theirs.bimg


def test_plain_before_gzipped_and_whole_before_pieces(archive):
    tree(archive, f"xtend/event_cl/{STEM}xtd_p031100010_cl.evt", f"xtend/event_cl/{STEM}xtd_p032000010_cl.evt.gz")
    files = discover(archive)
    assert names(files.roles("31100010"))["events"] == [f"{STEM}xtd_p031100010_cl.evt"]
    assert names(files.roles("32000010"))["events"] == [f"{STEM}xtd_p032000010_cl.evt.gz"]
    assert any("left out" in note for note in files.notes)


def test_only_encrypted_files(tmp_path):
    top = tree(tmp_path / "900001010", f"xtend/event_cl/{STEM}xtd_p0300000a0_cl.evt.gz.gpg")
    with pytest.raises(EncryptedFileError, match=r"p0300000a0_cl.evt.gz.gpg: .*encrypted.*Next step: .*public date"):
        discover(top)


def test_some_encrypted_files_are_listed(archive):
    tree(archive, f"xtend/event_cl/{STEM}xtd_p0300000a0_cl.evt.gz.gpg")
    files = discover(archive)
    assert "300000a0" not in files.dataclasses
    assert [p.name for p in files.encrypted] == [f"{STEM}xtd_p0300000a0_cl.evt.gz.gpg"]


def test_files_of_another_obsid_are_left_out_and_said(archive):
    tree(archive, "xtend/event_cl/xa900002010xtd_p0300000a0_cl.evt.gz")
    files = discover(archive)
    assert "300000a0" not in files.dataclasses
    assert any("900002010" in note for note in files.notes)


def test_nothing_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoObservationsError, match=r"empty: there is no cleaned Xtend event file.*Next step"):
        discover(tmp_path / "empty")
    with pytest.raises(InputNotFoundError, match=r"nowhere: there is no such directory.*Next step"):
        discover(tmp_path / "nowhere")
    mixed = tree(tmp_path / "mixed", f"{STEM}xtd_p0300000a0_cl.evt", "xa900002010xtd_p0300000a0_cl.evt")
    with pytest.raises(NoObservationsError, match=r"2 ObsIDs.*Next step"):
        discover(mixed)


def test_observations_of_an_archive_folder(archive, tmp_path):
    other = tree(tmp_path / "XRISM/obs/3/300049010", "xtend/event_cl/xa300049010xtd_p032000010_cl.evt.gz").absolute()
    tree(tmp_path / "XRISM/123456789", "resolve/event_cl/xa123456789rsl_p0px1000_cl.evt.gz")
    assert find_observations(tmp_path / "XRISM") == [other, archive]
    assert find_observations(archive) == [archive]
    assert find_observations(tmp_path / "XRISM/123456789") == []


# --- trees as people leave them -------------------------------------------------------------------------------------


def test_a_dangling_link_hides_no_file_and_is_told_of(archive):
    link = archive / "xtend/event_cl/work" / f"{STEM}xtd_p031100010_cl.evt"  # plain: preferred, if it were there
    link.parent.mkdir()
    link.symlink_to("/no/longer/there")
    files = discover(archive)
    assert names(files.roles("31100010"))["events"] == [f"{STEM}xtd_p031100010_cl.evt.gz"]
    assert f"{link} is a link to /no/longer/there, which is not there" in files.notes
    whole = archive / "xtend/event_cl" / f"{STEM}xtd_p031100010_cl.evt.gz"
    whole.unlink()
    with pytest.raises(InputNotFoundError, match="is a link to /no/longer/there"):
        read_header(discover(archive).roles("31100010")["events"][0])


def test_a_link_to_a_file_elsewhere_is_that_file(archive, tmp_path):
    whole = archive / "xtend/event_cl" / f"{STEM}xtd_p031100010_cl.evt.gz"
    moved = whole.rename(tmp_path / "elsewhere.gz")
    whole.symlink_to(moved)
    assert names(discover(archive).roles("31100010"))["events"] == [whole.name]


@pytest.mark.parametrize("role", ["event_cl/{}_cl.evt", "event_uf/{}.bimg"])
def test_a_fifo_or_a_directory_hides_no_file(archive, role):
    path = archive / "xtend" / role.format(f"{STEM}xtd_p031100010")
    before = discover(archive).roles("31100010")
    os.mkfifo(path)
    assert discover(archive).roles("31100010") == before
    path.unlink()
    path.mkdir()
    assert discover(archive).roles("31100010") == before


def test_the_first_of_several_copies_is_taken_and_the_others_are_told_of(archive):
    tree(archive, f"xtend/event_cl/copy/{STEM}xtd_p031100010_cl.evt.gz")
    files = discover(archive)
    assert files.dataclasses["31100010"].events[0].parent.name == "event_cl"
    assert any("copy" in note and "is left out" in note for note in files.notes)


def test_event_files_of_a_reprocessing_are_chosen_by_their_name(archive):
    tree(
        archive, f"xtend/event_cl/{STEM}xtd_p031100010_cl_xpc0.evt", f"xtend/event_cl/{STEM}xtd_p031100010_cl_bary.evt"
    )
    plain = discover(archive)
    assert names(plain.roles("31100010"))["events"] == [f"{STEM}xtd_p031100010_cl.evt.gz"]
    assert any("events='cl_xpc0' would take it" in note for note in plain.notes)
    chosen = discover(archive, events="cl_xpc*")
    assert list(chosen.dataclasses) == ["31100010"]  # the other data class has no such file
    assert names(chosen.roles("31100010"))["events"] == [f"{STEM}xtd_p031100010_cl_xpc0.evt"]
    with pytest.raises(NoObservationsError, match=r"_nothing\.evt.*events='cl'"):
        discover(archive, events="nothing")


def test_a_folder_that_may_not_be_read_hides_no_other(archive, monkeypatch):
    locked = tree(archive.parent / "900002010", "x").parent / "900002010"
    real = type(locked).iterdir

    def iterdir(self):
        if self == locked:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(type(locked), "iterdir", iterdir)
    assert find_observations(archive.parent) == [archive]
