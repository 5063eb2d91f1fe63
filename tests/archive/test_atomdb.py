"""AtomDB's tables from a server: whole, checked, and going on after a break."""

import hashlib
import io
import tarfile

import numpy as np
import pytest

from tests.fit.test_plasma import write_tables
from xtendsrc import cli
from xtendsrc.archive import atomdb
from xtendsrc.errors import DownloadError, RequestError
from xtendsrc.settings import cache_directory

VERSION = "9.8.7"


@pytest.fixture
def release(remote, tmp_path, monkeypatch):
    """A release with small tables, a link and some ballast, on the server; checksums as they should be."""
    source = tmp_path / "made"
    source.mkdir()
    write_tables(source / f"apec_v{VERSION}")
    folder = remote.root / "FTP/AtomDB/releases"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"atomdb_v{VERSION}.tar.bz2"
    with tarfile.open(place, "w:bz2") as archive:
        link = tarfile.TarInfo(f"atomdb_v{VERSION}/apec_line.fits")
        link.type, link.linkname = tarfile.SYMTYPE, f"apec_v{VERSION}_line.fits"
        archive.addfile(link)
        ballast = np.random.default_rng(0).bytes(300_000)
        info = tarfile.TarInfo(f"atomdb_v{VERSION}/APED/filemap")
        info.size = len(ballast)
        archive.addfile(info, io.BytesIO(ballast))
        for path in sorted(source.iterdir()):
            archive.add(path, f"atomdb_v{VERSION}/{path.name}")
    known = {p.name: (p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest()) for p in source.iterdir()}
    monkeypatch.setattr(atomdb, "KNOWN", known)
    monkeypatch.setenv("XTENDSRC_ATOMDB_URL", f"{remote.url}/FTP/AtomDB/releases")
    yield source
    place.unlink()


def test_two_files_are_kept_and_not_brought_again(release, remote, tmp_path, hasty):
    into = tmp_path / "tables"
    found = atomdb.fetch_tables(into, VERSION, hasty)
    assert sorted(p.name for p in into.iterdir()) == sorted(p.name for p in release.iterdir())
    assert all(p.read_bytes() == (release / p.name).read_bytes() for p in found)
    remote.forget()
    assert atomdb.fetch_tables(into, VERSION, hasty) == found
    assert remote.gets("atomdb") == []
    found[0].write_bytes(b"damaged")
    atomdb.fetch_tables(into, VERSION, hasty)
    assert found[0].read_bytes() == (release / found[0].name).read_bytes()


def test_a_broken_transfer_goes_on_where_it_stopped(release, remote, tmp_path, hasty):
    remote.fault("drop", "atomdb_v", after=100_000)
    atomdb.fetch_tables(tmp_path / "tables", VERSION, hasty)
    ranges = [ranged for _, ranged, _ in remote.gets("atomdb_v")]
    assert len(ranges) == 2
    assert ranges[1] == "bytes=100000-"


def test_tables_that_are_not_the_known_ones_are_refused_and_not_kept(release, tmp_path, monkeypatch, hasty):
    (name, (size, _)), *_ = atomdb.KNOWN.items()
    for wrong, said in (((size, "0" * 64), "SHA-256"), ((size + 1, "0" * 64), f"instead of {size + 1}")):
        monkeypatch.setitem(atomdb.KNOWN, name, wrong)
        with pytest.raises(DownloadError, match=said):
            atomdb.fetch_tables(tmp_path / "tables", VERSION, hasty)
        assert not (tmp_path / "tables" / name).exists()


def test_what_is_no_release_is_told(release, remote, tmp_path, hasty):
    with pytest.raises(RequestError, match="no version"):
        atomdb.fetch_tables(tmp_path, "latest", hasty)
    with pytest.raises(DownloadError) as refusal:
        atomdb.fetch_tables(tmp_path, "1.2.3", hasty)
    assert "atomdb.org" in refusal.value.next_step
    (remote.root / f"FTP/AtomDB/releases/atomdb_v{VERSION}.tar.bz2").write_bytes(b"no archive")
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        atomdb.fetch_tables(tmp_path, VERSION, hasty)


def test_the_command_fetches_and_condenses(release, capsys):
    assert cli.main(["models", "fetch", "--version", VERSION]) == 0
    said = capsys.readouterr().out
    assert "2 temperatures, compared with their known SHA-256" in said
    assert (cache_directory() / "atomdb" / f"apec_v{VERSION}_line.fits").is_file()
    assert list(cache_directory().glob(f"apec_v{VERSION}-*.npz"))


def test_the_command_lists_components(capsys):
    assert cli.main(["models", "list", "vapec"]) == 0
    said = capsys.readouterr().out
    assert "bvapec" in said
    assert "native, xspec-library, xspec" in said
    assert cli.main(["models", "list", "nothing-like-it"]) == 1
