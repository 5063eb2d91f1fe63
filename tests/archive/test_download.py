"""Downloading: the real clients against the archive on loopback, with every fault."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import astropy.units as u
import pytest

import xtendsrc as xs
from xtendsrc import archive
from xtendsrc.archive.remote import folders_of, patterns_of
from xtendsrc.errors import (
    ArchiveError,
    DownloadError,
    NoObservationsError,
    ProprietaryDataError,
    RequestError,
)

SMALL = "900003010"
SECRET = "900004010"
NOT_ARCHIVED = "900005010"
HOSTS = ("heasarc", "aws", "sciserver")
NETWORK = ("heasarc", "aws")


@pytest.fixture(scope="module")
def near(_server, position, tmp_path_factory):
    """All observations near the target, searched once."""
    _server.reset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XTENDSRC_CACHE", str(tmp_path_factory.mktemp("cache")))
        return archive.search(position, public=None, endpoints=_server.endpoints)


def sizes(local):
    """Bytes of each part; those renamed meanwhile are left out."""
    found = {}
    for path in parts(local):
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.stat().st_size
    return found


def parts(local):
    return sorted(local.rglob("*.part"))


@pytest.mark.parametrize("host", HOSTS)
def test_three_observations_from_every_host(remote, near, local, hasty, host):
    table = near.filter(public=True)
    report = archive.download(table, local, host, policy=hasty)
    assert not report.failed
    for obs_id in table.obs_ids:
        assert remote.arrived(local, obs_id) == remote.tree(obs_id, "auxil", "xtend")
        noted = json.loads((local / obs_id / "manifest.json").read_text())["files"]
        assert {n: f["size"] for n, f in noted.items()} == {
            n: len(d) for n, d in remote.tree(obs_id, "auxil", "xtend").items()
        }
    assert [p.name for p in report.paths] == list(table.obs_ids)
    assert parts(local) == []
    # the tree that came is one that the package reads
    assert set(xs.Observation(local / "900002010").dataclasses) == {"31100010", "32000010"}


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_there_is_not_fetched_again(remote, local, hasty, host):
    archive.download(SMALL, local, host, policy=hasty)
    remote.forget()
    report = archive.download(SMALL, local, host, policy=hasty)
    assert remote.gets() == []
    assert len(report.present) == 7
    assert not report.fetched


def test_selections(remote, local, hasty):
    archive.download(SMALL, local / "a", "heasarc", "events", policy=hasty)
    names = remote.arrived(local / "a", SMALL)
    assert not any("_uf.evt" in n or n.startswith(("resolve", "log")) for n in names)
    assert {n.split("/")[1] for n in names if n.startswith("xtend/")} == {"event_cl", "event_uf", "hk"}
    archive.download(SMALL, local / "b", "aws", "all", policy=hasty)
    assert remote.arrived(local / "b", SMALL) == remote.tree(SMALL)
    archive.download(SMALL, local / "c", "sciserver", ["auxil/*.att*"], policy=hasty)
    assert list(remote.arrived(local / "c", SMALL)) == [f"auxil/xa{SMALL}.att.gz"]
    with pytest.raises(DownloadError, match="no file of this observation"):
        archive.download(SMALL, local / "d", "heasarc", ["nothing/*"], policy=hasty)
    for wrong in ("resolve", ["../*"], ["/etc/*"], []):
        with pytest.raises(RequestError):
            archive.download(SMALL, local, "heasarc", wrong, policy=hasty)


def test_only_needed_folders_are_listed():
    assert folders_of(patterns_of("xtend")) == ["auxil", "xtend"]
    assert folders_of(patterns_of("all")) == [""]
    assert folders_of(["xtend/event_cl/*", "xtend/*", "a*/b/c"]) == [
        "",
    ]


def test_nginx_lists_as_well(remote, local, hasty):
    remote.control(server="nginx")
    archive.download(SMALL, local, "heasarc", policy=hasty)
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")


def test_the_plan_tells_sizes_and_writes_nothing(remote, local, hasty):
    plan = archive.plan_download([SMALL, "900001010"], local, "heasarc", policy=hasty)
    expected = sum(len(d) for i in (SMALL, "900001010") for d in remote.tree(i, "auxil", "xtend").values())
    assert plan.to_fetch == plan.size == expected
    assert set(plan.table["obs_id"]) == {SMALL, "900001010"}
    assert not local.exists()
    archive.download(SMALL, local, "heasarc", ["auxil/*"], policy=hasty)
    later = archive.plan_download(SMALL, local, "heasarc", policy=hasty)
    assert len(later.present) == 2
    assert later.to_fetch == later.size - sum(len(d) for d in remote.tree(SMALL, "auxil").values())


def test_listings_beyond_a_page(remote, local, hasty):
    remote.control(page=2)
    archive.download(SMALL, local, "aws", policy=hasty)
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")


def test_listings_beyond_a_thousand_keys(remote, local, hasty):
    folder = remote.root / "FTP/xrism/data/obs/9/900009010/auxil"
    folder.mkdir(parents=True)
    for number in range(1203):
        (folder / f"f{number:04d}.txt").write_text(str(number))
    plan = archive.plan_download("900009010", local, "aws", policy=hasty)
    assert len(plan.missing) == 1203
    assert plan.size == sum(len(str(n)) for n in range(1203))


# --- proprietary and absent data ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", HOSTS)
def test_encrypted_observations_are_refused_with_their_date(remote, near, local, hasty, host):
    table = near[[SECRET, SMALL]]
    with pytest.raises(ProprietaryDataError, match="2050-07-13") as caught:
        archive.download(table, local, host, policy=hasty)
    assert "encrypted" in str(caught.value)
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")  # the rest came
    assert not (local / SECRET).exists()
    assert [o.obs_id for o in caught.value.report.failed] == [SECRET]


@pytest.mark.parametrize("host", HOSTS)
def test_observations_that_are_not_archived(remote, local, hasty, host):
    with pytest.raises(DownloadError, match="is not there") as caught:
        archive.download([NOT_ARCHIVED, SMALL], local, host, policy=hasty)
    assert caught.value.report.paths == [local / SMALL]


def test_nothing_to_download(remote, near, local):
    with pytest.raises(NoObservationsError):
        archive.download(near[:0], local)
    with pytest.raises(RequestError, match="nine digits"):
        archive.download("12345", local)
    with pytest.raises(RequestError, match="no host"):
        archive.download(SMALL, local, "darts")


# --- faults ---------------------------------------------------------------------------------------------------------

FAULTS = ("drop", "drop-at-once", "status-503", "status-500", "wrong-size", "no-range")
STAYING = ("status-403", "status-404", "status-503", "drop-at-once", "wrong-size", "garbage")


@pytest.mark.parametrize(
    ("host", "kind"),
    [*(("heasarc", k) for k in FAULTS), *(("aws", k) for k in ("drop", "status-503", "wrong-size"))],
)
def test_faults_that_pass(remote, local, hasty, host, kind):
    remote.fault("drop", "_uf.evt", times=1, after=500_000)
    remote.fault(kind, "_uf.evt", times=2)
    remote.fault(kind, "_cl.evt", times=1)
    remote.fault("status-503", "/$", times=2)  # of lists
    remote.fault("status-503", "nasa-heasarc/?$", times=2)
    report = archive.download(SMALL, local, host, policy=hasty)
    assert not report.failed
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")
    assert parts(local) == []


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        *(("heasarc", k) for k in STAYING),
        *(("aws", k) for k in ("status-403", "drop-at-once", "wrong-size", "garbage")),
    ],
)
def test_faults_that_stay_leave_everything_else_and_can_be_mended(remote, local, hasty, host, kind):
    remote.fault(kind, "_cl.evt", times=1000)
    with pytest.raises(DownloadError) as caught:
        archive.download(SMALL, local, host, policy=hasty)
    (failed,) = caught.value.report.failed
    assert "_cl.evt" in failed.path
    assert "_cl.evt" in str(caught.value)
    expected = remote.tree(SMALL, "auxil", "xtend")
    del expected[failed.path]
    arrived = {n: d for n, d in remote.arrived(local, SMALL).items() if not n.endswith(".part")}
    assert arrived == expected
    remote.reset()
    archive.download(SMALL, local, host, policy=hasty)
    assert len(remote.gets()) == 1
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")


def test_sizes_that_cannot_be_had(remote, local, hasty):
    remote.fault("status-403", "bimg", times=100, methods=["HEAD"])
    with pytest.raises(DownloadError, match="may not be read"):
        archive.download(SMALL, local, "heasarc", policy=hasty)


@pytest.mark.parametrize("host", NETWORK)
def test_a_broken_transfer_goes_on_where_it_stopped(remote, local, hasty, host):
    remote.fault("drop", "_uf.evt", times=1, after=500_000)
    remote.fault("drop-at-once", "_uf.evt", times=hasty.attempts)
    with pytest.raises(DownloadError, match="after 500000 of"):
        archive.download(SMALL, local, host, policy=hasty)
    (part,) = parts(local)
    assert part.stat().st_size == 500_000
    remote.reset()
    report = archive.download(SMALL, local, host, policy=hasty)
    ((_, ranged, sent),) = remote.gets()
    assert ranged == "bytes=500000-"
    (file,) = report.fetched
    assert file.resumed == 500_000
    assert sent == file.size - 500_000
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")


@pytest.mark.parametrize("host", HOSTS)
def test_a_file_that_changed_in_the_archive_comes_anew_and_whole(remote, local, hasty, host):
    served = remote.root / "FTP/xrism/data/obs/9" / SMALL / f"xtend/hk/xa{SMALL}xtd_a0.hk.gz"
    before = served.read_bytes()
    try:
        archive.download(SMALL, local, host, policy=hasty)
        data = bytearray(gzip.decompress(before))
        data[5] ^= 1  # incompressible content: the same size
        served.write_bytes(gzip.compress(bytes(data), 1, mtime=0))
        assert served.stat().st_size == len(before)
        report = archive.download(SMALL, local, host, policy=hasty)
        assert [o.path for o in report.fetched] == [f"xtend/hk/xa{SMALL}xtd_a0.hk.gz"]
        assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")
    finally:
        served.write_bytes(before)


@pytest.mark.parametrize("host", NETWORK)
def test_pieces_of_two_versions_never_meet(remote, local, hasty, host):
    served = remote.root / "FTP/xrism/data/obs/9" / SMALL / f"xtend/event_uf/xa{SMALL}xtd_p0300000a0_uf.evt.gz"
    before = served.read_bytes()
    remote.fault("drop", "_uf.evt", times=1, after=500_000)
    remote.fault("drop-at-once", "_uf.evt", times=hasty.attempts)
    with pytest.raises(DownloadError):
        archive.download(SMALL, local, host, policy=hasty)
    try:
        data = bytes(reversed(gzip.decompress(before)))
        served.write_bytes(gzip.compress(data, 1, mtime=0))
        archive.download(SMALL, local, host, policy=hasty)
        assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")
        assert parts(local) == []
    finally:
        served.write_bytes(before)


def test_a_half_file_under_its_own_name_is_replaced(remote, local, hasty):
    archive.download(SMALL, local, "heasarc", policy=hasty)
    target = local / SMALL / f"auxil/xa{SMALL}.ehk.gz"
    whole = target.read_bytes()
    target.write_bytes(whole[:100])
    report = archive.download(SMALL, local, "heasarc", policy=hasty)
    assert len(report.fetched) == 1
    assert target.read_bytes() == whole


def test_a_silent_server(remote, local):
    remote.fault("silent", "_cl.evt", times=100)
    hurried = archive.Policy(attempts=2, pause=0.01, timeout=0.3)
    with pytest.raises(DownloadError, match="_cl\\.evt"):
        archive.download(SMALL, local, "heasarc", ["xtend/event_cl/*"], policy=hurried)


def test_too_little_space(remote, local, hasty, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ArchiveError, match="free"):
        archive.download(SMALL, local, "heasarc", policy=hasty)
    assert remote.gets() == []
    assert not local.exists()


def test_a_source_finds_and_downloads_its_observations(remote, position, local, tmp_path):
    from astropy.coordinates.name_resolve import sesame_url

    remote.control(names={"LMC N132D": [position.ra.deg, position.dec.deg]})
    with sesame_url.set([f"{remote.url}/sesame/"]):
        source = xs.PointSource("LMC N132D", archive=local, output=tmp_path / "out", download=True)
    assert source.name == "LMC N132D"
    assert set(source.observations) >= {"900001010", "900002010"}
    with pytest.raises(NoObservationsError):
        xs.PointSource(
            position.directional_offset_by(0, 20 * u.deg), archive=local, search_radius=1 * u.arcsec, download=True
        )


def test_progress_is_shown_where_it_is_wanted(remote, local, hasty, capsys):
    with xs.settings(progress=True):
        archive.download(SMALL, local, "heasarc", policy=hasty)
    assert "100%" in capsys.readouterr().err


def test_a_damaged_manifest_is_made_anew(remote, local, hasty):
    archive.download(SMALL, local, "heasarc", policy=hasty)
    (local / SMALL / "manifest.json").write_text("{")
    target = local / SMALL / f"auxil/xa{SMALL}.ehk.gz"
    target.unlink()
    archive.download(SMALL, local, "heasarc", policy=hasty)
    assert target.name in (local / SMALL / "manifest.json").read_text()


def test_the_link_service_may_fail(remote, near, local, hasty):
    table = near[SMALL]
    remote.fault("status-404", "datalink", times=10, methods=["POST"])
    archive.download(table, local, "heasarc", policy=hasty)
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")


def test_aws_without_boto3_and_sciserver_elsewhere(remote, local, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ArchiveError, match="boto3"):
        archive.download(SMALL, local, "aws")
    with pytest.raises(ArchiveError, match="not mounted"):
        archive.download(SMALL, local, "sciserver", endpoints=archive.Endpoints(sciserver="/nowhere/at/all"))


# --- kills ----------------------------------------------------------------------------------------------------------


def command(*words, cache):
    environment = {**os.environ, "XTENDSRC_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-m", "xtendsrc", *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.mark.parametrize("host", ["heasarc", pytest.param("aws", marks=pytest.mark.slow)])
def test_killed_downloads_go_on_without_fetching_again(remote, local, hasty, tmp_path, host):
    remote.fault("slow", "_uf.evt", times=1, pause=0.15)  # 23 blocks: some three seconds
    child = command("download", SMALL, "--into", str(local), "--host", host, cache=tmp_path / "cache")
    deadline = time.monotonic() + 60
    while not any(s > 300_000 for s in sizes(local).values()):
        assert child.poll() is None, child.stdout.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    complete = [n for n in remote.arrived(local, SMALL) if not n.endswith(".part")]
    assert complete
    assert not any("_uf.evt" in n for n in complete)
    have = sizes(local)
    remote.forget()
    report = archive.download(SMALL, local, host, policy=hasty)
    asked = remote.gets()
    assert not any(path.endswith(n) for path, _, _ in asked for n in complete)
    (started,) = (size for name, size in have.items() if "_uf.evt" in name)
    assert [ranged for path, ranged, _ in asked if "_uf.evt" in path] == [f"bytes={started}-"]
    assert not report.failed
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")


@pytest.mark.slow
def test_two_downloads_at_once_share_the_work(remote, local, tmp_path):
    remote.fault("slow", "_uf.evt", times=1, pause=0.02)
    children = [
        command("download", SMALL, "--into", str(local), "--host", "heasarc", cache=tmp_path / "cache") for _ in "ab"
    ]
    for child in children:
        text, _ = child.communicate(timeout=90)
        assert child.returncode == 0, text.decode()
    assert remote.arrived(local, SMALL) == remote.tree(SMALL, "auxil", "xtend")
    assert len(remote.gets()) == 7


@pytest.mark.remote_data
def test_the_real_archive(tmp_path):
    report = archive.download("000128000", tmp_path, "heasarc", ["auxil/*gen.gti*"])
    assert report.fetched


def test_ctrl_c_ends_a_download_at_its_next_piece(remote, near, local, hasty, monkeypatch):
    """Transfers that would take a minute; Ctrl-C comes when the first of them has begun for a second."""
    arrived, begun, lock = [], [], threading.Lock()
    killer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))

    def slowly(source, file, target, policy, tell):
        with lock:
            if not begun:
                begun.append(time.monotonic())
                killer.start()
        for _ in range(600):
            time.sleep(0.1)
            arrived.append(file.path)
            tell(1)

    monkeypatch.setattr(sys.modules["xtendsrc.archive.download"], "fetch", slowly)
    with pytest.raises(KeyboardInterrupt):
        archive.download(near.filter(public=True), local, "heasarc", policy=hasty)
    killer.join()
    assert time.monotonic() - begun[0] < 6
    before = len(arrived)
    assert before
    time.sleep(0.5)
    assert len(arrived) == before
