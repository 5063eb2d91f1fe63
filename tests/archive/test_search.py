"""Searching: the real client against the archive on loopback."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time

from xtendsrc import archive
from xtendsrc.errors import ArchiveError, RequestError, UnitsError, XtendsrcWarning


@pytest.fixture
def everything(remote):
    return archive.search(public=None)


def test_the_whole_catalogue(everything):
    assert len(everything) == 500
    assert everything.dataclasses["900002010"] == ("31100010", "32000010")
    assert everything.dataclasses["900001010"] == ("300000a0",)
    assert {"__row", "xtd_dataclas1", "public_date"} <= set(everything.table.colnames)


def test_around_a_target_in_the_order_of_the_angle(remote, position):
    table = archive.search(position, radius=2.5 * u.arcmin, public=None)
    assert table.obs_ids == ("900001010", "900002010", "900003010")
    assert table["offaxis"].tolist() == pytest.approx([0, 1, 2], abs=1e-6)  # arcmin, as the catalogue was written


def test_only_public_ones_unless_asked(remote, position):
    assert archive.search(position).obs_ids == ("900001010", "900002010", "900003010")
    assert archive.search(position, public=False).obs_ids == ("900004010", "900005010")
    assert len(archive.search(position, public=None)) == 5


def test_dates_that_were_never_set_are_masked_and_not_public(everything):
    column = everything["public_date"]
    assert column[4] is np.ma.masked  # 88068
    assert column[5] is np.ma.masked  # 0
    assert column[6] is np.ma.masked  # null
    assert not everything.public[[4, 5, 6]].any()
    assert everything["time"][4] is np.ma.masked
    assert everything.public_date("900004010") == "2050-07-13"  # MJD 70000.5
    assert everything.public_date("900005010") == "not set"
    dated = column.compressed()
    assert len(dated) > 100
    assert int(everything.public.sum()) == int(np.sum(dated < Time.now().mjd))


def test_filters(everything):
    long = everything.filter(exposure=50 * u.ks)
    assert np.all(long["exposure"] >= 50_000)
    assert len(long) == 200  # 20000 + 100 n >= 50000 for n = 300..499
    assert len(everything.filter(exposure=(20 * u.ks, 20.2 * u.ks))) == 3
    assert everything.filter(dataclass="311*").obs_ids == ("900002010",)
    assert everything.filter(dataclass=["32000010", "31300010"]).obs_ids == ("900002010",)
    begun = everything.filter(date=("2024-01-01", "2024-01-03"))  # MJD 60310..60312
    assert begun["time"].tolist() == [60310.0, 60311.0, 60312.0]
    assert len(everything.filter(date=Time(60799, format="mjd"))) == 1
    assert len(everything.filter(public=True, exposure=1 * u.s, dataclass="*")) == int(everything.public.sum())


def test_filters_refuse_what_makes_no_sense(everything, position):
    with pytest.raises(RequestError, match="not searched around a target"):
        everything.filter(offaxis=3 * u.arcmin)
    with pytest.raises(UnitsError, match="exposure"):
        everything.filter(exposure=20)
    with pytest.raises(RequestError, match="not a date"):
        everything.filter(date="yesterday")
    with pytest.raises(RequestError, match="not positive"):
        archive.search(position, radius=0 * u.arcmin)
    with pytest.raises(UnitsError):
        archive.search(position, radius=3)


def test_off_axis(remote, position):
    table = archive.search(position, public=None)
    assert table.filter(offaxis=1.5 * u.arcmin).obs_ids == ("900001010", "900002010")


def test_choosing_rows(everything):
    assert everything[0].obs_ids == ("900001010",)
    assert everything[-1].obs_ids == everything.obs_ids[-1:]
    assert everything[1:3].obs_ids == everything.obs_ids[1:3]
    assert everything["900003010"].obs_ids == ("900003010",)
    assert everything[["900003010", "900001010"]].obs_ids == ("900003010", "900001010")
    assert everything[everything["exposure"] < 20_150].obs_ids == everything.obs_ids[:2]
    assert len(everything[[]]) == 0
    assert [t.obs_ids[0] for t in everything[:3]] == list(everything.obs_ids[:3])
    with pytest.raises(KeyError, match="123456789"):
        everything["123456789"]
    with pytest.raises(IndexError):
        everything[500]


def test_looks(remote, position):
    table = archive.search(position, public=None)
    text = repr(table)
    assert "5 observations" in text
    assert "3 public" in text
    assert "900005010" in text
    assert "<table" in table._repr_html_()
    assert "0 observations" in repr(table[:0])


def test_one_question_serves_many_targets_and_is_kept(remote, position):
    archive.search(position)
    asked = len(remote.control()["requests"])
    assert asked > 0
    for dec in range(-60, 60, 10):
        archive.search(SkyCoord(10, dec, unit="deg"), radius=5 * u.deg)
    assert len(remote.control()["requests"]) == asked
    archive.search(position, max_age=0 * u.s)
    assert len(remote.control()["requests"]) > asked


def test_offline(remote, position):
    with pytest.raises(ArchiveError, match="offline=True"):
        archive.search(position, offline=True)
    archive.search(position)
    remote.forget()
    assert len(archive.search(position, offline=True)) == 3
    assert remote.control()["requests"] == []


def test_without_network_the_kept_table_is_used_and_its_age_told(remote, position):
    kept = archive.search(position)
    remote.fault("status-503", "tap", times=100, methods=["GET", "POST"])
    with pytest.warns(XtendsrcWarning, match="is used instead"):
        again = archive.search(position, max_age=0 * u.s)
    assert again.obs_ids == kept.obs_ids


def test_without_network_and_table_there_is_a_clear_error(position):
    nowhere = archive.Endpoints(heasarc="http://127.0.0.1:9")  # the discard port: nothing listens
    with pytest.raises(ArchiveError, match="gave no usable answer"):
        archive.search(position, endpoints=nowhere)


@pytest.mark.parametrize("kind", ["status-503", "drop", "drop-at-once"])
def test_answers_that_break_off_are_asked_for_again(remote, position, kind):
    remote.fault(kind, "tap/sync", times=2, methods=["GET", "POST"])
    remote.fault(kind, "tap/tables", times=1)
    assert len(archive.search(position)) == 3


def test_a_catalogue_without_the_optional_columns(remote, position):
    remote.control(missing=["subject_category", "end_time"])
    table = archive.search(position)
    assert len(table) == 3
    assert "status" not in table.table.colnames


def test_a_catalogue_without_the_needed_columns(remote, position):
    remote.control(missing=["xtd_dataclas2"])
    with pytest.raises(ArchiveError, match="xtd_dataclas2"):
        archive.search(position)


def test_a_damaged_table_is_set_aside(remote, position, tmp_path):
    archive.search(position)
    (store,) = (tmp_path / "cache").glob("*.ecsv")
    store.write_text(store.read_text()[:2000])
    assert len(archive.search(position)) == 3
    assert store.with_suffix(".damaged").exists()
    assert len(archive.search(position, offline=True)) == 3


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sesame(remote):
    from astropy.coordinates.name_resolve import sesame_url

    with sesame_url.set([f"{remote.url}/sesame/"]):
        yield remote


def test_names_are_resolved_once(sesame, position):
    sesame.control(names={"LMC N132D": [position.ra.deg, position.dec.deg]})
    assert archive.search("LMC N132D").obs_ids == ("900001010", "900002010", "900003010")
    sesame.forget()
    found = archive.resolve("lmc  n132d")
    assert found.separation(position) < 1e-6 * u.arcsec
    assert sesame.control()["requests"] == []
    assert len(archive.search("LMC N132D", offline=True)) == 3


def test_unknown_names_and_silent_resolvers_are_told_apart(sesame):
    with pytest.raises(ArchiveError, match="No source is called 'N132X'"):
        archive.resolve("N132X")
    sesame.fault("drop-at-once", "sesame", times=9)
    with pytest.raises(ArchiveError, match="was not reached"):
        archive.resolve("N132D")
    with pytest.raises(ArchiveError, match="not remembered"):
        archive.resolve("N132D", offline=True)
    with pytest.raises(RequestError, match="is not the name of a target"):
        archive.resolve("  ")


def test_damaged_names_are_set_aside(sesame, tmp_path):
    store = tmp_path / "cache/names.json"
    store.parent.mkdir(exist_ok=True)
    for text in ("{not json", "[1, 2]", '{"n132d": "x"}'):
        store.write_text(text)
        sesame.control(names={"N132D": [81.0, -69.0]})
        assert archive.resolve("N132D").ra.deg == pytest.approx(81.0)
        assert store.with_suffix(".damaged").exists()


def test_clients_are_loaded_late():
    import subprocess
    import sys

    code = (
        "import sys, xtendsrc.archive; print([m for m in ('astroquery', 'pyvo', 'requests', 'httpx', 'boto3', "
        "'matplotlib', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_views(remote, position):
    from matplotlib.figure import Figure

    table = archive.search(position, public=None)
    ax = table.view_sky(figure=Figure())
    assert len(ax.patches) == 5
    assert ax.get_xlim()[0] > ax.get_xlim()[1]  # east is left
    ax = table.view_timeline(figure=Figure())
    assert len(ax.get_yticks()) == 4  # the one without a start is left out
    whole = archive.search(public=None)
    assert whole.view_sky(figure=Figure()).name == "aitoff"
    assert "500" in whole.view_sky(figure=Figure()).get_title()
    assert whole.view_timeline(figure=Figure()).get_ylabel() == "exposure (ks)"
    assert table[:0].view_timeline(figure=Figure()).get_title() == "no dated observation"
    table[:0].view_sky(figure=Figure())


@pytest.mark.remote_data
def test_the_real_archive():
    table = archive.search(SkyCoord(81.2591, -69.6437, unit="deg"), max_age=0 * u.s)
    assert "000128000" in table.obs_ids
    assert "31100010" in table.dataclasses["000128000"]
