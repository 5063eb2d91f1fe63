"""Tar archives: what they hold arrives, and nothing leaves the target directory."""

import io
import tarfile

import pytest

from xtendsrc.archive import unpack
from xtendsrc.errors import ArchiveError, InputNotFoundError, TruncatedFileError

OBS = "900003010"


def tar(path, members, mode="w"):
    """Write an archive of (name, content or changes of the member)."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                for key, value in content.items():
                    setattr(member, key, value)
                archive.addfile(member)
    return path


def everything(top):
    return {p.relative_to(top).as_posix() for p in top.rglob("*")}


@pytest.mark.parametrize(("mode", "prefix"), [("w", ""), ("w:gz", "./"), ("w", "FTP/xrism/data/obs/9/")])
def test_observations_arrive(tmp_path, mode, prefix):
    source = tar(
        tmp_path / "a.tar",
        [
            (f"{prefix}{OBS}", {"type": tarfile.DIRTYPE}),
            (f"{prefix}{OBS}/auxil/xa{OBS}.att.gz", b"attitude"),
            (f"{prefix}{OBS}/xtend/hk/xa{OBS}xtd_a0.hk.gz", b"hk"),
        ],
        mode,
    )
    into = tmp_path / "XRISM"
    assert unpack(source, into) == [into / OBS]
    assert (into / OBS / f"auxil/xa{OBS}.att.gz").read_bytes() == b"attitude"
    assert (into / OBS / f"xtend/hk/xa{OBS}xtd_a0.hk.gz").read_bytes() == b"hk"
    assert not [p for p in into.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize(
    "member",
    [
        (f"{OBS}/../../outside", b"x"),
        ("../outside", b"x"),
        (f"/{OBS}/absolute", b"x"),
        (f"/tmp/{OBS}/absolute", b"x"),
        (f"{OBS}/link", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        (f"{OBS}/link", {"type": tarfile.SYMTYPE, "linkname": "auxil"}),
        (f"{OBS}/hard", {"type": tarfile.LNKTYPE, "linkname": f"{OBS}/auxil/a"}),
        (f"{OBS}/pipe", {"type": tarfile.FIFOTYPE}),
        (f"{OBS}/device", {"type": tarfile.CHRTYPE}),
        ("elsewhere/file", b"x"),
        (f"{OBS}/a\\..\\b", b"x"),
        (f"{OBS}/.hidden", b"x"),
    ],
    ids=lambda m: f"{m[0]}-{m[1].get('linkname', '') if isinstance(m[1], dict) else ''}",
)
def test_whatever_leads_elsewhere_is_refused_and_nothing_is_unpacked(tmp_path, member):
    source = tar(tmp_path / "a.tar", [(f"{OBS}/auxil/a", b"good"), member])
    into = tmp_path / "deep/XRISM"
    with pytest.raises(ArchiveError):
        unpack(source, into)
    assert everything(tmp_path) == {"a.tar", "deep", "deep/XRISM"}


def test_a_link_planted_in_the_target_is_not_followed(tmp_path):
    source = tar(tmp_path / "a.tar", [(f"{OBS}/auxil/a", b"good")])
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "XRISM").mkdir()
    (tmp_path / "XRISM" / OBS).symlink_to(outside)
    with pytest.raises(ArchiveError, match="link that leads elsewhere"):
        unpack(source, tmp_path / "XRISM")
    assert not [p for p in outside.rglob("*") if p.is_file()]


@pytest.mark.parametrize("keep", [100, 700, 1600])
def test_truncated_archives_leave_nothing(tmp_path, keep):
    source = tar(tmp_path / "a.tar", [(f"{OBS}/auxil/a", b"x" * 300), (f"{OBS}/auxil/b", b"y" * 3000)])
    source.write_bytes(source.read_bytes()[:keep])
    with pytest.raises(TruncatedFileError):
        unpack(source, tmp_path / "XRISM")
    assert everything(tmp_path / "XRISM") == set()


def test_no_archive(tmp_path):
    with pytest.raises(InputNotFoundError):
        unpack(tmp_path / "none.tar", tmp_path)
