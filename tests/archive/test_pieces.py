"""Split event files of which some pieces cannot be read."""

import pytest

from xtendsrc.archive.layout import discover
from xtendsrc.errors import InputNotFoundError


@pytest.mark.parametrize("secret", ["p2", "p3"])
def test_an_encrypted_piece_is_a_missing_one(tmp_path, secret):
    folder = tmp_path / "000126000/xtend/event_cl"
    folder.mkdir(parents=True)
    for piece in ("p1", "p2", "p3"):
        name = f"xa000126000xtd_{piece}300000a0_cl.evt.gz" + (".gpg" if piece == secret else "")
        (folder / name).write_bytes(b"")
    files = discover(tmp_path / "000126000")
    with pytest.raises(InputNotFoundError, match=f"piece {secret[1]} "):
        files.roles("300000a0")
